//! A partition: one thread that owns its instances and runs their episodes.
//!
//! Mail comes in, is sorted by instance, and each instance runs one episode for all that came for
//! it. What the episode leaves goes to the committer. The thread does not wait for that: a later
//! episode is written behind an earlier one, and no effect leaves before it is durable.
//!
//! It is outside of any async runtime, so that an orchestrator that needs one is found out.
//!
//! Read next: `start.rs` (new instances), `write.rs` (what an episode leaves), `manage.rs` (what
//! clients want), `rewind.rs`, `restore.rs` (what was not in memory), `entities/` (what is no
//! orchestration).

pub(crate) mod cache;
pub(crate) mod due;
mod entities;
mod episode;
mod generations;
mod manage;
mod messages;
pub(crate) mod outbox;
pub(crate) mod resident;
mod restore;
mod rewind;
mod start;
mod write;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};

use lru::DefaultHasher;

use self::cache::Cache;
use self::due::DueList;
use self::outbox::Outbox;
use self::resident::Resident;
use super::commit::write::{Content, Effect, Write};
use super::custom_status::{WatchReply, Watched};
use super::health::Health;
use super::mail::{
    Delivery, End, EndReply, Ended, Mail, Mailboxes, Manage, Origin, Start, StartedReply,
};
use super::settings::Settings;
use super::telemetry::event::LifecycleKind;
use super::telemetry::lifecycle::Lifecycle;
use super::telemetry::metrics;
use super::time::clock::Clock;
use super::time::virtual_time::{Busy, VirtualTime};
use super::time::wait::Patience;
use super::work::batches::Batches;
use crate::engine::Episode;
use crate::protocol::{
    EventKind, ExecutionId, InstanceId, MessageId, PartitionId, RuntimeStatus, TaskMessage,
    Timestamp,
};
use crate::registry::Registry;
use crate::store::{PartitionState, Store, StoreError};

/// How much mail is looked at before episodes are run.
const BATCH_MAX: usize = 1024;

pub(crate) use self::entities::{Live, Scheduled};
use self::rewind::ChildRewind;

#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) id: PartitionId,
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outbox: Outbox,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) health: Arc<Health>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) settings: Settings,
    pub(crate) residents: Cache<Resident>,
    pub(crate) entities: Cache<Live>,
    pub(crate) scheduled: Cache<Scheduled>,
    /// Entities for which something came in this turn.
    pub(crate) touched: Vec<InstanceId>,
    pub(crate) batches: Arc<Batches>,
    pub(crate) due: DueList,
    pub(crate) waiters: HashMap<InstanceId, Waiters, DefaultHasher>,
    pub(crate) clock: Clock,
    /// Where time is made, in a test.
    pub(crate) time: Option<Arc<VirtualTime>>,
    /// How many writes there were.
    pub(crate) written: u64,
    pub(crate) patience: Patience,
    /// Mail that has come and is not looked at yet.
    pub(crate) next_mail: Option<Delivery>,
}

/// The replies that wait for an instance.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    pub(crate) start: Vec<StartedReply>,
    pub(crate) end: Vec<EndReply>,
    /// Where its custom statuses are told, if somebody watches them.
    pub(crate) status: Option<Watched>,
}

impl Waiters {
    fn is_empty(&self) -> bool {
        self.start.is_empty() && self.end.is_empty() && self.status.is_none()
    }
}

/// The store has failed, which is noted, so the partition stops.
#[derive(Debug)]
pub(crate) struct Stopped;

/// What came for an instance and is delivered in one episode.
#[derive(Debug, Default)]
struct Arrival {
    /// Each with the number of the attempt whose result it is, if it is one's.
    events: Vec<(EventKind, Option<u32>)>,
    consumed: Vec<MessageId>,
    effects: Vec<Effect>,
}

/// What came for which instance, in the order in which it came.
#[derive(Debug, Default)]
struct Arrivals {
    all: Vec<(InstanceId, Arrival)>,
    places: HashMap<InstanceId, usize, DefaultHasher>,
}

impl Arrivals {
    fn of(&mut self, id: &InstanceId) -> &mut Arrival {
        let place = *self.places.entry(id.clone()).or_insert_with(|| {
            self.all.push((id.clone(), Arrival::default()));
            self.all.len() - 1
        });
        &mut self.all[place].1
    }

    fn take(&mut self, id: &InstanceId) -> Option<Arrival> {
        let place = self.places.remove(id)?;
        Some(std::mem::take(&mut self.all[place].1))
    }

    fn take_all(&mut self) -> Vec<(InstanceId, Arrival)> {
        self.places.clear();
        std::mem::take(&mut self.all)
    }
}

impl Arrival {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.consumed.is_empty() && self.effects.is_empty()
    }
}

impl Partition {
    /// Goes on with what the store holds, then serves mail until it is told to stop. `opening`
    /// keeps time from passing until then.
    pub(crate) fn run(mut self, mail: &Receiver<Delivery>, found: PartitionState, opening: Busy) {
        let recovered = self.recover(found);
        self.outbox.hand_over();
        drop(opening);
        // A failure is noted by now. Those who wait here learn of it when the partition goes.
        let _stopped = recovered.and_then(|()| self.serve(mail));
    }

    /// Notes a failure of the store before anything is dropped that somebody waits for.
    fn read<T>(&self, read: Result<T, StoreError>) -> Result<T, Stopped> {
        read.map_err(|error| {
            self.health.fail(error.into());
            Stopped
        })
    }

    fn serve(&mut self, mail: &Receiver<Delivery>) -> Result<(), Stopped> {
        let mut stop = false;
        let mut arrivals = Arrivals::default();
        // Held until what the mail leads to is on its way.
        let mut under_way = Vec::new();
        while !stop {
            let first = match self.wait(mail) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            for delivery in first.into_iter().chain(mail.try_iter().take(BATCH_MAX)) {
                let Delivery { mail, busy, permit } = delivery;
                under_way.push((busy, permit));
                stop |= matches!(mail, Mail::Stop);
                self.take_in(mail, &mut arrivals)?;
            }
            for (instance_id, arrival) in arrivals.take_all() {
                self.deliver(&instance_id, arrival)?;
            }
            self.look_at_due()?;
            self.advance_entities()?;
            self.announce_due();
            self.next_mail = mail.try_recv().ok();
            match self.next_mail {
                Some(_) => self.outbox.hand_over(),
                None => self.outbox.commit(),
            }
            under_way.clear();
            self.residents.evict();
            self.entities.evict();
            self.scheduled.evict();
            metrics::residents(self.id, self.residents.len());
        }
        Ok(())
    }

    /// Waits for mail, or until something is due.
    fn wait(&mut self, mail: &Receiver<Delivery>) -> Result<Delivery, RecvTimeoutError> {
        if let Some(next) = self.next_mail.take() {
            return Ok(next);
        }
        let wait = self.clock.wait_until(self.due.next());
        let look = || match mail.try_recv() {
            Ok(mail) => Some(Ok(mail)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(RecvTimeoutError::Disconnected)),
        };
        self.patience.wait(look, || match wait {
            Some(wait) => mail.recv_timeout(wait),
            None => mail.recv().map_err(|_gone| RecvTimeoutError::Disconnected),
        })
    }

    /// Tells who makes time when something is due.
    fn announce_due(&self) {
        if let Some(time) = &self.time {
            time.set_due(self.id, self.due.next());
        }
    }

    fn take_in(&mut self, mail: Mail, arrivals: &mut Arrivals) -> Result<(), Stopped> {
        match mail {
            mail if mail.is_given_up() => Ok(()),
            Mail::Start(start) => {
                self.flush(&start.instance_id, arrivals)?;
                self.start(start)
            }
            Mail::TaskEnded { instance_id, execution_id, attempt, event } => {
                let is_current = self.is_current(&instance_id, execution_id)?;
                let arrival = arrivals.of(&instance_id);
                let taken_in = |task| Effect::TakenIn((execution_id, task), attempt);
                arrival.effects.extend(event.answers().map(taken_in));
                arrival.events.extend(is_current.then_some((event, Some(attempt))));
                Ok(())
            }
            Mail::Message(message) if message.instance_id.is_entity() => {
                self.take_in_for_entity(*message)
            }
            Mail::Message(message) => self.take_in_message(*message, arrivals),
            Mail::Operate { message, reply } => self.take_in_from_client(*message, reply),
            Mail::CancelSignal { id, reply } => self.cancel_signal(&id, reply),
            Mail::BatchEnded { entity, done } => self.end_batch(&entity, *done),
            Mail::Refill(entity) => self.refill(&entity),
            Mail::TakeBackLock { entity, owner, reply } => {
                self.take_back_lock(&entity, &owner, reply)
            }
            Mail::Manage { instance_id, what: Manage::Raise { name, input, .. }, reply } => {
                let raised = self.can_raise(&instance_id)?;
                let arrival = arrivals.of(&instance_id);
                if raised.is_ok() {
                    arrival.events.push((EventKind::EventRaised { name, input }, None));
                }
                arrival.effects.push(Effect::Managed(reply, raised));
                Ok(())
            }
            Mail::Manage { instance_id, what, reply } => {
                self.flush(&instance_id, arrivals)?;
                let managed = self.manage(&instance_id, what, Content::default())?;
                self.write(Content::default(), vec![Effect::Managed(reply, managed)]);
                Ok(())
            }
            Mail::Wait { instance_id, reply } => self.wait_for_end(instance_id, reply),
            Mail::WaitForStart { instance_id, reply } => self.wait_for_start(instance_id, reply),
            Mail::WatchStatus { instance_id, reply } => self.watch_status(instance_id, reply),
            Mail::Wake | Mail::Stop => Ok(()),
        }
    }

    fn take_in_message(
        &mut self,
        message: TaskMessage,
        arrivals: &mut Arrivals,
    ) -> Result<(), Stopped> {
        let TaskMessage { id, instance_id, execution_id, from, event } = message;
        match event {
            EventKind::ExecutionStarted(started) => {
                self.flush(&instance_id, arrivals)?;
                let origin = Origin::Message(id);
                self.start(Start { instance_id, started, replaces: Vec::new(), origin })
            }
            EventKind::ExecutionTerminated { reason, recurse } => {
                self.flush(&instance_id, arrivals)?;
                self.terminate_child(&instance_id, reason, recurse, from.as_deref(), id)
            }
            EventKind::ExecutionRewound { reason, start } => {
                self.flush(&instance_id, arrivals)?;
                let asked = ChildRewind { reason, start, parent: from, message: id };
                self.rewind_child(&instance_id, asked)
            }
            event => {
                let is_for_it = match execution_id {
                    Some(execution_id) => self.is_current(&instance_id, execution_id)?,
                    None => self.can_raise(&instance_id)?.is_ok(),
                };
                if !is_for_it && execution_id.is_none() {
                    tell!(
                        warn,
                        instance = %instance_id,
                        event = event.type_name(),
                        "dropped what another instance sent: there is no such instance, or it has ended"
                    );
                }
                let arrival = arrivals.of(&instance_id);
                arrival.consumed.push(id);
                arrival.events.extend(is_for_it.then_some((event, None)));
                Ok(())
            }
        }
    }

    /// Delivers what came for an instance before something else is done to it.
    fn flush(&mut self, id: &InstanceId, arrivals: &mut Arrivals) -> Result<(), Stopped> {
        match arrivals.take(id) {
            Some(arrival) => self.deliver(id, arrival),
            None => Ok(()),
        }
    }

    /// Runs an episode of an instance for what came for it.
    fn deliver(&mut self, id: &InstanceId, arrival: Arrival) -> Result<(), Stopped> {
        if arrival.is_empty() {
            return Ok(());
        }
        let Arrival { events, consumed, effects } = arrival;
        let content = Content { consumed, ..Content::default() };
        let Some(mut resident) = self.take_resident(id)? else {
            self.write(content, effects);
            return Ok(());
        };
        let events = resident.without_stale_results(events);
        match self.episode(&mut resident, events) {
            Some(episode) => self.write_episode(&mut resident, episode, content, effects),
            None => {
                self.keep_due(&mut resident);
                self.write(content, effects);
            }
        }
        self.residents.put(resident);
        Ok(())
    }

    /// What an instance makes of events: none if it has ended, or if they mean nothing to it.
    fn episode(&mut self, resident: &mut Resident, events: Vec<EventKind>) -> Option<Episode> {
        if resident.record.runtime_status.is_finished() {
            return None;
        }
        let now = self.clock.now();
        match (&mut resident.execution, &resident.record.suspension) {
            (Some(execution), _) => episode::run(&resident.record, execution, now, events),
            (None, Some(suspension)) if !events.is_empty() => {
                Some(Episode::set_aside(now, events, suspension.clone(), false))
            }
            (None, _) => None,
        }
    }

    /// Runs an episode of each instance that is due.
    fn look_at_due(&mut self) -> Result<(), Stopped> {
        let now = self.clock.now();
        let mut ids = Vec::new();
        let (store, partition) = (&*self.store, self.id);
        let ask = |after: Option<&_>, limit| store.due(partition, after, Timestamp::MAX, limit);
        while ids.len() < BATCH_MAX {
            let popped = self.due.pop(now, ask);
            let Some(id) = self.read(popped)? else { break };
            ids.push(id);
        }
        // One that is due again by what it does now has its turn after others.
        let (mut purged, mut effects) = (Vec::new(), Vec::new());
        for id in ids {
            if id.is_scheduled_signal() {
                self.fire(&id)?;
                continue;
            }
            let Some(mut resident) = self.take_resident(&id)? else { continue };
            // Its entry is taken out of the list.
            resident.listed_due = None;
            let (due, written_by) = (resident.record.next_due, resident.due_written_by);
            if due.is_none_or(|due| due > now) {
                self.set_due(&mut resident, due, written_by);
            } else if resident.record.runtime_status.is_finished() {
                let kind = LifecycleKind::Purged;
                let notice = self.lifecycle.change(&resident.record, kind, now, None);
                effects.extend(notice.map(Effect::Notify));
                purged.push(id);
                continue;
            } else if let Some(episode) = self.episode(&mut resident, Vec::new()) {
                self.write_episode(&mut resident, episode, Content::default(), Vec::new());
            } else {
                self.keep_due(&mut resident);
            }
            self.residents.put(resident);
        }
        if !purged.is_empty() {
            self.write(Content { purged, ..Content::default() }, effects);
        }
        Ok(())
    }

    fn wait_for_end(&mut self, id: InstanceId, reply: EndReply) -> Result<(), Stopped> {
        let (end, record) = match self.residents.get(&id) {
            Some(resident) => (resident.end.clone(), resident.record.clone()),
            None => match self.read(self.store.instance(&id))? {
                Some(record) => (self.stored_end(&record)?, record),
                None => {
                    self.write(Content::default(), vec![Effect::Ended(reply, None)]);
                    return Ok(());
                }
            },
        };
        match end {
            Some(end) => {
                let ended = Effect::Ended(reply, Some(Box::new(Ended { end, record })));
                self.write(Content::default(), vec![ended]);
            }
            None => {
                let waiters = &mut self.waiters.entry(id).or_default().end;
                // Who asks again and again, with a timeout, must not leave a reply behind each
                // time.
                waiters.retain(|waiter| !waiter.is_closed());
                waiters.push(reply);
            }
        }
        Ok(())
    }

    fn wait_for_start(&mut self, id: InstanceId, reply: StartedReply) -> Result<(), Stopped> {
        match self.status(&id)? {
            Some(RuntimeStatus::Pending) => {
                let waiters = &mut self.waiters.entry(id).or_default().start;
                waiters.retain(|waiter| !waiter.is_closed());
                waiters.push(reply);
            }
            status => {
                self.write(Content::default(), vec![Effect::Begun(reply, status.is_some())]);
            }
        }
        Ok(())
    }

    /// Somebody watches the custom status of an instance from now on.
    fn watch_status(&mut self, id: InstanceId, reply: WatchReply) -> Result<(), Stopped> {
        let record = match self.residents.get(&id) {
            Some(resident) => Some(resident.record.clone()),
            None => self.read(self.store.instance(&id))?,
        };
        let found = record.map(|record| {
            if record.runtime_status.is_finished() {
                return Watched::ended(record.custom_status);
            }
            let status = &mut self.waiters.entry(id).or_default().status;
            status.get_or_insert_with(|| Watched::new(record.custom_status)).clone()
        });
        self.write(Content::default(), vec![Effect::Watching(reply, found)]);
        Ok(())
    }

    /// How far an instance is, if there is one.
    fn status(&mut self, id: &InstanceId) -> Result<Option<RuntimeStatus>, Stopped> {
        if let Some(resident) = self.residents.get(id) {
            return Ok(Some(resident.record.runtime_status));
        }
        Ok(self.read(self.store.instance(id))?.map(|record| record.runtime_status))
    }

    /// Whether this is the execution that the instance is in.
    fn is_current(&mut self, id: &InstanceId, execution: ExecutionId) -> Result<bool, Stopped> {
        if let Some(resident) = self.residents.get(id) {
            return Ok(resident.record.execution_id == execution);
        }
        let record = self.read(self.store.instance(id))?;
        Ok(record.is_some_and(|record| record.execution_id == execution))
    }

    fn consume(&mut self, id: MessageId) {
        self.write(Content { consumed: vec![id], ..Content::default() }, Vec::new());
    }

    /// The number that the next write will get.
    fn next_write(&self) -> u64 {
        self.written + 1
    }

    fn write(&mut self, content: Content, effects: Vec<Effect>) {
        self.written += 1;
        let (partition, number, bytes) = (self.id, self.written, content.bytes());
        let busy = self.mailboxes.busy();
        self.outbox.put(Write { partition, number, content, effects, bytes, _busy: busy });
    }
}

impl End {
    /// The end that an event records.
    pub(crate) fn of(kind: &EventKind) -> Option<Self> {
        let EventKind::ExecutionCompleted { status, result, failure } = kind else { return None };
        Some(match (status, result, failure) {
            (RuntimeStatus::Completed, Some(result), _) => Self::Completed(result.clone()),
            (RuntimeStatus::Failed, _, Some(failure)) => Self::Failed(failure.clone()),
            _ => Self::Terminated,
        })
    }
}
