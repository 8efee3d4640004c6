//! Replay: brings an execution to the end of its history, and compares the two on the way.
//!
//! A history has up to two parts. The first part was *acted on*: the orchestrator has seen it, and
//! its requests are recorded. The second part exists only while the instance is suspended: it holds
//! the events that have arrived since, without effect. They are delivered when the instance
//! resumes. The orchestrator then sees them for the first time, so it is not replaying.

use super::backlog::Backlog;
use super::execution::{Ending, Execution};
use super::live::Gathered;
use super::nondeterminism::{self, Actual, Compared, Mismatch, Mode};
use super::past::{limits_of, retried_after, set_aside_from};
use crate::protocol::{EventKind, HistoryEvent, Json, RuntimeStatus, Suspension, Timestamp};
use crate::quiet::quietly;

impl Execution {
    /// Replays a whole history from scratch in [strict mode](Mode::Strict): the execution must
    /// behave exactly as it did live (DURABLE0104). The part that was not acted on is not compared.
    pub(crate) fn verify(mut self, history: &[HistoryEvent]) -> Result<(), Suspension> {
        self.mode = Mode::Strict;
        self.replay(history)?;
        match self.scope.first_unrecorded() {
            Some(request) => Err(self.subject().extra_request(&request)),
            None => Ok(()),
        }
    }

    /// Replays the part of a history that was acted on. The next [`run`](Self::run) returns
    /// requests beyond it. An error parks the execution.
    pub(crate) fn replay(&mut self, past: &[HistoryEvent]) -> Result<(), Suspension> {
        let replayed = self.replay_past(past);
        if let Err(suspension) = &replayed {
            self.park(suspension.clone());
        }
        replayed
    }

    /// Replays a history whose failures were removed; `before` events came before the first
    /// failure. After that, the orchestrator may do other work than before the rewind, so a request
    /// must also have the recorded input: otherwise it could get the result of another request.
    pub(crate) fn replay_rewound(
        &mut self,
        past: &[HistoryEvent],
        before: usize,
    ) -> Result<(), Suspension> {
        self.rewound_from = Some(before);
        let replayed = self.replay(past);
        self.rewound_from = None;
        replayed
    }

    fn replay_past(&mut self, past: &[HistoryEvent]) -> Result<(), Suspension> {
        self.scope.set_limits(limits_of(past, self.scope.limits()));
        self.scope.set_replaying(true);
        self.scope.add_recorded_patches(past.iter().filter_map(|event| event.kind.patch()));
        let (retried, acted_on) = (retried_after(past), set_aside_from(past));
        quietly(|| {
            past[..acted_on].iter().enumerate().try_for_each(|(index, event)| {
                if retried.covers(index, &event.kind) {
                    self.position += 1;
                    return Ok(());
                }
                self.apply(event)
            })
        })?;
        self.scope.set_replaying(false);
        let behind = past.iter().enumerate().skip(acted_on);
        let behind = behind.filter(|(index, event)| !retried.covers(*index, &event.kind));
        self.backlog.events.extend(behind.map(|(_, event)| event.clone()));
        Ok(())
    }

    /// Delivers the events that arrived while the instance was suspended. The orchestrator sees
    /// them for the first time, so it is not replaying: new patches apply, and log lines are
    /// written. An error parks the execution.
    pub(crate) fn catch_up(&mut self) -> Result<(), Suspension> {
        let events = std::mem::take(&mut self.backlog.events);
        let caught_up = events.into_iter().try_for_each(|event| self.deliver_late(event));
        if let Err(suspension) = &caught_up {
            self.park(suspension.clone());
        }
        caught_up
    }

    fn deliver_late(&mut self, event: HistoryEvent) -> Result<(), Suspension> {
        let HistoryEvent { event_id, timestamp, kind } = event;
        let failed = kind.failed_run();
        if let Some(decision) = failed.and_then(|task| self.decided_already(task)) {
            mark!("engine: a second failure of an attempt that is decided");
            self.backlog.decided.extend(decision);
            return Ok(());
        }
        let kind = if self.concerns(&kind) { self.judge(kind, timestamp) } else { kind };
        if let EventKind::TaskAttemptFailed { task_scheduled_id: task, .. } = &kind {
            self.backlog.retried.insert(*task, kind.clone());
            if failed.is_some() {
                mark!("engine: a failure is judged after a suspension");
                self.backlog.decided.push(kind.clone());
                self.note_failed_attempt(&kind);
            }
        }
        let stopped = kind.timed_out().and_then(|task| self.stop(task));
        self.backlog.stops.extend(stopped);
        self.apply(&HistoryEvent { event_id, timestamp, kind })
    }

    /// Returns `Some` if the next attempt of a task is decided and has not begun: a second failure
    /// is then a stale result of the same attempt. For an activity, the decision must be recorded
    /// again, after that failure.
    ///
    /// The start of a child is sent when the decision is recorded. So only a decision of this
    /// backlog counts for a child, and it will be recorded after all failures that arrived before.
    fn decided_already(&self, task: i32) -> Option<Vec<EventKind>> {
        let decision = self.backlog.retried.get(&task)?;
        if self.open.get(task)?.is_activity() {
            return Some(vec![decision.clone()]);
        }
        self.backlog.decided.contains(decision).then(Vec::new)
    }

    /// The events and actions with which the next episode begins, with capacity for `new` events.
    pub(super) fn take_backlog(&mut self, now: Timestamp, new: usize) -> Gathered {
        let Backlog { decided, retried, stops: mut actions, .. } =
            std::mem::take(&mut self.backlog);
        let waiting = retried.iter().filter(|(task, _)| self.scope.is_open(**task));
        actions.extend(waiting.filter_map(|(_, kind)| self.next_attempt(kind)));
        Gathered::new(now, decided, actions, new)
    }

    /// A recorded request must be made again, with the same id, kind, name and target.
    pub(super) fn match_recorded(&mut self, event: &HistoryEvent) -> Result<(), Suspension> {
        match self.scope.record(event.event_id) {
            Some(request) if nondeterminism::fits(&request, &event.kind, self.compared()) => {
                let request = request.recorded_as(&event.kind);
                self.open.insert(event.event_id, request, event.timestamp);
                Ok(())
            }
            Some(request) => Err(self.mismatch(event, Actual::Request(&request))),
            None => Err(match self.ending() {
                Some(Ending::Unrecorded(Ok(_)) | Ending::Recorded) => {
                    self.mismatch(event, Actual::Returned(None))
                }
                Some(Ending::ContinuedAsNew(_)) => self.mismatch(event, Actual::ContinuedAsNew),
                Some(Ending::Unrecorded(Err(failure))) => {
                    self.mismatch(event, Actual::Failed(&failure.message))
                }
                None => self.missing_request(event),
            }),
        }
    }

    /// The mismatch of an orchestrator that did not make a recorded request.
    fn missing_request(&self, event: &HistoryEvent) -> Suspension {
        match self.scope.first_unrecorded() {
            Some(request) => self.mismatch(event, Actual::Request(&request)),
            None => self.mismatch(event, Actual::Nothing),
        }
    }

    fn compared(&self) -> Compared {
        let is_after_failure = self.rewound_from.is_some_and(|before| self.position > before);
        match (self.mode, self.scope.replay_version()) {
            _ if is_after_failure => Compared::Everything,
            (Mode::Strict, _) => Compared::Everything,
            (Mode::Normal, 0) => Compared::Names,
            (Mode::Normal, _) => Compared::Targets,
        }
    }

    /// A recorded end must be reached again, with the same status. A termination may come at any
    /// time.
    pub(super) fn match_recorded_end(
        &mut self,
        event: &HistoryEvent,
        recorded: RuntimeStatus,
        recorded_result: Option<&Json>,
    ) -> Result<(), Suspension> {
        if recorded == RuntimeStatus::Terminated {
            self.end_as_recorded();
            return Ok(());
        }
        let mismatch = match self.ending() {
            None => return Err(self.missing_request(event)),
            Some(Ending::Unrecorded(Ok(result))) => {
                let is_same = self.mode == Mode::Normal || recorded_result == Some(result);
                let reached = recorded == RuntimeStatus::Completed && is_same;
                (!reached).then_some(Actual::Returned(Some(result)))
            }
            Some(Ending::Unrecorded(Err(failure))) => {
                (recorded != RuntimeStatus::Failed).then_some(Actual::Failed(&failure.message))
            }
            Some(Ending::ContinuedAsNew(_)) => Some(Actual::ContinuedAsNew),
            Some(Ending::Recorded) => None,
        };
        if let Some(actual) = mismatch {
            return Err(self.mismatch(event, actual));
        }
        self.end_as_recorded();
        Ok(())
    }

    fn mismatch(&self, recorded: &HistoryEvent, actual: Actual<'_>) -> Suspension {
        self.subject().mismatch(&Mismatch { position: self.position, recorded, actual })
    }
}
