//! Backups of the hub, into the folder that the options allow.

use super::{Refusal, get, post};
use crate::access::Role::Admin;
use crate::openapi::Body::Optional;
use crate::openapi::Content::Json;
use crate::openapi::Operation;
use crate::problem::Code::{AlreadyExists, NoSuchBackup, NoSuchRoute};
use crate::route::{Route, handler};
use crate::v1::backups;

const NEW: Operation = Operation::NEW;

pub(super) const ROUTES: &[Route<Refusal>] = &[
    post(
        "backups",
        Admin,
        handler!(backups::start),
        Operation {
            id: "startBackup",
            summary: "Starts a backup of the running hub, into a new folder of the server. One \
                      backup runs at a time. A server without a folder for backups answers with 404.",
            body: Optional("BackupRequest"),
            answers: &[(202, Json("Backup"), "It was started.", &["Location"])],
            errors: &[AlreadyExists, NoSuchRoute],
            ..NEW
        },
    ),
    get(
        "backups",
        handler!(backups::list),
        Operation {
            id: "listBackups",
            summary: "Lists the backups that were started since the server was, ordered by name: the \
                      last 100.",
            answers: &[(200, Json("BackupList"), "The backups.", &[])],
            ..NEW
        },
    ),
    get(
        "backups/{name}",
        handler!(backups::details),
        Operation {
            id: "getBackup",
            summary: "Returns whether a backup is complete, and what it contains.",
            answers: &[(200, Json("Backup"), "The backup.", &[])],
            errors: &[NoSuchBackup],
            ..NEW
        },
    ),
];
