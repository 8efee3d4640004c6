//! The queued messages of an entity and their order.
//!
//! Rules:
//! 1. Messages are handled in the order in which they arrived, except that those of the critical
//!    section that holds the lock go first.
//! 2. Memory holds a bounded number of messages. The rest stays in the store, which has every
//!    message until it takes effect, and is read when its turn comes (`backlog.rs`).
//! 3. A critical section that has ended before its turn never begins.
//! 4. While no code can read the state, signals wait, and all other messages overtake them. When
//!    signals fill the memory they are *parked*: they leave memory, and stay in the store before
//!    the others.

mod backlog;
mod queued;
mod refill;
#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

use lru::DefaultHasher;

use self::backlog::{Backlog, NextRead};
pub(super) use self::queued::{KeptIn, Queued};
use self::queued::{Owner, Section, section};
pub(super) use self::refill::Found;
use crate::hub::sizes::QueueSizes;
use crate::protocol::{MessageId, TaskMessage};

#[derive(Debug)]
pub(super) struct Queue {
    sizes: QueueSizes,
    /// Messages in memory, in the order of their arrival.
    waiting: VecDeque<Queued>,
    /// Size of `waiting`.
    bytes: usize,
    /// Messages of the critical section that holds the lock.
    privileged: VecDeque<Queued>,
    /// Messages in the store only.
    backlog: Backlog,
    /// Number of queued unlocks of each critical section that ended before it began.
    ended: HashMap<Section, usize, DefaultHasher>,
    /// Operations of clients that are being stored, until they arrive as messages.
    awaited: HashSet<MessageId, DefaultHasher>,
    /// Whether signals wait because no code can read the state.
    is_held: bool,
}

/// The next step of an entity.
#[derive(Debug)]
pub(super) enum Step {
    /// Enter this critical section.
    Lock(Queued),
    /// Leave the critical section that holds the lock.
    Unlock(Queued),
    /// Drop the request of a critical section that has ended.
    Skip(Queued),
    /// Only pass the end of a critical section on to the next entity. This entity is not locked by
    /// it, because the section never began here or its lock was taken back.
    PassOn(Queued),
    /// Run operations.
    Operate,
    /// Read messages that were left in the store.
    Refill,
    Nothing,
}

impl Queue {
    pub(super) fn new(sizes: QueueSizes) -> Self {
        Self {
            sizes,
            waiting: VecDeque::new(),
            bytes: 0,
            privileged: VecDeque::new(),
            backlog: Backlog::default(),
            ended: HashMap::default(),
            awaited: HashSet::default(),
            is_held: false,
        }
    }

    /// Number of queued messages, without those of the critical section that holds the lock.
    pub(super) fn len(&self) -> u64 {
        self.waiting.len() as u64 + self.backlog.len()
    }

    /// Approximate size in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it has state that exists in memory only.
    pub(super) fn is_in_use(&self) -> bool {
        !(self.waiting.is_empty()
            && self.privileged.is_empty()
            && self.ended.is_empty()
            && self.awaited.is_empty()
            && self.backlog.is_empty())
    }

    /// Whether the memory limit is reached.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= self.sizes.messages || self.bytes >= self.sizes.bytes
    }

    /// Whether signals wait for code.
    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether a refill from the store is pending.
    pub(super) fn is_refilling(&self) -> bool {
        self.backlog.is_refilling()
    }

    /// Whether all queued messages are in memory, so that a client's operation may be queued in
    /// memory without overtaking an earlier message.
    pub(super) fn is_all_in_memory(&self) -> bool {
        self.backlog.is_empty() && self.awaited.is_empty()
    }

    /// Whether the queue is empty, so that the next arrival is handled next.
    pub(super) fn is_free(&self) -> bool {
        self.waiting.is_empty() && !self.is_held && self.is_all_in_memory()
    }

    /// Notes that a client's operation is being stored and will arrive as a message.
    pub(super) fn await_stored(&mut self, message: MessageId) {
        self.awaited.insert(message);
    }

    /// Adds an arrival.
    pub(super) fn receive(&mut self, queued: Queued, owner: Owner<'_>) {
        self.awaited.remove(&queued.message.id);
        if queued.is_of(owner) {
            self.privileged.push_back(queued);
        } else if !queued.is_unlock() {
            self.enqueue(queued);
        } else if self.may_have_request_of(&queued.message) {
            if let Some(section) = section(&queued.message) {
                *self.ended.entry(section).or_default() += 1;
            }
            self.enqueue(queued);
        } else {
            // The lock was taken back, so this unlock must not wait for its turn.
            self.privileged.push_back(queued);
        }
    }

    /// Whether the lock request of the critical section that this message ends may be queued.
    fn may_have_request_of(&self, unlock: &TaskMessage) -> bool {
        self.backlog.rest() > 0 || self.waiting.iter().any(|it| it.requests_section_of(unlock))
    }

    fn enqueue(&mut self, queued: Queued) {
        if queued.is_stored() && (self.backlog.rest() > 0 || self.is_full()) {
            self.backlog.add(1);
        } else {
            self.push_back(queued);
        }
    }

    /// Notes that a refill is pending. It begins when the removal of all earlier messages is
    /// durable.
    pub(super) fn begin_refill(&mut self) {
        self.backlog.begin_refill();
    }

    /// The next read of the store.
    pub(super) fn next_read(&self) -> NextRead {
        self.backlog.next_read(self.sizes.messages, self.sizes.bytes)
    }

    /// Takes the result of a read: `count` messages at these places, of which these are queued.
    pub(super) fn refill(
        &mut self,
        count: usize,
        places: Option<Range<u64>>,
        found: Vec<TaskMessage>,
    ) {
        self.backlog.refilled(count as u64, places);
        for message in found {
            self.push_back(Queued { message, origin: KeptIn::Stored });
        }
    }

    /// Holds signals back until there is code. Returns whether they were not held before.
    pub(super) fn hold(&mut self) -> bool {
        !std::mem::replace(&mut self.is_held, true)
    }

    /// Releases the signals, because there is code that can read the state.
    pub(super) fn release(&mut self) {
        self.is_held = false;
        if self.backlog.has_parked() {
            // Parked signals are older than all others, so everything is read again.
            let count = self.drop_stored();
            self.backlog.unpark(count);
        }
    }

    /// Drops the stored messages from memory; returns their number.
    fn drop_stored(&mut self) -> u64 {
        let before = self.waiting.len();
        self.waiting.retain(|queued| !queued.is_stored());
        self.bytes = self.waiting.iter().map(Queued::bytes).sum();
        (before - self.waiting.len()) as u64
    }

    /// The next step, unless a batch is running. `owner` holds the lock.
    pub(super) fn next_step(&mut self, owner: Owner<'_>) -> Step {
        if let Some(front) = self.privileged.front() {
            if !front.is_unlock() {
                return Step::Operate;
            }
            let step = if front.is_of(owner) { Step::Unlock } else { Step::PassOn };
            return self.privileged.pop_front().map_or(Step::Nothing, step);
        }
        if owner.is_some() || self.is_refilling() {
            return Step::Nothing;
        }
        let may_go = |queued: &Queued| !self.is_held || !queued.waits_for_code();
        let Some(index) = self.waiting.iter().position(may_go) else {
            if self.backlog.rest() == 0 {
                return Step::Nothing;
            }
            if self.is_held {
                mark!("entities: signals without code are parked");
                let count = self.drop_stored();
                self.backlog.park(count);
            }
            return Step::Refill;
        };
        if self.waiting.get(index).is_some_and(Queued::is_operation) {
            return Step::Operate;
        }
        let Some(queued) = self.waiting.remove(index) else { return Step::Nothing };
        self.bytes -= queued.bytes();
        self.step_of_section(queued)
    }

    /// The step for the request or the end of a critical section whose turn it is.
    fn step_of_section(&mut self, queued: Queued) -> Step {
        let Some(section) = section(&queued.message) else { return Step::Skip(queued) };
        let ended = self.ended.entry(section);
        match (queued.is_unlock(), ended) {
            (false, Entry::Vacant(_)) => Step::Lock(queued),
            (false, Entry::Occupied(_)) => Step::Skip(queued),
            (true, ended) => {
                if let Entry::Occupied(mut ended) = ended {
                    *ended.get_mut() -= 1;
                    if *ended.get() == 0 {
                        ended.remove();
                    }
                }
                Step::PassOn(queued)
            }
        }
    }

    /// Takes the operations of the next batch, at most this many.
    pub(super) fn take_batch(&mut self, at_most: usize) -> Vec<Queued> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let (mut held, is_privileged) = (Vec::new(), !self.privileged.is_empty());
        let at_most = at_most.min(self.sizes.batch);
        while batch.len() < at_most && bytes < self.sizes.batch_bytes {
            let source = if is_privileged { &self.privileged } else { &self.waiting };
            if !source.front().is_some_and(Queued::is_operation) {
                break;
            }
            let next = if is_privileged { self.privileged.pop_front() } else { self.pop_front() };
            let Some(next) = next else { break };
            if self.is_held && next.waits_for_code() {
                held.push(next);
                continue;
            }
            bytes += next.bytes();
            batch.push(next);
        }
        for queued in held.into_iter().rev() {
            self.put_back(queued);
        }
        batch
    }

    /// Puts an operation back to the front.
    pub(super) fn put_back(&mut self, queued: Queued) {
        self.bytes += queued.bytes();
        self.waiting.push_front(queued);
    }

    fn push_back(&mut self, queued: Queued) {
        self.bytes += queued.bytes();
        self.waiting.push_back(queued);
    }

    fn pop_front(&mut self) -> Option<Queued> {
        let queued = self.waiting.pop_front()?;
        self.bytes -= queued.bytes();
        Some(queued)
    }
}
