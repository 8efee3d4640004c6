//! What waits for an entity, and in which order it goes.
//!
//! Rules:
//! 1. What comes is dealt with in the order in which it came. Only the critical section that has the
//!    entity locked goes before all others.
//! 2. At most so much of what waits is in memory. What is left in the store, behind that, is read
//!    when it is its turn: `left` counts it, and it is in the store in the order in which it came.
//! 3. A critical section that has ended before it was its turn never begins.
//! 4. While no code can read the state, signals wait, and whatever else comes goes past them. Those
//!    that would fill the memory are *parked*: they are only in the store, before those in memory.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

use lru::DefaultHasher;

use crate::entity::is_deletion;
use crate::hub::mail::EntityReply;
use crate::protocol::{EventKind, ExecutionId, InstanceId, MessageId, ParentInstance, TaskMessage};
use crate::weight;

/// How many messages to an entity are in memory, and of how many bytes.
const QUEUE_MAX: usize = 4096;
pub(super) const QUEUE_BYTES_MAX: usize = 8 << 20;
/// How many operations are run at once, and of how many bytes, but for one that alone has more.
const BATCH_MAX: usize = 1000;
const BATCH_BYTES_MAX: usize = 1 << 20;

/// The critical section that has the entity locked.
type Owner<'a> = Option<&'a ParentInstance>;

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// What is in memory.
    waiting: VecDeque<Queued>,
    bytes: usize,
    /// What the critical section sends that has the entity locked.
    first: VecDeque<Queued>,
    /// How many messages are only in the store, behind those in memory.
    left: u64,
    /// Whether what is left in the store is about to be read. Nothing is begun until it is.
    pub(super) refill_pending: bool,
    /// How many signals that wait for code are only in the store, before those in memory.
    parked: u64,
    /// A place in the store, and how many that are parked lie before it.
    passed: (u64, u64),
    /// The place behind the last message that was read of what was left.
    behind: u64,
    /// Critical sections that have ended before they began.
    ended: HashMap<(ExecutionId, i32), usize, DefaultHasher>,
    /// What clients sent and is stored before anything else, until it comes back from there.
    coming: HashSet<MessageId, DefaultHasher>,
    /// Whether no code can read the state: then signals wait.
    is_held: bool,
}

/// Something that waits for an entity.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) message: TaskMessage,
    pub(super) origin: Origin,
}

/// Where it is kept until it takes effect.
#[derive(Debug)]
pub(super) enum Origin {
    /// In the store.
    Stored,
    /// Nowhere: the client who sent it waits.
    Client(EntityReply),
    /// In the store, as an instance that was due.
    Scheduled(InstanceId),
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Step {
    /// Begin this critical section.
    Lock(Queued),
    /// The critical section has ended.
    Unlock(Queued),
    /// This critical section never begins, since it has ended.
    Skip(Queued),
    /// A critical section has ended that does not have the entity locked: it never began, or the lock
    /// was taken back. Then the next entity is to know of it all the same.
    HandOn(Queued),
    /// Carry out operations.
    Operate,
    /// Read what is left in the store.
    Refill,
    Nothing,
}

impl Queued {
    /// Whether it is the signal that was kept under this id until it was due.
    pub(super) fn is_scheduled(&self, id: &InstanceId) -> bool {
        matches!(&self.origin, Origin::Scheduled(kept) if kept == id)
    }
}

impl Queue {
    /// How many messages wait.
    pub(super) fn len(&self) -> u64 {
        self.waiting.len() as u64 + self.left + self.parked
    }

    /// About how many bytes of it are in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is something that only memory knows.
    pub(super) fn is_in_use(&self) -> bool {
        !(self.waiting.is_empty()
            && self.first.is_empty()
            && self.ended.is_empty()
            && self.coming.is_empty()
            && self.left == 0
            && self.parked == 0)
    }

    /// Whether no code can read the state.
    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Lets signals wait for code; whether they did not yet.
    pub(super) fn hold(&mut self) -> bool {
        !std::mem::replace(&mut self.is_held, true)
    }

    /// Whether a signal that was kept until it was due waits.
    pub(super) fn has_signal(&self, id: &InstanceId) -> bool {
        self.waiting.iter().chain(&self.first).any(|queued| queued.is_scheduled(id))
    }

    /// Puts what came where it belongs.
    pub(super) fn receive(&mut self, queued: Queued, owner: Owner<'_>) {
        self.coming.remove(&queued.message.id);
        let from = queued.message.from.as_deref();
        match &queued.message.event {
            EventKind::EntityUnlockSent { .. } => {
                if is_section(owner, from) || !self.may_be_asked(&queued.message) {
                    self.first.push_back(queued);
                } else {
                    if let Some(section) = section(&queued.message) {
                        *self.ended.entry(section).or_default() += 1;
                    }
                    self.enqueue(queued);
                }
            }
            EventKind::EntityOperationCalled { critical_section: Some(lock), .. }
                if is_of_section(owner, from, *lock) =>
            {
                self.first.push_back(queued);
            }
            _ => self.enqueue(queued),
        }
    }

    /// Whether nothing waits, so that what comes is next.
    pub(super) fn is_free(&self) -> bool {
        self.waiting.is_empty() && !self.is_held && self.is_next()
    }

    /// Whether nothing came before that is not in the queue, so that a client's call may wait there.
    pub(super) fn is_next(&self) -> bool {
        self.left == 0 && self.parked == 0 && self.coming.is_empty()
    }

    /// What a client sent is stored before anything else.
    pub(super) fn await_back(&mut self, message: MessageId) {
        self.coming.insert(message);
    }

    /// Whether the request of the critical section that this speaks of may wait here. Where it does
    /// not, the lock was taken back, and nobody may be kept waiting for it.
    fn may_be_asked(&self, ended: &TaskMessage) -> bool {
        let is_it = |queued: &Queued| {
            matches!(queued.message.event, EventKind::EntityLockRequested { .. })
                && section(&queued.message) == section(ended)
        };
        self.left > 0 || self.waiting.iter().any(is_it)
    }

    /// Whether as much is in memory as may be.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= QUEUE_MAX || self.bytes >= QUEUE_BYTES_MAX
    }

    fn enqueue(&mut self, queued: Queued) {
        if matches!(queued.origin, Origin::Stored) && (self.left > 0 || self.is_full()) {
            self.left += 1;
        } else {
            self.push(queued);
        }
    }

    fn push(&mut self, queued: Queued) {
        self.bytes += queued.bytes();
        self.waiting.push_back(queued);
    }

    fn pop(&mut self) -> Option<Queued> {
        let queued = self.waiting.pop_front()?;
        self.bytes -= queued.bytes();
        Some(queued)
    }

    /// Where what is left in the store is to be looked for: at which place, behind how many that are
    /// parked, and how many to take.
    pub(super) fn where_left(&self) -> (u64, u64, usize) {
        let count = usize::try_from(self.left).unwrap_or(QUEUE_MAX).min(QUEUE_MAX);
        match self.passed {
            // Of what was read last nothing is there any more.
            (_, before) if before == self.parked => (self.behind, 0, count),
            (place, before) => (place, self.parked - before, count),
        }
    }

    /// So many of those that were left in the store were read, at these places: all that is parked
    /// lies before them.
    pub(super) fn took(&mut self, count: usize, places: Option<Range<u64>>) {
        self.refill_pending = false;
        if let Some(places) = places {
            (self.passed, self.behind) = ((places.start, self.parked), places.end);
        }
        self.left = match count as u64 {
            // What is not there cannot be waited for.
            0 => 0,
            count => self.left.saturating_sub(count),
        };
    }

    /// Takes up what was left in the store.
    pub(super) fn refill(&mut self, found: Vec<TaskMessage>) {
        for message in found {
            self.push(Queued { message, origin: Origin::Stored });
        }
    }

    /// Makes room for what may go past the signals that wait for code: those that are in the store
    /// are left there.
    fn park(&mut self) {
        if self.is_held {
            self.parked += self.leave_in_store();
        }
    }

    /// There is code that can read the state.
    pub(super) fn release(&mut self) {
        self.is_held = false;
        if self.parked > 0 {
            // What is parked comes first, so all is read anew.
            self.left += std::mem::take(&mut self.parked) + self.leave_in_store();
            (self.passed, self.behind) = ((0, 0), 0);
        }
    }

    /// Takes out of the queue what is in the store; gives how many that are.
    fn leave_in_store(&mut self) -> u64 {
        let all = std::mem::take(&mut self.waiting);
        let is_stored = |queued: &Queued| matches!(queued.origin, Origin::Stored);
        let (stored, rest): (VecDeque<_>, _) = all.into_iter().partition(is_stored);
        self.waiting = rest;
        self.bytes = self.waiting.iter().map(Queued::bytes).sum();
        stored.len() as u64
    }

    /// What to do next, unless a batch is running.
    pub(super) fn next_step(&mut self, owner: Owner<'_>) -> Step {
        if let Some(front) = self.first.front() {
            if !matches!(front.message.event, EventKind::EntityUnlockSent { .. }) {
                return Step::Operate;
            }
            let is_locked = is_section(owner, front.message.from.as_deref());
            let step = if is_locked { Step::Unlock } else { Step::HandOn };
            return self.first.pop_front().map_or(Step::Nothing, step);
        }
        if owner.is_some() || self.refill_pending {
            return Step::Nothing;
        }
        let goes = |queued: &Queued| !self.is_held || !queued.waits_for_code();
        let Some(place) = self.waiting.iter().position(goes) else {
            if self.left == 0 {
                return Step::Nothing;
            }
            self.park();
            return Step::Refill;
        };
        if self.waiting.get(place).is_some_and(Queued::is_operation) {
            return Step::Operate;
        }
        let Some(queued) = self.waiting.remove(place) else { return Step::Nothing };
        self.bytes -= queued.bytes();
        let Some(section) = section(&queued.message) else { return Step::Skip(queued) };
        if !matches!(queued.message.event, EventKind::EntityUnlockSent { .. }) {
            let has_ended = self.ended.contains_key(&section);
            return if has_ended { Step::Skip(queued) } else { Step::Lock(queued) };
        }
        if let Some(count) = self.ended.get_mut(&section) {
            *count -= 1;
            if *count == 0 {
                self.ended.remove(&section);
            }
        }
        Step::HandOn(queued)
    }

    /// Takes the operations of the next batch.
    pub(super) fn take_batch(&mut self) -> Vec<Queued> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let (mut held, is_first) = (VecDeque::new(), !self.first.is_empty());
        while batch.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
            let source = if is_first { &self.first } else { &self.waiting };
            if !source.front().is_some_and(Queued::is_operation) {
                break;
            }
            let next = if is_first { self.first.pop_front() } else { self.pop() };
            let Some(next) = next else { break };
            if self.is_held && next.waits_for_code() {
                held.push_back(next);
                continue;
            }
            bytes += next.bytes();
            batch.push(next);
        }
        while let Some(queued) = held.pop_back() {
            self.put_back(queued);
        }
        batch
    }

    /// Puts an operation back to the front.
    pub(super) fn put_back(&mut self, queued: Queued) {
        self.bytes += queued.bytes();
        self.waiting.push_front(queued);
    }
}

/// Whether a message speaks of the critical section that has the entity locked.
fn is_section(owner: Owner<'_>, from: Option<&ParentInstance>) -> bool {
    from.is_some_and(|from| is_of_section(owner, Some(from), from.task_scheduled_id))
}

/// Whether a call comes out of the critical section that has the entity locked.
fn is_of_section(owner: Owner<'_>, from: Option<&ParentInstance>, lock: i32) -> bool {
    owner.zip(from).is_some_and(|(owner, from)| {
        owner.execution_id == from.execution_id && owner.task_scheduled_id == lock
    })
}

impl Queued {
    fn bytes(&self) -> usize {
        bytes_of(&self.message)
    }

    fn is_operation(&self) -> bool {
        matches!(
            self.message.event,
            EventKind::EntityOperationCalled { .. } | EventKind::EntityOperationSignaled { .. }
        )
    }

    /// Whether somebody waits for the answer.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.message.event, EventKind::EntityOperationCalled { .. })
    }

    /// Whether it waits while the state cannot be read: a call fails, a deletion needs no state, and
    /// neither does a lock.
    fn waits_for_code(&self) -> bool {
        self.is_operation() && !self.is_call() && !self.is_deletion()
    }

    /// Whether it is the operation that every entity has.
    pub(super) fn is_deletion(&self) -> bool {
        is_deletion(&self.message)
    }
}

/// About how many bytes a message takes while it waits.
pub(super) fn bytes_of(message: &TaskMessage) -> usize {
    size_of::<Queued>() + weight::of_event(&message.event)
}

/// The critical section that a message speaks of.
fn section(message: &TaskMessage) -> Option<(ExecutionId, i32)> {
    message.from.as_ref().map(|from| (from.execution_id, from.task_scheduled_id))
}
