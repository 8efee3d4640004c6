//! What an execution waits for.

use serde::{Deserialize, Serialize};

use super::{EntityId, FailureDetails, InstanceId, Timestamp};

/// A task of an orchestrator that has no result yet: a call, a timer or a lock request.
///
/// In JSON, the fields of [`kind`](Self::kind) are inlined, with its name as `kind`.
///
/// ```
/// use durable::client::PendingWork;
/// use durable::protocol::Timestamp;
///
/// /// The next time at which an instance continues by itself.
/// fn next_due(pending: &PendingWork) -> Option<Timestamp> {
///     pending.tasks.iter().filter_map(|task| task.due_at).min()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PendingTask {
    /// The `event_id` of its request in the history.
    pub event_id: i32,
    /// Where it was requested, as `file:line`, in the code that runs now.
    pub source: String,
    /// When the task was requested or, if later, the instance was last rewound.
    pub since: Timestamp,
    /// When the timer fires, or when the time limit of the call ends, if it has one.
    pub due_at: Option<Timestamp>,
    /// The kind of task, with what is specific to it.
    #[serde(flatten)]
    pub kind: PendingKind,
}

/// A wait of an orchestrator for an external event.
///
/// ```
/// use durable::protocol::EventWait;
///
/// fn print(wait: &EventWait) {
///     println!("waits for `{}` since {}, at {}", wait.name, wait.since, wait.source);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventWait {
    /// The name of the event, in lower case because names are compared without regard to case.
    pub name: String,
    /// Where the event is waited for, as `file:line`, in the code that runs now.
    pub source: String,
    /// When the wait began.
    pub since: Timestamp,
}

/// The kinds of tasks, with what is specific to them.
///
/// ```
/// use durable::protocol::{PendingKind, PendingTask};
///
/// /// Whether the call has failed before and is being retried.
/// fn is_retried(task: &PendingTask) -> bool {
///     use PendingKind::{Activity, SubOrchestration};
///     matches!(task.kind, Activity { attempt: 2.., .. } | SubOrchestration { attempt: 2.., .. })
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
#[non_exhaustive]
pub enum PendingKind {
    /// An activity.
    #[non_exhaustive]
    Activity {
        /// Its name.
        name: String,
        /// Its version.
        version: Option<String>,
        /// The attempt that runs or waits to run, counted from 1.
        attempt: u32,
        /// When this attempt begins; `None` if it already runs, or waits for a free worker.
        retry_at: Option<Timestamp>,
        /// Why the attempt before this one failed.
        last_failure: Option<FailureDetails>,
    },
    /// A sub-orchestration.
    #[non_exhaustive]
    SubOrchestration {
        /// The id of the child.
        instance_id: InstanceId,
        /// The name of its orchestration.
        name: String,
        /// The version of its orchestration.
        version: Option<String>,
        /// The attempt that runs or waits to run, counted from 1.
        attempt: u32,
        /// Why the attempt before this one failed.
        last_failure: Option<FailureDetails>,
    },
    /// A timer.
    Timer,
    /// A call of an entity.
    #[non_exhaustive]
    EntityCall {
        /// The entity.
        entity_id: EntityId,
        /// The operation.
        operation: String,
        /// The position of the call in the queue of the entity: 1 if the call runs or is handled
        /// next. `None` if the call is not in the queue, or not among the first 10,000 requests.
        position: Option<u64>,
    },
    /// A critical section that has not begun, because not all of its entities are locked.
    #[non_exhaustive]
    Lock {
        /// The entities, in the order in which they are locked.
        entities: Vec<EntityId>,
        /// The first entity that is not locked yet: the lock request is in the queue of this
        /// entity.
        waits_for: Option<EntityId>,
        /// The position of the lock request in that queue: 1 if it gets the lock next. `None` if
        /// the request is not in the queue, or not among the first 10,000 requests.
        position: Option<u64>,
    },
}

/// Everything that an execution waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) tasks: Vec<PendingTask>,
    pub(crate) awaited_events: Vec<String>,
    pub(crate) unread_events: Vec<String>,
    pub(crate) locked_entities: Vec<EntityId>,
    /// The waits for `awaited_events`, in the same order. A process of an earlier version sends none.
    #[serde(default)]
    pub(crate) event_waits: Vec<EventWait>,
}

impl PendingTask {
    /// Adds the failure of an attempt, if it is that before the current one.
    pub(crate) fn note_failure(&mut self, failed: u32, why: &FailureDetails) {
        match &mut self.kind {
            PendingKind::Activity { attempt, last_failure, .. }
            | PendingKind::SubOrchestration { attempt, last_failure, .. } => {
                if failed.checked_add(1) == Some(*attempt) {
                    *last_failure = Some(why.clone());
                }
            }
            PendingKind::Timer | PendingKind::EntityCall { .. } | PendingKind::Lock { .. } => {}
        }
    }
}
