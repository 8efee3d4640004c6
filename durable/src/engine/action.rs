//! What comes out of an episode, as plain values.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use crate::orchestration::UnreadEvent;
use crate::orchestration::request::Asked;
use crate::orchestration::scope::NextExecution;
use crate::protocol::{
    EntityId, EventKind, ExecutionStarted, HistoryEvent, InstanceId, Json, RuntimeStatus,
    Suspension, Tags, Timestamp, TraceContext,
};

/// What an episode leaves: events to append, actions to take once they are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Episode {
    pub(crate) events: Vec<HistoryEvent>,
    pub(crate) actions: Vec<Action>,
    pub(crate) outcome: Outcome,
}

/// Where an episode leaves the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It waits for what it asked for.
    Waiting,
    /// Its orchestrator has ended.
    Finished(RuntimeStatus),
    /// It begins anew, with an empty history.
    ContinuedAsNew(Box<Continuation>),
    /// It cannot go on with this code.
    Suspended(Suspension),
}

/// With what an instance begins anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    pub(crate) next: NextExecution,
    /// External events that were not read, in order.
    pub(crate) unread: VecDeque<UnreadEvent>,
}

/// What an orchestrator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Run an activity.
    ScheduleTask(ScheduledTask),
    /// Nobody waits for this activity any more.
    CancelTask { event_id: i32 },
    /// Start an orchestration.
    StartOrchestration { instance_id: InstanceId, started: Box<ExecutionStarted> },
    /// Nobody waits for this sub-orchestration any more.
    TerminateOrchestration { instance_id: InstanceId, event_id: i32 },
    /// Raise an event in another instance.
    SendEvent { instance_id: InstanceId, name: String, input: Json },
    /// Ask an entity for an operation whose answer is waited for, in a critical section or not.
    CallEntity { task: i32, asked: Asked, section: Option<i32> },
    /// Ask an entity for an operation whose answer nobody waits for, at once or at a time.
    SignalEntity { asked: Asked, at: Option<Timestamp> },
    /// Lock entities, one after another.
    LockEntities { lock: i32, lock_set: Vec<EntityId> },
    /// Unlock entities: at once if all are locked, else one after another, behind the request.
    UnlockEntities { lock: i32, lock_set: Vec<EntityId>, granted: bool },
}

/// An activity to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScheduledTask {
    pub(crate) event_id: i32,
    /// From 1.
    pub(crate) attempt: u32,
    pub(crate) name: Cow<'static, str>,
    pub(crate) version: Option<String>,
    pub(crate) input: Json,
    /// How long this attempt may take.
    pub(crate) timeout: Option<Duration>,
    pub(crate) tags: Tags,
    pub(crate) trace_context: Option<TraceContext>,
}

impl Episode {
    /// One in which nothing happens.
    pub(crate) fn nothing() -> Self {
        Self { events: Vec::new(), actions: Vec::new(), outcome: Outcome::Waiting }
    }

    /// What came in, without what was made of it.
    pub(crate) fn into_incoming(self) -> impl Iterator<Item = EventKind> {
        self.events.into_iter().map(|event| event.kind).filter(EventKind::came_in)
    }

    /// The episode of an instance that is suspended, or becomes so: what came in is recorded, and
    /// nothing else happens. `newly` says whether it becomes so.
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
