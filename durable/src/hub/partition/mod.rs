//! A partition: it owns its instances, and runs their episodes.
//!
//! ```text
//!        mail                                             Outlet
//! Delivery ---> turn: arrivals -> episodes -> writes ---> committer ---> Mail::Continue, messages
//!                     due      ->             batches --> Batches   ---> Mail::BatchEnded
//!                     entities ->
//! ```
//! Mail is sorted by instance, and each instance runs one episode for all its events. The writes of
//! episodes are committed asynchronously: the partition never waits for a commit, and no effect of
//! a write leaves before the write is durable.
//!
//! A partition is a state machine without threads or channels. `thread.rs` passes it its mail and
//! its [`Outlet`](outbox::Outlet), and wakes it when an instance is due.
//!
//! Files, each of which uses only those above it:
//!
//! | file | holds |
//! |---|---|
//! | `due/` | which instance is due next |
//! | `cache.rs` | instances in memory, and their eviction |
//! | `messages.rs` | the messages that instances send each other |
//! | `reader.rs`, `outbox.rs`, `waiters.rs` | reads from the store; writes; waiting clients |
//! | `core.rs` | these, with settings and clock: the context of an operation on one instance |
//! | `resident.rs` | an instance in memory, and how an episode changes it |
//! | `episode.rs`, `generations.rs` | running the engine; continue-as-new |
//! | `write.rs` | writing an episode |
//! | `residents.rs` | the instances, in memory or in the store |
//! | `resume.rs`, `rewind.rs`, `manage.rs` | operations on an instance from outside |
//! | `start.rs`, `children.rs` | new instances; requests of parents |
//! | `entities/` | entities and signals that are not due |
//! | `waits.rs` | clients that wait for an instance |
//! | `check.rs` | what a simulation checks between turns |
//! | `arrivals.rs`, `held.rs` | mail of this turn, and held mail |

mod arrivals;
pub(crate) mod cache;
#[cfg(feature = "testing")]
mod check;
mod children;
pub(crate) mod core;
pub(crate) mod due;
mod entities;
mod episode;
mod generations;
mod held;
mod manage;
mod messages;
pub(crate) mod outbox;
pub(crate) mod reader;
mod resident;
mod residents;
mod resume;
mod rewind;
mod start;
#[cfg(test)]
mod tests;
pub(crate) mod thread;
mod waiters;
mod waits;
mod write;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use self::arrivals::{Arrival, Arrivals};
use self::cache::Capacity;
use self::children::{ChildRewind, rewind_child, terminate_child};
use self::core::{Core, Environment};
use self::due::DueList;
use self::entities::Entities;
use self::episode::next_episode;
use self::held::Held;
use self::manage::manage;
use self::outbox::Outbox;
use self::reader::{Reader, Stopped};
use self::resident::Resident;
use self::residents::Residents;
use self::resume::resume;
use self::start::start;
use self::waiters::Waiters;
use self::waits::{follow, pending, wait_for_end, wait_for_start, watch_status};
use self::write::{keep_due, set_due, write_episode};
use super::admission::Permit;
use super::commit::write::{Content, Effect};
use super::error::ManageError;
use super::mail::{Delivery, Mail, Managed, Origin, Start};
use super::recovery::note::is_note;
use super::telemetry::event::LifecycleKind;
use super::telemetry::metrics;
use super::time::virtual_time::Busy;
use crate::protocol::{EventKind, InstanceId, InstanceRecord, TaskMessage, Timestamp};
use crate::store::PartitionState;
#[cfg(feature = "testing")]
use crate::{protocol::ExecutionId, store::Store};

#[derive(Debug)]
pub(crate) struct Partition {
    core: Core,
    residents: Residents,
    entities: Entities,
    arrivals: Arrivals,
    held: Held,
    /// Keeps time from passing, and clients from sending more, until this turn is handed over.
    under_way: Vec<(Busy, Permit)>,
    is_stopping: bool,
    is_lost: bool,
}

impl Partition {
    pub(crate) fn new(env: Environment, store: Reader, outbox: Outbox, capacity: Capacity) -> Self {
        let durable = Arc::clone(outbox.durable());
        let due = DueList::new(env.settings.sizes.due, Arc::clone(&durable));
        Self {
            residents: Residents::new(capacity, Arc::clone(&durable)),
            entities: Entities::new(capacity, &durable),
            core: Core { env, store, outbox, due, waiters: Waiters::default() },
            arrivals: Arrivals::default(),
            held: Held::default(),
            under_way: Vec::new(),
            is_stopping: false,
            is_lost: false,
        }
    }

    /// Recovers from the store: resumes instances whose activities were running or whose code was
    /// missing, and reads unconsumed messages. All other instances stay in the store until needed.
    pub(crate) fn recover(&mut self, found: PartitionState) -> Result<(), Stopped> {
        let Core { due, store, .. } = &mut self.core;
        due.load(|after, limit| store.due(after, limit))?;
        for id in found.active {
            let Some(record) = self.core.store.instance(&id)? else { continue };
            if !record.runtime_status.is_finished() && !self.core.env.held.stays_aside(&record) {
                let mut resident = Resident::new(record, self.core.outbox.last_write());
                resume(&mut self.core, &mut resident, "the code fits again")?;
                self.residents.insert(resident);
            }
            self.residents.evict(self.core.outbox.last_write());
        }
        self.take_in_stored(0..found.messages_end)?;
        self.run_due()?;
        self.entities.advance(&mut self.core)?;
        self.core.outbox.hand_over();
        Ok(())
    }

    /// Takes in the stored messages at these places, page by page. Consumption becomes durable only
    /// later, so each page begins after the last place read. Messages that are sent in the meantime
    /// lie beyond these places, and arrive as mail.
    fn take_in_stored(&mut self, mut places: Range<u64>) -> Result<(), Stopped> {
        while !places.is_empty() {
            let is_short = maybe!("recovery: a page of messages is short");
            let at_once = if is_short { 1 } else { self.core.env.settings.sizes.at_once };
            let page = self.core.store.messages(None, places.clone(), at_once)?;
            mark!(page.len() == at_once, "recovery: there is another page of messages");
            places.start = page.last().map_or(places.end, |(last, _)| last + 1);
            for (_, message) in page.into_iter().filter(|(_, it)| !is_note(it)) {
                self.take_in(Delivery::of(Mail::Message(Box::new(message))))?;
            }
            self.deliver_all()?;
            self.entities.advance(&mut self.core)?;
            self.under_way.clear();
            self.evict();
        }
        Ok(())
    }

    /// Handles mail and due instances. The resulting writes leave with
    /// [`end_turn`](Self::end_turn).
    pub(crate) fn turn(&mut self, mail: impl Iterator<Item = Delivery>) -> Result<(), Stopped> {
        for delivery in mail {
            self.take_in(delivery)?;
        }
        self.deliver_all()?;
        self.run_due()?;
        self.entities.advance(&mut self.core)
    }

    /// Hands over the writes of this turn, or commits them if the partition is idle.
    pub(crate) fn end_turn(&mut self, is_idle: bool) {
        if is_idle {
            self.core.outbox.commit();
        } else {
            self.core.outbox.hand_over();
        }
        self.under_way.clear();
        self.evict();
        metrics::residents(self.core.env.partition, self.residents.len());
    }

    /// The earliest time at which an instance may be due: a turn is needed then.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.core.due.next()
    }

    /// Whether it was lost, or was told to stop and has handled all received mail.
    pub(crate) fn has_stopped(&self) -> bool {
        let is_done = self.held.is_empty() || self.core.store.has_failed();
        self.is_lost || (self.is_stopping && is_done)
    }

    /// Checks that every due time is in memory, or else in the store beyond the horizon.
    #[cfg(feature = "testing")]
    pub(crate) fn check(&self, store: &dyn Store) -> Result<(), String> {
        check::due_times(&self.core, &self.residents, store)
    }

    /// Whether the execution of an instance in memory does not wait for this activity, and all
    /// writes are durable.
    #[cfg(feature = "testing")]
    pub(crate) fn has_given_up(&self, id: &InstanceId, execution: ExecutionId, task: i32) -> bool {
        let outbox = &self.core.outbox;
        let resident = self.residents.peek(id).filter(|_| outbox.is_durable(outbox.last_write()));
        let resident = resident.filter(|resident| resident.record.execution_id == execution);
        let execution = resident.and_then(|resident| resident.execution.as_ref());
        execution.is_some_and(|execution| execution.attempt(task).is_none())
    }

    fn evict(&mut self) {
        self.residents.evict(self.core.outbox.last_write());
        self.entities.evict();
    }

    /// Takes in mail, unless its client has gone. Mail that has to wait is held.
    fn take_in(&mut self, delivery: Delivery) -> Result<(), Stopped> {
        let mail = &delivery.mail;
        if !mail.is_abandoned()
            && let Some(id) = self.must_wait(mail)?
        {
            self.held.hold(id, delivery);
            return Ok(());
        }
        let Delivery { mail, busy, permit } = delivery;
        self.under_way.push((busy, permit));
        if mail.is_abandoned() { Ok(()) } else { self.handle(mail) }
    }

    /// The instance whose writes must become durable before this mail can be handled, if it has to
    /// wait. [`Mail::Continue`] ends the wait.
    fn must_wait(&mut self, mail: &Mail) -> Result<Option<InstanceId>, Stopped> {
        if !self.held.is_empty()
            && let Some(id) = mail.instance_id().filter(|id| self.held.has(id))
        {
            return Ok(Some(id.clone()));
        }
        let id = match mail {
            Mail::Start(start) => &start.instance_id,
            Mail::Manage { instance_id, .. } => instance_id,
            Mail::Message(message) if messages::acts_on_instance(&message.event) => {
                &message.instance_id
            }
            Mail::Message(_)
            | Mail::Raise { .. }
            | Mail::TaskEnded { .. }
            | Mail::Wait { .. }
            | Mail::WaitForStart { .. }
            | Mail::WatchStatus { .. }
            | Mail::Follow { .. }
            | Mail::Pending { .. }
            | Mail::Operate { .. }
            | Mail::CancelSignal { .. }
            | Mail::BatchEnded { .. }
            | Mail::Continue(_)
            | Mail::Release(_)
            | Mail::TakeBackLock { .. }
            | Mail::ResumeEntity { .. }
            | Mail::Wake
            | Mail::Stop
            | Mail::Lost => return Ok(None),
        };
        if let Some(arrival) = self.arrivals.take(id) {
            self.deliver(id, arrival)?;
        }
        if matches!(mail, Mail::Manage { .. }) {
            // An instance that is read from the store may be suspended by that.
            self.residents.with(&mut self.core, id, |_, _| ())?;
        }
        let waits = self.residents.peek(id).is_some_and(|resident| {
            resident.starts_from_history() && !self.core.outbox.is_durable(resident.last_write)
        });
        if waits {
            self.core.write(Content::default(), vec![Effect::Continue(id.clone())]);
        }
        Ok(waits.then(|| id.clone()))
    }

    fn handle(&mut self, mail: Mail) -> Result<(), Stopped> {
        let (core, residents) = (&mut self.core, &mut self.residents);
        match mail {
            Mail::Start(asked) => start(core, residents, asked),
            Mail::TaskEnded { instance_id, execution_id, attempt, event } => {
                let is_current = residents.is_current(&core.store, &instance_id, execution_id)?;
                let arrival = self.arrivals.of(&instance_id);
                if let Some(task) = event.answers() {
                    arrival.effects.push(Effect::TakenIn((execution_id, task), attempt));
                }
                if is_current {
                    arrival.events.push((event, Some(attempt)));
                }
                Ok(())
            }
            Mail::Message(message) if message.instance_id.is_entity() => {
                self.entities.take_in_stored(core, *message)
            }
            Mail::Message(message) => self.handle_message(*message),
            Mail::Raise { instance_id, name, input, reply, .. } => {
                let raised = self.can_raise(&instance_id)?;
                let arrival = self.arrivals.of(&instance_id);
                if raised.is_ok() {
                    arrival.events.push((EventKind::EventRaised { name, input }, None));
                }
                arrival.effects.push(Effect::Managed(reply, raised));
                Ok(())
            }
            Mail::Manage { instance_id, what, reply } => {
                let managed = manage(core, residents, &instance_id, what, Content::default())?;
                core.write(Content::default(), vec![Effect::Managed(reply, managed)]);
                Ok(())
            }
            Mail::Wait { instance_id, reply } => wait_for_end(core, residents, instance_id, reply),
            Mail::WaitForStart { instance_id, reply } => {
                wait_for_start(core, residents, instance_id, reply)
            }
            Mail::WatchStatus { instance_id, reply } => {
                watch_status(core, residents, instance_id, reply)
            }
            Mail::Follow { instance_id, reply } => follow(core, residents, instance_id, reply),
            Mail::Pending { instance_id, reply } => pending(core, residents, &instance_id, reply),
            Mail::Operate { message, reply } => {
                self.entities.take_in_from_client(core, *message, reply)
            }
            Mail::CancelSignal { id, reply } => self.entities.cancel_signal(core, &id, reply),
            Mail::BatchEnded { entity, done } => self.entities.end_batch(core, &entity, *done),
            Mail::Continue(id) if id.is_entity() => self.entities.refill(core, &id),
            Mail::Continue(id) => {
                for delivery in self.held.release(&id) {
                    self.take_in(delivery)?;
                }
                Ok(())
            }
            Mail::Release(id) => self.entities.release(core, &id),
            Mail::ResumeEntity { id, how, reply } => self.entities.resume(core, &id, how, reply),
            Mail::TakeBackLock { entity, owner, reply } => {
                self.entities.take_back_lock(core, &entity, &owner, reply)
            }
            mail @ (Mail::Wake | Mail::Stop | Mail::Lost) => {
                self.is_stopping |= matches!(mail, Mail::Stop);
                self.is_lost |= matches!(mail, Mail::Lost);
                Ok(())
            }
        }
    }

    fn handle_message(&mut self, message: TaskMessage) -> Result<(), Stopped> {
        let TaskMessage { id, instance_id, execution_id, from, event } = message;
        let (core, residents) = (&mut self.core, &mut self.residents);
        match event {
            EventKind::ExecutionStarted(started) => {
                let (replaces, is_new_id, origin) = (Vec::new(), false, Origin::Message(id));
                let asked = Start { instance_id, started, replaces, is_new_id, origin };
                start(core, residents, asked)
            }
            EventKind::ExecutionTerminated { reason, recurse } => {
                let sender = (from.as_deref(), id);
                terminate_child(core, residents, &instance_id, (reason, recurse), sender)
            }
            EventKind::ExecutionRewound { reason, start } => {
                let asked = ChildRewind { reason, start, parent: from, message: id };
                rewind_child(core, residents, &instance_id, asked)
            }
            // `messages::acts_on_instance` has the complete list.
            event => {
                let is_for_it = match execution_id {
                    Some(execution) => {
                        residents.is_current(&core.store, &instance_id, execution)?
                    }
                    None => self.can_raise(&instance_id)?.is_ok(),
                };
                if !is_for_it && execution_id.is_none() {
                    tell!(
                        warn,
                        instance = %instance_id,
                        event = event.type_name(),
                        "dropped a message: its instance does not exist or has ended"
                    );
                }
                let arrival = self.arrivals.of(&instance_id);
                arrival.consumed.push(id);
                arrival.events.extend(is_for_it.then_some((event, None)));
                Ok(())
            }
        }
    }

    fn deliver_all(&mut self) -> Result<(), Stopped> {
        let mut arrived = self.arrivals.take_all();
        for (id, arrival) in arrived.drain(..) {
            self.deliver(&id, arrival)?;
        }
        self.arrivals.reuse(arrived);
        Ok(())
    }

    /// Runs an episode of an instance for what arrived for it.
    fn deliver(&mut self, id: &InstanceId, arrival: Arrival) -> Result<(), Stopped> {
        if arrival.is_empty() {
            return Ok(());
        }
        let Arrival { events, consumed, effects } = arrival;
        let content = Content { consumed, ..Content::default() };
        // Still present only if the instance does not exist.
        let mut left = Some((content, effects));
        self.residents.with(&mut self.core, id, |core, resident| {
            let Some((content, effects)) = left.take() else { return };
            let events = resident.without_stale_results(events);
            match next_episode(core.now(), resident, events) {
                Some(episode) => write_episode(core, resident, episode, content, effects),
                None => {
                    keep_due(&mut core.due, resident);
                    core.write(content, effects);
                }
            }
        })?;
        if let Some((content, effects)) = left {
            self.core.write(content, effects);
        }
        Ok(())
    }

    /// Runs an episode of each due instance. An instance that becomes due again runs after the
    /// others.
    fn run_due(&mut self) -> Result<(), Stopped> {
        // Most turns need not read the clock.
        if self.core.due.next().is_none() {
            return Ok(());
        }
        let now = self.core.now();
        let mut ids = VecDeque::new();
        let Core { due, store, env, .. } = &mut self.core;
        while ids.len() < env.settings.sizes.at_once {
            let Some(id) = due.pop(now, |after, limit| store.due(after, limit))? else { break };
            ids.push_back(id);
        }
        let (mut purged, mut messages, mut effects) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            if id.is_scheduled_signal() {
                self.entities.fire(&mut self.core, &id)?;
                continue;
            }
            let expired = self
                .residents
                .with(&mut self.core, &id, |core, resident| run_if_due(core, resident, now))?;
            if let Some(Some(record)) = expired {
                let (lifecycle, kind) = (&self.core.env.lifecycle, LifecycleKind::Purged);
                let notice = lifecycle.change(&record, kind, now, None);
                effects.extend(notice.map(Effect::Notify));
                messages.extend(self.core.starts_for(&record, kind, now, None));
                purged.push(id);
            }
        }
        if !purged.is_empty() {
            self.core.write(Content { messages, purged, ..Content::default() }, effects);
        }
        Ok(())
    }

    /// Whether an event can be raised in an instance.
    fn can_raise(&mut self, id: &InstanceId) -> Result<Managed, Stopped> {
        Ok(match self.residents.status(&self.core.store, id)? {
            None => Err(ManageError::no_such_instance(id.clone())),
            Some(status) if status.is_finished() => {
                Err(ManageError::Finished { instance_id: id.clone(), status })
            }
            Some(_) => Ok(()),
        })
    }
}

/// Runs an instance whose entry was taken out of the due list. Returns the record of one that has
/// finished and whose retention is over: it is to be purged.
fn run_if_due(core: &mut Core, resident: &mut Resident, now: Timestamp) -> Option<InstanceRecord> {
    resident.listed_due = None;
    let (due, written_by) = (resident.record.next_due, resident.due_written_by);
    if due.is_none_or(|due| due > now) {
        set_due(&mut core.due, resident, due, written_by);
    } else if resident.record.runtime_status.is_finished() {
        resident.is_purged = true;
        return Some(resident.record.clone());
    } else if let Some(episode) = next_episode(core.now(), resident, Vec::new()) {
        write_episode(core, resident, episode, Content::default(), Vec::new());
    } else {
        keep_due(&mut core.due, resident);
    }
    None
}
