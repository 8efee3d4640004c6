//! An entity in memory: its state and lock, the running batch, and the queue (`queue/`).
//!
//! A message stays in the store until the commit with which it takes effect. The same holds for a
//! signal that was pending until it was due (`pending.rs`).

use std::collections::HashMap;

use lru::DefaultHasher;

use super::fired::Fired;
use super::queue::{Queue, Queued, Step};
use crate::hub::mail::CallReply;
use crate::hub::partition::cache::Cached;
use crate::protocol::{
    EntityId, EntityState, EventKind, ExecutionId, HistoryEvent, InstanceId, InstanceRecord,
    MessageId, RuntimeStatus, Suspension, Timestamp,
};

/// An entity in memory.
#[derive(Debug)]
pub(crate) struct Live {
    pub(super) entity_id: EntityId,
    execution_id: ExecutionId,
    created_at: Option<Timestamp>,
    /// Whether the store has a record of it.
    is_stored: bool,
    /// Its stored part: state and lock.
    pub(super) kept: EntityState,
    /// Why it is set aside, if it is.
    pub(super) suspension: Option<Suspension>,
    /// The messages that wait for it.
    pub(super) queue: Queue,
    /// The batch that is running.
    pub(super) running: Vec<Queued>,
    /// Clients that wait for the result of a stored call.
    pub(super) callers: HashMap<MessageId, CallReply, DefaultHasher>,
    /// Its signals that were pending until they were due.
    pub(super) fired: Fired,
    /// Whether it will be advanced at the end of this turn.
    pub(super) is_touched: bool,
    /// The number of the last write of the entity or of a message that it consumed.
    pub(super) last_write: u64,
}

impl Live {
    /// An entity without state.
    pub(super) fn new(entity_id: EntityId, queue: Queue, last_write: u64) -> Box<Self> {
        Box::new(Self {
            entity_id,
            execution_id: ExecutionId::generate(),
            created_at: None,
            is_stored: false,
            kept: EntityState::default(),
            suspension: None,
            queue,
            running: Vec::new(),
            callers: HashMap::default(),
            fired: Fired::default(),
            is_touched: false,
            last_write,
        })
    }

    /// An entity as it is stored.
    pub(super) fn stored(
        entity_id: EntityId,
        queue: Queue,
        record: &InstanceRecord,
        history: Vec<HistoryEvent>,
        last_write: u64,
    ) -> Box<Self> {
        let kept = history.into_iter().rev().find_map(|event| match event.kind {
            EventKind::EntityState(kept) => Some(*kept),
            _ => None,
        });
        let mut live = Self::new(entity_id, queue, last_write);
        live.execution_id = record.execution_id;
        live.created_at = Some(record.created_at);
        live.is_stored = true;
        live.suspension.clone_from(&record.suspension);
        live.kept = kept.unwrap_or_default();
        live
    }

    /// Adds a message to the queue.
    pub(super) fn receive(&mut self, queued: Queued) {
        self.queue.receive(queued, self.kept.locked_by.as_ref());
    }

    /// Whether a client's operation can run immediately, so that it need not be stored first.
    pub(super) fn is_free(&self) -> bool {
        self.running.is_empty()
            && self.kept.locked_by.is_none()
            && self.suspension.is_none()
            && self.queue.is_free()
    }

    /// What to do next, unless a batch is running.
    pub(super) fn next_step(&mut self) -> Step {
        self.queue.next_step(self.kept.locked_by.as_ref())
    }

    /// The record to write. `None` if the entity has neither state nor lock, and is not set aside.
    pub(super) fn written_form(
        &mut self,
        now: Timestamp,
    ) -> Option<(InstanceRecord, HistoryEvent)> {
        let mut kept = self.kept.clone();
        if kept.is_empty() && self.suspension.is_none() {
            return None;
        }
        kept.backlog = self.queue.len();
        let id = self.entity_id.instance_id().clone();
        let created_at = *self.created_at.get_or_insert(now);
        let name = self.entity_id.name();
        let record = InstanceRecord {
            runtime_status: RuntimeStatus::Running,
            last_updated_at: now,
            history_len: 1,
            suspension: self.suspension.clone(),
            ..InstanceRecord::new(id, self.execution_id, name, None, created_at)
        };
        Some((record, HistoryEvent::new(now, EventKind::EntityState(Box::new(kept)))))
    }

    /// Notes that it is written; returns the execution whose history the write replaces.
    pub(super) fn is_now_stored(&mut self) -> Option<ExecutionId> {
        std::mem::replace(&mut self.is_stored, true).then_some(self.execution_id)
    }

    /// Notes that it is removed; returns whether the store had a record of it.
    pub(super) fn is_now_removed(&mut self) -> bool {
        self.execution_id = ExecutionId::generate();
        self.created_at = None;
        std::mem::take(&mut self.is_stored)
    }
}

impl Cached for Live {
    fn id(&self) -> &InstanceId {
        self.entity_id.instance_id()
    }

    fn last_write(&self) -> u64 {
        self.last_write
    }

    fn is_disposable(&self) -> bool {
        !self.is_stored && !self.is_pinned()
    }

    fn is_pinned(&self) -> bool {
        !self.running.is_empty() || !self.callers.is_empty() || self.queue.is_in_use()
    }

    fn bytes(&self) -> usize {
        let state = self.kept.state.as_ref().map_or(0, |state| state.as_str().len());
        size_of::<Self>() + state + self.queue.bytes()
    }
}
