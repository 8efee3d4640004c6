//! Starting, listing, reading and managing instances.

use super::{Handler, Refusal, delete, get, post, scan};
use crate::access::Role::{Admin, Operate};
use crate::openapi::Body::{Optional, Required};
use crate::openapi::Content::{Events, Json, Nothing};
use crate::openapi::Operation;
use crate::problem::Code::{
    self, AlreadyExists, CannotRewind, Failed, Finished, NoRoom, NoSuchInstance, NotFailed,
    NotFinished, NotRegistered, Suspended, Terminated,
};
use crate::route::{Route, handler};
use crate::v1::{actions, events, export, histogram, history, instances, list, start, timeline};

const NEW: Operation = Operation::NEW;

/// An operation on an instance that answers with the instance as it is afterwards.
const fn action(
    template: &'static str,
    handler: Handler,
    body: &'static str,
    operation: Operation,
) -> Route<Refusal> {
    const NOW: &[crate::openapi::Answer] =
        &[(200, Json("InstanceStatus"), "The instance as it is now.", &[])];
    post(template, Operate, handler, Operation { body: Optional(body), answers: NOW, ..operation })
}

pub(super) const ROUTES: &[Route<Refusal>] = &[
    post(
        "instances",
        Operate,
        handler!(start::start),
        Operation {
            id: "startInstance",
            summary: "Starts an instance; once, if the request has an idempotency key.",
            headers: &["Idempotency-Key", "Prefer", "traceparent", "tracestate"],
            body: Required("StartRequest"),
            answers: &[
                (201, Json("Started"), "It was started.", &["Location", "Idempotency-Replayed"]),
                (200, Json("InstanceDetails"), "It has ended within the wait.", &["Location"]),
                (202, Json("Started"), "It has not ended yet.", &["Location", "Retry-After"]),
            ],
            errors: &[NotRegistered, AlreadyExists, Code::KeyReused, NoRoom],
            ..NEW
        },
    ),
    scan(
        "instances",
        handler!(list::list),
        Operation {
            id: "listInstances",
            summary: "Lists the instances that match a filter, the newest first.",
            query: &[
                "name",
                "status",
                "prefix",
                "tag",
                "createdFrom",
                "createdTo",
                "endedFrom",
                "endedTo",
                "customStatus",
                "failedWith",
                "failureType",
                "includeSchedules",
                "includeInternal",
                "fields",
                "sort",
                "maxScanned",
                "limit",
                "after",
            ],
            answers: &[(200, Json("InstancePage"), "A page.", &["Link"])],
            ..NEW
        },
    ),
    scan(
        "instances:count",
        handler!(list::count),
        Operation {
            id: "countInstances",
            summary: "Counts the instances that match a filter, also by status or name.",
            query: &[
                "name",
                "status",
                "prefix",
                "tag",
                "createdFrom",
                "createdTo",
                "endedFrom",
                "endedTo",
                "customStatus",
                "failedWith",
                "failureType",
                "includeSchedules",
                "includeInternal",
                "maxScanned",
                "groupBy",
            ],
            answers: &[(200, Json("InstanceCount"), "The count.", &[])],
            ..NEW
        },
    ),
    scan(
        "instances:histogram",
        handler!(histogram::histogram),
        Operation {
            id: "getHistogram",
            summary: "Counts the instances that match a filter by the time of their creation, or of \
                      their end, and by status.",
            query: &[
                "name",
                "status",
                "prefix",
                "tag",
                "createdFrom",
                "createdTo",
                "endedFrom",
                "endedTo",
                "customStatus",
                "failedWith",
                "failureType",
                "includeSchedules",
                "includeInternal",
                "by",
                "buckets",
                "maxScanned",
            ],
            answers: &[(200, Json("Histogram"), "The counts.", &[])],
            ..NEW
        },
    ),
    get(
        "instances/{id}",
        handler!(instances::details),
        Operation {
            id: "getInstance",
            summary: "Returns an instance with its input, output and failure.",
            headers: &["Prefer", "If-None-Match"],
            answers: &[
                (200, Json("InstanceDetails"), "The instance.", &["ETag"]),
                (304, Nothing, "The client has this version.", &["ETag"]),
            ],
            errors: &[NoSuchInstance],
            ..NEW
        },
    ),
    delete(
        "instances/{id}",
        Admin,
        handler!(actions::delete),
        Operation {
            id: "deleteInstance",
            summary: "Removes an instance that has ended.",
            answers: &[(204, Nothing, "It was removed.", &[])],
            errors: &[NoSuchInstance, NotFinished],
            ..NEW
        },
    ),
    get(
        "instances/{id}/input",
        handler!(instances::input),
        Operation {
            id: "getInput",
            summary: "Returns the input of an instance.",
            answers: &[(200, Json("Any"), "The input.", &[])],
            errors: &[NoSuchInstance],
            ..NEW
        },
    ),
    get(
        "instances/{id}/output",
        handler!(instances::output),
        Operation {
            id: "getOutput",
            summary: "Returns the output of an instance.",
            headers: &["Prefer"],
            answers: &[(200, Json("Any"), "The output.", &[])],
            errors: &[NoSuchInstance, NotFinished, Failed, Terminated, Suspended],
            ..NEW
        },
    ),
    get(
        "instances/{id}/pending",
        handler!(instances::pending),
        Operation {
            id: "getPending",
            summary: "Returns what an instance waits for now: activities with their attempts, timers, \
                      events, sub-orchestrations, entities and locks.",
            answers: &[(200, Json("PendingWork"), "What it waits for.", &[])],
            errors: &[NoSuchInstance],
            ..NEW
        },
    ),
    get(
        "instances/{id}/history",
        handler!(history::page),
        Operation {
            id: "getHistory",
            summary: "Returns events of the history of an instance.",
            query: &["history.from", "order", "limit", "kinds"],
            headers: &["If-None-Match"],
            answers: &[
                (200, Json("HistoryPage"), "A page.", &["ETag"]),
                (304, Nothing, "The client has this version.", &["ETag"]),
            ],
            errors: &[NoSuchInstance],
            ..NEW
        },
    ),
    get(
        "instances/{id}/history.json",
        handler!(export::file),
        Operation {
            id: "downloadHistory",
            summary: "Returns the history of an instance as a file that can be replayed. If the history is \
                      replaced before the file is complete, the connection is closed early.",
            headers: &["If-None-Match"],
            answers: &[
                (200, Json("RecordedHistory"), "The file.", &["ETag"]),
                (304, Nothing, "The client has this version.", &["ETag"]),
            ],
            errors: &[NoSuchInstance],
            ..NEW
        },
    ),
    get(
        "instances/{id}/events",
        handler!(events::of_instance),
        Operation {
            id: "followInstance",
            summary: "Sends the history of an instance, and then each new event once it is durable. \
                      An event with the index 0 begins a history: discard what was sent before. \
                      After the last event follows `end` with the instance, or with null if it was \
                      removed.",
            query: &["events.from"],
            headers: &["Last-Event-ID"],
            answers: &[
                (200, Events("FollowedEvent"), "Server-sent events `history`.", &[]),
                (204, Nothing, "It has ended, and the client has all events.", &[]),
            ],
            errors: &[NoSuchInstance],
            ..NEW
        },
    ),
    get(
        "instances/{id}/timeline",
        handler!(timeline::timeline),
        Operation {
            id: "getTimeline",
            summary: "Returns what an instance did and waited for, as lanes of bars and points over \
                      time. Above 2,000 bars, equal lanes are merged. A history of more than 50,000 \
                      events is refused.",
            query: &[
                "timeline.from",
                "timeline.to",
                "lane",
                "lanes",
                "failed",
                "critical",
                "timeline.children",
            ],
            answers: &[(200, Json("Timeline"), "The timeline.", &[])],
            errors: &[NoSuchInstance, Code::TooLong],
            ..NEW
        },
    ),
    get(
        "instances/{id}/children",
        handler!(history::children),
        Operation {
            id: "listChildren",
            summary: "Lists the instances that an instance has called or started. A page can have fewer \
                      items than `limit`; the last page has no `next`.",
            query: &["from", "limit"],
            answers: &[(200, Json("ChildPage"), "A page.", &[])],
            errors: &[NoSuchInstance],
            ..NEW
        },
    ),
    action(
        "instances/{id}:raise/{event}",
        handler!(actions::raise),
        "Any",
        Operation {
            id: "raiseEvent",
            summary: "Raises an external event. The body is its payload.",
            errors: &[NoSuchInstance, Finished, NoRoom],
            ..NEW
        },
    ),
    action(
        "instances/{id}:suspend",
        handler!(actions::suspend),
        "Reason",
        Operation {
            id: "suspendInstance",
            summary: "Suspends an instance; one that is suspended stays so.",
            errors: &[NoSuchInstance, Finished],
            ..NEW
        },
    ),
    action(
        "instances/{id}:resume",
        handler!(actions::resume),
        "Reason",
        Operation {
            id: "resumeInstance",
            summary: "Resumes a suspended instance; one that is not suspended stays so.",
            errors: &[NoSuchInstance, Finished, Suspended, NoRoom],
            ..NEW
        },
    ),
    action(
        "instances/{id}:terminate",
        handler!(actions::terminate),
        "TerminateRequest",
        Operation {
            id: "terminateInstance",
            summary: "Terminates an instance.",
            errors: &[NoSuchInstance, Finished],
            ..NEW
        },
    ),
    action(
        "instances/{id}:rewind",
        handler!(actions::rewind),
        "Reason",
        Operation {
            id: "rewindInstance",
            summary: "Runs the failed tasks of a failed instance again.",
            errors: &[NoSuchInstance, NotFinished, NotFailed, CannotRewind, NoRoom],
            ..NEW
        },
    ),
    action(
        "instances/{id}:restart",
        handler!(actions::restart),
        "RestartRequest",
        Operation {
            id: "restartInstance",
            summary: "Starts an instance again with the same input, under its own or another id.",
            errors: &[NoSuchInstance, AlreadyExists, NotRegistered, NoRoom],
            ..NEW
        },
    ),
    post(
        "instances/{id}:purge",
        Admin,
        handler!(actions::purge),
        Operation {
            id: "purgeInstance",
            summary: "Removes an instance that has ended, also with its sub-orchestrations.",
            body: Optional("PurgeRequest"),
            answers: &[(200, Json("Purged"), "The number of removed instances.", &[])],
            errors: &[NoSuchInstance, NotFinished],
            ..NEW
        },
    ),
];
