//! The running episode, as the futures in an orchestrator see it.
//!
//! While the engine polls an orchestrator, its scope stands in a thread-local; a task that is polled
//! finds it there, asks for its action, and later takes its result. A task polled anywhere else
//! finds none and fails with a message.
//!
//! Rules:
//! 1. Task ids count up from 0 in the order in which the orchestrator asks.
//! 2. A request is *unrecorded* until its event stands in the history; then its task is *open*
//!    until its result is delivered.
//! 3. A task that is dropped before its result is abandoned: an unrecorded request is forgotten, a
//!    recorded one cancelled. The engine drops an orchestrator outside of its scope, which
//!    abandons nothing.
//! 4. A waker is never touched. What a result wakes is found by *slots*: a group of children (a
//!    `join_all`) tells who of it is being polled, a pending task remembers that, and its result
//!    marks it. So a child is polled when its group begins and when it gets further, not
//!    at every result of another.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::critical_section::{self, Section};
use super::inbox::{Inbox, UnreadEvent, Woken};
use super::request::{Ask, Request};
use crate::limits::Limits;
use crate::protocol::{
    EntityId, ExecutionId, FailureDetails, InstanceId, Json, REPLAY_VERSION, Timestamp,
};

thread_local! {
    static CURRENT: RefCell<Option<Rc<Scope>>> = const { RefCell::new(None) };
}

/// What a task comes to.
pub(crate) type TaskResult = Result<Json, FailureDetails>;

/// With what an orchestrator wants to begin anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextExecution {
    pub(crate) name: &'static str,
    pub(crate) version: Option<String>,
    pub(crate) input: Json,
    /// Whether events that were not read go to it.
    pub(crate) keeps_events: bool,
}

/// What an execution says of its progress. What it does not say stays as it was.
#[derive(Clone, Debug)]
pub(crate) enum CustomStatus {
    Unsaid,
    Cleared,
    Said(Json),
}

impl CustomStatus {
    /// Puts what was said in the place of what was said before.
    pub(crate) fn put(self, before: &mut Option<Json>) {
        match self {
            Self::Unsaid => {}
            Self::Cleared => *before = None,
            Self::Said(status) => *before = Some(status),
        }
    }
}

/// The place of a child in a group that waits for several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    group: u32,
    index: usize,
}

#[cfg(test)]
impl Slot {
    pub(super) fn of_test(index: usize) -> Self {
        Self { group: 0, index }
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
    clock: Timestamp,
    limits: Limits,
    /// Bytes of all that was handed over in this episode.
    handed_over: usize,
    /// Which replay rules this execution follows.
    replay_version: u8,
    replaying: bool,
    next_task: i32,
    unrecorded: BTreeMap<i32, Box<Request>>,
    tasks: BTreeMap<i32, TaskState>,
    /// How many of `tasks` have no result yet.
    pending: usize,
    cancelled: Vec<i32>,
    next_group: u32,
    groups: BTreeMap<u32, Group>,
    polling: Option<Slot>,
    /// Whether something was woken since the last poll began.
    has_woken: bool,
    fault: Option<String>,
    /// What was decided of each patch.
    patches: BTreeMap<String, bool>,
    /// The patches that were taken and are not recorded.
    new_patches: Vec<String>,
    next_guid: u32,
    next_random: u64,
    inbox: Inbox,
    /// What was last said of the progress, if anything was said.
    custom_status: CustomStatus,
    continued: Option<Result<NextExecution, FailureDetails>>,
    section: Option<Section>,
}

/// A task that is waited for.
#[derive(Debug)]
struct TaskState {
    waiter: Option<Slot>,
    result: Option<TaskResult>,
}

#[derive(Debug, Default)]
struct Group {
    parent: Option<Slot>,
    woken: Vec<usize>,
}

/// Makes a scope the current one until it is dropped.
#[derive(Debug)]
pub(crate) struct Entered(Option<Rc<Scope>>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
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
            handed_over: 0,
            replay_version: REPLAY_VERSION,
            replaying: false,
            next_task: 0,
            unrecorded: BTreeMap::new(),
            tasks: BTreeMap::new(),
            pending: 0,
            cancelled: Vec::new(),
            next_group: 0,
            groups: BTreeMap::new(),
            polling: None,
            has_woken: false,
            fault: None,
            patches: BTreeMap::new(),
            new_patches: Vec::new(),
            next_guid: 0,
            next_random: 0,
            inbox: Inbox::default(),
            custom_status: CustomStatus::Unsaid,
            continued: None,
            section: None,
        };
        Self { instance_id, execution_id, state: RefCell::new(state) }
    }

    /// The scope in which the caller is being polled.
    pub(crate) fn current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        Entered(CURRENT.replace(Some(Rc::clone(self))))
    }

    pub(crate) fn clock(&self) -> Timestamp {
        self.state.borrow().clock
    }

    /// An episode begins, of which this is the time.
    pub(crate) fn begin_episode(&self, now: Timestamp) {
        let mut state = self.state.borrow_mut();
        (state.clock, state.handed_over) = (now, 0);
    }

    /// How much the execution may ask for, and how large its values may be.
    pub(crate) fn limits(&self) -> Limits {
        self.state.borrow().limits
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        self.state.borrow_mut().limits = limits;
    }

    pub(crate) fn set_replay_version(&self, version: u8) {
        self.state.borrow_mut().replay_version = version;
    }

    /// Which replay rules this execution follows.
    pub(crate) fn replay_version(&self) -> u8 {
        self.state.borrow().replay_version
    }

    pub(crate) fn is_replaying(&self) -> bool {
        self.state.borrow().replaying
    }

    pub(crate) fn set_replaying(&self, replaying: bool) {
        self.state.borrow_mut().replaying = replaying;
    }

    /// Asks for an action; the id is the task's.
    pub(crate) fn request(&self, mut request: Box<Request>) -> i32 {
        let mut state = self.state.borrow_mut();
        let id = state.next_task;
        state.handed_over += request.handed_over().map_or(0, |input| input.as_str().len());
        state.next_task = state.next_task.saturating_add(1);
        if !request.is_one_way() {
            let waiter = state.polling;
            state.tasks.insert(id, TaskState { waiter, result: None });
            state.pending += 1;
        }
        state.watch(id, &mut request);
        state.unrecorded.insert(id, request);
        id
    }

    /// How many requests were made, and how many bytes this episode has handed over.
    pub(super) fn requested(&self) -> (i32, usize) {
        let state = self.state.borrow();
        (state.next_task, state.handed_over)
    }

    /// Which rule of critical sections a request breaks, if it breaks one.
    pub(super) fn breaks_rule(&self, ask: &Ask) -> Option<FailureDetails> {
        let state = self.state.borrow();
        let rule = state.section.as_ref()?.forbids(ask)?;
        Some(critical_section::forbidden(rule))
    }

    /// The result of a task, once; until then whoever polls is who waits for it.
    pub(crate) fn take_result(&self, task: i32) -> Option<TaskResult> {
        let mut state = self.state.borrow_mut();
        let polling = state.polling;
        let waiting = state.tasks.get_mut(&task)?;
        waiting.waiter = polling;
        let result = waiting.result.take()?;
        state.tasks.remove(&task);
        Some(result)
    }

    /// Nobody waits for this task any more.
    pub(crate) fn abandon(&self, task: i32) {
        let mut state = self.state.borrow_mut();
        state.forget_call(task);
        if state.tasks.remove(&task).is_some_and(|task| task.result.is_none()) {
            state.pending -= 1;
            if state.unrecorded.remove(&task).is_none() {
                state.cancelled.push(task);
            }
        }
    }

    /// Whether the code under this patch is to run: where nothing is recorded yet it is, and that is
    /// recorded; where something is, what it says.
    pub(crate) fn patched(&self, id: &str) -> bool {
        let mut state = self.state.borrow_mut();
        if let Some(decided) = state.patches.get(id) {
            return *decided;
        }
        let taken = !state.replaying;
        state.patches.insert(id.to_owned(), taken);
        if taken {
            state.new_patches.push(id.to_owned());
        }
        taken
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

    /// What was last said of the progress.
    pub(crate) fn custom_status(&self) -> CustomStatus {
        self.state.borrow().custom_status.clone()
    }

    /// The orchestrator wants to begin anew; the first time counts.
    pub(crate) fn continue_as_new(&self, next: Result<NextExecution, FailureDetails>) {
        self.state.borrow_mut().continued.get_or_insert(next);
    }

    pub(crate) fn take_continued(&self) -> Option<Result<NextExecution, FailureDetails>> {
        self.state.borrow_mut().continued.take()
    }

    /// The orchestrator cannot go on with what its history holds; the first report counts.
    pub(crate) fn report_fault(&self, report: String) {
        self.state.borrow_mut().fault.get_or_insert(report);
    }

    pub(crate) fn take_fault(&self) -> Option<String> {
        self.state.borrow_mut().fault.take()
    }
}

/// What the engine does to a scope.
impl Scope {
    /// The request of this id, if it is there and unrecorded; it is recorded from here on.
    pub(crate) fn record(&self, task: i32) -> Option<Box<Request>> {
        self.state.borrow_mut().unrecorded.remove(&task)
    }

    /// The first request that no recording has met.
    pub(crate) fn first_unrecorded(&self) -> Option<(i32, Box<Request>)> {
        let state = self.state.borrow();
        state.unrecorded.first_key_value().map(|(id, request)| (*id, request.clone()))
    }

    /// Every request that no recording has met, in order; they are recorded from here on.
    pub(crate) fn take_unrecorded(&self) -> BTreeMap<i32, Box<Request>> {
        std::mem::take(&mut self.state.borrow_mut().unrecorded)
    }

    pub(crate) fn know_patches<'a>(&self, recorded: impl Iterator<Item = &'a str>) {
        let taken = recorded.map(|id| (id.to_owned(), true));
        self.state.borrow_mut().patches.extend(taken);
    }

    pub(crate) fn take_patches(&self) -> Vec<String> {
        std::mem::take(&mut self.state.borrow_mut().new_patches)
    }

    /// Whether a task is cancelled, and what follows from that is yet to be done.
    pub(crate) fn is_cancelled(&self, task: i32) -> bool {
        self.state.borrow().cancelled.contains(&task)
    }

    pub(crate) fn take_cancelled(&self) -> Vec<i32> {
        std::mem::take(&mut self.state.borrow_mut().cancelled)
    }

    /// Whether a recorded task of this id still waits for its result.
    pub(crate) fn is_open(&self, task: i32) -> bool {
        let state = self.state.borrow();
        !state.unrecorded.contains_key(&task)
            && state.tasks.get(&task).is_some_and(|task| task.result.is_none())
    }

    /// Whether anything can still wake the orchestrator.
    pub(crate) fn waits_for_something(&self) -> bool {
        self.state.borrow().waits_for_something()
    }

    /// Delivers the result of an open task and marks who waits for it.
    pub(crate) fn resolve(&self, task: i32, result: TaskResult) {
        let mut state = self.state.borrow_mut();
        let Some(waiting) = state.tasks.get_mut(&task) else { return };
        let slot = waiting.waiter;
        if waiting.result.replace(result).is_none() {
            state.pending -= 1;
        }
        state.forget_call(task);
        if let Some(section) = state.section.as_mut().filter(|section| section.lock == task) {
            section.granted = true;
        }
        state.mark(slot);
    }

    /// Delivers an external event: to who waits for it, or for whoever will.
    pub(crate) fn raise(&self, name: &str, input: Json) {
        let mut state = self.state.borrow_mut();
        if let Some(Woken(slot)) = state.inbox.deliver(name, input) {
            state.mark(slot);
        }
    }

    /// How many events came in that nobody has waited for.
    pub(crate) fn unread_events(&self) -> usize {
        self.state.borrow().inbox.unread()
    }

    /// The events that nobody has read, in the order in which they came.
    pub(crate) fn take_unread(&self) -> Vec<UnreadEvent> {
        self.state.borrow_mut().inbox.take_unread()
    }
}

/// Waiting for external events.
impl Scope {
    /// Begins to wait for the next event of this name; the number is the wait's.
    pub(crate) fn wait_for_event(&self, name: &str) -> u64 {
        self.state.borrow_mut().inbox.wait(name)
    }

    /// What the awaited event carries, once; until then whoever polls is who waits for it.
    pub(crate) fn take_event(&self, wait: u64) -> Option<Json> {
        let mut state = self.state.borrow_mut();
        let polling = state.polling;
        state.inbox.take(wait, polling)
    }

    /// Drops a wait; its event, if it has one, goes to the next wait.
    pub(crate) fn stop_waiting(&self, wait: u64) {
        let mut state = self.state.borrow_mut();
        let replay_version = state.replay_version;
        if let Some(Woken(slot)) = state.inbox.stop(wait, replay_version) {
            state.mark(slot);
            state.has_woken = true;
        }
    }

    /// Whether the last poll has woken a wait that it may have polled before, so that another poll
    /// is due. Only a dropped wait does that. Once the orchestrator has asked to continue as new, or
    /// cannot go on, none is due.
    ///
    /// Under replay version 0 the next event polls what was woken; only an execution that has nothing
    /// else to wait for is polled again, because it would never get a next event.
    pub(crate) fn wants_another_poll(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let has_woken = std::mem::take(&mut state.has_woken);
        let may_wait = state.replay_version == 0 && state.waits_for_something();
        has_woken && !may_wait && state.continued.is_none() && state.fault.is_none()
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

    /// A critical section has ended: that is asked for, once.
    pub(crate) fn end_section(&self, lock: i32) {
        let mut state = self.state.borrow_mut();
        let Some(section) = state.section.take_if(|section| section.lock == lock) else { return };
        drop(state);
        let Section { lock_set, source, .. } = section;
        let ask = Ask::UnlockEntities { lock, lock_set };
        self.request(Box::new(Request { ask, source }));
    }

    /// Nobody waits for a lock any more.
    pub(crate) fn abandon_lock(&self, lock: i32) {
        let granted = self.state.borrow().section.as_ref().is_some_and(|section| section.granted);
        if granted {
            self.end_section(lock);
        } else {
            self.state.borrow_mut().section.take_if(|section| section.lock == lock);
        }
        self.abandon(lock);
    }

    /// The critical section that the orchestrator has left behind: its number, its entities, and
    /// whether it had begun.
    pub(crate) fn take_section(&self) -> Option<(i32, Vec<EntityId>, bool)> {
        let section = self.state.borrow_mut().section.take()?;
        Some((section.lock, section.lock_set, section.granted))
    }
}

impl State {
    fn waits_for_something(&self) -> bool {
        self.pending > 0 || self.inbox.is_waited_for()
    }

    /// Notes what a request means to the critical section.
    fn watch(&mut self, id: i32, request: &mut Request) {
        match (&mut request.ask, &mut self.section) {
            (Ask::LockEntities(lock_set), section) => {
                let (lock_set, source) = (lock_set.clone(), request.source);
                let calls = BTreeMap::new();
                *section = Some(Section { lock: id, lock_set, granted: false, source, calls });
            }
            (Ask::CallEntity { asked, section: of }, Some(section)) => {
                section.calls.insert(id, asked.entity_id.clone());
                *of = Some(section.lock);
            }
            _ => {}
        }
    }

    fn forget_call(&mut self, task: i32) {
        if let Some(section) = &mut self.section {
            section.calls.remove(&task);
        }
    }

    /// Marks the path to a place, so that it is polled.
    fn mark(&mut self, mut slot: Option<Slot>) {
        while let Some(Slot { group, index }) = slot {
            let Some(group) = self.groups.get_mut(&group) else { break };
            group.woken.push(index);
            slot = group.parent;
        }
    }
}

/// What a group of children does while it is polled (rule 4).
impl Scope {
    pub(crate) fn new_group(&self) -> u32 {
        let mut state = self.state.borrow_mut();
        let id = state.next_group;
        state.next_group += 1;
        let parent = state.polling;
        state.groups.insert(id, Group { parent, woken: Vec::new() });
        id
    }

    /// The children to poll: those that a result has marked since the last time, in the order of
    /// the results.
    pub(crate) fn take_woken(&self, group: u32) -> Vec<usize> {
        let mut state = self.state.borrow_mut();
        let parent = state.polling;
        let Some(group) = state.groups.get_mut(&group) else { return Vec::new() };
        group.parent = parent;
        std::mem::take(&mut group.woken)
    }

    /// Polls a child of a group: what it comes to wait for will mark it.
    pub(crate) fn poll_child<T>(&self, group: u32, index: usize, poll: impl FnOnce() -> T) -> T {
        let outer = self.state.borrow_mut().polling.replace(Slot { group, index });
        let polled = poll();
        self.state.borrow_mut().polling = outer;
        polled
    }

    pub(crate) fn forget_group(&self, group: u32) {
        self.state.borrow_mut().groups.remove(&group);
    }
}
