//! Entities, locks, and signals that are not due yet.

use super::{Refusal, delete, get, post, scan};
use crate::access::Role::{Admin, Operate};
use crate::openapi::Body::Optional;
use crate::openapi::Content::{Json, Nothing};
use crate::openapi::Operation;
use crate::problem::Code::{Failed, NoRoom, NoSuchEntity, NotRegistered};
use crate::route::{Route, handler};
use crate::v1::entities;

const NEW: Operation = Operation::NEW;

pub(super) const ROUTES: &[Route<Refusal>] = &[
    scan(
        "entities",
        handler!(entities::list),
        Operation {
            id: "listEntities",
            summary: "Lists the entities that match a filter.",
            query: &[
                "entities.name",
                "entities.prefix",
                "modifiedFrom",
                "modifiedTo",
                "state",
                "includeTransient",
                "setAside",
                "limit",
                "after",
            ],
            answers: &[(200, Json("EntityPage"), "A page.", &["Link"])],
            ..NEW
        },
    ),
    get(
        "entities/{name}/{key}",
        handler!(entities::details),
        Operation {
            id: "getEntity",
            summary: "Returns an entity with its state. The key `$` is the empty key.",
            answers: &[(200, Json("Entity"), "The entity.", &[])],
            errors: &[NoSuchEntity],
            ..NEW
        },
    ),
    get(
        "entities/{name}/{key}/queue",
        handler!(entities::queue),
        Operation {
            id: "getEntityQueue",
            summary: "Lists the requests that an entity has not handled, in the order of arrival: \
                      who waits for its lock, and what waits behind them.",
            query: &["limit"],
            answers: &[(200, Json("EntityQueue"), "The requests.", &[])],
            ..NEW
        },
    ),
    post(
        "entities:clean",
        Admin,
        handler!(entities::clean),
        Operation {
            id: "cleanEntities",
            summary: "Releases locks whose orchestration no longer exists. Reads every entity.",
            answers: &[(200, Json("CleanedEntities"), "The number of released locks.", &[])],
            errors: &[NoRoom],
            ..NEW
        },
    )
    .scan(),
    post(
        "entities/{name}/{key}:resume",
        Operate,
        handler!(entities::resume),
        Operation {
            id: "resumeEntity",
            summary: "Lets an entity run that is set aside, because its next operation ends the \
                      process. It runs that operation again.",
            answers: &[(200, Json("ResumedEntity"), "Whether it was set aside.", &[])],
            ..NEW
        },
    ),
    post(
        "entities/{name}/{key}:skip",
        Operate,
        handler!(entities::skip),
        Operation {
            id: "skipOperation",
            summary: "Lets an entity run that is set aside, because its next operation ends the \
                      process. That operation fails without being run.",
            answers: &[(200, Json("ResumedEntity"), "Whether it was set aside.", &[])],
            ..NEW
        },
    ),
    delete(
        "entities/{name}/{key}",
        Operate,
        handler!(entities::delete),
        Operation {
            id: "deleteEntity",
            summary: "Removes the state of an entity.",
            answers: &[(204, Nothing, "It was removed.", &[])],
            errors: &[NotRegistered, Failed, NoRoom],
            ..NEW
        },
    ),
    post(
        "entities/{name}/{key}:signal/{operation}",
        Operate,
        handler!(entities::signal),
        Operation {
            id: "signalEntity",
            summary: "Signals an entity, at once or at a time. The body is the input.",
            query: &["at"],
            body: Optional("Any"),
            answers: &[(202, Nothing, "It was sent.", &[])],
            errors: &[NotRegistered, NoRoom],
            ..NEW
        },
    ),
    post(
        "entities/{name}/{key}:call/{operation}",
        Operate,
        handler!(entities::call),
        Operation {
            id: "callEntity",
            summary: "Calls an operation of an entity. The body is the input.",
            body: Optional("Any"),
            answers: &[(200, Json("Any"), "The output.", &[])],
            errors: &[NotRegistered, Failed, NoRoom],
            ..NEW
        },
    ),
    scan(
        "locks",
        handler!(entities::locks),
        Operation {
            id: "listLocks",
            summary: "Lists the entities that critical sections have locked. A page may be empty \
                      although more follow.",
            query: &["entities.name", "entities.prefix", "limit", "after"],
            answers: &[(200, Json("EntityPage"), "A page.", &["Link"])],
            ..NEW
        },
    ),
    scan(
        "signals",
        handler!(entities::signals),
        Operation {
            id: "listSignals",
            summary: "Lists the signals that are not due yet.",
            query: &["entities.name", "entities.key", "limit", "after"],
            answers: &[(200, Json("SignalPage"), "A page.", &["Link"])],
            ..NEW
        },
    ),
    delete(
        "signals/{id}",
        Admin,
        handler!(entities::cancel_signal),
        Operation {
            id: "cancelSignal",
            summary: "Removes a signal that is not due yet.",
            answers: &[(204, Nothing, "It was removed.", &[])],
            errors: &[NoSuchEntity],
            ..NEW
        },
    ),
];
