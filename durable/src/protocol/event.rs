//! What a history is made of.
//!
//! Names and fields are Durable Task's own (`HistoryEvent` in its protocol), so that people and
//! tools who know one know the other.

use serde::{Deserialize, Serialize};

use super::{
    EntityId, EntityState, ExecutionId, FailureDetails, InstanceId, Json, ParentInstance,
    RuntimeStatus, Tags, Timestamp, TraceContext,
};

/// How the text of a remembered patch begins.
const PATCHED: &str = "patched:";

/// One thing that happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryEvent {
    /// For an event that records an action (`TaskScheduled`): which one, counted from 0 in the
    /// order in which the orchestrator asked. For all others -1.
    pub event_id: i32,
    /// When it was written down.
    pub timestamp: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// What happened, in Durable Task's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventKind {
    /// The instance was started.
    ExecutionStarted(Box<ExecutionStarted>),
    /// The orchestrator returned, or panicked.
    ExecutionCompleted {
        /// `Completed` or `Failed`.
        status: RuntimeStatus,
        /// What it returned.
        result: Option<Json>,
        /// Why it failed.
        failure: Option<FailureDetails>,
    },
    /// The instance was ended from outside.
    ExecutionTerminated {
        /// Why.
        reason: String,
        /// Whether its sub-orchestrations were ended, too.
        recurse: bool,
    },
    /// The instance was set aside and keeps its history.
    ExecutionSuspended {
        /// Why.
        reason: String,
    },
    /// The instance goes on.
    ExecutionResumed {
        /// Why.
        reason: String,
    },
    /// The instance had failed, and what made it fail is tried again: that was taken out of the
    /// history. The time limits of its open calls count from here.
    ExecutionRewound {
        /// Why.
        reason: String,
        /// In a message to a sub-orchestration: the start that restores it if it was terminated or
        /// purged.
        #[serde(default)]
        start: Option<Box<ExecutionStarted>>,
    },
    /// The orchestrator called an activity.
    TaskScheduled {
        /// Name of the activity.
        name: String,
        /// Version of the activity.
        version: Option<String>,
        /// Its input.
        input: Json,
        /// Where in the source the call was written, as `file:line`.
        source: Option<String>,
        /// Its tags.
        #[serde(default)]
        tags: Tags,
    },
    /// An activity returned.
    TaskCompleted {
        /// `event_id` of its `TaskScheduled`.
        task_scheduled_id: i32,
        /// What it returned.
        result: Json,
    },
    /// An activity failed.
    ///
    /// A failure that arrives while the instance is suspended is recorded before its retry policy
    /// is evaluated. If the policy retries it, a `TaskAttemptFailed` of the same task follows when
    /// the instance resumes, and replaces this event. The same holds for sub-orchestrations.
    TaskFailed {
        /// `event_id` of its `TaskScheduled`.
        task_scheduled_id: i32,
        /// Why.
        failure: FailureDetails,
    },
    /// A run of an activity or of a sub-orchestration failed, and will be retried.
    ///
    /// Durable Task records a failure, a timer and a new request instead; here the engine retries.
    TaskAttemptFailed {
        /// `event_id` of its `TaskScheduled` or `SubOrchestrationInstanceCreated`.
        task_scheduled_id: i32,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// Why.
        failure: FailureDetails,
        /// When the next attempt begins.
        retry_at: Timestamp,
    },
    /// The orchestrator called, or started, another orchestration.
    SubOrchestrationInstanceCreated {
        /// The instance that is created.
        instance_id: InstanceId,
        /// Name of its orchestration.
        name: String,
        /// Version of its orchestration.
        version: Option<String>,
        /// Its input.
        input: Json,
        /// Where in the source the call was written, as `file:line`.
        source: Option<String>,
        /// Whether it is detached: its result is not awaited.
        #[serde(default)]
        detached: bool,
        /// Its tags.
        #[serde(default)]
        tags: Tags,
    },
    /// A sub-orchestration returned.
    SubOrchestrationInstanceCompleted {
        /// `event_id` of its `SubOrchestrationInstanceCreated`.
        task_scheduled_id: i32,
        /// What it returned.
        result: Json,
    },
    /// A sub-orchestration failed.
    SubOrchestrationInstanceFailed {
        /// `event_id` of its `SubOrchestrationInstanceCreated`.
        task_scheduled_id: i32,
        /// Why.
        failure: FailureDetails,
    },
    /// The orchestrator set a timer.
    TimerCreated {
        /// When it is due.
        fire_at: Timestamp,
        /// Where in the source it was set, as `file:line`.
        source: Option<String>,
    },
    /// A timer was due.
    TimerFired {
        /// `event_id` of its `TimerCreated`; -1 for the delayed start of an instance.
        timer_id: i32,
        /// When it was due.
        fire_at: Timestamp,
    },
    /// The orchestrator sent an event to another instance.
    EventSent {
        /// The other instance.
        instance_id: InstanceId,
        /// The event's name.
        name: String,
        /// Its data.
        input: Json,
        /// Where in the source it was sent, as `file:line`.
        source: Option<String>,
    },
    /// An external event arrived.
    EventRaised {
        /// The event's name.
        name: String,
        /// Its data.
        input: Json,
    },
    /// A recorded fact, named by its text. `patched:ID` is a [patch] that was taken.
    ///
    /// [patch]: crate::OrchestrationContext::patched
    GenericEvent {
        /// The text.
        data: String,
    },
    /// The orchestrator called an operation of an entity.
    EntityOperationCalled {
        /// The entity.
        entity_id: EntityId,
        /// The operation.
        operation: String,
        /// Its input.
        input: Json,
        /// Where in the source the call was written, as `file:line`.
        source: Option<String>,
        /// `event_id` of the `EntityLockRequested` of the critical section that calls, if one does.
        #[serde(default)]
        critical_section: Option<i32>,
    },
    /// The orchestrator signalled an entity: it does not wait for the result of the operation.
    EntityOperationSignaled {
        /// The entity.
        entity_id: EntityId,
        /// The operation.
        operation: String,
        /// Its input.
        input: Json,
        /// When it is to be delivered, if not at once.
        scheduled_time: Option<Timestamp>,
        /// Where in the source it was sent, as `file:line`.
        source: Option<String>,
    },
    /// An operation of an entity returned.
    EntityOperationCompleted {
        /// `event_id` of its `EntityOperationCalled`.
        task_scheduled_id: i32,
        /// What it returned.
        result: Json,
    },
    /// An operation of an entity failed and changed nothing there.
    EntityOperationFailed {
        /// `event_id` of its `EntityOperationCalled`.
        task_scheduled_id: i32,
        /// Why.
        failure: FailureDetails,
    },
    /// The orchestrator asked for a critical section.
    EntityLockRequested {
        /// The entities to lock, in the order in which they are locked; in a message, those that
        /// are not locked yet.
        lock_set: Vec<EntityId>,
        /// Where in the source it was asked for, as `file:line`.
        source: Option<String>,
    },
    /// The critical section has begun: all its entities are locked.
    EntityLockGranted {
        /// `event_id` of its `EntityLockRequested`.
        task_scheduled_id: i32,
    },
    /// The critical section has ended, or its request was abandoned.
    EntityUnlockSent {
        /// `event_id` of its `EntityLockRequested`.
        task_scheduled_id: i32,
        /// The entities to unlock; in a message, those that are still to be unlocked one after
        /// another.
        lock_set: Vec<EntityId>,
    },
    /// The state of an entity: the only event of its history.
    EntityState(Box<EntityState>),
    /// An episode began; its timestamp is the orchestrator's clock.
    OrchestratorStarted,
    /// The episode ended.
    OrchestratorCompleted,
}

/// How an execution began, and what it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionStarted {
    /// Name of the orchestration.
    pub name: String,
    /// Version of the orchestration.
    pub version: Option<String>,
    /// Its input.
    pub input: Json,
    /// This execution of the instance.
    pub execution_id: ExecutionId,
    /// Hash of the orchestrator's code when the execution began.
    #[serde(default)]
    pub code_hash: Option<u64>,
    /// The call that waits for the result, if it is a sub-orchestration.
    #[serde(default)]
    pub parent: Option<ParentInstance>,
    /// When it is to begin, if its start is delayed.
    #[serde(default)]
    pub scheduled_start: Option<Timestamp>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// The trace that it is part of.
    #[serde(default)]
    pub trace_context: Option<TraceContext>,
    /// The hub's settings for orchestrators, as they were at the start.
    #[serde(default)]
    pub properties: Tags,
    /// Which execution of the instance it is, from 0: one more with each continue-as-new.
    #[serde(default)]
    pub generation: u64,
    /// Which replay rules the execution follows: [`REPLAY_VERSION`] of the release that started it.
    ///
    /// An execution follows the rules with which it began, so a later release replays it as the
    /// release that started it did. 0 if it was started before 0.2.
    #[serde(default)]
    pub replay_version: u8,
    /// The hub's limits when the execution began. They apply until it ends, so a replay refuses
    /// exactly what was refused before. `None` if it was started before 0.2.
    #[serde(default)]
    pub limits: Option<ExecutionLimits>,
}

/// Limits on the requests and values of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionLimits {
    /// Bytes of a value, as JSON: [`max_payload`](crate::client::TaskHubBuilder::max_payload).
    pub payload: u64,
    /// Bytes of a custom status, as JSON:
    /// [`max_custom_status`](crate::client::TaskHubBuilder::max_custom_status).
    pub custom_status: u64,
    /// How many actions: [`max_actions`](crate::client::TaskHubBuilder::max_actions).
    pub actions: u32,
    /// How many unread events:
    /// [`max_unread_events`](crate::client::TaskHubBuilder::max_unread_events).
    pub unread_events: u64,
}

/// The replay rules of executions that this release starts.
///
/// * 0: release 0.1.
/// * 1: release 0.2. After a continue-as-new, [`new_guid`] is derived from the execution id. A
///   dropped
///   wait for an external event hands its event to the next wait of that name, which hands its own
///   down the line, so events stay in order; and who got an event this way goes on at once, not when
///   something else happens. An output that cannot be read again is a failure, and so is an event or
///   a custom status that is nested too deeply to be read. The text of a failure repeats at most
///   1 KiB of the failure below. Calls with options that have no effect are refused by `ctx.start` and
///   `continue_as_new`. Events that are sent and instances that are started count for
///   [`max_actions`](crate::client::TaskHubBuilder::max_actions), and what one episode hands over is bounded.
///   An [`Error`](crate::Error) that an orchestrator makes has the public path of its type as
///   [`error_type`](super::FailureDetails::error_type) (`durable::TaskFailed<..>`, not
///   `durable::error::TaskFailed<..>`), and one made of [`FailureDetails`](super::FailureDetails) is
///   these, not a failure caused by them. The `source()` of a failure is the next cause that its text
///   does not say, not every cause.
///   A replay also compares to whom a request goes: the entity of a call or signal, the recipient of
///   an event, the instance id that is given to a sub-orchestration.
///
/// [`new_guid`]: crate::OrchestrationContext::new_guid
pub const REPLAY_VERSION: u8 = 1;

impl ExecutionStarted {
    /// A start with the required fields only.
    pub fn new(
        name: impl Into<String>,
        version: Option<String>,
        input: Json,
        execution_id: ExecutionId,
    ) -> Self {
        Self {
            name: name.into(),
            version,
            input,
            execution_id,
            code_hash: None,
            parent: None,
            scheduled_start: None,
            tags: Tags::new(),
            trace_context: None,
            properties: Tags::new(),
            generation: 0,
            replay_version: REPLAY_VERSION,
            limits: None,
        }
    }
}

impl From<ExecutionStarted> for EventKind {
    fn from(started: ExecutionStarted) -> Self {
        Self::ExecutionStarted(Box::new(started))
    }
}

impl HistoryEvent {
    /// The event of an action that the orchestrator asked for.
    pub fn action(event_id: i32, timestamp: Timestamp, kind: EventKind) -> Self {
        Self { event_id, timestamp, kind }
    }

    /// An event that happened to the instance.
    pub fn new(timestamp: Timestamp, kind: EventKind) -> Self {
        Self { event_id: -1, timestamp, kind }
    }
}

impl EventKind {
    /// Durable Task's name of this kind of event.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::ExecutionStarted(_) => "ExecutionStarted",
            Self::ExecutionCompleted { .. } => "ExecutionCompleted",
            Self::ExecutionTerminated { .. } => "ExecutionTerminated",
            Self::ExecutionSuspended { .. } => "ExecutionSuspended",
            Self::ExecutionResumed { .. } => "ExecutionResumed",
            Self::ExecutionRewound { .. } => "ExecutionRewound",
            Self::TaskScheduled { .. } => "TaskScheduled",
            Self::TaskCompleted { .. } => "TaskCompleted",
            Self::TaskFailed { .. } => "TaskFailed",
            Self::TaskAttemptFailed { .. } => "TaskAttemptFailed",
            Self::SubOrchestrationInstanceCreated { .. } => "SubOrchestrationInstanceCreated",
            Self::SubOrchestrationInstanceCompleted { .. } => "SubOrchestrationInstanceCompleted",
            Self::SubOrchestrationInstanceFailed { .. } => "SubOrchestrationInstanceFailed",
            Self::TimerCreated { .. } => "TimerCreated",
            Self::TimerFired { .. } => "TimerFired",
            Self::EventSent { .. } => "EventSent",
            Self::EventRaised { .. } => "EventRaised",
            Self::GenericEvent { .. } => "GenericEvent",
            Self::EntityOperationCalled { .. } => "EntityOperationCalled",
            Self::EntityOperationSignaled { .. } => "EntityOperationSignaled",
            Self::EntityOperationCompleted { .. } => "EntityOperationCompleted",
            Self::EntityOperationFailed { .. } => "EntityOperationFailed",
            Self::EntityLockRequested { .. } => "EntityLockRequested",
            Self::EntityLockGranted { .. } => "EntityLockGranted",
            Self::EntityUnlockSent { .. } => "EntityUnlockSent",
            Self::EntityState(_) => "EntityState",
            Self::OrchestratorStarted => "OrchestratorStarted",
            Self::OrchestratorCompleted => "OrchestratorCompleted",
        }
    }

    /// The value that the recorded action passes on.
    pub(crate) fn handed_over(&self) -> Option<&Json> {
        match self {
            Self::TaskScheduled { input, .. }
            | Self::SubOrchestrationInstanceCreated { input, .. }
            | Self::EntityOperationCalled { input, .. }
            | Self::EntityOperationSignaled { input, .. }
            | Self::EventSent { input, .. } => Some(input),
            _ => None,
        }
    }

    /// Whether the event came from outside, and was not made by the instance's orchestrator.
    pub(crate) fn came_in(&self) -> bool {
        match self {
            Self::ExecutionStarted(_)
            | Self::ExecutionTerminated { .. }
            | Self::ExecutionSuspended { .. }
            | Self::ExecutionResumed { .. }
            | Self::ExecutionRewound { .. }
            | Self::TaskCompleted { .. }
            | Self::TaskFailed { .. }
            | Self::TaskAttemptFailed { .. }
            | Self::SubOrchestrationInstanceCompleted { .. }
            | Self::SubOrchestrationInstanceFailed { .. }
            | Self::TimerFired { .. }
            | Self::EntityOperationCompleted { .. }
            | Self::EntityOperationFailed { .. }
            | Self::EntityLockGranted { .. }
            | Self::EventRaised { .. } => true,
            Self::ExecutionCompleted { .. }
            | Self::TaskScheduled { .. }
            | Self::SubOrchestrationInstanceCreated { .. }
            | Self::TimerCreated { .. }
            | Self::EventSent { .. }
            | Self::GenericEvent { .. }
            | Self::EntityOperationCalled { .. }
            | Self::EntityOperationSignaled { .. }
            | Self::EntityLockRequested { .. }
            | Self::EntityUnlockSent { .. }
            | Self::EntityState(_)
            | Self::OrchestratorStarted
            | Self::OrchestratorCompleted => false,
        }
    }

    /// The number of the task that an event answers.
    pub(crate) fn answers(&self) -> Option<i32> {
        match self {
            Self::TaskCompleted { task_scheduled_id: id, .. }
            | Self::TaskFailed { task_scheduled_id: id, .. }
            | Self::TaskAttemptFailed { task_scheduled_id: id, .. }
            | Self::SubOrchestrationInstanceCompleted { task_scheduled_id: id, .. }
            | Self::SubOrchestrationInstanceFailed { task_scheduled_id: id, .. }
            | Self::EntityOperationCompleted { task_scheduled_id: id, .. }
            | Self::EntityOperationFailed { task_scheduled_id: id, .. }
            | Self::EntityLockGranted { task_scheduled_id: id }
            | Self::TimerFired { timer_id: id, .. } => Some(*id),
            Self::ExecutionStarted(_)
            | Self::ExecutionCompleted { .. }
            | Self::ExecutionTerminated { .. }
            | Self::ExecutionSuspended { .. }
            | Self::ExecutionResumed { .. }
            | Self::ExecutionRewound { .. }
            | Self::TaskScheduled { .. }
            | Self::SubOrchestrationInstanceCreated { .. }
            | Self::TimerCreated { .. }
            | Self::EventSent { .. }
            | Self::EventRaised { .. }
            | Self::GenericEvent { .. }
            | Self::EntityOperationCalled { .. }
            | Self::EntityOperationSignaled { .. }
            | Self::EntityLockRequested { .. }
            | Self::EntityUnlockSent { .. }
            | Self::EntityState(_)
            | Self::OrchestratorStarted
            | Self::OrchestratorCompleted => None,
        }
    }

    /// The number of the activity or sub-orchestration whose run failed, if the event is such a
    /// failure.
    pub(crate) fn failed_call(&self) -> Option<i32> {
        match self {
            Self::TaskFailed { task_scheduled_id, .. }
            | Self::SubOrchestrationInstanceFailed { task_scheduled_id, .. } => {
                Some(*task_scheduled_id)
            }
            _ => None,
        }
    }

    /// The number of the task that timed out, if the event is a timeout.
    pub(crate) fn timed_out(&self) -> Option<i32> {
        match self {
            Self::TaskFailed { task_scheduled_id, failure }
            | Self::SubOrchestrationInstanceFailed { task_scheduled_id, failure }
                if failure.error_type == FailureDetails::TIMEOUT =>
            {
                Some(*task_scheduled_id)
            }
            _ => None,
        }
    }

    /// The event that records a patch.
    pub(crate) fn of_patch(id: &str) -> Self {
        Self::GenericEvent { data: format!("{PATCHED}{id}") }
    }

    /// The patch that the event records.
    pub(crate) fn patch(&self) -> Option<&str> {
        match self {
            Self::GenericEvent { data } => data.strip_prefix(PATCHED),
            _ => None,
        }
    }

    /// The event that answers a `TaskScheduled` of this id.
    pub(crate) fn task_result(
        task_scheduled_id: i32,
        result: Result<Json, FailureDetails>,
    ) -> Self {
        match result {
            Ok(result) => Self::TaskCompleted { task_scheduled_id, result },
            Err(failure) => Self::TaskFailed { task_scheduled_id, failure },
        }
    }

    /// The event that answers an `EntityOperationCalled` of this id.
    pub(crate) fn operation_result(
        task_scheduled_id: i32,
        result: Result<Json, FailureDetails>,
    ) -> Self {
        match result {
            Ok(result) => Self::EntityOperationCompleted { task_scheduled_id, result },
            Err(failure) => Self::EntityOperationFailed { task_scheduled_id, failure },
        }
    }

    /// The event that answers a `SubOrchestrationInstanceCreated` of this id.
    pub(crate) fn child_result(
        task_scheduled_id: i32,
        result: Result<Json, FailureDetails>,
    ) -> Self {
        match result {
            Ok(result) => Self::SubOrchestrationInstanceCompleted { task_scheduled_id, result },
            Err(failure) => Self::SubOrchestrationInstanceFailed { task_scheduled_id, failure },
        }
    }
}
