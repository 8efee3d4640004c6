//! A live episode: new events in, events and actions out.

use super::action::{Action, AttemptId, Episode, Outcome};
use super::execution::{Ending, Execution, State};
use super::open::Alarm;
use super::translate;
use crate::protocol::{EventKind, HistoryEvent, RuntimeStatus, Suspension, Timestamp};

/// The events and actions of an episode so far.
pub(super) struct Gathered {
    /// The start of the episode, the arrivals, and the orchestrator's requests.
    events: Vec<HistoryEvent>,
    pub(super) actions: Vec<Action>,
}

impl Gathered {
    /// An episode that begins with the events in `decided`, with capacity for `room` more.
    pub(super) fn new(
        now: Timestamp,
        decided: Vec<EventKind>,
        actions: Vec<Action>,
        room: usize,
    ) -> Self {
        // Most episodes also have a start, one request and an end.
        let mut events = Vec::with_capacity(decided.len() + room + 3);
        events.push(HistoryEvent::new(now, EventKind::OrchestratorStarted));
        events.extend(decided.into_iter().map(|kind| HistoryEvent::new(now, kind)));
        Self { events, actions }
    }

    fn is_empty(&self) -> bool {
        self.events.len() == 1 && self.actions.is_empty()
    }

    /// Everything but the start of the episode.
    fn into_incoming(self) -> impl Iterator<Item = EventKind> {
        self.events.into_iter().skip(1).map(|event| event.kind)
    }
}

impl Execution {
    /// Runs one episode: delivers new events and due timers, and gathers the orchestrator's
    /// requests. `None` if nothing happens.
    ///
    /// An episode that is [suspended](Outcome::Suspended) parks the execution. From then on every
    /// call only records the arrivals and returns the same suspension.
    pub(crate) fn run(&mut self, now: Timestamp, mut new: Vec<EventKind>) -> Option<Episode> {
        if let State::Parked(suspension) = &self.state {
            mark!("engine: an event arrives at a parked execution");
            let suspension = suspension.clone();
            new.extend(self.drain_inherited());
            return Some(Episode::set_aside(now, new, suspension, false));
        }
        if let Err(suspension) = self.catch_up() {
            new.extend(self.drain_inherited());
            return Some(Episode::set_aside(now, new, suspension, true));
        }
        self.scope.start_episode(now);
        let mut gathered = self.take_backlog(now, new.len());
        // Arrivals come before due timers: an arrival may be the result of an attempt that, after a
        // replay, seems not to have begun.
        let delivered = self
            .deliver_new(now, new, &mut gathered)
            .and_then(|()| self.deliver_inherited(now, &mut gathered))
            .and_then(|()| self.deliver_due(now, &mut gathered));
        // An execution that continues as new passes the rest on instead.
        if delivered.is_err() || !matches!(self.ending(), Some(Ending::ContinuedAsNew(_))) {
            let inherited = self.drain_inherited();
            gathered.events.extend(inherited.map(|kind| HistoryEvent::new(now, kind)));
        }
        match delivered {
            Ok(()) => self.episode(now, gathered),
            Err(suspension) => {
                self.park(suspension.clone());
                Some(Episode::set_aside(now, gathered.into_incoming(), suspension, true))
            }
        }
    }

    /// Completes an episode with the orchestrator's requests and its end.
    fn episode(&mut self, now: Timestamp, mut gathered: Gathered) -> Option<Episode> {
        self.take_requests(now, &mut gathered);
        let end = self.take_end();
        if end.is_some() {
            gathered.actions.extend(self.unlock());
        }
        if gathered.is_empty() && end.is_none() {
            return None;
        }
        let Gathered { mut events, actions } = gathered;
        if events.len() == 1 && end.is_none() {
            // The start of a due attempt is not recorded.
            events.clear();
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
        // All arrivals are recorded, even if one of them suspends the instance.
        let mut result = Ok(());
        for kind in new {
            if result.is_ok() {
                result = self.deliver_one(now, kind, gathered);
            } else {
                mark!("engine: an event arrives behind one that suspends");
                gathered.events.push(HistoryEvent::new(now, kind));
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

    /// Delivers and records a new event.
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
        gathered.events.push(event);
        applied
    }

    /// Adds the events and actions of all requests that are not recorded yet.
    fn take_requests(&mut self, now: Timestamp, gathered: &mut Gathered) {
        let Gathered { events, actions } = gathered;
        let patched = |id: String| HistoryEvent::new(now, EventKind::of_patch(&id));
        events.extend(self.scope.take_patches().into_iter().map(patched));
        self.stop_cancelled(actions);
        for (event_id, request) in self.scope.record_all() {
            let Some(requester) = self.requester() else { continue };
            actions.extend(translate::action(&request, event_id, AttemptId::FIRST, requester));
            let kind = translate::event(&request, event_id, requester);
            events.push(HistoryEvent::action(event_id, now, kind));
            self.open.insert(event_id, request, now);
        }
    }

    /// Stops the tasks that were cancelled.
    fn stop_cancelled(&mut self, actions: &mut Vec<Action>) {
        for id in self.scope.take_cancelled() {
            actions.extend(self.stop(id));
        }
    }

    /// Closes a task whose result is no longer needed; returns the action that stops it.
    pub(super) fn stop(&mut self, id: i32) -> Option<Action> {
        let request = self.open.remove(id)?;
        translate::stop(&request, id, self.requester()?)
    }

    /// Takes the end of the orchestrator; a second call returns `None`.
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
