//! A lane that is built up while the history is read.

use durable::protocol::{EventKind, FailureDetails, Timestamp};

use super::{Bar, Lane, LaneKind, LaneState, Phase, Point, PointKind, Start, preview};

/// A lane, with what is needed to complete it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) lane: Lane,
    /// The index of its request in the history.
    pub(super) requested: usize,
    /// The index of its answer.
    pub(super) answered: Option<usize>,
    /// The episode of its request.
    pub(super) episode: usize,
    /// When its current attempt was scheduled.
    begun: Timestamp,
}

impl Draft {
    pub(super) fn new(
        id: String,
        kind: LaneKind,
        name: &str,
        requested: usize,
        since: Timestamp,
    ) -> Self {
        let has_attempts = matches!(kind, LaneKind::Activity | LaneKind::Child);
        let lane = Lane {
            id,
            kind,
            name: name.to_owned(),
            version: None,
            detail: None,
            instance_id: None,
            state: LaneState::Waiting,
            tasks: Vec::new(),
            index: requested as u64,
            since,
            until: None,
            due_at: None,
            attempts: u32::from(has_attempts),
            waited_micros: None,
            source: None,
            input: None,
            output: None,
            error: None,
            is_critical: false,
            bars: Vec::new(),
            points: Vec::new(),
            fold: None,
            child_status: None,
            children: Vec::new(),
        };
        Self { lane, requested, answered: None, episode: 0, begun: since }
    }

    pub(super) fn holds_locks(&self) -> bool {
        self.lane.state == LaneState::Held
    }

    pub(super) fn bar(&mut self, from: Timestamp, to: Timestamp, phase: Phase, start: Start) {
        let attempt = (self.lane.attempts > 0).then_some(self.lane.attempts);
        self.lane.bars.push(Bar { from, to: to.max(from), phase, attempt, start, at_once: 1 });
    }

    pub(super) fn point(&mut self, at: Timestamp, kind: PointKind, label: Option<String>) {
        let attempt = (self.lane.attempts > 0).then_some(self.lane.attempts);
        self.lane.points.push(Point { at, kind, attempt, label });
    }

    /// A lane of one point, for a request that has no answer.
    pub(super) fn sent(&mut self) {
        self.lane.state = LaneState::Sent;
        self.lane.attempts = 0;
        self.point(self.lane.since, PointKind::Sent, None);
    }

    /// The current attempt ended. If the time when it began is recorded, it waited for a worker
    /// until then.
    fn ran(&mut self, at: Timestamp, began: Option<Timestamp>, phase: Phase) {
        match (self.lane.bars.last_mut(), began) {
            // It ended before its next attempt began: its time limit is over.
            (Some(bar), _) if bar.to > at => bar.to = at.max(bar.from),
            (_, None) => self.bar(self.begun, at, phase, Start::Scheduled),
            (_, Some(began)) => {
                let began = began.min(at).max(self.begun);
                if began > self.begun {
                    self.bar(self.begun, began, Phase::Waiting, Start::Known);
                }
                let waited = u64::try_from(began.since(self.begun).as_micros()).unwrap_or(u64::MAX);
                let earlier = self.lane.waited_micros.unwrap_or(0);
                self.lane.waited_micros = Some(earlier.saturating_add(waited));
                self.bar(began, at, phase, Start::Known);
            }
        }
    }

    pub(super) fn completed(&mut self, index: usize, at: Timestamp, began: Option<Timestamp>) {
        if self.answered.is_some() {
            return;
        }
        match self.lane.kind {
            LaneKind::Timer => {
                self.bar(self.lane.since, at, Phase::Timer, Start::Known);
                self.point(at, PointKind::Fired, None);
            }
            LaneKind::Lock => self.bar(self.lane.since, at, Phase::Waiting, Start::Known),
            _ => self.ran(at, began, Phase::Completed),
        }
        let is_lock = self.lane.kind == LaneKind::Lock;
        self.lane.state = if is_lock { LaneState::Held } else { LaneState::Completed };
        self.begun = at;
        self.answered = Some(index);
        self.lane.until = (!is_lock).then_some(at);
        self.lane.error = None;
    }

    pub(super) fn failed(
        &mut self,
        index: usize,
        at: Timestamp,
        began: Option<Timestamp>,
        failure: &FailureDetails,
    ) {
        if self.answered.is_some() {
            return;
        }
        let error = preview::error(failure);
        self.ran(at, began, Phase::Failed);
        self.point(at, PointKind::FailedAttempt, Some(error.clone()));
        self.lane.state = LaneState::Failed;
        self.lane.until = Some(at);
        self.lane.error = Some(error);
        self.answered = Some(index);
    }

    /// An attempt failed, and another one follows. A failure that was recorded while the instance
    /// was suspended counted as final until this event.
    pub(super) fn attempt_failed(&mut self, at: Timestamp, event: &EventKind) {
        let EventKind::TaskAttemptFailed { attempt, failure, retry_at, began, .. } = event else {
            return;
        };
        if self.lane.attempts == 0 {
            return;
        }
        let (attempt, retry_at, mut at) = (*attempt, *retry_at, at);
        let error = preview::error(failure);
        self.lane.attempts = attempt;
        if self.answered.take().is_some() {
            at = self.lane.until.take().unwrap_or(at);
        } else {
            self.ran(at, *began, Phase::Failed);
            self.point(at, PointKind::FailedAttempt, Some(error.clone()));
        }
        self.lane.attempts = attempt.saturating_add(1);
        self.bar(at, retry_at, Phase::RetryWait, Start::Known);
        self.lane.state = LaneState::Retrying;
        self.lane.error = Some(error);
        self.lane.due_at = Some(retry_at);
        self.begun = retry_at.max(at);
    }

    /// The critical section ended, or its request was abandoned.
    pub(super) fn unlocked(&mut self, at: Timestamp) {
        let (phase, state) = match self.lane.state {
            LaneState::Held => (Phase::Held, LaneState::Completed),
            LaneState::Waiting => (Phase::Waiting, LaneState::Abandoned),
            _ => return,
        };
        self.bar(self.begun, at, phase, Start::Known);
        self.lane.state = state;
        self.lane.until = Some(at);
    }

    /// The instance was rewound: what the task did before is no longer recorded.
    pub(super) fn rewound(&mut self, at: Timestamp) {
        if self.answered.is_none() && self.lane.attempts > 0 {
            self.ran(at, None, Phase::Abandoned);
            self.lane.attempts = 1;
            self.begun = at;
            self.lane.due_at = None;
            self.lane.state = LaneState::Running;
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.lane.state.is_open()
    }

    /// Completes a lane that is still awaited.
    pub(super) fn continues(&mut self, now: Timestamp) {
        match (self.lane.kind, self.lane.state) {
            (_, LaneState::Held) => self.bar(self.begun, now, Phase::Held, Start::Known),
            (_, LaneState::Retrying) if self.begun > now => {
                self.point(self.begun, PointKind::NextAttempt, None);
            }
            (LaneKind::Timer, _) => {
                let due = self.lane.due_at.unwrap_or(now);
                self.bar(self.lane.since, due, Phase::Timer, Start::Known);
                self.point(due, PointKind::Due, None);
            }
            (LaneKind::Activity | LaneKind::Child, _) => {
                self.bar(self.begun, now, Phase::Running, Start::Scheduled);
                self.lane.state = LaneState::Running;
                self.lane.due_at = None;
            }
            _ => self.bar(self.begun, now, Phase::Waiting, Start::Known),
        }
    }

    /// Completes a lane that the orchestrator stopped waiting for at about this time.
    pub(super) fn abandoned(&mut self, at: Timestamp) {
        let at = at.max(self.lane.since);
        match (self.lane.kind, self.lane.state) {
            (_, LaneState::Held) => return self.unlocked(at),
            (LaneKind::Timer, _) => {
                let due = self.lane.due_at.unwrap_or(at);
                let at = at.min(due).max(self.lane.since);
                self.bar(self.lane.since, at, Phase::Timer, Start::Known);
                self.point(at, PointKind::Cancelled, None);
                self.bar(at, due, Phase::Abandoned, Start::Estimated);
            }
            (LaneKind::Activity | LaneKind::Child, _) => self.ran(at, None, Phase::Abandoned),
            _ => self.bar(self.begun, at, Phase::Abandoned, Start::Known),
        }
        self.lane.state = LaneState::Abandoned;
        self.lane.until = Some(at);
    }
}
