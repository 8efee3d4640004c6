//! What an execution has asked for and waits for: attempts, retries, times at which to act.
//!
//! Rules:
//! 1. A failed attempt that its policy retries is an event, and no more: the orchestrator is not
//!    polled, and the next attempt begins at the time that the event names. An activity's is begun
//!    then; a sub-orchestration's is sent out with the event, as a start at that time, since it has
//!    to be sent exactly once.
//! 2. Whether to retry is decided once: when the failure comes in or, if the instance is suspended
//!    then, when it goes on. A replay finds the decision in the history and asks no policy.
//! 3. A call's timeout counts from its record over all attempts, and is a failure that is not
//!    retried. After a rewind all time limits of what is open count from the rewind.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::action::{Action, ScheduledTask};
use crate::chance;
use crate::orchestration::request::{Ask, Asked, FunctionCall, Request};
use crate::panics;
use crate::protocol::{
    EventKind, ExecutionId, ExecutionStarted, FailureDetails, InstanceId, ParentInstance, Tags,
    Timestamp, TraceContext,
};
use crate::retry::Decision;

/// The number under which an execution waits for its own start.
pub(super) const START: i32 = -1;

/// All that an execution waits for.
#[derive(Debug, Default)]
pub(super) struct OpenTasks {
    tasks: BTreeMap<i32, Open>,
    /// When to look at which task.
    alarms: BTreeSet<(Timestamp, i32)>,
    /// How many activities are running.
    running: usize,
    /// About how many bytes the tasks have.
    bytes: usize,
}

/// A request that is recorded and has no result.
#[derive(Debug)]
struct Open {
    request: Box<Request>,
    /// When it was recorded, or the instance was rewound.
    since: Timestamp,
    is_rewound: bool,
    /// The attempt that is running, or is next.
    attempt: u32,
    /// When the next attempt begins, if none is running.
    retry_at: Option<Timestamp>,
}

/// Who asks: what goes with every sub-orchestration and activity.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) instance_id: InstanceId,
    pub(super) execution_id: ExecutionId,
    pub(super) started: Rc<ExecutionStarted>,
}

impl Open {
    fn deadline(&self) -> Option<Timestamp> {
        match &self.request.ask {
            Ask::Timer { limit: Some(limit), .. } if self.is_rewound => {
                Some(self.since.after(*limit))
            }
            Ask::Timer { fire_at, .. } => Some(*fire_at),
            Ask::Activity(call) | Ask::SubOrchestration { call, .. } => {
                call.options.timeout.map(|limit| self.since.after(limit))
            }
            Ask::SendEvent { .. }
            | Ask::CallEntity { .. }
            | Ask::SignalEntity { .. }
            | Ask::LockEntities(_)
            | Ask::UnlockEntities { .. } => None,
        }
    }

    fn alarms(&self, id: i32) -> impl Iterator<Item = (Timestamp, i32)> + use<> {
        self.deadline().into_iter().chain(self.retry_at).map(move |at| (at, id))
    }

    fn bytes(&self) -> usize {
        let input = self.request.handed_over().map_or(0, |input| input.as_str().len());
        size_of::<Self>() + size_of::<Request>() + input
    }

    fn is_running_activity(&self) -> bool {
        matches!(self.request.ask, Ask::Activity(_)) && self.retry_at.is_none()
    }
}

impl OpenTasks {
    /// A request was recorded at this time.
    pub(super) fn insert(&mut self, id: i32, request: Box<Request>, since: Timestamp) {
        if request.is_one_way() {
            return;
        }
        self.put(id, Open { request, since, is_rewound: false, attempt: 1, retry_at: None });
    }

    /// The instance was rewound at this time: the time limits of what is open begin anew.
    pub(super) fn rewind(&mut self, at: Timestamp) {
        for id in self.tasks.keys().copied().collect::<Vec<_>>() {
            if let Some(open) = self.take(id) {
                self.put(id, Open { since: at, is_rewound: true, ..open });
            }
        }
    }

    /// Looks at the execution itself at this time.
    pub(super) fn wait_for_start(&mut self, at: Timestamp) {
        self.alarms.insert((at, START));
    }

    pub(super) fn start(&mut self) {
        self.alarms.retain(|(_, id)| *id != START);
    }

    /// A task has its result, or is waited for no more.
    pub(super) fn remove(&mut self, id: i32) -> Option<Box<Request>> {
        self.take(id).map(|open| open.request)
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// The attempt of a task that is running, or is next.
    pub(super) fn attempt(&self, id: i32) -> Option<u32> {
        self.tasks.get(&id).map(|open| open.attempt)
    }

    /// The name of the function that a task calls.
    pub(super) fn name(&self, id: i32) -> Option<Cow<'static, str>> {
        self.tasks.get(&id)?.request.call().map(|call| call.name.clone())
    }

    pub(super) fn is_activity(&self, id: i32) -> bool {
        self.tasks.get(&id).is_some_and(|open| matches!(open.request.ask, Ask::Activity(_)))
    }

    /// About how many bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn has_running_activities(&self) -> bool {
        self.running > 0
    }

    /// The recorded failure of an attempt: the next begins at `retry_at`.
    pub(super) fn retry(&mut self, id: i32, attempt: u32, retry_at: Timestamp) {
        if let Some(mut open) = self.take(id) {
            open.attempt = attempt.saturating_add(1);
            open.retry_at = matches!(open.request.ask, Ask::Activity(_)).then_some(retry_at);
            self.put(id, open);
        }
    }

    /// What has to be sent out with the event of a failed attempt.
    pub(super) fn next_attempt(&self, kind: &EventKind, asker: &Asker) -> Option<Action> {
        let EventKind::TaskAttemptFailed { task_scheduled_id: id, retry_at, .. } = kind else {
            return None;
        };
        let open = self.tasks.get(id)?;
        match begin(&open.request, *id, open.attempt, asker)? {
            Action::StartOrchestration { instance_id, mut started } => {
                started.scheduled_start = Some(*retry_at);
                Some(Action::StartOrchestration { instance_id, started })
            }
            _ => None,
        }
    }

    /// What is due: an event for the orchestrator, or an attempt to begin. To be asked until there is
    /// nothing more.
    pub(super) fn pop_due(&mut self, now: Timestamp, asker: &Asker) -> Option<Due> {
        let &(at, id) = self.alarms.first()?;
        if at > now {
            return None;
        }
        self.alarms.remove(&(at, id));
        if id == START {
            return Some(Due::Event(EventKind::TimerFired { timer_id: START, fire_at: at }));
        }
        let open = self.tasks.get_mut(&id)?;
        if open.deadline() != Some(at) {
            open.retry_at = None;
            self.running += usize::from(open.is_running_activity());
            return open.begin(id, asker).map(Due::Action);
        }
        Some(match &open.request.ask {
            Ask::Timer { .. } => Due::Event(EventKind::TimerFired { timer_id: id, fire_at: at }),
            Ask::Activity(call) => Due::TimedOut(EventKind::task_result(id, Err(timed_out(call)))),
            Ask::SubOrchestration { call, .. } => {
                Due::TimedOut(EventKind::child_result(id, Err(timed_out(call))))
            }
            Ask::SendEvent { .. }
            | Ask::CallEntity { .. }
            | Ask::SignalEntity { .. }
            | Ask::LockEntities(_)
            | Ask::UnlockEntities { .. } => return self.pop_due(now, asker),
        })
    }

    /// What a failure that came in at this time is to be recorded as: a failed attempt if it is
    /// retried.
    pub(super) fn judge(&self, kind: EventKind, now: Timestamp, asker: &Asker) -> EventKind {
        let (EventKind::TaskFailed { task_scheduled_id: id, failure }
        | EventKind::SubOrchestrationInstanceFailed { task_scheduled_id: id, failure }) = &kind
        else {
            return kind;
        };
        let Some(open) = self.tasks.get(id) else { return kind };
        let policy = open.request.call().and_then(|call| call.options.retry.as_ref());
        let Some(policy) = policy else { return kind };
        let (high, low) = uuid::Uuid::from_bytes(*asker.execution_id.as_bytes()).as_u64_pair();
        let stream = high.wrapping_add(low) ^ u64::from(id.unsigned_abs());
        let chance = chance::fraction(chance::number(stream, u64::from(open.attempt)));
        let decide = || policy.decide(failure, open.attempt, now.since(open.since), chance);
        // A decision of the user's own may panic, which decides for no more attempts.
        match panics::catch(decide).unwrap_or(Decision::GiveUp) {
            Decision::GiveUp => kind,
            Decision::RetryAfter(delay) => EventKind::TaskAttemptFailed {
                task_scheduled_id: *id,
                attempt: open.attempt,
                failure: failure.clone(),
                retry_at: now.after(delay),
            },
        }
    }

    /// The activities that are running, as far as the history tells.
    pub(super) fn running(&self, asker: &Asker) -> Vec<ScheduledTask> {
        let running = self.tasks.iter().filter(|(_, open)| open.is_running_activity());
        running
            .filter_map(|(id, open)| match open.begin(*id, asker) {
                Some(Action::ScheduleTask(task)) => Some(task),
                _ => None,
            })
            .collect()
    }

    /// The calls of entities that have no answer.
    pub(super) fn calls(&self, asker: &Asker) -> Vec<Action> {
        let calls = self
            .tasks
            .iter()
            .filter(|(_, open)| matches!(open.request.ask, Ask::CallEntity { .. }));
        calls.filter_map(|(id, open)| open.begin(*id, asker)).collect()
    }

    /// The sub-orchestrations that have no result.
    pub(super) fn children(&self, asker: &Asker) -> Vec<(i32, InstanceId)> {
        let child = |(id, open): (&i32, &Open)| match &open.request.ask {
            Ask::SubOrchestration { instance_id, .. } => {
                Some((*id, child_id(instance_id.as_ref(), *id, asker)))
            }
            _ => None,
        };
        self.tasks.iter().filter_map(child).collect()
    }

    /// The sub-orchestrations that have no result, each with what starts its present attempt.
    pub(super) fn child_starts(
        &self,
        asker: &Asker,
    ) -> Vec<(i32, InstanceId, Box<ExecutionStarted>)> {
        let start = |(id, open): (&i32, &Open)| match open.begin(*id, asker)? {
            Action::StartOrchestration { instance_id, started } => {
                Some((*id, instance_id, started))
            }
            _ => None,
        };
        self.tasks.iter().filter_map(start).collect()
    }

    fn put(&mut self, id: i32, open: Open) {
        self.running += usize::from(open.is_running_activity());
        self.bytes += open.bytes();
        self.alarms.extend(open.alarms(id));
        self.tasks.insert(id, open);
    }

    fn take(&mut self, id: i32) -> Option<Open> {
        let open = self.tasks.remove(&id)?;
        self.running -= usize::from(open.is_running_activity());
        self.bytes -= open.bytes();
        for alarm in open.alarms(id) {
            self.alarms.remove(&alarm);
        }
        Some(open)
    }
}

/// What is due.
#[derive(Debug)]
pub(super) enum Due {
    Event(EventKind),
    /// The failure of a task whose time was up, which has to be stopped, too.
    TimedOut(EventKind),
    Action(Action),
}

fn timed_out(call: &FunctionCall) -> FailureDetails {
    let limit = call.options.timeout.unwrap_or_default();
    let message = format!("it took longer than its timeout of {limit:?}");
    FailureDetails::new(FailureDetails::TIMEOUT, message).non_retriable()
}

impl Open {
    fn begin(&self, id: i32, asker: &Asker) -> Option<Action> {
        begin(&self.request, id, self.attempt, asker)
    }
}

/// The action of a request: nothing for a timer, which the engine looks after.
pub(super) fn begin(request: &Request, id: i32, attempt: u32, asker: &Asker) -> Option<Action> {
    match &request.ask {
        Ask::Activity(call) => Some(Action::ScheduleTask(ScheduledTask {
            event_id: id,
            attempt,
            name: call.name.clone(),
            version: call.version.clone(),
            input: call.input.clone(),
            timeout: call.options.attempt_timeout,
            tags: call.options.tags.clone(),
            trace_context: trace_of(id, asker),
        })),
        Ask::SubOrchestration { call, instance_id, child } => {
            let execution_id = ExecutionId::of_child(asker.execution_id, id, attempt);
            let started = ExecutionStarted {
                parent: (!child.detached).then(|| ParentInstance {
                    instance_id: asker.instance_id.clone(),
                    execution_id: asker.execution_id,
                    name: asker.started.name.clone(),
                    version: asker.started.version.clone(),
                    task_scheduled_id: id,
                }),
                scheduled_start: child.start_at,
                tags: tags(call, child.detached, asker),
                trace_context: trace_of(id, asker),
                properties: asker.started.properties.clone(),
                ..ExecutionStarted::new(
                    call.name.as_ref(),
                    call.version.clone(),
                    call.input.clone(),
                    execution_id,
                )
            };
            Some(Action::StartOrchestration {
                instance_id: child_id(instance_id.as_ref(), id, asker),
                started: Box::new(started),
            })
        }
        Ask::Timer { .. } => None,
        Ask::SendEvent { instance_id, name, input } => Some(Action::SendEvent {
            instance_id: instance_id.clone(),
            name: name.clone(),
            input: input.clone(),
        }),
        Ask::CallEntity { asked: wanted, section } => {
            Some(Action::CallEntity { task: id, asked: wanted.clone(), section: *section })
        }
        Ask::SignalEntity { asked: wanted, at } => {
            Some(Action::SignalEntity { asked: wanted.clone(), at: *at })
        }
        Ask::LockEntities(lock_set) => {
            Some(Action::LockEntities { lock: id, lock_set: lock_set.clone() })
        }
        Ask::UnlockEntities { lock, lock_set } => {
            Some(Action::UnlockEntities { lock: *lock, lock_set: lock_set.clone(), granted: true })
        }
    }
}

/// The event that records a request.
pub(super) fn event(request: &Request, id: i32, asker: &Asker) -> EventKind {
    let source = Some(request.source());
    match &request.ask {
        Ask::Activity(call) => EventKind::TaskScheduled {
            name: call.name.clone().into_owned(),
            version: call.version.clone(),
            input: call.input.clone(),
            source,
            tags: call.options.tags.clone(),
        },
        Ask::SubOrchestration { call, instance_id, child } => {
            EventKind::SubOrchestrationInstanceCreated {
                instance_id: child_id(instance_id.as_ref(), id, asker),
                name: call.name.clone().into_owned(),
                version: call.version.clone(),
                input: call.input.clone(),
                source,
                detached: child.detached,
                tags: call.options.tags.clone(),
            }
        }
        Ask::Timer { fire_at, .. } => EventKind::TimerCreated { fire_at: *fire_at, source },
        Ask::SendEvent { instance_id, name, input } => EventKind::EventSent {
            instance_id: instance_id.clone(),
            name: name.clone(),
            input: input.clone(),
            source,
        },
        Ask::CallEntity { asked: Asked { entity_id, operation, input }, section } => {
            EventKind::EntityOperationCalled {
                entity_id: entity_id.clone(),
                operation: operation.clone().into_owned(),
                input: input.clone(),
                source,
                critical_section: *section,
            }
        }
        Ask::SignalEntity { asked: Asked { entity_id, operation, input }, at } => {
            EventKind::EntityOperationSignaled {
                entity_id: entity_id.clone(),
                operation: operation.clone().into_owned(),
                input: input.clone(),
                scheduled_time: *at,
                source,
            }
        }
        Ask::LockEntities(lock_set) => {
            EventKind::EntityLockRequested { lock_set: lock_set.clone(), source }
        }
        Ask::UnlockEntities { lock, lock_set } => {
            EventKind::EntityUnlockSent { task_scheduled_id: *lock, lock_set: lock_set.clone() }
        }
    }
}

/// What stops a request that nobody waits for any more.
pub(super) fn stop(request: &Request, id: i32, asker: &Asker) -> Option<Action> {
    match &request.ask {
        Ask::Activity(_) => Some(Action::CancelTask { event_id: id }),
        Ask::SubOrchestration { instance_id, .. } => {
            let instance_id = child_id(instance_id.as_ref(), id, asker);
            Some(Action::TerminateOrchestration { instance_id, event_id: id })
        }
        Ask::LockEntities(lock_set) => {
            Some(Action::UnlockEntities { lock: id, lock_set: lock_set.clone(), granted: false })
        }
        // An entity carries out what it was asked for.
        Ask::CallEntity { .. }
        | Ask::Timer { .. }
        | Ask::SendEvent { .. }
        | Ask::SignalEntity { .. }
        | Ask::UnlockEntities { .. } => None,
    }
}

/// A sub-orchestration has its parent's tags; its own count where both have one.
fn tags(call: &FunctionCall, detached: bool, asker: &Asker) -> Tags {
    let mut tags = if detached { Tags::new() } else { asker.started.tags.clone() };
    tags.extend(call.options.tags.clone());
    tags
}

pub(super) fn child_id(given: Option<&InstanceId>, id: i32, asker: &Asker) -> InstanceId {
    given.cloned().unwrap_or_else(|| InstanceId::of_child(asker.execution_id, id))
}

fn trace_of(id: i32, asker: &Asker) -> Option<TraceContext> {
    asker.started.trace_context.as_ref().map(|trace| trace.child(asker.execution_id, id))
}
