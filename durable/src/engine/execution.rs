//! An execution of an instance: its orchestrator's future, fed with events one at a time.
//!
//! Owns the pairing of what the orchestrator asks for with what its history recorded. It is the
//! same whether the events come from a history ([`Execution::replay`]) or are new
//! ([`Execution::run`]).

use std::collections::VecDeque;
use std::rc::Rc;

use super::action::{Action, Episode, Outcome, ScheduledTask};
use super::attempts::FailedAttempt;
use super::nondeterminism::{self, Subject};
use super::open::{self, Asker, Due, OpenTasks};
use super::origin::Origin;
use super::poll::{self, Polled};
use super::replay::Backlog;
use crate::orchestration::scope::{CustomStatus, NextExecution, Scope, TaskResult};
use crate::orchestration::{OrchestrationContext, UnreadEvent};
use crate::panics;
use crate::protocol::{
    EventKind, ExecutionStarted, FailureDetails, HistoryEvent, InstanceId, Json, RuntimeStatus,
    Suspension, Timestamp,
};
use crate::quiet::quietly;
use crate::registry::{Entry, OrchestratorFuture, Registry, Runner};
use crate::weight;

/// A live execution, suspended between two events.
pub(crate) struct Execution {
    entry: Entry,
    runner: Option<Runner>,
    recorded_hash: Option<u64>,
    pub(super) scope: Rc<Scope>,
    /// Who it is, once it is started.
    pub(super) asker: Option<Asker>,
    future: Option<OrchestratorFuture>,
    pub(super) end: End,
    pub(super) open: OpenTasks,
    /// How many events were delivered.
    pub(super) position: usize,
    /// How many bytes the orchestrator was given, which it may hold.
    given: usize,
    /// Whether inputs and results must be the recorded ones, too.
    pub(super) strict: bool,
    pub(super) backlog: Backlog,
    /// External events that the executions before it did not read, until they are delivered.
    pub(super) inherited: VecDeque<UnreadEvent>,
    pub(super) failed_attempts: Vec<FailedAttempt>,
}

/// Whether the orchestrator has ended, and whether that is recorded.
pub(super) enum End {
    NotYet,
    Unrecorded(TaskResult),
    ContinuedAsNew(NextExecution),
    Recorded,
}

impl End {
    /// This end, of an orchestrator that panicked when it was dropped: as a panic before, that
    /// fails the instance. It comes in every replay, too, since what the orchestrator holds is the
    /// same.
    fn or_panic(self, panic: FailureDetails) -> Self {
        match self {
            Self::Unrecorded(Err(failure)) => Self::Unrecorded(Err(failure)),
            Self::NotYet | Self::Unrecorded(Ok(_)) | Self::ContinuedAsNew(_) | Self::Recorded => {
                Self::Unrecorded(Err(panic))
            }
        }
    }
}

impl Execution {
    /// An execution to which nothing has happened.
    pub(crate) fn new(registry: &Registry, origin: Origin<'_>) -> Result<Self, Suspension> {
        let Origin { name, version, instance_id, execution_id, created_at, limits } = origin;
        let found = registry.orchestrator_for(name, version);
        let entry = *found.ok_or_else(|| {
            let registered = registry.orchestrator_names();
            nondeterminism::not_registered(name, version, instance_id, &registered)
        })?;
        Ok(Self {
            entry,
            runner: registry.runner(&entry),
            recorded_hash: None,
            scope: Rc::new(Scope::new(instance_id.clone(), execution_id, created_at, limits)),
            asker: None,
            future: None,
            end: End::NotYet,
            open: OpenTasks::default(),
            position: 0,
            given: 0,
            strict: false,
            backlog: Backlog::default(),
            inherited: VecDeque::new(),
            failed_attempts: Vec::new(),
        })
    }

    /// The activities that the history leaves running.
    pub(crate) fn running_tasks(&self) -> Vec<ScheduledTask> {
        let mut running =
            self.asker.as_ref().map(|asker| self.open.running(asker)).unwrap_or_default();
        running.retain(|task| !self.scope.is_cancelled(task.event_id));
        running
    }

    /// The sub-orchestrations that have no result.
    pub(crate) fn open_children(&self) -> Vec<(i32, InstanceId)> {
        self.asker.as_ref().map(|asker| self.open.children(asker)).unwrap_or_default()
    }

    /// The sub-orchestrations that have no result, each with its task and what starts it again.
    pub(crate) fn child_starts(&self) -> Vec<(i32, InstanceId, Box<ExecutionStarted>)> {
        self.asker.as_ref().map(|asker| self.open.child_starts(asker)).unwrap_or_default()
    }

    /// The calls of entities that have no answer.
    pub(crate) fn open_calls(&self) -> Vec<Action> {
        self.asker.as_ref().map(|asker| self.open.calls(asker)).unwrap_or_default()
    }

    /// Whether its orchestrator has begun: not so before a start at a later time.
    pub(crate) fn has_begun(&self) -> bool {
        self.future.is_some() || !matches!(self.end, End::NotYet)
    }

    /// When something has to happen if nothing happens before.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.open.next_due()
    }

    pub(crate) fn has_running_activities(&self) -> bool {
        self.open.has_running_activities()
    }

    /// The attempt of a task that is running, or is next.
    pub(crate) fn attempt(&self, task: i32) -> Option<u32> {
        self.open.attempt(task)
    }

    /// About how many bytes of memory it takes. What the orchestrator keeps of what it was given is
    /// not known, so it counts as all of it.
    pub(crate) fn bytes(&self) -> usize {
        let future = self.future.as_ref().map_or(0, |future| size_of_val(&**future));
        size_of::<Self>() + size_of::<Scope>() + future + self.given + self.open.bytes()
    }

    /// What the orchestrator last said of its progress.
    pub(crate) fn custom_status(&self) -> CustomStatus {
        self.scope.custom_status()
    }

    /// What its start said.
    pub(crate) fn started(&self) -> Option<&ExecutionStarted> {
        self.asker.as_ref().map(|asker| &*asker.started)
    }

    /// Runs one episode: delivers what is due and what is new, and gathers what is asked for.
    /// `None` if nothing happens.
    ///
    /// After an episode that is [suspended](Outcome::Suspended) the execution cannot be used again.
    pub(crate) fn run(&mut self, now: Timestamp, mut new: Vec<EventKind>) -> Option<Episode> {
        if let Err(suspension) = self.catch_up() {
            self.record_inherited(&mut new);
            return Some(Episode::set_aside(now, new, suspension, true));
        }
        self.scope.start_episode(now);
        let (mut incoming, mut actions) = self.take_backlog();
        incoming.reserve(new.len());
        // What came in goes first: a result may be that of an attempt which, after a replay, looks
        // as if it was yet to begin.
        let result = self
            .deliver_new(now, new, &mut incoming, &mut actions)
            .and_then(|()| self.deliver_inherited(now, &mut incoming, &mut actions))
            .and_then(|()| self.deliver_due(now, &mut incoming, &mut actions));
        // One that continues as new hands the rest on instead.
        if result.is_err() || !matches!(self.end, End::ContinuedAsNew(_)) {
            self.record_inherited(&mut incoming);
        }
        if let Err(suspension) = result {
            return Some(Episode::set_aside(now, incoming, suspension, true));
        }
        let asked = self.take_actions(now, &mut actions);
        let end = self.take_end();
        if end.is_some() {
            actions.extend(self.unlock());
        }
        if incoming.is_empty() && asked.is_empty() && actions.is_empty() && end.is_none() {
            return None;
        }
        let mut events = Vec::with_capacity(incoming.len() + asked.len() + 3);
        // An attempt that begins again at its time is no event.
        if !incoming.is_empty() || !asked.is_empty() || end.is_some() {
            events.push(HistoryEvent::new(now, EventKind::OrchestratorStarted));
            events.extend(incoming.into_iter().map(|kind| HistoryEvent::new(now, kind)));
            events.extend(asked);
        }
        let (outcome, ended) = end.unwrap_or((Outcome::Waiting, None));
        events.extend(ended.map(|kind| HistoryEvent::new(now, kind)));
        if !events.is_empty() {
            events.push(HistoryEvent::new(now, EventKind::OrchestratorCompleted));
        }
        Some(Episode { events, actions, outcome })
    }

    fn deliver_due(
        &mut self,
        now: Timestamp,
        incoming: &mut Vec<EventKind>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Suspension> {
        self.stop_cancelled(actions);
        while let Some(asker) = &self.asker
            && let Some(due) = self.open.pop_due(now, asker)
        {
            match due {
                Due::Action(action) => actions.push(action),
                Due::Event(kind) => self.deliver_one(now, kind, incoming, actions)?,
                Due::TimedOut(kind) => {
                    if let Some(id) = kind.answers() {
                        actions.extend(self.stop(id));
                    }
                    self.deliver_one(now, kind, incoming, actions)?;
                }
            }
        }
        Ok(())
    }

    fn deliver_new(
        &mut self,
        now: Timestamp,
        new: Vec<EventKind>,
        incoming: &mut Vec<EventKind>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Suspension> {
        // What came in is recorded, even if the orchestrator cannot go on in the middle of it.
        let mut result = Ok(());
        for kind in new {
            if result.is_ok() {
                result = self.deliver_one(now, kind, incoming, actions);
            } else {
                incoming.push(kind);
            }
        }
        result
    }

    pub(super) fn deliver_one(
        &mut self,
        now: Timestamp,
        kind: EventKind,
        incoming: &mut Vec<EventKind>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Suspension> {
        if !self.concerns(&kind) {
            return Ok(());
        }
        let kind = match &self.asker {
            Some(asker) => self.open.judge(kind, now, asker),
            None => kind,
        };
        self.note_failed_attempt(&kind);
        let event = HistoryEvent::new(now, kind);
        let applied = self.apply(&event);
        let next = |asker| self.open.next_attempt(&event.kind, asker);
        actions.extend(self.asker.as_ref().and_then(next));
        incoming.push(event.kind);
        applied
    }

    /// Whether an event that came in means anything here: a result nobody waits for does not.
    pub(super) fn concerns(&self, kind: &EventKind) -> bool {
        kind.answers().is_none_or(|id| id == open::START || self.scope.is_open(id))
    }

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
            EventKind::TimerFired { timer_id: open::START, .. } => {
                self.open.start();
                self.begin()
            }
            EventKind::TaskScheduled { .. }
            | EventKind::SubOrchestrationInstanceCreated { .. }
            | EventKind::TimerCreated { .. }
            | EventKind::EntityOperationCalled { .. }
            | EventKind::EntityOperationSignaled { .. }
            | EventKind::EntityLockRequested { .. }
            | EventKind::EntityUnlockSent { .. }
            | EventKind::EventSent { .. } => self.meet(event),
            EventKind::TaskCompleted { task_scheduled_id: id, result }
            | EventKind::EntityOperationCompleted { task_scheduled_id: id, result }
            | EventKind::SubOrchestrationInstanceCompleted { task_scheduled_id: id, result } => {
                self.deliver(*id, Ok(result.clone()))
            }
            EventKind::TaskFailed { task_scheduled_id: id, failure }
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
                self.meet_end(event, *status, result.as_ref())
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
        self.recorded_hash = started.code_hash;
        self.scope.set_replay_version(started.replay_version);
        let Scope { instance_id, execution_id, .. } = &*self.scope;
        self.asker = Some(Asker {
            instance_id: instance_id.clone(),
            execution_id: *execution_id,
            started: Rc::new(started.clone()),
        });
        match started.scheduled_start {
            Some(at) => {
                self.open.wait_for_start(at);
                Ok(())
            }
            None => self.begin(),
        }
    }

    fn begin(&mut self) -> Result<(), Suspension> {
        let (Some(asker), Some(runner)) = (&self.asker, &self.runner) else { return Ok(()) };
        let started = Rc::clone(&asker.started);
        let input = started.input.clone();
        let context = OrchestrationContext::new(self.entry.name, started, Rc::clone(&self.scope));
        // Reading the input runs the user's code, which may panic.
        match panics::catch(|| runner.run(context, input)).flatten() {
            Ok(future) => {
                self.future = Some(future);
                self.poll()
            }
            Err(failure) if self.scope.is_replaying() => {
                Err(self.subject().unreadable(&failure.message))
            }
            Err(failure) => {
                self.end = End::Unrecorded(Err(failure));
                Ok(())
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

    fn poll(&mut self) -> Result<(), Suspension> {
        let Some(future) = &mut self.future else { return Ok(()) };
        let entered = self.scope.enter();
        let polled = poll::to_quiescence(future, || self.scope.wants_another_poll());
        let continued = self.scope.take_continued();
        let result = match polled {
            Polled::Foreign(place) => Err(self.subject().foreign_await(&place)),
            polled => match (self.scope.take_fault(), polled, continued) {
                (Some(fault), _, _) => Err(self.subject().unreadable(&fault)),
                (None, Polled::Ready(result), _) => {
                    let fitting = |output| self.scope.limits().fitting("the output", output);
                    let result = result.and_then(fitting);
                    Ok(Some(End::Unrecorded(result)))
                }
                (None, Polled::Panicked(failure), _) | (None, _, Some(Err(failure))) => {
                    Ok(Some(End::Unrecorded(Err(failure))))
                }
                (None, _, Some(Ok(next))) => Ok(Some(self.next(next))),
                (None, _, None) => self.may_wait(),
            },
        };
        let result = result.map(|end| {
            if let Some(end) = end {
                // What it still waits for is dropped with it, and so cancelled.
                let future = self.future.take();
                self.end = match panics::catch(|| drop(future)) {
                    Ok(()) => end,
                    Err(panic) => end.or_panic(panic),
                };
            }
        });
        drop(entered);
        if self.scope.is_replaying() {
            self.forget_cancelled();
        }
        result
    }

    /// Whether an orchestrator that waits may do so, or has to end.
    fn may_wait(&self) -> Result<Option<End>, Suspension> {
        let limits = self.scope.limits();
        let failed = |failure| Ok(Some(End::Unrecorded(Err(failure))));
        if self.scope.is_over_limit() {
            return failed(FailureDetails::too_many_actions(limits.actions));
        }
        if self.scope.unread_events() > limits.unread_events {
            return failed(FailureDetails::too_many_events(limits.unread_events));
        }
        if self.scope.waits_for_something() {
            return Ok(None);
        }
        let place = "it waits, but for no task: nothing could ever wake it";
        Err(self.subject().foreign_await(place))
    }

    /// Makes events and actions of all that was asked for and not recorded.
    fn take_actions(&mut self, now: Timestamp, actions: &mut Vec<Action>) -> Vec<HistoryEvent> {
        let patched = |id: String| HistoryEvent::new(now, EventKind::of_patch(&id));
        let mut events: Vec<_> = self.scope.take_patches().into_iter().map(patched).collect();
        self.stop_cancelled(actions);
        let Some(asker) = &self.asker else { return events };
        for (event_id, request) in self.scope.record_all() {
            actions.extend(open::begin(&request, event_id, 1, asker));
            let kind = open::event(&request, event_id, asker);
            events.push(HistoryEvent::action(event_id, now, kind));
            self.open.insert(event_id, request, now);
        }
        events
    }

    /// What ends the critical section of an execution that goes no further, if there is one.
    pub(crate) fn unlock(&self) -> Option<Action> {
        let (lock, lock_set, granted) = self.scope.take_section()?;
        Some(Action::UnlockEntities { lock, lock_set, granted })
    }

    fn take_end(&mut self) -> Option<(Outcome, Option<EventKind>)> {
        let (status, result, failure) = match std::mem::replace(&mut self.end, End::Recorded) {
            End::NotYet => {
                self.end = End::NotYet;
                return None;
            }
            End::Recorded => return None,
            End::ContinuedAsNew(next) => {
                let continuation = Box::new(self.continuation(next));
                return Some((Outcome::ContinuedAsNew(continuation), None));
            }
            End::Unrecorded(result) => match result {
                Ok(output) => (RuntimeStatus::Completed, Some(output), None),
                Err(failure) => {
                    let failure = failure.bounded(self.scope.limits().payload);
                    (RuntimeStatus::Failed, None, Some(failure))
                }
            },
        };
        let kind = EventKind::ExecutionCompleted { status, result, failure };
        Some((Outcome::Finished(status), Some(kind)))
    }

    /// The end of an execution that begins anew, if that can be.
    fn next(&self, next: NextExecution) -> End {
        match self.scope.limits().fitting("the next input", next.input.clone()) {
            Ok(_) => End::ContinuedAsNew(next),
            Err(failure) => End::Unrecorded(Err(failure)),
        }
    }

    /// Nobody waits for a task any more: what is to be stopped with it.
    pub(super) fn stop(&mut self, id: i32) -> Option<Action> {
        let request = self.open.remove(id)?;
        open::stop(&request, id, self.asker.as_ref()?)
    }

    fn stop_cancelled(&mut self, actions: &mut Vec<Action>) {
        for id in self.scope.take_cancelled() {
            actions.extend(self.stop(id));
        }
    }

    fn forget_cancelled(&mut self) {
        for id in self.scope.take_cancelled() {
            self.open.remove(id);
        }
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            name: self.entry.name,
            version: self.entry.version,
            instance_id: &self.scope.instance_id,
            recorded_hash: self.recorded_hash,
            present_hash: self.entry.code_hash,
            strict: self.strict,
            shows_ids: self.strict,
        }
    }
}

impl Drop for Execution {
    /// What the orchestrator holds is dropped with it, and a panic in that is nobody else's. That
    /// it leaves the memory is nothing that happens to the instance, so nobody hears of it.
    fn drop(&mut self) {
        let Some(future) = self.future.take() else { return };
        if let Err(panic) = panics::catch(|| quietly(|| drop(future))) {
            tell!(warn, instance = %self.scope.instance_id, "dropping an orchestrator {panic}");
        }
    }
}
