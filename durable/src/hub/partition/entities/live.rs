//! An entity in memory: what is kept of it, and what waits for it.
//!
//! Rules:
//! 1. What comes is dealt with in the order in which it came. Only a critical section that has the
//!    entity locked goes before all others.
//! 2. At most so much of what waits is in memory. What is left in the store, behind that, is read
//!    when it is its turn: `left` counts it, and it is in the store in the order in which it came.
//! 3. A message stays in the store until the commit that it takes effect with. So does a signal that
//!    has a time in the entity's own record, also while it waits with the others.
//! 4. A critical section that has ended before it was its turn never begins.

use std::collections::{HashMap, VecDeque};

use crate::entity::DELETE;
use crate::hub::mail::{CallReply, EntityReply};
use crate::hub::residents::Lives;
use crate::protocol::{
    EntityId, EntityState, EventKind, ExecutionId, HistoryEvent, InstanceId, InstanceRecord,
    MessageId, ParentInstance, RuntimeStatus, ScheduledSignal, TaskMessage, Timestamp,
};
use crate::weight;
use lru::DefaultHasher;

/// How many messages to an entity are in memory, and of how many bytes.
pub(super) const QUEUE_MAX: usize = 4096;
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// How many operations are run at once, and of how many bytes, but for one that alone has more.
const BATCH_MAX: usize = 1000;
const BATCH_BYTES_MAX: usize = 1 << 20;

/// An entity in memory.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub(in crate::hub) struct Live {
    pub(super) entity_id: EntityId,
    execution_id: ExecutionId,
    created_at: Option<Timestamp>,
    /// Whether there is a record of it.
    is_stored: bool,
    /// What is kept of it; its scheduled signals are those that are not due.
    pub(super) kept: EntityState,
    /// What waits for it.
    queue: VecDeque<Queued>,
    queue_bytes: usize,
    /// What the critical section sends that has it locked.
    first: VecDeque<Queued>,
    /// How many messages are only in the store, behind those of the queue.
    pub(super) left: u64,
    /// The position in the store behind all that was read of what was left there.
    pub(super) left_from: u64,
    /// Whether what is left in the store is about to be read.
    pub(super) is_refilled: bool,
    /// Signals that came to be delivered later, and are not kept yet.
    new_scheduled: Vec<Queued>,
    /// How many scheduled signals are in the queue, or are carried out.
    firing: usize,
    /// Critical sections that have ended before they began.
    ended: Vec<(ExecutionId, i32)>,
    /// The batch that is carried out.
    pub(super) running: Vec<Queued>,
    /// Whether its code is not there, or cannot read its state: then signals wait.
    pub(super) is_held: bool,
    /// Clients that wait for the answer of what is in the store.
    pub(super) callers: HashMap<MessageId, CallReply, DefaultHasher>,
    /// Whether it is on the list of those to look at.
    pub(super) is_touched: bool,
    /// When it was due as of its last write.
    pub(super) due_before: Option<Timestamp>,
    /// The number of the last write of it, or of what it consumed.
    pub(super) written: u64,
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
    /// In the entity's record.
    Scheduled(ScheduledSignal),
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Step {
    /// Begin this critical section.
    Lock(Queued),
    /// The critical section has ended.
    Unlock(Queued),
    /// This means nothing any more.
    Skip(Queued),
    /// Carry out operations.
    Operate,
    /// Read what is left in the store.
    Refill,
    Nothing,
}

impl Live {
    /// An entity that has no state.
    pub(super) fn new(entity_id: EntityId, written: u64) -> Box<Self> {
        Box::new(Self {
            entity_id,
            execution_id: ExecutionId::generate(),
            created_at: None,
            is_stored: false,
            kept: EntityState::default(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            first: VecDeque::new(),
            left: 0,
            left_from: 0,
            is_refilled: false,
            new_scheduled: Vec::new(),
            firing: 0,
            ended: Vec::new(),
            running: Vec::new(),
            is_held: false,
            callers: HashMap::default(),
            is_touched: false,
            due_before: None,
            written,
        })
    }

    /// An entity as it is stored.
    pub(super) fn stored(
        entity_id: EntityId,
        record: &InstanceRecord,
        history: Vec<HistoryEvent>,
        written: u64,
    ) -> Box<Self> {
        let kept = history.into_iter().rev().find_map(|event| match event.kind {
            EventKind::EntityState(kept) => Some(*kept),
            _ => None,
        });
        let mut live = Self::new(entity_id, written);
        live.execution_id = record.execution_id;
        live.created_at = Some(record.created_at);
        live.is_stored = true;
        live.kept = kept.unwrap_or_default();
        live.due_before = record.next_due;
        live
    }

    /// Puts what came where it belongs.
    pub(super) fn receive(&mut self, queued: Queued, now: Timestamp) {
        let from = queued.message.from.as_deref();
        match &queued.message.event {
            EventKind::EntityOperationSignaled { scheduled_time: Some(at), .. } if *at > now => {
                self.new_scheduled.push(queued);
            }
            EventKind::EntityUnlockSent { .. } => {
                if self.is_locked_by(from) {
                    self.first.push_back(queued);
                } else {
                    self.ended.extend(section(&queued.message));
                    self.enqueue(queued);
                }
            }
            EventKind::EntityLockRequested { .. } => self.enqueue(queued),
            _ if self.is_of_owner(from) => self.first.push_back(queued),
            _ => self.enqueue(queued),
        }
    }

    /// Whether a client's operation can be carried out at once, so that nobody has to wait for it to
    /// be stored before.
    pub(super) fn is_free(&self) -> bool {
        self.running.is_empty()
            && self.queue.is_empty()
            && self.left == 0
            && self.kept.locked_by.is_none()
            && !self.is_held
    }

    fn enqueue(&mut self, queued: Queued) {
        let is_full = self.queue.len() >= QUEUE_MAX || self.queue_bytes >= QUEUE_BYTES_MAX;
        if matches!(queued.origin, Origin::Stored) && (self.left > 0 || is_full) {
            self.left += 1;
        } else {
            self.push(queued);
        }
    }

    fn push(&mut self, queued: Queued) {
        self.queue_bytes += queued.bytes();
        self.queue.push_back(queued);
    }

    fn pop(&mut self) -> Option<Queued> {
        let queued = self.queue.pop_front()?;
        self.queue_bytes -= queued.bytes();
        Some(queued)
    }

    /// Takes up what was left in the store.
    pub(super) fn refill(&mut self, messages: Vec<(u64, TaskMessage)>) {
        self.is_refilled = false;
        self.left = match messages.len() as u64 {
            // What is not there cannot be waited for.
            0 => 0,
            count => self.left.saturating_sub(count),
        };
        for (place, message) in messages {
            self.left_from = place + 1;
            self.push(Queued { message, origin: Origin::Stored });
        }
    }

    /// What to do next, unless a batch is running.
    pub(super) fn next_step(&mut self) -> Step {
        if let Some(front) = self.first.front() {
            if !matches!(front.message.event, EventKind::EntityUnlockSent { .. }) {
                return Step::Operate;
            }
            return self.first.pop_front().map_or(Step::Nothing, Step::Unlock);
        }
        if self.kept.locked_by.is_some() {
            return Step::Nothing;
        }
        let Some(front) = self.queue.front() else {
            let refills = self.left > 0 && !self.is_refilled;
            return if refills { Step::Refill } else { Step::Nothing };
        };
        let ends = match front.message.event {
            EventKind::EntityLockRequested { .. } => false,
            EventKind::EntityUnlockSent { .. } => true,
            _ if self.is_held && !self.queue.iter().any(Queued::goes_without_state) => {
                return Step::Nothing;
            }
            _ => return Step::Operate,
        };
        let Some(queued) = self.pop() else { return Step::Nothing };
        let section = section(&queued.message);
        let ended = self.ended.iter().position(|ended| Some(*ended) == section);
        match (ended, ends) {
            (None, false) => return Step::Lock(queued),
            (Some(place), true) => drop(self.ended.swap_remove(place)),
            (Some(_), false) | (None, true) => {}
        }
        Step::Skip(queued)
    }

    /// Takes the operations of the next batch.
    pub(super) fn take_batch(&mut self) {
        let mut bytes = 0;
        let (mut held, is_first) = (VecDeque::new(), !self.first.is_empty());
        while self.running.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
            let source = if is_first { &self.first } else { &self.queue };
            if !source.front().is_some_and(Queued::is_operation) {
                break;
            }
            let next = if is_first { self.first.pop_front() } else { self.pop() };
            let Some(next) = next else { break };
            if self.is_held && !next.goes_without_state() {
                held.push_back(next);
                continue;
            }
            bytes += next.bytes();
            self.running.push(next);
        }
        while let Some(queued) = held.pop_back() {
            self.put_back(queued);
        }
    }

    /// Puts an operation back to the front.
    pub(super) fn put_back(&mut self, queued: Queued) {
        self.queue_bytes += queued.bytes();
        self.queue.push_front(queued);
    }

    /// Keeps signals that came to be delivered later; gives their messages.
    pub(super) fn keep_scheduled(&mut self) -> Vec<Queued> {
        let new = std::mem::take(&mut self.new_scheduled);
        self.kept.scheduled.extend(new.iter().filter_map(Queued::scheduled));
        self.kept.scheduled.sort_by_key(|signal| signal.due);
        new
    }

    /// Puts the signals that are due with what waits.
    pub(super) fn fire(&mut self, now: Timestamp) {
        let due = self.kept.scheduled.partition_point(|signal| signal.due <= now);
        for signal in self.kept.scheduled.drain(..due).collect::<Vec<_>>() {
            let ScheduledSignal { operation, input, .. } = signal.clone();
            let entity_id = self.entity_id.clone();
            let message = TaskMessage {
                id: MessageId::generate(),
                instance_id: entity_id.instance_id().clone(),
                execution_id: None,
                from: None,
                event: EventKind::EntityOperationSignaled {
                    entity_id,
                    operation,
                    input,
                    scheduled_time: None,
                    source: None,
                },
            };
            self.firing += 1;
            self.push(Queued { message, origin: Origin::Scheduled(signal) });
        }
    }

    /// A scheduled signal was carried out.
    pub(super) fn has_fired(&mut self) {
        self.firing -= 1;
    }

    fn is_locked_by(&self, from: Option<&ParentInstance>) -> bool {
        let owner = self.kept.locked_by.as_ref().zip(from);
        owner.is_some_and(|(owner, from)| {
            owner.execution_id == from.execution_id
                && owner.task_scheduled_id == from.task_scheduled_id
        })
    }

    fn is_of_owner(&self, from: Option<&ParentInstance>) -> bool {
        let owner = self.kept.locked_by.as_ref().zip(from);
        owner.is_some_and(|(owner, from)| owner.execution_id == from.execution_id)
    }

    /// What is written of the entity: its record and all that is kept; none if there is nothing to
    /// keep.
    pub(super) fn to_write(&mut self, now: Timestamp) -> Option<(InstanceRecord, HistoryEvent)> {
        let mut kept = self.kept.clone();
        if self.firing > 0 {
            let waiting = self.running.iter().chain(&self.first).chain(&self.queue);
            let firing = waiting.filter_map(|queued| match &queued.origin {
                Origin::Scheduled(signal) => Some(signal.clone()),
                Origin::Stored | Origin::Client(_) => None,
            });
            kept.scheduled.extend(firing);
            kept.scheduled.sort_by_key(|signal| signal.due);
        }
        if kept.is_empty() {
            return None;
        }
        kept.backlog = self.queue.len() as u64 + self.left;
        let id = self.entity_id.instance_id().clone();
        let created_at = *self.created_at.get_or_insert(now);
        let name = self.entity_id.name();
        let record = InstanceRecord {
            runtime_status: RuntimeStatus::Running,
            last_updated_at: now,
            history_len: 1,
            next_due: kept.scheduled.first().map(|signal| signal.due),
            ..InstanceRecord::new(id, self.execution_id, name, None, created_at)
        };
        Some((record, HistoryEvent::new(now, EventKind::EntityState(Box::new(kept)))))
    }

    /// It is written; gives the execution whose history that replaces.
    pub(super) fn is_now_stored(&mut self) -> Option<ExecutionId> {
        std::mem::replace(&mut self.is_stored, true).then_some(self.execution_id)
    }

    /// It is to be removed from the store, if it is there.
    pub(super) fn is_now_removed(&mut self) -> bool {
        self.execution_id = ExecutionId::generate();
        self.created_at = None;
        std::mem::take(&mut self.is_stored)
    }
}

impl Lives for Live {
    fn id(&self) -> &InstanceId {
        self.entity_id.instance_id()
    }

    fn written(&self) -> u64 {
        self.written
    }

    fn is_over(&self) -> bool {
        !self.is_stored && !self.is_in_use()
    }

    fn is_in_use(&self) -> bool {
        !(self.running.is_empty()
            && self.queue.is_empty()
            && self.first.is_empty()
            && self.new_scheduled.is_empty()
            && self.ended.is_empty()
            && self.callers.is_empty()
            && self.left == 0)
    }

    fn weigh(&self) -> usize {
        let state = self.kept.state.as_ref().map_or(0, |state| state.as_str().len());
        let scheduled =
            self.kept.scheduled.iter().map(|it| size_of_val(it) + it.input.as_str().len());
        size_of::<Self>() + state + scheduled.sum::<usize>() + self.queue_bytes
    }
}

impl Queued {
    fn bytes(&self) -> usize {
        size_of::<Self>() + weight::of_event(&self.message.event)
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

    /// Whether there is an answer though the state cannot be read: a call fails, a deletion needs
    /// none.
    fn goes_without_state(&self) -> bool {
        self.is_call() || self.is_deletion()
    }

    /// Whether it is the operation that every entity has.
    pub(super) fn is_deletion(&self) -> bool {
        let (EventKind::EntityOperationCalled { operation, .. }
        | EventKind::EntityOperationSignaled { operation, .. }) = &self.message.event
        else {
            return false;
        };
        operation.eq_ignore_ascii_case(DELETE)
    }

    fn scheduled(&self) -> Option<ScheduledSignal> {
        let EventKind::EntityOperationSignaled { operation, input, scheduled_time, .. } =
            &self.message.event
        else {
            return None;
        };
        let (operation, input) = (operation.clone(), input.clone());
        Some(ScheduledSignal { due: (*scheduled_time)?, operation, input })
    }
}

/// The critical section that a message speaks of.
fn section(message: &TaskMessage) -> Option<(ExecutionId, i32)> {
    message.from.as_ref().map(|from| (from.execution_id, from.task_scheduled_id))
}
