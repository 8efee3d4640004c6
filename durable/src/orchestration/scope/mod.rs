//! The running episode, as the futures inside an orchestrator see it.
//!
//! While the engine polls an orchestrator, its scope is in a thread-local. A task that is polled
//! finds the scope there, makes its request, and later takes its result. A task that is polled
//! anywhere else finds no scope and fails with a message.
//!
//! [`Scope`] is the entry point. Behind it are plain data structures that depend neither on it nor
//! on each other, except that results mark the slots of groups: `tasks.rs` (requests and results),
//! `groups.rs` (which child is polled), `inbox.rs` (external events), `section.rs` (the critical
//! section), `patches.rs`. `refusal.rs` decides which requests are refused.
//!
//! The engine drops an orchestrator outside its scope, so that the drop abandons no task.

mod groups;
mod inbox;
mod patches;
#[cfg(test)]
mod random;
mod refusal;
mod section;
mod tasks;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;

use groups::Groups;
use inbox::Inbox;
pub(crate) use inbox::UnreadEvent;
use patches::Patches;
use section::Section;
pub(crate) use tasks::TaskResult;
use tasks::Tasks;

use super::request::{Ask, Request};
use crate::limits::Limits;
use crate::protocol::{
    EntityId, EventWait, ExecutionId, FailureDetails, InstanceId, Json, REPLAY_VERSION, Timestamp,
};
use crate::replay_rules;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Scope>>> = const { RefCell::new(None) };
}

/// The execution that an orchestrator continues as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextExecution {
    pub(crate) name: &'static str,
    pub(crate) version: Option<String>,
    pub(crate) input: Json,
    /// Whether it is handed the unread events.
    pub(crate) keeps_events: bool,
}

/// An execution's change of the custom status of its instance.
#[derive(Clone, Debug)]
pub(crate) enum CustomStatus {
    Unchanged,
    Cleared,
    Set(Json),
}

impl CustomStatus {
    /// Applies the change to the present status.
    pub(crate) fn put(self, status: &mut Option<Json>) {
        match self {
            Self::Unchanged => {}
            Self::Cleared => *status = None,
            Self::Set(new) => *status = Some(new),
        }
    }
}

/// The running episode of one execution.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) instance_id: InstanceId,
    pub(crate) execution_id: ExecutionId,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    /// The time of the episode.
    clock: Timestamp,
    limits: Limits,
    /// The size in bytes of the payloads of this episode's requests.
    carried: usize,
    /// The replay rules that this execution follows.
    replay_version: u8,
    is_replaying: bool,
    tasks: Tasks,
    groups: Groups,
    inbox: Inbox,
    section: Option<Section>,
    patches: Patches,
    next_guid: u32,
    next_random: u64,
    /// Whether a dropped wait has woken another one since the last poll began.
    has_woken: bool,
    custom_status: CustomStatus,
    /// Why the orchestrator cannot continue with the values in its history.
    fault: Option<String>,
    /// The execution that the orchestrator has asked to continue as.
    continued: Option<Result<NextExecution, FailureDetails>>,
}

/// Makes a scope the current one until it is dropped.
#[derive(Debug)]
pub(crate) struct ScopeGuard {
    before: Option<Rc<Scope>>,
    _rules: replay_rules::RulesGuard,
}

impl Drop for ScopeGuard {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

impl Scope {
    pub(crate) fn new(
        instance_id: InstanceId,
        execution_id: ExecutionId,
        now: Timestamp,
        limits: Limits,
    ) -> Self {
        let state = State {
            clock: now,
            limits,
            carried: 0,
            replay_version: REPLAY_VERSION,
            is_replaying: false,
            tasks: Tasks::default(),
            groups: Groups::default(),
            inbox: Inbox::default(),
            section: None,
            patches: Patches::default(),
            next_guid: 0,
            next_random: 0,
            has_woken: false,
            custom_status: CustomStatus::Unchanged,
            fault: None,
            continued: None,
        };
        Self { instance_id, execution_id, state: RefCell::new(state) }
    }

    /// The scope in which the caller is being polled.
    pub(crate) fn current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    pub(crate) fn enter(self: &Rc<Self>) -> ScopeGuard {
        ScopeGuard {
            _rules: replay_rules::enter(self.replay_version()),
            before: CURRENT.replace(Some(Rc::clone(self))),
        }
    }

    /// The time of the episode.
    pub(crate) fn clock(&self) -> Timestamp {
        self.state.borrow().clock
    }

    /// Starts an episode at this time.
    pub(crate) fn start_episode(&self, now: Timestamp) {
        let mut state = self.state.borrow_mut();
        (state.clock, state.carried) = (now, 0);
    }

    /// The limits on the number of requests and the size of values.
    pub(crate) fn limits(&self) -> Limits {
        self.state.borrow().limits
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        self.state.borrow_mut().limits = limits;
    }

    /// The replay rules that this execution follows.
    pub(crate) fn replay_version(&self) -> u8 {
        self.state.borrow().replay_version
    }

    pub(crate) fn set_replay_version(&self, version: u8) {
        self.state.borrow_mut().replay_version = version;
    }

    pub(crate) fn is_replaying(&self) -> bool {
        self.state.borrow().is_replaying
    }

    pub(crate) fn set_replaying(&self, is_replaying: bool) {
        self.state.borrow_mut().is_replaying = is_replaying;
    }

    /// Whether the code behind this patch runs.
    pub(crate) fn patched(&self, id: &str) -> bool {
        let mut state = self.state.borrow_mut();
        let is_replaying = state.is_replaying;
        state.patches.decide(id, is_replaying)
    }

    pub(crate) fn add_recorded_patches<'a>(&self, recorded: impl Iterator<Item = &'a str>) {
        self.state.borrow_mut().patches.add_recorded(recorded);
    }

    /// The patches that were taken and are not recorded yet.
    pub(crate) fn take_patches(&self) -> Vec<String> {
        self.state.borrow_mut().patches.take_unrecorded()
    }

    /// The number of the next id that is made here.
    pub(crate) fn next_guid(&self) -> u32 {
        let mut state = self.state.borrow_mut();
        state.next_guid += 1;
        state.next_guid - 1
    }

    /// The number of the next random number that is made here.
    pub(crate) fn next_random(&self) -> u64 {
        let mut state = self.state.borrow_mut();
        state.next_random += 1;
        state.next_random
    }

    pub(crate) fn set_custom_status(&self, status: CustomStatus) {
        self.state.borrow_mut().custom_status = status;
    }

    pub(crate) fn custom_status(&self) -> CustomStatus {
        self.state.borrow().custom_status.clone()
    }

    /// The orchestrator asks to continue as new; the first request counts.
    pub(crate) fn continue_as_new(&self, next: Result<NextExecution, FailureDetails>) {
        self.state.borrow_mut().continued.get_or_insert(next);
    }

    pub(crate) fn take_continued(&self) -> Option<Result<NextExecution, FailureDetails>> {
        self.state.borrow_mut().continued.take()
    }

    /// Reports that the orchestrator cannot continue with the values in its history; the first
    /// report counts.
    pub(crate) fn report_fault(&self, report: String) {
        self.state.borrow_mut().fault.get_or_insert(report);
    }

    pub(crate) fn take_fault(&self) -> Option<String> {
        self.state.borrow_mut().fault.take()
    }

    /// Whether any event can still wake the orchestrator.
    pub(crate) fn has_open_wait(&self) -> bool {
        self.state.borrow().has_open_wait()
    }

    /// Whether the last poll woke a wait that it may have polled before, so that another poll is
    /// needed. Only a dropped wait does that. No poll is needed once the orchestrator has requested
    /// to continue as new, or cannot continue.
    ///
    /// Under replay version 0 the woken wait is polled with the next event. Only an execution
    /// without any other open wait is polled again, because it would never get a next event.
    pub(crate) fn needs_another_poll(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let has_woken = std::mem::take(&mut state.has_woken);
        let may_wait = state.replay_version == 0 && state.has_open_wait();
        has_woken && !may_wait && state.continued.is_none() && state.fault.is_none()
    }
}

/// Requests and their tasks.
impl Scope {
    /// Makes a request; returns the id of its task.
    pub(crate) fn request(&self, mut request: Box<Request>) -> i32 {
        let state = &mut *self.state.borrow_mut();
        let id = state.tasks.next_id();
        state.carried += request.payload().map_or(0, |payload| payload.as_str().len());
        section::note(&mut state.section, id, &mut request);
        state.tasks.add(request, state.groups.polling());
        id
    }

    /// Takes the result of a task. If it has not arrived, its arrival will wake the child that is
    /// being polled.
    pub(crate) fn take_result(&self, task: i32) -> Option<TaskResult> {
        let state = &mut *self.state.borrow_mut();
        state.tasks.take_result(task, state.groups.polling())
    }

    /// Stops waiting for a task.
    pub(crate) fn abandon(&self, task: i32) {
        let mut state = self.state.borrow_mut();
        state.forget_call(task);
        state.tasks.abandon(task);
    }

    /// Records the request with this id, if it is unrecorded.
    pub(crate) fn record(&self, task: i32) -> Option<Box<Request>> {
        self.state.borrow_mut().tasks.record(task)
    }

    /// The first request that is unrecorded.
    pub(crate) fn first_unrecorded(&self) -> Option<Request> {
        self.state.borrow().tasks.first_unrecorded().cloned()
    }

    /// Records every request that is unrecorded, in order.
    pub(crate) fn record_all(&self) -> BTreeMap<i32, Box<Request>> {
        self.state.borrow_mut().tasks.record_all()
    }

    /// Whether a task was cancelled, and has not been stopped yet.
    pub(crate) fn is_cancelled(&self, task: i32) -> bool {
        self.state.borrow().tasks.is_cancelled(task)
    }

    pub(crate) fn take_cancelled(&self) -> Vec<i32> {
        self.state.borrow_mut().tasks.take_cancelled()
    }

    /// Whether a task is recorded and has no result.
    pub(crate) fn is_open(&self, task: i32) -> bool {
        self.state.borrow().tasks.is_open(task)
    }

    /// Delivers the result of an open task and marks the child that waits for it.
    pub(crate) fn resolve(&self, task: i32, result: TaskResult) {
        let mut state = self.state.borrow_mut();
        let Some(woken) = state.tasks.resolve(task, result) else { return };
        state.forget_call(task);
        if let Some(section) = state.section.as_mut().filter(|section| section.lock == task) {
            section.granted = true;
        }
        state.groups.mark(woken);
    }
}

/// External events.
impl Scope {
    /// Delivers an external event to the oldest wait for its name, or keeps it for the next.
    pub(crate) fn raise(&self, name: &str, input: Json) {
        let mut state = self.state.borrow_mut();
        if let Some(woken) = state.inbox.deliver(name, input) {
            state.groups.mark(woken);
        }
    }

    /// The waits for events that have not arrived, and the names of the events that are unread.
    pub(crate) fn event_waits(&self) -> (Vec<EventWait>, Vec<String>) {
        self.state.borrow().inbox.waits_and_unread()
    }

    /// The number of unread events.
    pub(crate) fn unread_events(&self) -> usize {
        self.state.borrow().inbox.unread()
    }

    /// The unread events, in the order in which they arrived.
    pub(crate) fn take_unread(&self) -> Vec<UnreadEvent> {
        self.state.borrow_mut().inbox.take_unread()
    }

    /// Starts to wait for the next event of this name; returns the number of the wait.
    pub(crate) fn wait_for_event(&self, name: &str, source: &'static Location<'static>) -> u64 {
        let state = &mut *self.state.borrow_mut();
        state.inbox.wait(name, source, state.clock)
    }

    /// Takes the payload of the awaited event. If it has not arrived, its arrival will wake the
    /// child that is being polled.
    pub(crate) fn take_event(&self, wait: u64) -> Option<Json> {
        let state = &mut *self.state.borrow_mut();
        state.inbox.take(wait, state.groups.polling())
    }

    /// Drops a wait; its event, if it has one, goes to the next wait.
    pub(crate) fn stop_waiting(&self, wait: u64) {
        let mut state = self.state.borrow_mut();
        let replay_version = state.replay_version;
        if let Some(woken) = state.inbox.stop(wait, replay_version) {
            state.groups.mark(woken);
            state.has_woken = true;
        }
    }
}

/// Critical sections; an execution has at most one at a time.
impl Scope {
    /// The entities of the critical section that has begun.
    pub(crate) fn locked_entities(&self) -> Option<Vec<EntityId>> {
        let state = self.state.borrow();
        let section = state.section.as_ref().filter(|section| section.granted);
        section.map(|section| section.lock_set.clone())
    }

    /// Ends a critical section: requests its unlock, once.
    pub(crate) fn end_section(&self, lock: i32) {
        let mut state = self.state.borrow_mut();
        let Some(section) = state.section.take_if(|section| section.lock == lock) else { return };
        drop(state);
        let Section { lock_set, source, .. } = section;
        let ask = Ask::UnlockEntities { lock, lock_set };
        self.request(Box::new(Request { ask, source }));
    }

    /// Abandons a lock request.
    pub(crate) fn abandon_lock(&self, lock: i32) {
        let granted = self.state.borrow().section.as_ref().is_some_and(|section| section.granted);
        if granted {
            self.end_section(lock);
        } else {
            self.state.borrow_mut().section.take_if(|section| section.lock == lock);
        }
        self.abandon(lock);
    }

    /// Takes the critical section that is still open: the id of its lock request, its entities, and
    /// whether it had begun.
    pub(crate) fn take_section(&self) -> Option<(i32, Vec<EntityId>, bool)> {
        let section = self.state.borrow_mut().section.take()?;
        Some((section.lock, section.lock_set, section.granted))
    }
}

/// Groups of children.
impl Scope {
    pub(crate) fn new_group(&self) -> u32 {
        self.state.borrow_mut().groups.add()
    }

    /// The children of a group to poll: those that a result has marked since the last call, in the
    /// order of the results.
    pub(crate) fn take_woken(&self, group: u32) -> Vec<usize> {
        self.state.borrow_mut().groups.take_woken(group)
    }

    /// Polls a child of a group: the results that it waits for will mark it.
    pub(crate) fn poll_child<T>(&self, group: u32, index: usize, poll: impl FnOnce() -> T) -> T {
        let outer = self.state.borrow_mut().groups.enter(group, index);
        let polled = poll();
        self.state.borrow_mut().groups.leave(outer);
        polled
    }

    pub(crate) fn forget_group(&self, group: u32) {
        self.state.borrow_mut().groups.remove(group);
    }
}

impl State {
    fn has_open_wait(&self) -> bool {
        self.tasks.has_pending() || self.inbox.is_waited_for()
    }

    fn forget_call(&mut self, task: i32) {
        if let Some(section) = &mut self.section {
            section.forget_call(task);
        }
    }
}
