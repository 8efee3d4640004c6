//! Signals that are not due: each is kept as an instance of its own that is due at its time.
//!
//! Therefore they cost no memory, whatever their number, and do not cause writes of their entity. A
//! due signal is queued with the other messages of its entity, and is removed by the commit with
//! which it takes effect.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::hub::commit::write::{Content, Effect};
use crate::hub::mail::Cancelled;
use crate::hub::partition::cache::{Cache, Cached, Capacity};
use crate::hub::partition::core::Core;
use crate::hub::partition::messages;
use crate::hub::partition::reader::Stopped;
use crate::protocol::{
    EventKind, ExecutionId, HistoryEvent, InstanceId, InstanceRecord, TaskMessage, Timestamp,
};
use crate::store::EpisodeWrite;
use crate::weight;

/// The signals whose latest write may not be durable yet.
#[derive(Debug)]
pub(super) struct PendingSignals {
    cache: Cache<PendingSignal>,
}

/// A pending signal until its write is durable, or a cancelled or sent signal until its removal is
/// durable.
#[derive(Debug)]
struct PendingSignal {
    id: InstanceId,
    /// `None` if it was cancelled or sent.
    message: Option<TaskMessage>,
    last_write: u64,
}

/// Whether a message is a signal to be delivered later.
pub(super) fn is_early(core: &Core, message: &TaskMessage) -> bool {
    scheduled_time(message).is_some_and(|at| at > core.now())
}

fn scheduled_time(message: &TaskMessage) -> Option<Timestamp> {
    let EventKind::EntityOperationSignaled { scheduled_time, .. } = &message.event else {
        return None;
    };
    *scheduled_time
}

impl PendingSignals {
    pub(super) fn new(capacity: Capacity, durable: Arc<AtomicU64>) -> Self {
        Self { cache: Cache::new(capacity, durable) }
    }

    pub(super) fn evict(&mut self) {
        self.cache.evict();
    }

    /// Keeps a signal until it is due; if it `is_stored` as a message, that message is consumed.
    pub(super) fn keep(
        &mut self,
        core: &mut Core,
        message: TaskMessage,
        is_stored: bool,
        effects: Vec<Effect>,
    ) {
        let EventKind::EntityOperationSignaled { entity_id, scheduled_time, .. } = &message.event
        else {
            return;
        };
        let id = entity_id.of_scheduled(message.id);
        let (now, due) = (core.now(), *scheduled_time);
        let record = InstanceRecord {
            history_len: 1,
            next_due: due,
            ..InstanceRecord::new(id.clone(), ExecutionId::generate(), entity_id.name(), None, now)
        };
        let episode = EpisodeWrite {
            partition: core.env.partition,
            record,
            events: vec![HistoryEvent::new(now, message.event.clone())],
            replaces: None,
        };
        let consumed = if is_stored { vec![message.id] } else { Vec::new() };
        core.due.set(&id, (None, due), Some(core.outbox.next_write()));
        self.remember(core, id, Some(message));
        let content = Content { episode: Some(episode), consumed, ..Content::default() };
        core.write(content, effects);
    }

    /// Takes a signal that is due. `None` if it was cancelled or sent.
    pub(super) fn take(
        &mut self,
        core: &Core,
        id: &InstanceId,
    ) -> Result<Option<TaskMessage>, Stopped> {
        match self.cache.peek(id) {
            Some(PendingSignal { message: None, .. }) => Ok(None),
            Some(_) => Ok(self.cache.remove(id).and_then(|signal| signal.message)),
            None => read(core, id),
        }
    }

    /// Sends a signal to its entity as a message.
    pub(super) fn send_now(&mut self, core: &mut Core, id: &InstanceId, signal: TaskMessage) {
        let TaskMessage { instance_id, event, .. } = signal;
        // Until the write is durable the store still has the signal; it must not fire again.
        self.remember(core, id.clone(), None);
        let messages = vec![messages::stored_signal(instance_id, event)];
        let content = Content { purged: vec![id.clone()], messages, ..Content::default() };
        core.write(content, Vec::new());
    }

    /// Cancels a signal unless it `has_fired`. The reply says whether there was a signal to cancel.
    pub(super) fn cancel(
        &mut self,
        core: &mut Core,
        id: &InstanceId,
        has_fired: bool,
        reply: Cancelled,
    ) -> Result<(), Stopped> {
        let due = match self.cache.peek(id) {
            Some(signal) => signal.message.as_ref().and_then(scheduled_time),
            None => core.store.instance(id)?.and_then(|record| record.next_due),
        };
        let Some(due) = due.filter(|_| !has_fired) else {
            core.write(Content::default(), vec![Effect::SignalCancelled(reply, false)]);
            return Ok(());
        };
        core.due.set(id, (Some(due), None), Some(core.outbox.next_write()));
        // Until the write is durable the store still has the signal.
        self.remember(core, id.clone(), None);
        let content = Content { purged: vec![id.clone()], ..Content::default() };
        core.write(content, vec![Effect::SignalCancelled(reply, true)]);
        Ok(())
    }

    /// Remembers the effect of the next write on a signal until the write is durable.
    fn remember(&mut self, core: &Core, id: InstanceId, message: Option<TaskMessage>) {
        let last_write = core.outbox.next_write();
        self.cache.insert(Box::new(PendingSignal { id, message, last_write }));
    }
}

fn read(core: &Core, id: &InstanceId) -> Result<Option<TaskMessage>, Stopped> {
    let Some(record) = core.store.instance(id)? else { return Ok(None) };
    let event = core.store.history(&record)?.into_iter().next().map(|event| event.kind);
    let Some(EventKind::EntityOperationSignaled { entity_id, .. }) = &event else {
        return Ok(None);
    };
    let instance_id = entity_id.instance_id().clone();
    Ok(event.map(|event| messages::stored_signal(instance_id, event)))
}

impl Cached for PendingSignal {
    fn id(&self) -> &InstanceId {
        &self.id
    }

    fn last_write(&self) -> u64 {
        self.last_write
    }

    fn is_disposable(&self) -> bool {
        true
    }

    fn is_pinned(&self) -> bool {
        false
    }

    fn bytes(&self) -> usize {
        let message = self.message.as_ref().map_or(0, |message| weight::of_event(&message.event));
        size_of::<Self>() + message
    }
}
