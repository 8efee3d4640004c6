//! The entities of a partition: what came for them, and what is done with it.
//!
//! ```text
//! message, client --receive--> live entity --advance--> batch --Batches--> BatchEnded --> commit
//! ```
//! What came for an entity is put into its queue; when all mail of a turn is looked at, each entity
//! for which something came is advanced: locks are given and taken back, and unless a batch of it is
//! running, the next one begins.
//!
//! Read next: `queue.rs` (what waits, in which order), `live.rs` (what is kept), `batch.rs` (what a
//! batch leaves), `scheduled.rs` (signals that are not due).

mod batch;
mod live;
mod queue;
mod scheduled;

pub(crate) use self::live::Live;
pub(crate) use self::scheduled::Scheduled;

use std::ops::Range;

use self::queue::{Origin, QUEUE_BYTES_MAX, Queued, Step, bytes_of};
use super::messages;
use super::{Partition, Stopped};
use crate::entity::is_deletion;
use crate::hub::commit::write::{Content, Effect};
use crate::hub::mail::{EntityReply, Unlocked};
use crate::protocol::{EntityId, EventKind, InstanceId, ParentInstance, TaskMessage};
use crate::store::{EpisodeWrite, StoreError};

/// How many messages are read first, to see how large they are, and how many at once, at most.
const REFILL_FIRST: usize = 8;
const REFILL_MAX: usize = 1024;

impl Partition {
    /// Takes in what is in the store until it takes effect.
    pub(super) fn take_in_for_entity(&mut self, message: TaskMessage) -> Result<(), Stopped> {
        // One that comes when the store is about to be read is read with what is left there.
        let is_read_soon = |live: &Live| live.queue.refill_pending;
        let is_read = self.entities.peek(&message.instance_id).is_some_and(is_read_soon);
        if !is_read && self.is_early(&message) {
            self.keep_until_due(message, true, Vec::new());
            return Ok(());
        }
        self.receive(message, Origin::Stored)
    }

    /// Takes in what a client wants of an entity. Unless the entity is free it is stored before
    /// anything else, so that a signal is answered at once, and a call waits behind what came before.
    pub(super) fn take_in_from_client(
        &mut self,
        message: TaskMessage,
        reply: EntityReply,
    ) -> Result<(), Stopped> {
        let reply = match reply {
            EntityReply::Signalled(reply) if self.is_early(&message) => {
                self.keep_until_due(message, false, vec![Effect::Signalled(reply)]);
                return Ok(());
            }
            reply => reply,
        };
        let mut live = self.take_live(&message.instance_id)?;
        let waits = match reply {
            EntityReply::Called(_) => true,
            // It goes past what waits for code, and is answered when it is so.
            EntityReply::Signalled(_) => live.queue.is_held() && is_deletion(&message),
        };
        if live.is_free() || (waits && live.queue.is_next()) {
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
        live.queue.await_back(message.id);
        live.last_write = self.next_write();
        self.entities.put(live);
        self.write(Content { messages: vec![message], ..Content::default() }, effects);
        Ok(())
    }

    fn receive(&mut self, message: TaskMessage, origin: Origin) -> Result<(), Stopped> {
        let mut live = self.take_live(&message.instance_id)?;
        live.receive(Queued { message, origin });
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
    fn take_live(&mut self, id: &InstanceId) -> Result<Box<Live>, Stopped> {
        if let Some(live) = self.entities.take(id) {
            return Ok(live);
        }
        let entity_id = id.entity().ok_or_else(|| StoreError::damaged(format!("no entity: {id}")));
        let entity_id = self.read(entity_id)?;
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
            let mut live = self.take_live(&id)?;
            live.is_touched = false;
            self.advance(&mut live);
            self.entities.put(live);
        }
        Ok(())
    }

    /// Does what is to be done next, until that is a batch, or nothing.
    fn advance(&mut self, live: &mut Live) {
        let (mut content, mut effects) = (Content::default(), Vec::new());
        let mut is_changed = false;
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
                Step::HandOn(queued) => hand_on_unlock(queued, &mut content),
                Step::Skip(queued) => content.consumed.push(queued.message.id),
                Step::Refill => {
                    live.queue.refill_pending = true;
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
        let mut live = self.take_live(id)?;
        let (mut start, mut skips, count) = live.queue.where_left();
        let (mut found, mut bytes, mut read) = (Vec::new(), 0, None::<Range<u64>>);
        let mut at_once = REFILL_FIRST;
        while found.len() < count && bytes < QUEUE_BYTES_MAX {
            let places = start..u64::MAX;
            let page = self.read(self.store.messages(self.id, Some(id), places, at_once))?;
            if page.is_empty() {
                break;
            }
            let size = page.iter().map(|(_, message)| bytes_of(message)).sum::<usize>();
            at_once = (QUEUE_BYTES_MAX / size * page.len()).clamp(1, REFILL_MAX);
            for (place, message) in page {
                start = place + 1;
                if skips > 0 {
                    skips -= 1;
                    continue;
                }
                if found.len() == count || bytes >= QUEUE_BYTES_MAX {
                    break;
                }
                read = Some(read.map_or(place, |read| read.start)..place + 1);
                bytes += bytes_of(&message);
                found.push(message);
            }
        }
        live.queue.took(found.len(), read);
        let (early, found): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|message| self.is_early(message));
        live.queue.refill(found);
        self.touch(live);
        for message in early {
            self.keep_until_due(message, true, Vec::new());
        }
        Ok(())
    }

    /// A critical section is taken from who has no more use for it: he is gone.
    pub(super) fn take_back_lock(
        &mut self,
        id: &InstanceId,
        owner: &ParentInstance,
        reply: Unlocked,
    ) -> Result<(), Stopped> {
        let mut live = self.take_live(id)?;
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
        live.last_write = self.next_write();
        let id = live.entity_id.instance_id().clone();
        if is_changed {
            let now = self.clock.now();
            match live.written_form(now) {
                Some((record, event)) => {
                    let replaces = live.is_now_stored();
                    let (partition, events) = (self.id, vec![event]);
                    content.episode = Some(EpisodeWrite { partition, record, events, replaces });
                }
                None if live.is_now_removed() => content.purged.push(id),
                None => {}
            }
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
    content.messages.push(match messages::lock_request(owner.clone(), others) {
        Some(request) => request,
        None => messages::lock_granted(&owner),
    });
    true
}

/// Unlocks the next entity of a critical section that ends one after another.
fn hand_on_unlock(queued: Queued, content: &mut Content) {
    let TaskMessage { id, from, event, .. } = queued.message;
    content.consumed.push(id);
    if let (Some(owner), EventKind::EntityUnlockSent { mut lock_set, .. }) = (from, event) {
        content.messages.extend(messages::unlock(*owner, rest(&mut lock_set)));
    }
}

/// All entities but the first.
fn rest(lock_set: &mut Vec<EntityId>) -> Vec<EntityId> {
    lock_set.split_off(lock_set.len().min(1))
}
