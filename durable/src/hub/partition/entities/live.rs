//! An entity in memory: what is kept of it, what is carried out, and what waits (`queue.rs`).
//!
//! A message stays in the store until the commit that it takes effect with. So does a signal that was
//! kept until it was due (`scheduled.rs`), while it waits with the others.

use std::collections::HashMap;

use lru::DefaultHasher;

use super::queue::{Queue, Queued, Step};
use crate::hub::mail::CallReply;
use crate::hub::partition::cache::Cached;
use crate::protocol::{
    EntityId, EntityState, EventKind, ExecutionId, HistoryEvent, InstanceId, InstanceRecord,
    MessageId, RuntimeStatus, Timestamp,
};

/// An entity in memory.
#[derive(Debug)]
pub(crate) struct Live {
    pub(super) entity_id: EntityId,
    execution_id: ExecutionId,
    created_at: Option<Timestamp>,
    /// Whether there is a record of it.
    is_stored: bool,
    /// What is kept of it.
    pub(super) kept: EntityState,
    /// What waits for it.
    pub(super) queue: Queue,
    /// The batch that is carried out.
    pub(super) running: Vec<Queued>,
    /// Clients that wait for the answer of what is in the store.
    pub(super) callers: HashMap<MessageId, CallReply, DefaultHasher>,
    /// Whether it is on the list of those to look at.
    pub(super) is_touched: bool,
    /// The number of the last write of it, or of what it consumed.
    pub(super) last_write: u64,
}

impl Live {
    /// An entity that has no state.
    pub(super) fn new(entity_id: EntityId, last_write: u64) -> Box<Self> {
        Box::new(Self {
            entity_id,
            execution_id: ExecutionId::generate(),
            created_at: None,
            is_stored: false,
            kept: EntityState::default(),
            queue: Queue::default(),
            running: Vec::new(),
            callers: HashMap::default(),
            is_touched: false,
            last_write,
        })
    }

    /// An entity as it is stored.
    pub(super) fn stored(
        entity_id: EntityId,
        record: &InstanceRecord,
        history: Vec<HistoryEvent>,
        last_write: u64,
    ) -> Box<Self> {
        let kept = history.into_iter().rev().find_map(|event| match event.kind {
            EventKind::EntityState(kept) => Some(*kept),
            _ => None,
        });
        let mut live = Self::new(entity_id, last_write);
        live.execution_id = record.execution_id;
        live.created_at = Some(record.created_at);
        live.is_stored = true;
        live.kept = kept.unwrap_or_default();
        live
    }

    /// Puts what came where it belongs.
    pub(super) fn receive(&mut self, queued: Queued) {
        self.queue.receive(queued, self.kept.locked_by.as_ref());
    }

    /// Whether a signal that was kept until it was due waits, or is carried out.
    pub(super) fn has_signal(&self, id: &InstanceId) -> bool {
        self.running.iter().any(|queued| queued.is_scheduled(id)) || self.queue.has_signal(id)
    }

    /// Whether a client's operation can be carried out at once, so that nobody has to wait for it to
    /// be stored before.
    pub(super) fn is_free(&self) -> bool {
        self.running.is_empty() && self.kept.locked_by.is_none() && self.queue.is_free()
    }

    /// What to do next, unless a batch is running.
    pub(super) fn next_step(&mut self) -> Step {
        self.queue.next_step(self.kept.locked_by.as_ref())
    }

    /// What is written of the entity: its record and all that is kept; none if there is nothing to
    /// keep.
    pub(super) fn written_form(
        &mut self,
        now: Timestamp,
    ) -> Option<(InstanceRecord, HistoryEvent)> {
        let mut kept = self.kept.clone();
        if kept.is_empty() {
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
