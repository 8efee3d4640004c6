//! Replay: an execution is brought to where its history ends, and compared with it on the way.
//!
//! A history has up to two parts. The first one was *acted on*: the orchestrator has seen it, and
//! what it asked for is recorded. The second one exists only while the instance is suspended: it
//! holds what came in since then, without effect. It is delivered when the instance goes on, which
//! is the first time, so for the orchestrator that is no replay.

use std::collections::BTreeMap;

use super::action::Action;
use super::execution::{End, Execution};
use super::nondeterminism::{self, Compared, Mismatch, Wanted};
use super::past::{limits_of, retried_after, set_aside_from};
use crate::protocol::{EventKind, HistoryEvent, Json, RuntimeStatus, Suspension};
use crate::quiet::quietly;

/// What is yet to be done of what came in while the instance was suspended.
#[derive(Default)]
pub(super) struct Backlog {
    /// What came in and is not delivered yet.
    events: Vec<HistoryEvent>,
    /// Attempts that failed meanwhile and are retried, which is not recorded yet.
    decided: Vec<EventKind>,
    /// The last failed attempt of each task whose next attempt is yet to be sent out.
    retried: BTreeMap<i32, EventKind>,
    /// What stops tasks that nobody waits for any more.
    stops: Vec<Action>,
}

impl Execution {
    /// Replays a whole history from scratch, and holds the orchestrator to every word of it: what
    /// an execution did live it must do again (DURABLE0104). What was not acted on is not compared.
    pub(crate) fn verify(mut self, history: &[HistoryEvent]) -> Result<(), Suspension> {
        self.strict = true;
        self.replay(history)?;
        match self.scope.first_unrecorded() {
            Some(request) => Err(self.subject().goes_on(&request)),
            None => Ok(()),
        }
    }

    /// Replays the part of a history that was acted on. What it asks for beyond comes out of the
    /// next [`run`](Self::run).
    pub(crate) fn replay(&mut self, past: &[HistoryEvent]) -> Result<(), Suspension> {
        self.scope.set_limits(limits_of(past, self.scope.limits()));
        self.scope.set_replaying(true);
        self.scope.know_patches(past.iter().filter_map(|event| event.kind.patch()));
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

    /// Delivers what came in while the instance was suspended. The orchestrator sees it for the
    /// first time, so it is not replaying here: a patch is taken, and a log line is written.
    ///
    /// After an error the execution cannot be used again.
    pub(crate) fn catch_up(&mut self) -> Result<(), Suspension> {
        let events = std::mem::take(&mut self.backlog.events);
        events.into_iter().try_for_each(|event| self.deliver_late(event))
    }

    fn deliver_late(&mut self, event: HistoryEvent) -> Result<(), Suspension> {
        let HistoryEvent { event_id, timestamp, kind } = event;
        let failed = kind.failed_call();
        if let Some(decision) = failed.and_then(|task| self.decided_already(task)) {
            self.backlog.decided.push(decision);
            return Ok(());
        }
        let kind = match &self.asker {
            Some(asker) if self.concerns(&kind) => self.open.judge(kind, timestamp, asker),
            _ => kind,
        };
        if let EventKind::TaskAttemptFailed { task_scheduled_id: task, .. } = &kind {
            self.backlog.retried.insert(*task, kind.clone());
            if failed.is_some() {
                self.backlog.decided.push(kind.clone());
                self.note_failed_attempt(&kind);
            }
        }
        let stopped = kind.timed_out().and_then(|task| self.stop(task));
        self.backlog.stops.extend(stopped);
        self.apply(&HistoryEvent { event_id, timestamp, kind })
    }

    /// What was decided of an activity whose next attempt has not begun: a second failure is that
    /// of the same attempt.
    fn decided_already(&self, task: i32) -> Option<EventKind> {
        let decision = self.backlog.retried.get(&task)?;
        self.open.is_activity(task).then(|| decision.clone())
    }

    /// The events and the actions that the backlog leaves for the next episode.
    pub(super) fn take_backlog(&mut self) -> (Vec<EventKind>, Vec<Action>) {
        let Backlog { decided, retried, stops: mut actions, .. } =
            std::mem::take(&mut self.backlog);
        if let Some(asker) = &self.asker {
            let waiting = retried.iter().filter(|(task, _)| self.scope.is_open(**task));
            actions.extend(waiting.filter_map(|(_, kind)| self.open.next_attempt(kind, asker)));
        }
        (decided, actions)
    }

    /// A recorded request must be asked for again, by the same number, kind, name and target.
    pub(super) fn meet(&mut self, event: &HistoryEvent) -> Result<(), Suspension> {
        match self.scope.record(event.event_id) {
            Some(request) if nondeterminism::fits(&request, &event.kind, self.compared()) => {
                let request = request.recorded_as(&event.kind);
                self.open.insert(event.event_id, request, event.timestamp);
                Ok(())
            }
            Some(request) => Err(self.mismatch(event, Wanted::Request(&request))),
            None => Err(match (&self.end, self.scope.first_unrecorded()) {
                (End::Unrecorded(Ok(_)) | End::Recorded, _) => {
                    self.mismatch(event, Wanted::Returned(None))
                }
                (End::ContinuedAsNew(_), _) => self.mismatch(event, Wanted::ContinuedAsNew),
                (End::Unrecorded(Err(failure)), _) => {
                    self.mismatch(event, Wanted::Failed(&failure.message))
                }
                (End::NotYet, Some(request)) => self.mismatch(event, Wanted::Request(&request)),
                (End::NotYet, None) => self.mismatch(event, Wanted::Nothing),
            }),
        }
    }

    fn compared(&self) -> Compared {
        match self.scope.replay_version() {
            _ if self.strict => Compared::Everything,
            0 => Compared::Names,
            _ => Compared::Targets,
        }
    }

    /// A recorded end must be reached again, with the same status; an end from outside may come at
    /// any time.
    pub(super) fn meet_end(
        &mut self,
        event: &HistoryEvent,
        recorded: RuntimeStatus,
        recorded_result: Option<&Json>,
    ) -> Result<(), Suspension> {
        let mismatch = match &self.end {
            _ if recorded == RuntimeStatus::Terminated => None,
            End::NotYet => {
                return Err(match self.scope.first_unrecorded() {
                    Some(request) => self.mismatch(event, Wanted::Request(&request)),
                    None => self.mismatch(event, Wanted::Nothing),
                });
            }
            End::Unrecorded(Ok(result)) => {
                let is_same = !self.strict || recorded_result == Some(result);
                let reached = recorded == RuntimeStatus::Completed && is_same;
                (!reached).then_some(Wanted::Returned(Some(result)))
            }
            End::Unrecorded(Err(failure)) => {
                (recorded != RuntimeStatus::Failed).then_some(Wanted::Failed(&failure.message))
            }
            End::ContinuedAsNew(_) => Some(Wanted::ContinuedAsNew),
            End::Recorded => None,
        };
        if let Some(wanted) = mismatch {
            return Err(self.mismatch(event, wanted));
        }
        self.end = End::Recorded;
        Ok(())
    }

    fn mismatch(&self, recorded: &HistoryEvent, wanted: Wanted<'_>) -> Suspension {
        self.subject().mismatch(&Mismatch { position: self.position, recorded, wanted })
    }
}
