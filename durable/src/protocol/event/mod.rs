//! The events of a history.
//!
//! Names and fields are those of Durable Task (`HistoryEvent` in its protocol), so that people and
//! tools that know one also know the other.
//!
//! Read next: `role.rs` (what each kind of event means to the code that reads a history).

mod role;
mod started;

use serde::{Deserialize, Serialize};

pub(crate) use role::{Answer, Role};
pub use started::{ExecutionLimits, ExecutionStarted, REPLAY_VERSION};

use super::{
    EntityId, EntityState, FailureDetails, InstanceId, Json, RuntimeStatus, Tags, Timestamp,
};

/// The prefix of the text that records a patch.
const PATCHED: &str = "patched:";

/// An event in the history of an instance.
///
/// ```
/// use durable::client::{HubError, InstanceHandle};
///
/// /// When the last thing happened to an instance.
/// async fn last_change(instance: &InstanceHandle) -> Result<Option<String>, HubError> {
///     let history = instance.history().await?;
///     Ok(history.last().map(|event| event.timestamp.to_string()))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryEvent {
    /// For an event that records a request (such as `TaskScheduled`), the number of the request,
    /// counted from 0 in the order of the requests. For all other events, -1.
    pub event_id: i32,
    /// When the event was recorded.
    pub timestamp: Timestamp,
    /// The kind of event, with its data.
    pub kind: EventKind,
}

/// The kind of an event, with Durable Task's name.
///
/// ```
/// use durable::protocol::{EventKind, HistoryEvent};
///
/// /// The names of the activities that were requested, in order.
/// fn activities(history: &[HistoryEvent]) -> Vec<&str> {
///     fn name(event: &EventKind) -> Option<&str> {
///         match event {
///             EventKind::TaskScheduled { name, .. } => Some(name),
///             _ => None,
///         }
///     }
///     history.iter().filter_map(|event| name(&event.kind)).collect()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventKind {
    /// The instance was started.
    ExecutionStarted(Box<ExecutionStarted>),
    /// The orchestrator returned, or panicked.
    ExecutionCompleted {
        /// `Completed` or `Failed`.
        status: RuntimeStatus,
        /// The orchestrator's result.
        result: Option<Json>,
        /// Why the orchestrator failed.
        failure: Option<FailureDetails>,
    },
    /// The instance was terminated from outside.
    ExecutionTerminated {
        /// The reason.
        reason: String,
        /// Whether its sub-orchestrations were terminated, too.
        recurse: bool,
    },
    /// The instance was suspended and keeps its history.
    ExecutionSuspended {
        /// The reason.
        reason: String,
    },
    /// The instance was resumed.
    ExecutionResumed {
        /// The reason.
        reason: String,
    },
    /// The failed instance was rewound: its failures were removed from the history, and the failed
    /// tasks run again. The time limits of its open calls count from here.
    ExecutionRewound {
        /// The reason.
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
    ///
    /// A result that arrives while the instance is suspended is recorded even if its call has
    /// already timed out. Only the first answer to a call counts.
    TaskCompleted {
        /// `event_id` of its `TaskScheduled`.
        task_scheduled_id: i32,
        /// Its result.
        result: Json,
        /// Which attempt returned, from 1. `None` if the event was recorded before 0.2.
        #[serde(default)]
        attempt: Option<u32>,
        /// When this attempt began to run: until then it waited for a free worker. `None` if the
        /// event was recorded before 0.2.
        #[serde(default)]
        began: Option<Timestamp>,
    },
    /// An activity failed.
    ///
    /// A failure that arrives while the instance is suspended is recorded before its retry policy
    /// is evaluated. If the policy retries it, a `TaskAttemptFailed` of the same task follows when
    /// the instance resumes, and replaces this event. The same holds for sub-orchestrations.
    TaskFailed {
        /// `event_id` of its `TaskScheduled`.
        task_scheduled_id: i32,
        /// The reason.
        failure: FailureDetails,
        /// Which attempt failed, from 1. `None` if the event was recorded before 0.2, or if the
        /// call failed without an attempt of its own, for example because its time limit ended.
        #[serde(default)]
        attempt: Option<u32>,
        /// When this attempt began to run; `None` if `attempt` is `None`.
        #[serde(default)]
        began: Option<Timestamp>,
    },
    /// A run of an activity or of a sub-orchestration failed, and will be retried.
    ///
    /// Instead of this event, Durable Task records a failure, a timer and a new request.
    TaskAttemptFailed {
        /// `event_id` of its `TaskScheduled` or `SubOrchestrationInstanceCreated`.
        task_scheduled_id: i32,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// The reason.
        failure: FailureDetails,
        /// When the next attempt begins.
        retry_at: Timestamp,
        /// When the failed attempt began to run. `None` for a sub-orchestration, or if the event
        /// was recorded before 0.2.
        #[serde(default)]
        began: Option<Timestamp>,
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
        /// Whether the instance is detached, so that its result is not awaited.
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
        /// Its result.
        result: Json,
    },
    /// A sub-orchestration failed.
    SubOrchestrationInstanceFailed {
        /// `event_id` of its `SubOrchestrationInstanceCreated`.
        task_scheduled_id: i32,
        /// The reason.
        failure: FailureDetails,
    },
    /// The orchestrator set a timer.
    TimerCreated {
        /// When the timer is due.
        fire_at: Timestamp,
        /// Where in the source the timer was set, as `file:line`.
        source: Option<String>,
    },
    /// A timer fired.
    TimerFired {
        /// `event_id` of its `TimerCreated`; -1 for the delayed start of an instance.
        timer_id: i32,
        /// When the timer was due.
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
        /// Where in the source the event was sent, as `file:line`.
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
        /// `event_id` of the `EntityLockRequested`, if the call was made in a critical section.
        #[serde(default)]
        critical_section: Option<i32>,
    },
    /// The orchestrator signaled an entity, without waiting for the result of the operation.
    EntityOperationSignaled {
        /// The entity.
        entity_id: EntityId,
        /// The operation.
        operation: String,
        /// Its input.
        input: Json,
        /// When the signal is to be delivered, if not at once.
        scheduled_time: Option<Timestamp>,
        /// Where in the source the signal was sent, as `file:line`.
        source: Option<String>,
    },
    /// An operation of an entity returned.
    EntityOperationCompleted {
        /// `event_id` of its `EntityOperationCalled`.
        task_scheduled_id: i32,
        /// Its result.
        result: Json,
    },
    /// An operation of an entity failed and had no effect.
    EntityOperationFailed {
        /// `event_id` of its `EntityOperationCalled`.
        task_scheduled_id: i32,
        /// The reason.
        failure: FailureDetails,
    },
    /// The orchestrator requested a critical section.
    EntityLockRequested {
        /// The entities to lock, in the order in which they are locked; in a message, those that
        /// are not locked yet.
        lock_set: Vec<EntityId>,
        /// Where in the source the critical section was requested, as `file:line`.
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

impl From<ExecutionStarted> for EventKind {
    fn from(started: ExecutionStarted) -> Self {
        Self::ExecutionStarted(Box::new(started))
    }
}

impl HistoryEvent {
    /// Creates an event that records a request of the orchestrator.
    pub fn action(event_id: i32, timestamp: Timestamp, kind: EventKind) -> Self {
        Self { event_id, timestamp, kind }
    }

    /// Creates an event that records no request: its `event_id` is -1.
    pub fn new(timestamp: Timestamp, kind: EventKind) -> Self {
        Self { event_id: -1, timestamp, kind }
    }
}

impl EventKind {
    /// Returns Durable Task's name of this kind of event.
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

    /// Creates the event that answers the `TaskScheduled` with this id, without a record of the
    /// attempt.
    ///
    /// ```
    /// use durable::protocol::{EventKind, Json};
    ///
    /// let event = EventKind::task_result(0, Ok(Json::null()));
    /// assert_eq!(event.type_name(), "TaskCompleted");
    /// ```
    pub fn task_result(task_scheduled_id: i32, result: Result<Json, FailureDetails>) -> Self {
        Self::task_ended(task_scheduled_id, result, None)
    }

    /// The event that answers a `TaskScheduled` of this id, with the number of the attempt and the
    /// time at which it began to run.
    pub(crate) fn task_ended(
        task_scheduled_id: i32,
        result: Result<Json, FailureDetails>,
        run: Option<(u32, Timestamp)>,
    ) -> Self {
        let (attempt, began) = run.unzip();
        match result {
            Ok(result) => Self::TaskCompleted { task_scheduled_id, result, attempt, began },
            Err(failure) => Self::TaskFailed { task_scheduled_id, failure, attempt, began },
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
