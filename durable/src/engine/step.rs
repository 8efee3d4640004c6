//! One step: delivers an event and runs the orchestrator until it waits again.
//!
//! Replayed and new events take the same path, which is why it makes no difference whether an
//! execution was kept in memory or replayed.

use std::rc::Rc;

use super::execution::{Ending, Execution, State};
use super::open::START;
use super::poll::{self, Polled};
use super::translate::Requester;
use crate::orchestration::OrchestrationContext;
use crate::orchestration::scope::{NextExecution, Scope, TaskResult};
use crate::panics;
use crate::protocol::{
    EventKind, ExecutionStarted, FailureDetails, HistoryEvent, Json, Suspension,
};
use crate::weight;

impl Execution {
    /// Whether an arrival concerns this execution. A stale result, whose task is not open, does
    /// not.
    pub(super) fn concerns(&self, kind: &EventKind) -> bool {
        kind.answers().is_none_or(|id| id == START || self.scope.is_open(id))
    }

    /// Delivers an event.
    pub(super) fn apply(&mut self, event: &HistoryEvent) -> Result<(), Suspension> {
        self.position += 1;
        if event.kind.came_in() {
            self.given += weight::of_content(&event.kind);
        }
        match &event.kind {
            EventKind::OrchestratorStarted => {
                self.scope.start_episode(event.timestamp);
                Ok(())
            }
            EventKind::ExecutionStarted(started) => self.start(started),
            EventKind::TimerFired { timer_id: START, .. } => self.start_on_time(),
            EventKind::TaskScheduled { .. }
            | EventKind::SubOrchestrationInstanceCreated { .. }
            | EventKind::TimerCreated { .. }
            | EventKind::EntityOperationCalled { .. }
            | EventKind::EntityOperationSignaled { .. }
            | EventKind::EntityLockRequested { .. }
            | EventKind::EntityUnlockSent { .. }
            | EventKind::EventSent { .. } => self.match_recorded(event),
            EventKind::TaskCompleted { task_scheduled_id: id, result, .. }
            | EventKind::EntityOperationCompleted { task_scheduled_id: id, result }
            | EventKind::SubOrchestrationInstanceCompleted { task_scheduled_id: id, result } => {
                self.deliver(*id, Ok(result.clone()))
            }
            EventKind::TaskFailed { task_scheduled_id: id, failure, .. }
            | EventKind::EntityOperationFailed { task_scheduled_id: id, failure }
            | EventKind::SubOrchestrationInstanceFailed { task_scheduled_id: id, failure } => {
                self.deliver(*id, Err(failure.clone()))
            }
            EventKind::TimerFired { timer_id: id, .. }
            | EventKind::EntityLockGranted { task_scheduled_id: id } => {
                self.deliver(*id, Ok(Json::null()))
            }
            EventKind::TaskAttemptFailed { task_scheduled_id, attempt, retry_at, .. } => {
                self.open.retry(*task_scheduled_id, *attempt, *retry_at);
                Ok(())
            }
            EventKind::ExecutionRewound { .. } => {
                self.open.rewind(event.timestamp);
                Ok(())
            }
            EventKind::EventRaised { name, input } => {
                self.scope.raise(name, input.clone());
                self.poll()
            }
            EventKind::ExecutionCompleted { status, result, .. } => {
                self.match_recorded_end(event, *status, result.as_ref())
            }
            EventKind::ExecutionTerminated { .. }
            | EventKind::ExecutionSuspended { .. }
            | EventKind::ExecutionResumed { .. }
            | EventKind::GenericEvent { .. }
            | EventKind::EntityState(_)
            | EventKind::OrchestratorCompleted => Ok(()),
        }
    }

    fn start(&mut self, started: &ExecutionStarted) -> Result<(), Suspension> {
        self.scope.set_replay_version(started.replay_version);
        let Scope { instance_id, execution_id, .. } = &*self.scope;
        let requester = Requester {
            instance_id: instance_id.clone(),
            execution_id: *execution_id,
            started: Rc::new(started.clone()),
        };
        match started.scheduled_start {
            Some(at) => {
                self.open.wait_for_start(at);
                self.state = State::Scheduled(requester);
                Ok(())
            }
            None => self.begin(requester),
        }
    }

    fn start_on_time(&mut self) -> Result<(), Suspension> {
        self.open.start();
        match std::mem::replace(&mut self.state, State::Fresh) {
            State::Scheduled(requester) => self.begin(requester),
            other @ (State::Fresh | State::Running(..) | State::Ended(..) | State::Parked(_)) => {
                self.state = other;
                Ok(())
            }
        }
    }

    /// Calls the orchestrator.
    fn begin(&mut self, requester: Requester) -> Result<(), Suspension> {
        let started = Rc::clone(&requester.started);
        let input = started.input.clone();
        let context = OrchestrationContext::new(self.entry.name, started, Rc::clone(&self.scope));
        // Reading the input runs user code, which may panic.
        match panics::catch(|| self.runner.run(context, input)).flatten() {
            Ok(future) => {
                self.state = State::Running(requester, future);
                self.poll()
            }
            Err(failure) => {
                let unreadable = self.scope.is_replaying().then(|| failure.message.clone());
                self.state = State::Ended(requester, Ending::Unrecorded(Err(failure)));
                match unreadable {
                    Some(reason) => Err(self.subject().unreadable(&reason)),
                    None => Ok(()),
                }
            }
        }
    }

    fn deliver(&mut self, task: i32, result: TaskResult) -> Result<(), Suspension> {
        if !self.scope.is_open(task) {
            return Ok(());
        }
        self.open.remove(task);
        self.scope.resolve(task, result);
        self.poll()
    }

    /// Polls the orchestrator until it waits or has ended.
    fn poll(&mut self) -> Result<(), Suspension> {
        let State::Running(_, future) = &mut self.state else { return Ok(()) };
        let entered = self.scope.enter();
        let polled = poll::to_quiescence(future, || self.scope.needs_another_poll());
        let continued = self.scope.take_continued();
        let ending = match polled {
            Polled::Foreign(place) => Err(self.subject().foreign_await(&place)),
            Polled::Pending => self.ending_of(None, continued),
            Polled::Ready(result) => self.ending_of(Some(result), continued),
            Polled::Panicked(failure) => self.ending_of(Some(Err(failure)), continued),
        };
        let result = ending.map(|ending| {
            if let Some(ending) = ending {
                self.end(ending);
            }
        });
        drop(entered);
        if self.scope.is_replaying() {
            for id in self.scope.take_cancelled() {
                self.open.remove(id);
            }
        }
        result
    }

    /// How the orchestrator ended with this poll; `None` if it waits.
    fn ending_of(
        &self,
        returned: Option<TaskResult>,
        continued: Option<Result<NextExecution, FailureDetails>>,
    ) -> Result<Option<Ending>, Suspension> {
        if let Some(fault) = self.scope.take_fault() {
            return Err(self.subject().unreadable(&fault));
        }
        let limits = self.scope.limits();
        Ok(Some(match (returned, continued) {
            (Some(result), _) => {
                let fitting = |output| limits.fitting("the output", output);
                Ending::Unrecorded(result.and_then(fitting))
            }
            (None, Some(Ok(next))) => match limits.fitting("the next input", next.input.clone()) {
                Ok(_) => Ending::ContinuedAsNew(next),
                Err(failure) => Ending::Unrecorded(Err(failure)),
            },
            (None, Some(Err(failure))) => Ending::Unrecorded(Err(failure)),
            (None, None) => return self.may_wait(),
        }))
    }

    /// Checks whether the orchestrator may wait here. `Some` if it has to end instead.
    fn may_wait(&self) -> Result<Option<Ending>, Suspension> {
        let limits = self.scope.limits();
        let failed = |failure| Ok(Some(Ending::Unrecorded(Err(failure))));
        if self.scope.is_over_limit() {
            return failed(FailureDetails::too_many_actions(limits.actions));
        }
        if self.scope.unread_events() > limits.unread_events {
            return failed(FailureDetails::too_many_events(limits.unread_events));
        }
        if self.scope.has_open_wait() {
            return Ok(None);
        }
        let place = "it waits, but for no task: nothing could ever wake it";
        Err(self.subject().foreign_await(place))
    }

    /// Drops the future inside its scope, which cancels its open tasks.
    fn end(&mut self, ending: Ending) {
        self.state = match std::mem::replace(&mut self.state, State::Fresh) {
            State::Running(requester, future) => {
                let ending = match panics::catch(|| drop(future)) {
                    Ok(()) => ending,
                    Err(panic) => {
                        mark!("engine: a destructor panics at the end");
                        ending.or_panic(panic)
                    }
                };
                State::Ended(requester, ending)
            }
            other @ (State::Fresh | State::Scheduled(_) | State::Ended(..) | State::Parked(_)) => {
                other
            }
        };
    }
}
