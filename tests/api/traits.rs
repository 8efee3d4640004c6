//! Every public type implements `Debug`, and `Clone`, `Send` and `Sync` where it can.

use std::fmt::Debug;

use durable::client::{
    CleanedEntities, CustomStatusWatch, EntityDetails, EntityError, EntityQuery, HubError,
    InstanceDetails, InstanceQuery, InstanceStatus, InvalidEvent, InvalidOperation,
    InvalidPageToken, InvalidPayload, InvalidSetting, LifecycleError, LifecycleEvent,
    LifecycleEvents, LifecycleKind, ManageError, OpenError, Page, PageToken, QueryStream,
    Registered, RegistryError, Reply, ResultError, Retention, ScheduledSignal,
    ScheduledSignalQuery, ShutdownReport, StartError, TaskHubBuilder, Unreadable, VersionMatch,
};
use durable::entity::{
    CriticalSection, DynamicHandle, DynamicLocked, LockEntities, LockTask, LockedOperation,
    LockedTask, Operation,
};
use durable::http::{
    HttpCall, HttpError, HttpPolicy, HttpPoll, HttpRequest, HttpResponse, HttpRetry, Secret,
};
use durable::prelude::*;
use durable::protocol::{
    EntityState, EventKind, ExecutionId, ExecutionLimits, ExecutionStarted, FailureDetails,
    HistoryEvent, HubRecord, InstanceRecord, InvalidEntityId, InvalidInstanceId,
    InvalidTraceContext, Json, MessageId, ParentInstance, PartitionId, Suspension, TaskMessage,
    Timestamp, TraceContext,
};
use durable::retry::RetryContext;
use durable::schedule::{
    InvalidSchedule, Recurrence, Schedule, ScheduleDescription, ScheduleError, ScheduleHandle,
    ScheduleQuery, ScheduleStatus, ScheduleUpdate, ScheduledCall,
};
use durable::store::{
    Commit, Durability, EpisodeWrite, Epoch, InstanceFilter, InstancePage, MemoryStore,
    PartitionState, SledOptions, SledStore, StoreError, Usage,
};
use durable::task::{
    AsCompleted, ContinueAsNew, Elapsed, ExternalEventWait, Join, JoinAll, NextCompleted, Race,
    Race8, SelectAll, Task, Timeout, Timer, TryJoin, TryJoinAll,
};
use durable::{Call, EntityId, InstanceHandle, InstanceId};

#[activity]
async fn step() -> Result<()> {
    Ok(())
}

#[orchestrator]
async fn work(ctx: &OrchestrationContext) -> Result<()> {
    Ok(step().await?)
}

/// An error of a user that only implements `Error`.
struct Bare;

fn debug<T: ?Sized + Debug>() {}
fn value<T: Clone + Debug>() {}
fn shared<T: Clone + Debug + Send + Sync>() {}
fn sent<T: Debug + Send + Sync>() {}

macro_rules! all {
    ($check:ident: $($ty:ty),+ $(,)?) => {
        $($check::<$ty>();)+
    };
}

#[test]
fn every_public_type_implements_debug_and_clone_where_it_can() {
    all!(shared: Call<step>, Call<work>, ActivityContext, RetryPolicy, RuntimeStatus, State<u8>);
    all!(shared: TaskHub, TaskHubBuilder, InstanceHandle, OrchestrationHandle<work>, Error);
    all!(shared: TaskFailed, InstanceId, EntityId, Operation<u8>, Operation<u8, Bare>, DynamicHandle);
    all!(shared: CleanedEntities, EntityDetails, EntityError, EntityQuery, HubError);
    all!(shared: InstanceStatus, InvalidPageToken, Page<InstanceStatus>, PageToken, Registered);
    all!(shared: InstanceDetails, InstanceQuery, LifecycleError, LifecycleEvent, LifecycleKind);
    all!(shared: ManageError, RegistryError, ResultError, Retention, ScheduledSignal, StartError);
    all!(shared: ScheduledSignalQuery, ShutdownReport, VersionMatch);
    all!(shared: InvalidSchedule, Recurrence, Schedule, ScheduleDescription, ScheduleError);
    all!(shared: ScheduleHandle, ScheduleQuery, ScheduleStatus, ScheduleUpdate, ScheduledCall);
    all!(shared: RetryContext, Elapsed, Race8<u8, u8, u8, u8, u8, u8, u8, u8>);
    all!(shared: EntityState, EventKind, ExecutionId, ExecutionLimits, ExecutionStarted);
    all!(shared: FailureDetails, HistoryEvent, HubRecord, InstanceRecord, InvalidEntityId, Json);
    all!(shared: InvalidInstanceId, InvalidTraceContext, MessageId, ParentInstance, PartitionId);
    all!(shared: Suspension, TaskMessage, Timestamp, TraceContext, StoreError, Usage, SledOptions);
    all!(shared: Commit, Durability, EpisodeWrite, Epoch, InstanceFilter, InstancePage);
    all!(shared: PartitionState, InvalidEvent, InvalidOperation, InvalidPayload, InvalidSetting);
    all!(shared: Unreadable, HttpError, HttpPoll, HttpPolicy, HttpRequest, HttpResponse, HttpRetry);
    all!(shared: Secret);

    // One owner: a connection, a file, or the context of one operation.
    all!(sent: OpenError, durable::testing::ReopenError, EntityContext, LifecycleEvents, CustomStatusWatch<Bare>);
    all!(sent: MemoryStore, SledStore, DynamicLocked);
    all!(debug: ContinueAsNew<u8>);
    all!(debug: Reply<Bare>, QueryStream<InstanceQuery>);

    // Futures of orchestrators belong to one thread, and are awaited once.
    all!(debug: OrchestrationContext, Task<Bare, Bare>, Timer, ExternalEventWait<Bare>);
    all!(debug: Timeout<Bare>, Join<Bare>, TryJoin<Bare>, Race<Bare>, LockEntities<Bare>);
    all!(debug: LockTask<Bare>, CriticalSection<Bare>, LockedOperation<'_, Bare, Bare>);
    all!(debug: LockedTask<'_, Bare, Bare>, JoinAll<Timer>, TryJoinAll<Timer>, SelectAll<Timer>);
    all!(debug: AsCompleted<Timer>, NextCompleted<'_, Timer>);
    all!(debug: TaskFailed<Bare>, HttpCall);
    all!(value: TaskFailed<u8>, ResultError<u8>, EntityError<u8>);
}

#[test]
fn a_call_shows_its_function_and_its_input() {
    let call = work().instance_id("nightly").tag("team", "maths");
    let shown = format!("{call:?}");
    assert!(shown.contains("work") && shown.contains("nightly"), "{shown}");
    assert_eq!(format!("{:?}", call.clone()), shown);
}
