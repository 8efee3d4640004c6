#![doc = include_str!("../docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::expect_used, clippy::unwrap_used)]

extern crate self as durable;

#[macro_use]
mod tell;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod activity;
mod call;
mod chance;
mod engine;
mod entity;
mod error;
mod event;
#[cfg(any(doc, doctest))]
pub mod guide;
mod hub;
mod limits;
mod orchestration;
mod panics;
mod payload;
pub mod protocol;
mod quiet;
mod registry;
mod retry;
mod schedule;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod weight;

/// The crate of dates and times, as it stands in the API.
pub use chrono;

pub use activity::{Activity, ActivityContext, State};
pub use call::Call;
pub use durable_macros::{activity, allow, deterministic, entity, event, helper, orchestrator};
pub use entity::{
    CriticalSection, DynamicHandle, DynamicLocked, Entity, EntityContext, EntityHandle,
    LockEntities, LockSet, LockTask, LockedOperation, LockedTask, Operation,
};
pub use error::{Error, NonRetriable, Result, TaskError, TaskFailed};
pub use event::ExternalEvent;
pub use hub::{
    CleanedEntities, CustomStatusWatch, EntityDetails, EntityError, EntityPage, EntityQuery,
    HubError, InstanceDetails, InstanceHandle, InstanceQuery, LifecycleError, LifecycleEvent,
    LifecycleEvents, LifecycleKind, ManageError, OpenError, OrchestrationHandle, Parameter,
    Registered, RegisteredEntity, RegisteredFunction, RegisteredOperation, Reply, ResultError,
    Retention, ScheduledSignal, ScheduledSignalPage, ScheduledSignalQuery, ShutdownReport,
    StartError, TaskHub, TaskHubBuilder,
};
pub use orchestration::{
    AsCompleted, ContinueAsNew, Durable, DurableFuture, Elapsed, ExternalEventWait, Join, JoinAll,
    JoinTuple, NextCompleted, OrchestrationContext, Orchestrator, Race, Race2, Race3, Race4, Race5,
    Race6, Race7, Race8, RaceTuple, SelectAll, Selectable, Task, Timeout, Timer, TryJoin,
    TryJoinAll, TryJoinTuple, When, as_completed, join, join_all, race, select_all, timeout,
    try_join, try_join_all,
};
pub use payload::Payload;
pub use protocol::{EntityId, InstanceId, InvalidEntityId, InvalidInstanceId, RuntimeStatus};
pub use registry::{Definition, RegistryError, VersionMatch};
pub use retry::{InvalidRetryPolicy, RetryContext, RetryPolicy};
pub use schedule::{
    InvalidSchedule, Recurrence, Schedule, ScheduleDescription, ScheduleError, ScheduleHandle,
    ScheduleQuery, ScheduleStatus, ScheduleUpdate, ScheduledCall,
};

/// What nearly every program needs: `use durable::prelude::*;`.
pub mod prelude {
    pub use crate::{
        ActivityContext, EntityContext, Error, OrchestrationContext, OrchestrationHandle, Race2,
        Race3, Result, RetryPolicy, RuntimeStatus, State, TaskFailed, TaskHub, activity, entity,
        orchestrator,
    };
}
