//! What comes out of an episode, as plain values.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use crate::orchestration::UnreadEvent;
use crate::orchestration::request::OperationRequest;
use crate::orchestration::scope::NextExecution;
use crate::protocol::{
    EntityId, EventKind, ExecutionStarted, HistoryEvent, InstanceId, Json, RuntimeStatus,
    Suspension, Tags, Timestamp, TraceContext,
};

/// The result of an episode: events to append, and actions to take once the events are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Episode {
    pub(crate) events: Vec<HistoryEvent>,
    pub(crate) actions: Vec<Action>,
    pub(crate) outcome: Outcome,
}

/// The state of the instance after an episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The orchestrator is waiting.
    Waiting,
    /// The orchestrator has ended.
    Finished(RuntimeStatus),
    /// The instance continues as new, with an empty history.
    ContinuedAsNew(Box<Continuation>),
    /// The instance cannot continue with the present code.
    Suspended(Suspension),
}

/// What the next execution of an instance starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    pub(crate) next: NextExecution,
    /// External events that no execution has read yet, in order.
    pub(crate) unread: VecDeque<UnreadEvent>,
}

/// What the hub has to do for an orchestrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Run an activity.
    ScheduleTask(ScheduledTask),
    /// Cancel an activity whose result is no longer needed.
    CancelTask { event_id: i32 },
    /// Start an orchestration.
    StartOrchestration { instance_id: InstanceId, started: Box<ExecutionStarted> },
    /// Terminate a sub-orchestration whose result is no longer needed.
    TerminateOrchestration { instance_id: InstanceId, event_id: i32 },
    /// Raise an event in another instance.
    SendEvent { instance_id: InstanceId, name: String, input: Json },
    /// Call an operation of an entity, in a critical section or not.
    CallEntity { task: i32, asked: OperationRequest, section: Option<i32> },
    /// Signal an operation to an entity, at once or at a later time.
    SignalEntity { asked: OperationRequest, at: Option<Timestamp> },
    /// Lock entities, one after another.
    LockEntities { lock: i32, lock_set: Vec<EntityId> },
    /// Unlock entities: all at once if the section has begun; otherwise one after another,
    /// following the lock request, to release each lock that it took.
    UnlockEntities { lock: i32, lock_set: Vec<EntityId>, granted: bool },
}

/// One attempt of an activity: the part of the request that a worker needs, without the retry
/// policy and the limit over all attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScheduledTask {
    pub(crate) event_id: i32,
    pub(crate) attempt: AttemptId,
    pub(crate) name: Cow<'static, str>,
    pub(crate) version: Option<String>,
    pub(crate) input: Json,
    /// The time limit of this attempt.
    pub(crate) timeout: Option<Duration>,
    pub(crate) tags: Tags,
    pub(crate) trace_context: Option<TraceContext>,
}

/// Identifies an attempt of a task. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AttemptId {
    /// How many times the instance had been rewound since the call. After a rewind, attempts are
    /// counted from 1 again, and results of earlier attempts may still arrive.
    pub(crate) rewinds: u32,
    /// Counted from 1.
    pub(crate) number: u32,
}

impl AttemptId {
    pub(crate) const FIRST: Self = Self { rewinds: 0, number: 1 };
}

/// An attempt of an activity or sub-orchestration that failed and is retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedAttempt {
    pub(crate) task: i32,
    pub(crate) attempt: u32,
    /// Name of the activity or orchestration.
    pub(crate) name: Cow<'static, str>,
}

impl Episode {
    /// An episode without events or actions.
    pub(crate) fn nothing() -> Self {
        Self { events: Vec::new(), actions: Vec::new(), outcome: Outcome::Waiting }
    }

    /// The events that arrived from outside, without the orchestrator's own.
    pub(crate) fn into_incoming(self) -> impl Iterator<Item = EventKind> {
        self.events.into_iter().map(|event| event.kind).filter(EventKind::came_in)
    }

    /// The episode of a suspended instance: arrivals are recorded, and nothing else happens.
    /// `newly` says whether this episode suspends it.
    pub(crate) fn set_aside(
        now: Timestamp,
        incoming: impl IntoIterator<Item = EventKind>,
        suspension: Suspension,
        newly: bool,
    ) -> Self {
        let mut kinds = vec![EventKind::OrchestratorStarted];
        kinds.extend(incoming);
        if newly {
            kinds.push(EventKind::ExecutionSuspended { reason: suspension.reason.clone() });
        }
        kinds.push(EventKind::OrchestratorCompleted);
        let events = kinds.into_iter().map(|kind| HistoryEvent::new(now, kind)).collect();
        Self { events, actions: Vec::new(), outcome: Outcome::Suspended(suspension) }
    }
}
