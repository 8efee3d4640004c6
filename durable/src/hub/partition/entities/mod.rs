//! The entities of a partition: their messages and batches.
//!
//! ```text
//! message, client --receive--> live entity --advance--> batch --Batches--> BatchEnded --> commit
//! ```
//! An arriving message goes into the queue of its entity. When all mail of a turn is processed,
//! each entity that received a message is advanced: locks are granted and released, and unless one
//! of its batches is running, the next batch begins.
//!
//! Read next: `queue/` (the order of messages), `live.rs` (an entity in memory), `batch.rs`
//! (running a batch), `locks.rs` (critical sections), `pending.rs` (signals that are not due).

mod batch;
mod fired;
mod live;
mod locks;
mod pending;
mod queue;
mod write;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use self::batch::{begin_batch, finish_batch, set_aside, skip_operation};
use self::live::Live;
use self::locks::{begin_section, pass_on_unlock, release};
use self::pending::{PendingSignals, is_early};
use self::queue::{Found, KeptIn, Queue, Queued, Step};
use self::write::write_entity;
use super::cache::{Cache, Capacity};
use super::core::Core;
use super::reader::Stopped;
use crate::entity::{BatchDone, is_deletion};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::mail::{Cancelled, EntityReply, EntityResumed, Resumption, Unlocked};
use crate::hub::recovery::held::Held;
use crate::protocol::{EntityId, InstanceId, ParentInstance, TaskMessage};
use crate::store::{RequestId, StoreError};

#[derive(Debug)]
pub(super) struct Entities {
    live: Cache<Live>,
    pending: PendingSignals,
    /// Entities that received a message in this turn.
    touched: Vec<InstanceId>,
}

impl Entities {
    pub(super) fn new(capacity: Capacity, durable: &Arc<AtomicU64>) -> Self {
        Self {
            live: Cache::new(capacity, Arc::clone(durable)),
            pending: PendingSignals::new(capacity, Arc::clone(durable)),
            touched: Vec::new(),
        }
    }

    pub(super) fn evict(&mut self) {
        self.live.evict();
        self.pending.evict();
    }

    /// Takes in a message, which is in the store until it takes effect.
    pub(super) fn take_in_stored(
        &mut self,
        core: &mut Core,
        message: TaskMessage,
    ) -> Result<(), Stopped> {
        // If a refill is pending, it reads this message with the others in the store.
        let is_read_soon = |live: &Live| live.queue.is_refilling();
        let is_read = self.live.peek(&message.instance_id).is_some_and(is_read_soon);
        mark!(is_read, "entities: a message arrives while the queue is read");
        if !is_read && is_early(core, &message) {
            self.pending.keep(core, message, true, Vec::new());
            return Ok(());
        }
        self.receive(core, message, KeptIn::Stored)
    }

    /// Takes in a client's operation. Unless the entity is free, the operation is stored first:
    /// then a signal is acknowledged, and a call waits behind earlier messages.
    pub(super) fn take_in_from_client(
        &mut self,
        core: &mut Core,
        message: TaskMessage,
        reply: EntityReply,
    ) -> Result<(), Stopped> {
        let reply = match reply {
            EntityReply::Signalled(reply) if is_early(core, &message) => {
                self.pending.keep(core, message, false, vec![Effect::Signalled(reply)]);
                return Ok(());
            }
            reply => reply,
        };
        let (id, touched) = (message.instance_id.clone(), &mut self.touched);
        self.live.with_loaded(core, &id, load(&id), |core, live| {
            let waits_in_memory = match reply {
                EntityReply::Called(_) => true,
                // A deletion overtakes signals that wait for code, and is answered when it is done.
                EntityReply::Signalled(_) => live.queue.is_held() && is_deletion(&message),
            };
            if live.is_free() || (waits_in_memory && live.queue.is_all_in_memory()) {
                live.receive(Queued { message, origin: KeptIn::Client(reply) });
                touch(touched, live);
                return;
            }
            let (effects, taken) = match reply {
                EntityReply::Signalled(reply) => (vec![Effect::Signalled(reply)], Vec::new()),
                EntityReply::Called(reply) => {
                    live.callers.insert(message.id, reply);
                    (Vec::new(), vec![RequestId(message.id)])
                }
            };
            live.queue.await_stored(message.id);
            live.last_write = core.outbox.next_write();
            let content = Content { messages: vec![message], taken, ..Content::default() };
            core.write(content, effects);
        })
    }

    fn receive(
        &mut self,
        core: &mut Core,
        message: TaskMessage,
        origin: KeptIn,
    ) -> Result<(), Stopped> {
        let (id, touched) = (message.instance_id.clone(), &mut self.touched);
        self.live.with_loaded(core, &id, load(&id), |_, live| {
            live.receive(Queued { message, origin });
            touch(touched, live);
        })
    }

    /// Advances all entities that received a message.
    pub(super) fn advance(&mut self, core: &mut Core) -> Result<(), Stopped> {
        for id in std::mem::take(&mut self.touched) {
            self.live.with_loaded(core, &id, load(&id), |core, live| {
                live.is_touched = false;
                advance(core, live);
            })?;
        }
        Ok(())
    }

    /// Handles the end of a batch: writes its outcome and advances the entity.
    pub(super) fn end_batch(
        &mut self,
        core: &mut Core,
        id: &InstanceId,
        done: BatchDone,
    ) -> Result<(), Stopped> {
        let touched = &mut self.touched;
        self.live.with_loaded(core, id, load(id), |core, live| {
            finish_batch(core, live, done);
            touch(touched, live);
        })
    }

    /// Reads messages that were left in the store, once all earlier messages have durably taken
    /// effect.
    pub(super) fn refill(&mut self, core: &mut Core, id: &InstanceId) -> Result<(), Stopped> {
        let touched = &mut self.touched;
        let early = self.live.with_loaded(core, id, load(id), |core, live| {
            let page = |places, limit| core.store.messages(Some(id), places, limit);
            let Found { messages, places } =
                live.queue.next_read().read(&core.env.settings.sizes.queue, page)?;
            let count = messages.len();
            let (early, found): (Vec<_>, Vec<_>) =
                messages.into_iter().partition(|message| is_early(core, message));
            live.queue.refill(count, places, found);
            touch(touched, live);
            Ok(early)
        })?;
        for message in early? {
            self.pending.keep(core, message, true, Vec::new());
        }
        Ok(())
    }

    /// Continues with an entity that was held back.
    pub(super) fn release(&mut self, core: &mut Core, id: &InstanceId) -> Result<(), Stopped> {
        let touched = &mut self.touched;
        self.live.with_loaded(core, id, load(id), |_, live| touch(touched, live))
    }

    /// Lets an entity run again that is held back or set aside, because a client asks for it.
    pub(super) fn resume(
        &mut self,
        core: &mut Core,
        id: &InstanceId,
        how: Resumption,
        reply: EntityResumed,
    ) -> Result<(), Stopped> {
        let touched = &mut self.touched;
        self.live.with_loaded(core, id, load(id), |core, live| {
            let (mut content, mut effects) = (Content::default(), Vec::new());
            let was_set_aside = live.suspension.take().is_some();
            if was_set_aside && how == Resumption::Skip {
                skip_operation(live, &mut content, &mut effects);
            }
            let was_held = was_set_aside || core.env.held.is_back(id);
            if was_set_aside || how == Resumption::Retry {
                core.env.held.release(id);
            }
            effects.push(Effect::EntityResumed(reply, was_held));
            write_entity(core, live, was_set_aside, content, effects);
            touch(touched, live);
        })
    }

    /// Releases the lock of a critical section that no longer exists.
    pub(super) fn take_back_lock(
        &mut self,
        core: &mut Core,
        id: &InstanceId,
        owner: &ParentInstance,
        reply: Unlocked,
    ) -> Result<(), Stopped> {
        let touched = &mut self.touched;
        self.live.with_loaded(core, id, load(id), |core, live| {
            let is_owner = live.kept.locked_by.as_ref() == Some(owner);
            if is_owner {
                release(live);
            }
            let effects = vec![Effect::Unlocked(reply, is_owner)];
            write_entity(core, live, is_owner, Content::default(), effects);
            touch(touched, live);
        })
    }

    /// Queues a due signal with the other messages of its entity. If the queue has no room in
    /// memory, the signal becomes a stored message.
    pub(super) fn fire(&mut self, core: &mut Core, id: &InstanceId) -> Result<(), Stopped> {
        let entity = id.entity_of_signal();
        if self.has_fired(id, entity.as_ref()) {
            return Ok(());
        }
        let Some(message) = self.pending.take(core, id)? else { return Ok(()) };
        let entity = &message.instance_id;
        let is_full = self.live.with_loaded(core, entity, load(entity), |core, live| {
            live.fired.forget(|write| core.outbox.is_durable(write));
            let is_full = live.queue.is_full();
            if !is_full {
                live.fired.insert(id);
            }
            is_full
        })?;
        if is_full {
            mark!("entities: a due signal finds a full queue");
            self.pending.send_now(core, id, message);
            return Ok(());
        }
        self.receive(core, message, KeptIn::Scheduled(id.clone()))
    }

    /// Whether a formerly pending signal is queued or running, or has taken effect and may still be
    /// in the store.
    fn has_fired(&self, id: &InstanceId, entity: Option<&EntityId>) -> bool {
        let live = entity.and_then(|entity| self.live.peek(entity.instance_id()));
        live.is_some_and(|live| live.fired.has(id))
    }

    /// Cancels a signal that is not due.
    pub(super) fn cancel_signal(
        &mut self,
        core: &mut Core,
        id: &InstanceId,
        reply: Cancelled,
    ) -> Result<(), Stopped> {
        // A signal that was due is queued with the other messages of its entity, or is running.
        let has_fired = self.has_fired(id, id.entity_of_signal().as_ref());
        self.pending.cancel(core, id, has_fired, reply)
    }
}

/// Reads an entity from the store, or creates one without state.
fn load(id: &InstanceId) -> impl FnOnce(&mut Core) -> Result<Box<Live>, Stopped> {
    move |core| {
        let damaged = || StoreError::damaged(format!("no entity: {id}"));
        let entity_id = core.store.check(id.entity().ok_or_else(damaged))?;
        let last_write = core.outbox.last_write();
        let queue = Queue::new(core.env.settings.sizes.queue);
        let Some(record) = core.store.instance(id)? else {
            return Ok(Live::new(entity_id, queue, last_write));
        };
        let history = core.store.history(&record)?;
        Ok(Live::stored(entity_id, queue, &record, history, last_write))
    }
}

/// Marks an entity to be advanced when all mail of this turn is processed.
fn touch(touched: &mut Vec<InstanceId>, live: &mut Live) {
    if !std::mem::replace(&mut live.is_touched, true) {
        touched.push(live.entity_id.instance_id().clone());
    }
}

/// Takes the next steps of an entity until a batch begins or no step is left.
fn advance(core: &mut Core, live: &mut Live) {
    let (mut content, mut effects) = (Content::default(), Vec::new());
    let mut is_changed = false;
    while live.running.is_empty() {
        match live.next_step() {
            Step::Lock(queued) => {
                let now = core.now();
                is_changed |= begin_section(live, queued, now, &mut content);
            }
            Step::Unlock(queued) => {
                release(live);
                is_changed = true;
                pass_on_unlock(queued, &mut content);
            }
            Step::PassOn(queued) => {
                mark!("entities: an unlock finds no lock");
                pass_on_unlock(queued, &mut content);
            }
            Step::Skip(queued) => {
                mark!("entities: a critical section ended before its turn");
                content.consumed.push(queued.message.id);
            }
            Step::Refill => {
                mark!("entities: the queue is read from the store");
                live.queue.begin_refill();
                effects.push(Effect::Continue(live.entity_id.instance_id().clone()));
                break;
            }
            Step::Operate if live.suspension.is_some() => break,
            Step::Operate => match core.env.held.of(live.entity_id.instance_id()) {
                Some(Held::Back | Held::BackAndReady) => {
                    core.env.held.set(live.entity_id.instance_id(), Held::BackAndReady);
                    break;
                }
                Some(Held::SetAside { .. }) => {
                    set_aside(core, live);
                    is_changed = true;
                }
                Some(Held::ForOneOperation) => {
                    core.env.held.set(live.entity_id.instance_id(), Held::Back);
                    is_changed |= begin_batch(core, live, 1, &mut content, &mut effects);
                }
                None => {
                    is_changed |= begin_batch(core, live, usize::MAX, &mut content, &mut effects);
                }
            },
            Step::Nothing => break,
        }
    }
    if is_changed || !content.is_empty() || !effects.is_empty() {
        write_entity(core, live, is_changed, content, effects);
    }
}
