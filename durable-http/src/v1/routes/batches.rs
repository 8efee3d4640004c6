//! Batches: one action on all instances that match a filter.

use super::{Refusal, get, post, scan};
use crate::access::Role::Admin;
use crate::openapi::Body::Required;
use crate::openapi::Content::Json;
use crate::openapi::Operation;
use crate::problem::Code::{AlreadyExists, Finished, NoRoom, NoSuchInstance, NotFinished};
use crate::route::{Route, handler};
use crate::v1::batches;

const NEW: Operation = Operation::NEW;

pub(super) const ROUTES: &[Route<Refusal>] = &[
    post(
        "batches",
        Admin,
        handler!(batches::start),
        Operation {
            id: "startBatch",
            summary: "Starts a job that acts on all instances that match a filter, or counts them in \
                      a dry run. The job goes on after a crash.",
            body: Required("BatchRequest"),
            answers: &[(202, Json("Batch"), "It was started.", &["Location"])],
            errors: &[AlreadyExists, NoRoom],
            ..NEW
        },
    ),
    scan(
        "batches",
        handler!(batches::list),
        Operation {
            id: "listBatches",
            summary: "Lists the batches, ordered by id.",
            query: &["limit", "after"],
            answers: &[(200, Json("BatchPage"), "A page.", &["Link"])],
            ..NEW
        },
    ),
    get(
        "batches/{id}",
        handler!(batches::details),
        Operation {
            id: "getBatch",
            summary: "Returns what a batch has done, and its request.",
            answers: &[(200, Json("BatchDetails"), "The batch.", &[])],
            errors: &[NoSuchInstance],
            ..NEW
        },
    ),
    post(
        "batches/{id}:cancel",
        Admin,
        handler!(batches::cancel),
        Operation {
            id: "cancelBatch",
            summary: "Stops a batch after the instances it is at. What it has done remains.",
            answers: &[(200, Json("Batch"), "The batch as it is now.", &[])],
            errors: &[NoSuchInstance, Finished],
            ..NEW
        },
    ),
    post(
        "batches/{id}:retry",
        Admin,
        handler!(batches::retry),
        Operation {
            id: "retryBatch",
            summary: "Starts a batch with the same action on the instances that have failed in a batch \
                      that has ended: up to 1000, or 50 if it was stopped.",
            answers: &[(202, Json("Batch"), "The new batch.", &["Location"])],
            errors: &[NoSuchInstance, NotFinished, NoRoom],
            ..NEW
        },
    ),
];
