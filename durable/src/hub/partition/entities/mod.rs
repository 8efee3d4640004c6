//! The entities of a partition: what came for them, and what is done with it.
//!
//! ```text
//! message, client --receive--> live entity --advance--> batch --Batches--> BatchEnded --> commit
//! ```
//! What came for an entity is put into its queue; when all mail of a turn is looked at, each entity
//! for which something came is advanced: locks are given and taken back, and unless a batch of it is
//! running, the next one begins.
//!
//! Read next: `live.rs` (what waits, in which order), `batch.rs` (what a batch leaves).

mod batch;
mod live;

pub(in crate::hub) use self::live::Live;

use self::live::{Origin, QUEUE_MAX, Queued, Step};
use super::write::{lock_request, message, unlock};
use super::{Partition, Stopped};
use crate::hub::committer::{Content, Effect};
use crate::hub::mail::{EntityReply, Unlocked};
use crate::protocol::{EntityId, EventKind, InstanceId, ParentInstance, TaskMessage};
use crate::store::EpisodeWrite;

impl Partition {
    /// Takes in what is in the store until it takes effect.
    pub(super) fn take_in_for_entity(&mut self, message: TaskMessage) -> Result<(), Stopped> {
        self.receive(message, Origin::Stored)
    }

    /// Takes in what a client wants of an entity. Unless the entity is free it is stored before
    /// anything else, so that a signal is answered at once, and a call waits behind what came before.
    pub(super) fn take_in_from_client(
        &mut self,
        message: TaskMessage,
        reply: EntityReply,
    ) -> Result<(), Stopped> {
        let mut live = self.live(&message.instance_id)?;
        let is_later = matches!(
            message.event,
            EventKind::EntityOperationSignaled { scheduled_time: Some(_), .. }
        );
        let can_wait = matches!(reply, EntityReply::Called(_)) && live.left == 0;
        if !is_later && (live.is_free() || can_wait) {
            self.entities.put(live);
            return self.receive(message, Origin::Client(reply));
        }
        let effects = match reply {
            EntityReply::Signalled(reply) => vec![Effect::Signalled(reply)],
            EntityReply::Called(reply) => {
                live.callers.insert(message.id, reply);
                Vec::new()
            }
        };
        live.written = self.written + 1;
        self.entities.put(live);
        self.write(Content { messages: vec![message], ..Content::default() }, effects);
        Ok(())
    }

    fn receive(&mut self, message: TaskMessage, origin: Origin) -> Result<(), Stopped> {
        let mut live = self.live(&message.instance_id)?;
        live.receive(Queued { message, origin }, self.clock.now());
        self.touch(live);
        Ok(())
    }

    /// Puts an entity back, to be looked at when all mail is.
    fn touch(&mut self, mut live: Box<Live>) {
        if !std::mem::replace(&mut live.is_touched, true) {
            self.touched.push(live.entity_id.instance_id().clone());
        }
        self.entities.put(live);
    }

    /// An entity from memory, or else from the store, or else one that has no state.
    fn live(&mut self, id: &InstanceId) -> Result<Box<Live>, Stopped> {
        if let Some(live) = self.entities.take(id) {
            return Ok(live);
        }
        let entity_id = id.entity().ok_or(Stopped)?;
        let written = self.written;
        let Some(record) = self.read(self.store.instance(id))? else {
            return Ok(Live::new(entity_id, written));
        };
        let history = self.history(&record)?;
        Ok(Live::stored(entity_id, &record, history, written))
    }

    /// Goes on with all entities for which something came.
    pub(super) fn advance_entities(&mut self) -> Result<(), Stopped> {
        for id in std::mem::take(&mut self.touched) {
            let mut live = self.live(&id)?;
            live.is_touched = false;
            self.advance(&mut live);
            self.entities.put(live);
        }
        Ok(())
    }

    /// Does what is to be done next, until that is a batch, or nothing.
    fn advance(&mut self, live: &mut Live) {
        let (mut content, mut effects) = (Content::default(), Vec::new());
        let new = live.keep_scheduled();
        let mut is_changed = !new.is_empty();
        content.consumed.extend(new.iter().map(|queued| queued.message.id));
        while live.running.is_empty() {
            match live.next_step() {
                Step::Lock(queued) => {
                    is_changed |= begin_section(live, queued, &mut content);
                }
                Step::Unlock(queued) => {
                    live.kept.locked_by = None;
                    is_changed = true;
                    hand_on_unlock(queued, &mut content);
                }
                Step::Skip(queued) => content.consumed.push(queued.message.id),
                Step::Refill => {
                    live.is_refilled = true;
                    effects.push(Effect::Refill(live.entity_id.instance_id().clone()));
                    break;
                }
                Step::Operate => {
                    is_changed |= self.begin_batch(live, &mut content, &mut effects);
                }
                Step::Nothing => break,
            }
        }
        if is_changed || !content.is_empty() || !effects.is_empty() {
            self.write_entity(live, is_changed, content, effects);
        }
    }

    /// Takes up what was left in the store, now that all before is dealt with and durable.
    pub(super) fn refill(&mut self, id: &InstanceId) -> Result<(), Stopped> {
        let mut live = self.live(id)?;
        let count = usize::try_from(live.left).unwrap_or(QUEUE_MAX).min(QUEUE_MAX);
        let places = live.left_from..u64::MAX;
        live.refill(self.read(self.store.messages(self.id, Some(id), places, count))?);
        self.touch(live);
        Ok(())
    }

    /// The signals of an entity are due.
    pub(super) fn fire(&mut self, id: &InstanceId) -> Result<(), Stopped> {
        let mut live = self.live(id)?;
        let now = self.clock.now();
        // Its entry is taken out of the list.
        live.due_before = None;
        live.fire(now);
        let due = live.kept.scheduled.first().map(|signal| signal.due);
        self.due.set(id, (None, due), live.written);
        live.due_before = due;
        self.touch(live);
        Ok(())
    }

    /// A critical section is taken from who has no more use for it: he is gone.
    pub(super) fn take_back_lock(
        &mut self,
        id: &InstanceId,
        owner: &ParentInstance,
        reply: Unlocked,
    ) -> Result<(), Stopped> {
        let mut live = self.live(id)?;
        let is_his = live.kept.locked_by.as_ref() == Some(owner);
        if is_his {
            live.kept.locked_by = None;
        }
        self.write_entity(
            &mut live,
            is_his,
            Content::default(),
            vec![Effect::Unlocked(reply, is_his)],
        );
        self.touch(live);
        Ok(())
    }

    /// Writes what has become of an entity; one of which nothing is kept is removed.
    fn write_entity(
        &mut self,
        live: &mut Live,
        is_changed: bool,
        mut content: Content,
        effects: Vec<Effect>,
    ) {
        live.written = self.written + 1;
        let id = live.entity_id.instance_id().clone();
        if is_changed {
            let now = self.clock.now();
            match live.to_write(now) {
                Some((record, event)) => {
                    let replaces = live.is_now_stored();
                    let (partition, events) = (self.id, vec![event]);
                    content.episode = Some(EpisodeWrite { partition, record, events, replaces });
                }
                None if live.is_now_removed() => content.purged.push(id.clone()),
                None => {}
            }
            let due = live.kept.scheduled.first().map(|signal| signal.due);
            self.due.set(&id, (live.due_before, due), live.written);
            live.due_before = due;
        }
        self.write(content, effects);
    }
}

/// Locks the entity for a critical section, and asks the next entity for its lock; the last one tells
/// who asked. Whether there is anything of that to do.
fn begin_section(live: &mut Live, queued: Queued, content: &mut Content) -> bool {
    let TaskMessage { id, from, event, .. } = queued.message;
    content.consumed.push(id);
    let (Some(owner), EventKind::EntityLockRequested { mut lock_set, .. }) = (from, event) else {
        return false;
    };
    let owner = *owner;
    live.kept.locked_by = Some(owner.clone());
    let others = rest(&mut lock_set);
    content.messages.push(match lock_request(owner.clone(), others) {
        Some(request) => request,
        None => granted(&owner),
    });
    true
}

/// Unlocks the next entity of a critical section that ends one after another.
fn hand_on_unlock(queued: Queued, content: &mut Content) {
    let TaskMessage { id, from, event, .. } = queued.message;
    content.consumed.push(id);
    if let (Some(owner), EventKind::EntityUnlockSent { mut lock_set, .. }) = (from, event) {
        content.messages.extend(unlock(*owner, rest(&mut lock_set)));
    }
}

/// All entities but the first.
fn rest(lock_set: &mut Vec<EntityId>) -> Vec<EntityId> {
    lock_set.split_off(lock_set.len().min(1))
}

/// What tells an orchestration that its critical section has begun.
fn granted(owner: &ParentInstance) -> TaskMessage {
    let task_scheduled_id = owner.task_scheduled_id;
    TaskMessage {
        execution_id: Some(owner.execution_id),
        ..message(owner.instance_id.clone(), EventKind::EntityLockGranted { task_scheduled_id })
    }
}
