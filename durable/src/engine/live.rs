//! A live episode: new events in, events and actions out.

use super::action::{Action, Episode, Outcome};
use super::execution::{Ending, Execution, State};
use super::open::Alarm;
use super::translate;
use crate::protocol::{EventKind, HistoryEvent, RuntimeStatus, Suspension, Timestamp};

/// What an episode has recorded and wants done so far.
#[derive(Default)]
pub(super) struct Gathered {
    /// What came in.
    pub(super) incoming: Vec<EventKind>,
    pub(super) actions: Vec<Action>,
}

impl Execution {
    /// Runs one episode: delivers what is new and what is due, and gathers what the orchestrator
    /// requests. `None` if nothing happens.
    ///
    /// An episode that is [suspended](Outcome::Suspended) parks the execution. From then on every
    /// call only records what comes in, and gives the same suspension.
    pub(crate) fn run(&mut self, now: Timestamp, mut new: Vec<EventKind>) -> Option<Episode> {
        if let State::Parked(suspension) = &self.state {
            let suspension = suspension.clone();
            self.record_inherited(&mut new);
            return Some(Episode::set_aside(now, new, suspension, false));
        }
        if let Err(suspension) = self.catch_up() {
            self.record_inherited(&mut new);
            return Some(Episode::set_aside(now, new, suspension, true));
        }
        self.scope.start_episode(now);
        let mut gathered = self.take_backlog();
        gathered.incoming.reserve(new.len());
        // What came in goes first: it may be the result of an attempt which, after a replay, looks as
        // if it had not begun.
        let delivered = self
            .deliver_new(now, new, &mut gathered)
            .and_then(|()| self.deliver_inherited(now, &mut gathered))
            .and_then(|()| self.deliver_due(now, &mut gathered));
        // An execution that continues as new hands the rest on instead.
        if delivered.is_err() || !matches!(self.ending(), Some(Ending::ContinuedAsNew(_))) {
            self.record_inherited(&mut gathered.incoming);
        }
        match delivered {
            Ok(()) => self.episode(now, gathered),
            Err(suspension) => {
                self.park(suspension.clone());
                Some(Episode::set_aside(now, gathered.incoming, suspension, true))
            }
        }
    }

    /// Puts an episode together from what was gathered and what the orchestrator has requested.
    fn episode(&mut self, now: Timestamp, gathered: Gathered) -> Option<Episode> {
        let Gathered { incoming, mut actions } = gathered;
        let requested = self.take_requests(now, &mut actions);
        let end = self.take_end();
        if end.is_some() {
            actions.extend(self.unlock());
        }
        if incoming.is_empty() && requested.is_empty() && actions.is_empty() && end.is_none() {
            return None;
        }
        let mut events = Vec::with_capacity(incoming.len() + requested.len() + 3);
        // An attempt that begins when it is due is no event.
        if !incoming.is_empty() || !requested.is_empty() || end.is_some() {
            events.push(HistoryEvent::new(now, EventKind::OrchestratorStarted));
            events.extend(incoming.into_iter().map(|kind| HistoryEvent::new(now, kind)));
            events.extend(requested);
        }
        let (outcome, ended) = end.unwrap_or((Outcome::Waiting, None));
        events.extend(ended.map(|kind| HistoryEvent::new(now, kind)));
        if !events.is_empty() {
            events.push(HistoryEvent::new(now, EventKind::OrchestratorCompleted));
        }
        Some(Episode { events, actions, outcome })
    }

    fn deliver_new(
        &mut self,
        now: Timestamp,
        new: Vec<EventKind>,
        gathered: &mut Gathered,
    ) -> Result<(), Suspension> {
        // All of it is recorded, even if the orchestrator cannot go on in the middle of it.
        let mut result = Ok(());
        for kind in new {
            if result.is_ok() {
                result = self.deliver_one(now, kind, gathered);
            } else {
                gathered.incoming.push(kind);
            }
        }
        result
    }

    fn deliver_due(&mut self, now: Timestamp, gathered: &mut Gathered) -> Result<(), Suspension> {
        self.stop_cancelled(&mut gathered.actions);
        while self.requester().is_some()
            && let Some(alarm) = self.open.pop_due(now)
        {
            match alarm {
                Alarm::Timer { id, fire_at } => {
                    let fired = EventKind::TimerFired { timer_id: id, fire_at };
                    self.deliver_one(now, fired, gathered)?;
                }
                Alarm::Attempt(id) => gathered.actions.extend(self.action_of(id)),
                Alarm::Timeout(id) => {
                    let open = self.open.get(id);
                    if let Some(failed) = open.and_then(|open| translate::timed_out(open, id)) {
                        gathered.actions.extend(self.stop(id));
                        self.deliver_one(now, failed, gathered)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Delivers an event that is new, and records it.
    pub(super) fn deliver_one(
        &mut self,
        now: Timestamp,
        kind: EventKind,
        gathered: &mut Gathered,
    ) -> Result<(), Suspension> {
        if !self.concerns(&kind) {
            return Ok(());
        }
        let kind = self.judge(kind, now);
        self.note_failed_attempt(&kind);
        let event = HistoryEvent::new(now, kind);
        let applied = self.apply(&event);
        gathered.actions.extend(self.next_attempt(&event.kind));
        gathered.incoming.push(event.kind);
        applied
    }

    /// Records everything that was requested and not recorded: its events, and its actions.
    fn take_requests(&mut self, now: Timestamp, actions: &mut Vec<Action>) -> Vec<HistoryEvent> {
        let patched = |id: String| HistoryEvent::new(now, EventKind::of_patch(&id));
        let mut events: Vec<_> = self.scope.take_patches().into_iter().map(patched).collect();
        self.stop_cancelled(actions);
        for (event_id, request) in self.scope.record_all() {
            let Some(requester) = self.requester() else { continue };
            actions.extend(translate::action(&request, event_id, 1, requester));
            let kind = translate::event(&request, event_id, requester);
            events.push(HistoryEvent::action(event_id, now, kind));
            self.open.insert(event_id, request, now);
        }
        events
    }

    /// Stops the tasks that were cancelled.
    fn stop_cancelled(&mut self, actions: &mut Vec<Action>) {
        for id in self.scope.take_cancelled() {
            actions.extend(self.stop(id));
        }
    }

    /// Closes a task that is waited for no more; gives what stops it.
    pub(super) fn stop(&mut self, id: i32) -> Option<Action> {
        let request = self.open.remove(id)?;
        translate::stop(&request, id, self.requester()?)
    }

    /// The end of the orchestrator, once.
    fn take_end(&mut self) -> Option<(Outcome, Option<EventKind>)> {
        let State::Ended(_, ending) = &mut self.state else { return None };
        let (status, result, failure) = match std::mem::replace(ending, Ending::Recorded) {
            Ending::Recorded => return None,
            Ending::ContinuedAsNew(next) => {
                let continuation = Box::new(self.continuation(next));
                return Some((Outcome::ContinuedAsNew(continuation), None));
            }
            Ending::Unrecorded(Ok(output)) => (RuntimeStatus::Completed, Some(output), None),
            Ending::Unrecorded(Err(failure)) => {
                let failure = failure.bounded(self.scope.limits().payload);
                (RuntimeStatus::Failed, None, Some(failure))
            }
        };
        let kind = EventKind::ExecutionCompleted { status, result, failure };
        Some((Outcome::Finished(status), Some(kind)))
    }
}
