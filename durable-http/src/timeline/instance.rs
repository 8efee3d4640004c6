//! The lane of the instance itself: when it ran and was suspended, and what was done to it.

use durable::RuntimeStatus;
use durable::client::InstanceStatus;
use durable::protocol::{EventKind, HistoryEvent, Timestamp};

use super::draft::Draft;
use super::{LaneKind, LaneState, Phase, PointKind, Start, preview};

#[derive(Debug)]
pub(super) struct InstanceLane {
    draft: Draft,
    /// When the current phase began.
    since: Timestamp,
    phase: Phase,
}

impl InstanceLane {
    pub(super) fn new(status: &InstanceStatus, started_at: Timestamp) -> Self {
        let (kind, name) = (LaneKind::Instance, &status.name);
        let mut draft = Draft::new("i".to_owned(), kind, name, 0, started_at);
        draft.lane.version.clone_from(&status.version);
        draft.lane.instance_id = Some(status.instance_id.clone());
        Self { draft, since: started_at, phase: Phase::Running }
    }

    pub(super) fn started_at(&self) -> Timestamp {
        self.draft.lane.since
    }

    fn turn(&mut self, at: Timestamp, phase: Phase) {
        if at > self.since || self.phase != Phase::Running {
            self.draft.bar(self.since, at, self.phase, Start::Known);
        }
        (self.since, self.phase) = (at, phase);
    }

    pub(super) fn event(&mut self, event: &HistoryEvent) {
        let at = event.timestamp;
        match &event.kind {
            EventKind::ExecutionStarted(started) => {
                if started.generation > 0 {
                    let label = Some(started.generation.to_string());
                    self.draft.point(at, PointKind::ContinuedAsNew, label);
                }
                if started.scheduled_start.is_some_and(|begin| begin > at) {
                    self.phase = Phase::Waiting;
                    self.draft.lane.due_at = started.scheduled_start;
                }
            }
            EventKind::TimerFired { .. } => self.turn(at, Phase::Running),
            EventKind::ExecutionSuspended { reason } => {
                self.turn(at, Phase::Suspended);
                self.draft.point(at, PointKind::Suspended, preview::reason(reason));
            }
            EventKind::ExecutionResumed { reason } => {
                self.turn(at, Phase::Running);
                self.draft.point(at, PointKind::Resumed, preview::reason(reason));
            }
            EventKind::ExecutionRewound { reason, .. } => {
                self.turn(at, Phase::Running);
                self.draft.point(at, PointKind::Rewound, preview::reason(reason));
            }
            EventKind::ExecutionTerminated { reason, .. } => {
                self.draft.point(at, PointKind::Terminated, preview::reason(reason));
            }
            EventKind::ExecutionCompleted { failure, .. } => {
                self.draft.lane.error = failure.as_ref().map(preview::error);
            }
            EventKind::GenericEvent { data } => match data.strip_prefix("patched:") {
                Some(patch) => self.draft.point(at, PointKind::Patch, preview::reason(patch)),
                None => self.draft.point(at, PointKind::Note, preview::reason(data)),
            },
            _ => {}
        }
    }

    pub(super) fn finish(
        mut self,
        status: &InstanceStatus,
        ended_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Draft {
        let (state, last) = match status.runtime_status {
            RuntimeStatus::Completed => (LaneState::Completed, Phase::Completed),
            RuntimeStatus::Failed => (LaneState::Failed, Phase::Failed),
            RuntimeStatus::Terminated => (LaneState::Terminated, Phase::Abandoned),
            RuntimeStatus::Pending => (LaneState::Waiting, Phase::Waiting),
            RuntimeStatus::Suspended => (LaneState::Suspended, Phase::Suspended),
            _ => (LaneState::Running, self.phase),
        };
        // The runtime suspends an instance without an event; then the last update is the time.
        if last == Phase::Suspended && self.phase != Phase::Suspended {
            self.turn(status.last_updated_at.max(self.since), Phase::Suspended);
        } else {
            self.phase = last;
        }
        if !state.is_open() {
            self.draft.lane.due_at = None;
            self.draft.lane.until = ended_at;
        }
        self.draft.bar(self.since, ended_at.unwrap_or(now), self.phase, Start::Known);
        self.draft.lane.state = state;
        self.draft
    }
}
