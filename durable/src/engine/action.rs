//! What comes out of an episode, as plain values.

use crate::protocol::{EventKind, HistoryEvent, Json, RuntimeStatus, Suspension, Timestamp};

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
    /// It cannot go on with this code.
    Suspended(Suspension),
}

/// What an orchestrator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Run an activity.
    ScheduleTask(ScheduledTask),
    /// Nobody waits for this activity any more.
    CancelTask { event_id: i32 },
}

/// An activity to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScheduledTask {
    pub(crate) event_id: i32,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) input: Json,
}

impl Episode {
    /// What came in, without what was made of it.
    pub(crate) fn into_incoming(self) -> impl Iterator<Item = EventKind> {
        let came_in = |kind: &EventKind| match kind {
            EventKind::ExecutionStarted { .. }
            | EventKind::ExecutionSuspended { .. }
            | EventKind::ExecutionResumed { .. }
            | EventKind::TaskCompleted { .. }
            | EventKind::TaskFailed { .. } => true,
            EventKind::ExecutionCompleted { .. }
            | EventKind::TaskScheduled { .. }
            | EventKind::GenericEvent { .. }
            | EventKind::OrchestratorStarted
            | EventKind::OrchestratorCompleted => false,
        };
        self.events.into_iter().map(|event| event.kind).filter(came_in)
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
