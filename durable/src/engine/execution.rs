//! An execution of an instance: its orchestrator's future, fed with events one at a time.
//!
//! Owns the pairing of what the orchestrator asks for with what its history recorded. It is the same
//! whether the events come from a history ([`Execution::replay`]) or are new
//! ([`Execution::run`]).

use std::rc::Rc;

use super::action::{Action, Episode, Outcome, ScheduledTask};
use super::nondeterminism::{self, Mismatch, Subject, Wanted};
use super::poll::{self, Polled};
use crate::orchestration::OrchestrationContext;
use crate::orchestration::scope::{Request, Scope};
use crate::panics;
use crate::protocol::{
    EventKind, ExecutionId, FailureDetails, HistoryEvent, InstanceId, Json, RuntimeStatus,
    Suspension, Timestamp,
};
use crate::registry::{Body, Entry, OrchestratorFuture, Registry, RunOrchestrator};

/// A live execution, suspended between two events.
pub(crate) struct Execution {
    name: &'static str,
    version: Option<&'static str>,
    present_hash: u64,
    recorded_hash: Option<u64>,
    run: RunOrchestrator,
    scope: Rc<Scope>,
    future: Option<OrchestratorFuture>,
    end: End,
    /// How many events were delivered.
    position: usize,
    /// Whether inputs and results must be the recorded ones, too.
    strict: bool,
}

/// Whether the orchestrator has ended, and whether that is recorded.
enum End {
    NotYet,
    Unrecorded(Result<Json, FailureDetails>),
    Recorded,
}

impl Execution {
    /// An execution to which nothing has happened.
    pub(crate) fn new(
        registry: &Registry,
        (name, version): (&str, Option<&str>),
        instance_id: &InstanceId,
        execution_id: ExecutionId,
        now: Timestamp,
    ) -> Result<Self, Suspension> {
        let missing = || {
            let registered = registry.orchestrator_names();
            nondeterminism::not_registered(name, version, instance_id, &registered)
        };
        let entry: &Entry = registry.orchestrator_for(name, version).ok_or_else(missing)?;
        let Body::Orchestrator { run } = entry.body else { return Err(missing()) };
        Ok(Self {
            name: entry.name,
            version: entry.version,
            present_hash: entry.code_hash,
            recorded_hash: None,
            run,
            scope: Rc::new(Scope::new(instance_id.clone(), execution_id, now)),
            future: None,
            end: End::NotYet,
            position: 0,
            strict: false,
        })
    }

    /// Replays a whole history from scratch, and holds the orchestrator to every word of it: what an
    /// execution did live it must do again (DURABLE0104).
    pub(crate) fn verify(mut self, history: &[HistoryEvent]) -> Result<(), Suspension> {
        self.strict = true;
        self.replay(history)?;
        match self.scope.first_unrecorded() {
            Some((_, request)) => Err(self.subject().goes_on(&request)),
            None => Ok(()),
        }
    }

    /// Brings the execution to where its history ends. What it asks for beyond comes out of the
    /// next [`run`](Self::run).
    pub(crate) fn replay(&mut self, past: &[HistoryEvent]) -> Result<(), Suspension> {
        self.scope.set_replaying(true);
        self.scope.know_patches(past.iter().filter_map(|event| event.kind.patch()));
        past.iter().try_for_each(|event| self.apply(event))?;
        self.scope.set_replaying(false);
        // What was cancelled on the way was so when it was recorded.
        self.scope.take_cancelled();
        Ok(())
    }

    /// The activities that the history leaves running.
    pub(crate) fn open_tasks(&self, past: &[HistoryEvent]) -> Vec<ScheduledTask> {
        let open = |event: &HistoryEvent| match &event.kind {
            EventKind::TaskScheduled { name, version, input, .. }
                if self.scope.is_open(event.event_id) =>
            {
                Some(ScheduledTask {
                    event_id: event.event_id,
                    name: name.clone(),
                    version: version.clone(),
                    input: input.clone(),
                })
            }
            _ => None,
        };
        past.iter().filter_map(open).collect()
    }

    /// Runs one episode: delivers what is new and gathers what is asked for. `None` if nothing is
    /// new and nothing is asked for.
    ///
    /// After an episode that is [suspended](Outcome::Suspended) the execution is of no more use.
    pub(crate) fn run(&mut self, now: Timestamp, new: Vec<EventKind>) -> Option<Episode> {
        self.scope.set_clock(now);
        let mut incoming = Vec::with_capacity(new.len());
        let mut halted = None;
        for kind in new {
            if !self.concerns(&kind) {
                continue;
            }
            let event = HistoryEvent::new(now, kind);
            if halted.is_none() {
                halted = self.apply(&event).err();
            }
            incoming.push(event.kind);
        }
        if let Some(suspension) = halted {
            return Some(Episode::set_aside(now, incoming, suspension, true));
        }
        let (asked, actions) = self.take_actions(now);
        let end = self.take_end();
        if incoming.is_empty() && asked.is_empty() && actions.is_empty() && end.is_none() {
            return None;
        }
        let mut events = Vec::with_capacity(incoming.len() + asked.len() + 3);
        events.push(HistoryEvent::new(now, EventKind::OrchestratorStarted));
        events.extend(incoming.into_iter().map(|kind| HistoryEvent::new(now, kind)));
        events.extend(asked);
        let mut outcome = Outcome::Waiting;
        if let Some((status, kind)) = end {
            events.push(HistoryEvent::new(now, kind));
            outcome = Outcome::Finished(status);
        }
        events.push(HistoryEvent::new(now, EventKind::OrchestratorCompleted));
        Some(Episode { events, actions, outcome })
    }

    /// Whether an event that came in means anything here: a result nobody waits for does not.
    fn concerns(&self, kind: &EventKind) -> bool {
        match kind {
            EventKind::TaskCompleted { task_scheduled_id, .. }
            | EventKind::TaskFailed { task_scheduled_id, .. } => {
                self.scope.is_open(*task_scheduled_id)
            }
            EventKind::ExecutionStarted { .. }
            | EventKind::ExecutionCompleted { .. }
            | EventKind::ExecutionSuspended { .. }
            | EventKind::ExecutionResumed { .. }
            | EventKind::TaskScheduled { .. }
            | EventKind::GenericEvent { .. }
            | EventKind::OrchestratorStarted
            | EventKind::OrchestratorCompleted => true,
        }
    }

    fn apply(&mut self, event: &HistoryEvent) -> Result<(), Suspension> {
        self.position += 1;
        match &event.kind {
            EventKind::OrchestratorStarted => {
                self.scope.set_clock(event.timestamp);
                Ok(())
            }
            EventKind::ExecutionStarted { input, code_hash, .. } => {
                self.recorded_hash = *code_hash;
                self.begin(input)
            }
            EventKind::TaskScheduled { name, input, .. } => self.meet(event, name, input),
            EventKind::TaskCompleted { task_scheduled_id, result } => {
                self.deliver(*task_scheduled_id, Ok(result.clone()))
            }
            EventKind::TaskFailed { task_scheduled_id, failure } => {
                self.deliver(*task_scheduled_id, Err(failure.clone()))
            }
            EventKind::ExecutionCompleted { status, result, .. } => {
                self.meet_end(event, *status, result.as_ref())
            }
            EventKind::ExecutionSuspended { .. }
            | EventKind::ExecutionResumed { .. }
            | EventKind::GenericEvent { .. }
            | EventKind::OrchestratorCompleted => Ok(()),
        }
    }

    fn begin(&mut self, input: &Json) -> Result<(), Suspension> {
        let context = OrchestrationContext::new(self.name, self.version, Rc::clone(&self.scope));
        // Reading the input runs the user's code, which may panic.
        match panics::catch(|| (self.run)(context, input.clone())).flatten() {
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

    fn deliver(
        &mut self,
        task: i32,
        result: Result<Json, FailureDetails>,
    ) -> Result<(), Suspension> {
        if !self.scope.is_open(task) {
            return Ok(());
        }
        self.scope.resolve(task, result);
        self.poll()
    }

    fn poll(&mut self) -> Result<(), Suspension> {
        let Some(future) = &mut self.future else { return Ok(()) };
        let entered = self.scope.enter();
        let polled = poll::poll(future);
        let fault = self.scope.take_fault();
        let result = match polled {
            _ if fault.is_some() => Err(self.subject().unreadable(&fault.unwrap_or_default())),
            Polled::Foreign(place) => Err(self.subject().foreign_await(&place)),
            Polled::Pending if !self.scope.waits_for_something() => {
                let place = "it waits, but for no task: nothing could ever wake it";
                Err(self.subject().foreign_await(place))
            }
            Polled::Pending => Ok(()),
            Polled::Ready(result) => {
                self.end = End::Unrecorded(result);
                self.future = None;
                Ok(())
            }
            Polled::Panicked(failure) => {
                self.end = End::Unrecorded(Err(failure));
                self.future = None;
                Ok(())
            }
        };
        drop(entered);
        result
    }

    /// A recorded request must be asked for again, by the same number, kind and name.
    fn meet(&self, event: &HistoryEvent, name: &str, input: &Json) -> Result<(), Suspension> {
        let is_same =
            |request: &Request| request.name == name && (!self.strict || request.input == *input);
        match self.scope.record(event.event_id) {
            Some(request) if is_same(&request) => Ok(()),
            Some(request) => Err(self.mismatch(event, Wanted::Activity(&request))),
            None => Err(match (&self.end, self.scope.first_unrecorded()) {
                (End::Unrecorded(Ok(_)) | End::Recorded, _) => {
                    self.mismatch(event, Wanted::Returned(None))
                }
                (End::Unrecorded(Err(failure)), _) => {
                    self.mismatch(event, Wanted::Failed(&failure.message))
                }
                (End::NotYet, Some((_, request))) => {
                    self.mismatch(event, Wanted::Activity(&request))
                }
                (End::NotYet, None) => self.mismatch(event, Wanted::Nothing),
            }),
        }
    }

    /// A recorded end must be reached again, with the same status.
    fn meet_end(
        &mut self,
        event: &HistoryEvent,
        recorded: RuntimeStatus,
        recorded_result: Option<&Json>,
    ) -> Result<(), Suspension> {
        let mismatch = match &self.end {
            End::NotYet => Some(Wanted::Nothing),
            End::Unrecorded(Ok(result)) => {
                let is_same = !self.strict || recorded_result == Some(result);
                let reached = recorded == RuntimeStatus::Completed && is_same;
                (!reached).then_some(Wanted::Returned(Some(result)))
            }
            End::Unrecorded(Err(failure)) => {
                (recorded != RuntimeStatus::Failed).then_some(Wanted::Failed(&failure.message))
            }
            End::Recorded => None,
        };
        if let Some(wanted) = mismatch {
            return Err(self.mismatch(event, wanted));
        }
        self.end = End::Recorded;
        Ok(())
    }

    fn take_actions(&mut self, now: Timestamp) -> (Vec<HistoryEvent>, Vec<Action>) {
        let patched = |id: String| HistoryEvent::new(now, EventKind::of_patch(&id));
        let mut events: Vec<_> = self.scope.take_patches().into_iter().map(patched).collect();
        let mut actions = Vec::new();
        for (event_id, request) in self.scope.take_unrecorded() {
            let task = ScheduledTask {
                event_id,
                name: request.name.to_owned(),
                version: request.version.map(str::to_owned),
                input: request.input,
            };
            let kind = EventKind::TaskScheduled {
                name: task.name.clone(),
                version: task.version.clone(),
                input: task.input.clone(),
                source: Some(request.source),
            };
            events.push(HistoryEvent::action(event_id, now, kind));
            actions.push(Action::ScheduleTask(task));
        }
        let cancel = |event_id| Action::CancelTask { event_id };
        actions.extend(self.scope.take_cancelled().into_iter().map(cancel));
        (events, actions)
    }

    fn take_end(&mut self) -> Option<(RuntimeStatus, EventKind)> {
        let (status, result, failure) = match &self.end {
            End::NotYet | End::Recorded => return None,
            End::Unrecorded(Ok(result)) => (RuntimeStatus::Completed, Some(result.clone()), None),
            End::Unrecorded(Err(failure)) => (RuntimeStatus::Failed, None, Some(failure.clone())),
        };
        self.end = End::Recorded;
        Some((status, EventKind::ExecutionCompleted { status, result, failure }))
    }

    fn mismatch(&self, recorded: &HistoryEvent, wanted: Wanted<'_>) -> Suspension {
        self.subject().mismatch(&Mismatch { position: self.position, recorded, wanted })
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            name: self.name,
            version: self.version,
            instance_id: &self.scope.instance_id,
            recorded_hash: self.recorded_hash,
            present_hash: self.present_hash,
            strict: self.strict,
        }
    }
}

impl Drop for Execution {
    /// What the orchestrator holds is dropped with it, and a panic in that is nobody else's.
    fn drop(&mut self) {
        if let Err(panic) = panics::catch(|| self.future = None) {
            tracing::warn!(instance = %self.scope.instance_id, "dropping an orchestrator {panic}");
        }
    }
}
