//! Signals that have a time: each is kept until it is due, as an instance of its own that is due then.
//!
//! So they cost no memory, whatever their number, and an entity is not written anew for them. When
//! one is due it waits with the other messages of its entity, and is removed in the commit that it
//! takes effect with. If the queue in memory is full, it becomes a message to its entity instead, and
//! waits in the store.

use super::{Origin, Partition, Stopped};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::mail::Cancelled;
use crate::hub::partition::cache::Cached;
use crate::hub::partition::messages;
use crate::protocol::{
    EventKind, ExecutionId, HistoryEvent, InstanceId, InstanceRecord, TaskMessage, Timestamp,
};
use crate::store::EpisodeWrite;
use crate::weight;

/// A signal that is not due, as long as the store may not have it yet; or one that was cancelled or
/// sent, as long as the store may still have it.
#[derive(Debug)]
pub(crate) struct Scheduled {
    id: InstanceId,
    /// `None` if it was cancelled or sent.
    message: Option<TaskMessage>,
    /// The number of the write of it.
    last_write: u64,
}

impl Partition {
    /// Whether a message is a signal that is to be delivered later.
    pub(super) fn is_early(&mut self, message: &TaskMessage) -> bool {
        match &message.event {
            EventKind::EntityOperationSignaled { scheduled_time: Some(at), .. } => {
                *at > self.clock.now()
            }
            _ => false,
        }
    }

    /// Keeps a signal, which may be in the store as a message, until it is due.
    pub(super) fn keep_until_due(
        &mut self,
        message: TaskMessage,
        is_stored: bool,
        effects: Vec<Effect>,
    ) {
        let EventKind::EntityOperationSignaled { entity_id, scheduled_time, .. } = &message.event
        else {
            return;
        };
        let id = entity_id.of_scheduled(message.id);
        let (now, due) = (self.clock.now(), *scheduled_time);
        let record = InstanceRecord {
            history_len: 1,
            next_due: due,
            ..InstanceRecord::new(id.clone(), ExecutionId::generate(), entity_id.name(), None, now)
        };
        let episode = EpisodeWrite {
            partition: self.id,
            record,
            events: vec![HistoryEvent::new(now, message.event.clone())],
            replaces: None,
        };
        let consumed = if is_stored { vec![message.id] } else { Vec::new() };
        let last_write = self.next_write();
        self.due.set(&id, (None, due), Some(last_write));
        self.scheduled.put(Box::new(Scheduled { id, message: Some(message), last_write }));
        let content = Content { episode: Some(episode), consumed, ..Content::default() };
        self.write(content, effects);
    }

    /// A signal is due.
    pub(crate) fn fire(&mut self, id: &InstanceId) -> Result<(), Stopped> {
        if self.is_cancelled(id) {
            return Ok(());
        }
        let message = match self.scheduled.take(id) {
            Some(scheduled) => scheduled.message,
            None => self.stored_signal(id)?,
        };
        let Some(message) = message else { return Ok(()) };
        let live = self.take_live(&message.instance_id)?;
        let is_full = live.queue.is_full();
        self.entities.put(live);
        if is_full {
            self.send_now(id, message);
            return Ok(());
        }
        self.receive(message, Origin::Scheduled(id.clone()))
    }

    /// Sends a signal that is due to its entity, so that it is no longer kept.
    fn send_now(&mut self, id: &InstanceId, TaskMessage { instance_id, event, .. }: TaskMessage) {
        // The store has it under this id until the write is durable: it must not come due again.
        let last_write = self.next_write();
        self.scheduled.put(Box::new(Scheduled { id: id.clone(), message: None, last_write }));
        let messages = vec![messages::stored_signal(instance_id, event)];
        let content = Content { purged: vec![id.clone()], messages, ..Content::default() };
        self.write(content, Vec::new());
    }

    /// Removes a signal that is not due, if there is one; tells whether there was.
    pub(crate) fn cancel_signal(
        &mut self,
        id: &InstanceId,
        reply: Cancelled,
    ) -> Result<(), Stopped> {
        let due = match self.scheduled.peek(id) {
            Some(scheduled) => scheduled.due(),
            None => self.read(self.store.instance(id))?.and_then(|record| record.next_due),
        };
        // One that has come due waits with the other messages of its entity, or is carried out.
        let (Some(due), false) = (due, self.has_fired(id)) else {
            self.write(Content::default(), vec![Effect::SignalCancelled(reply, false)]);
            return Ok(());
        };
        let last_write = self.next_write();
        self.due.set(id, (Some(due), None), Some(last_write));
        // The store has it until that is durable.
        self.scheduled.put(Box::new(Scheduled { id: id.clone(), message: None, last_write }));
        let content = Content { purged: vec![id.clone()], ..Content::default() };
        self.write(content, vec![Effect::SignalCancelled(reply, true)]);
        Ok(())
    }

    fn is_cancelled(&self, id: &InstanceId) -> bool {
        self.scheduled.peek(id).is_some_and(|scheduled| scheduled.message.is_none())
    }

    fn has_fired(&self, id: &InstanceId) -> bool {
        let entity = id.entity_of_signal();
        let live = entity.as_ref().and_then(|entity| self.entities.peek(entity.instance_id()));
        live.is_some_and(|live| live.has_signal(id))
    }

    fn stored_signal(&self, id: &InstanceId) -> Result<Option<TaskMessage>, Stopped> {
        let Some(record) = self.read(self.store.instance(id))? else { return Ok(None) };
        let event = self.history(&record)?.into_iter().next().map(|event| event.kind);
        Ok(match event {
            Some(EventKind::EntityOperationSignaled { ref entity_id, .. }) => {
                let instance_id = entity_id.instance_id().clone();
                event.map(|event| messages::stored_signal(instance_id, event))
            }
            _ => None,
        })
    }
}

impl Scheduled {
    fn due(&self) -> Option<Timestamp> {
        match self.message.as_ref().map(|message| &message.event) {
            Some(EventKind::EntityOperationSignaled { scheduled_time, .. }) => *scheduled_time,
            _ => None,
        }
    }
}

impl Cached for Scheduled {
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
