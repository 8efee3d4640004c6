//! Schedules, registered functions, the hub itself, and the description of the API.

use axum::http::Method;

use super::{Refusal, delete, get, post, scan};
use crate::access::Role::{Admin, Operate};
use crate::openapi::Body::Required;
use crate::openapi::Content::{Events, Json, Nothing};
use crate::openapi::Operation;
use crate::problem::Code::{
    AlreadyExists, Finished, NoRoom, NoSuchSchedule, NotRegistered, Suspended,
};
use crate::route::{Route, handler};
use crate::v1::{
    access, description, events, hub, partitions, registered, running, schedules, statistics,
};

const NEW: Operation = Operation::NEW;

pub(super) const ROUTES: &[Route<Refusal>] = &[
    scan(
        "schedules",
        handler!(schedules::list),
        Operation {
            id: "listSchedules",
            summary: "Lists the schedules that match a filter.",
            query: &["schedules.prefix", "schedules.status", "limit", "after"],
            answers: &[(200, Json("SchedulePage"), "A page.", &["Link"])],
            ..NEW
        },
    ),
    post(
        "schedules",
        Operate,
        handler!(schedules::create),
        Operation {
            id: "createSchedule",
            summary: "Creates a schedule.",
            body: Required("ScheduleRequest"),
            answers: &[(201, Json("Schedule"), "It was created.", &["Location"])],
            errors: &[NotRegistered, AlreadyExists, NoRoom],
            ..NEW
        },
    ),
    get(
        "schedules/{id}",
        handler!(schedules::details),
        Operation {
            id: "getSchedule",
            summary: "Returns a schedule, and its next five ticks.",
            answers: &[(200, Json("ScheduleDetails"), "The schedule.", &[])],
            errors: &[NoSuchSchedule],
            ..NEW
        },
    ),
    Route::new(Method::PUT, "schedules/{id}", Operate, handler!(schedules::update)).described(
        Operation {
            id: "updateSchedule",
            summary: "Replaces what a schedule starts and when.",
            body: Required("ScheduleRequest"),
            answers: &[(200, Json("Schedule"), "The schedule as it is now.", &[])],
            errors: &[NotRegistered, NoSuchSchedule, Finished, Suspended, NoRoom],
            ..NEW
        },
    ),
    delete(
        "schedules/{id}",
        Admin,
        handler!(schedules::delete),
        Operation {
            id: "deleteSchedule",
            summary: "Removes a schedule.",
            answers: &[(204, Nothing, "It was removed.", &[])],
            errors: &[NoSuchSchedule],
            ..NEW
        },
    ),
    post(
        "schedules/{id}:pause",
        Operate,
        handler!(schedules::pause),
        Operation {
            id: "pauseSchedule",
            summary: "Pauses a schedule: it skips its ticks.",
            answers: &[(200, Json("Schedule"), "The schedule as it is now.", &[])],
            errors: &[NoSuchSchedule, Finished, Suspended, NoRoom],
            ..NEW
        },
    ),
    post(
        "schedules/{id}:resume",
        Operate,
        handler!(schedules::resume),
        Operation {
            id: "resumeSchedule",
            summary: "Resumes a paused schedule.",
            answers: &[(200, Json("Schedule"), "The schedule as it is now.", &[])],
            errors: &[NoSuchSchedule, Finished, Suspended, NoRoom],
            ..NEW
        },
    ),
    get(
        "registered",
        handler!(registered),
        Operation {
            id: "listRegistered",
            summary: "Lists the functions that the hub can run.",
            answers: &[(200, Json("Registered"), "The functions.", &[])],
            ..NEW
        },
    ),
    get(
        "running",
        handler!(running),
        Operation {
            id: "listRunning",
            summary: "Lists the activities that run now, those that have run longest first.",
            answers: &[(200, Json("RunningActivities"), "The activities.", &[])],
            ..NEW
        },
    ),
    scan(
        "activities:statistics",
        handler!(statistics::activities),
        Operation {
            id: "getActivityStatistics",
            summary: "Counts the attempts and failures of each activity and measures their run times, \
                      over the newest instances that match a filter. At most `limit` instances and \
                      50,000 events are read.",
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
                "limit",
            ],
            answers: &[(200, Json("ActivityStatistics"), "The statistics.", &[])],
            ..NEW
        },
    ),
    get(
        "hub",
        handler!(hub),
        Operation {
            id: "getHub",
            summary: "Returns the partitions, processes and storage of the hub.",
            answers: &[(200, Json("Hub"), "The hub.", &[])],
            ..NEW
        },
    ),
    post(
        "partitions/{partition}:retry",
        Operate,
        handler!(partitions::retry),
        Operation {
            id: "retryPartition",
            summary: "Lets a process own a parked partition again. If its stored data still cannot be read, \
                      it is parked again.",
            answers: &[(200, Json("RetriedPartition"), "Whether it was parked.", &[])],
            ..NEW
        },
    ),
    post(
        "partitions/{partition}:pin",
        Operate,
        handler!(partitions::pin),
        Operation {
            id: "pinPartition",
            summary: "Names the process that should own a partition, or none.",
            body: Required("PinRequest"),
            answers: &[(204, Nothing, "It is stored; the partition moves soon.", &[])],
            ..NEW
        },
    ),
    post(
        "partitions/{partition}:freeze",
        Operate,
        handler!(partitions::freeze),
        Operation {
            id: "freezePartition",
            summary: "Keeps a partition where it is, for a reason, or ends that. No process takes it over, \
                      even if its owner ends.",
            body: Required("FreezeRequest"),
            answers: &[(204, Nothing, "It is stored.", &[])],
            ..NEW
        },
    ),
    get(
        "access",
        handler!(access),
        Operation {
            id: "getAccess",
            summary: "Returns the role of the request's key, and the time of the hub.",
            answers: &[(200, Json("Access"), "The access.", &[])],
            ..NEW
        },
    ),
    get(
        "events",
        handler!(events::of_hub),
        Operation {
            id: "followHub",
            summary: "Sends lifecycle events as they happen. A client that reads too slowly gets the \
                      event `missed` with a `count`.",
            query: &["events.kinds", "name", "prefix"],
            answers: &[(200, Events("LifecycleEvent"), "Server-sent events `lifecycle`.", &[])],
            ..NEW
        },
    ),
    get(
        "openapi.json",
        handler!(description),
        Operation {
            id: "getDescription",
            summary: "Returns this document.",
            answers: &[(200, Json("Any"), "An OpenAPI 3.1 document.", &[])],
            ..NEW
        },
    ),
];
