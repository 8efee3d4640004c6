//! A partition: one thread that owns its instances and runs their episodes.
//!
//! Mail comes in, is sorted by instance, and each instance runs one episode for all that came for
//! it. What the episode leaves goes to the committer. The thread does not wait for that: a later
//! episode is written behind an earlier one, and no effect leaves before it is durable.
//!
//! It is outside of any async runtime, so that an orchestrator that needs one is found out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use super::activities::Job;
use super::clock::Clock;
use super::committer::{Effect, Write};
use super::error::StartError;
use super::health::Health;
use super::mail::{End, EndReply, Mail, Origin, Start};
use super::residents::{Resident, Residents};
use crate::engine::{Action, Episode, Execution, Outcome};
use crate::protocol::{
    EventKind, ExecutionId, HistoryEvent, InstanceId, InstanceRecord, MessageId, PartitionId,
    RuntimeStatus, Suspension,
};
use crate::registry::Registry;
use crate::store::{EpisodeWrite, PartitionState, Store, StoreError};

/// How much mail is looked at before episodes are run.
const BATCH_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) id: PartitionId,
    pub(super) registry: Arc<Registry>,
    pub(super) store: Arc<dyn Store>,
    pub(super) committer: SyncSender<Write>,
    pub(super) health: Arc<Health>,
    /// Whether every episode is replayed from scratch and compared.
    pub(super) verify: bool,
    pub(super) residents: Residents,
    pub(super) waiters: HashMap<InstanceId, Vec<EndReply>>,
    pub(super) clock: Clock,
    /// How many writes have gone to the committer.
    pub(super) written: u64,
}

/// The store has failed, which is noted, so the partition stops.
#[derive(Debug)]
struct Stopped;

/// The events that came for an execution.
type Arrivals = (InstanceId, ExecutionId, Vec<EventKind>);

impl Partition {
    /// Goes on with what the store holds, then serves mail until it is told to stop.
    pub(super) fn run(mut self, mail: &Receiver<Mail>, found: PartitionState) {
        if let Err(Stopped) = self.recover(found).and_then(|()| self.serve(mail)) {
            // The committer sees the failure with this and stops the others. Those who wait here
            // learn of it when the partition goes.
            self.write(None, None, Vec::new());
        }
    }

    /// Notes a failure of the store before anything is dropped that somebody waits for.
    fn read<T>(&self, read: Result<T, StoreError>) -> Result<T, Stopped> {
        read.map_err(|error| {
            self.health.fail(error);
            Stopped
        })
    }

    fn serve(&mut self, mail: &Receiver<Mail>) -> Result<(), Stopped> {
        let mut stop = false;
        while !stop {
            let Ok(first) = mail.recv() else { return Ok(()) };
            let mut arrivals: Vec<Arrivals> = Vec::new();
            let mut places: HashMap<ExecutionId, usize> = HashMap::new();
            for mail in std::iter::once(first).chain(mail.try_iter().take(BATCH_MAX)) {
                match mail {
                    Mail::Start(start) => self.start(start)?,
                    Mail::TaskEnded { instance_id, execution_id, event } => {
                        let place = *places.entry(execution_id).or_insert_with(|| {
                            arrivals.push((instance_id, execution_id, Vec::new()));
                            arrivals.len() - 1
                        });
                        arrivals[place].2.push(event);
                    }
                    Mail::Wait { instance_id, reply } => self.wait(instance_id, reply)?,
                    Mail::Stop => stop = true,
                }
            }
            for (instance_id, execution_id, events) in arrivals {
                self.deliver(&instance_id, execution_id, events)?;
            }
            self.residents.evict();
        }
        Ok(())
    }

    /// Replays what has not finished, and starts again what its histories leave running.
    fn recover(&mut self, found: PartitionState) -> Result<(), Stopped> {
        for id in found.unfinished {
            let Some(record) = self.read(self.store.instance(&id))? else { continue };
            let past = self.read(self.store.history(&id, record.execution_id, 0))?;
            match self.replay(&record, &past) {
                Ok(execution) => self.resume(record, execution, &past),
                Err(suspension) => self.suspend(record, suspension),
            }
            self.residents.evict();
        }
        for message in found.messages {
            let (instance_id, event) = (message.instance_id, message.event);
            self.start(Start { instance_id, event, origin: Origin::Message(message.id) })?;
        }
        Ok(())
    }

    fn resume(&mut self, record: InstanceRecord, mut execution: Execution, past: &[HistoryEvent]) {
        let mut new = Vec::new();
        if record.suspension.is_some() {
            tracing::info!(instance = %record.instance_id, "the code fits again, so the instance goes on");
            new.push(EventKind::ExecutionResumed { reason: "the code fits again".to_owned() });
        }
        let mut resident = Resident::new(record, self.written);
        let episode = execution.run(self.clock.now(), new);
        let open = execution.open_tasks(past);
        resident.execution = Some(execution);
        resident.remember(self.verify, past);
        let job = |task| Effect::Run(resident.job(task));
        let effects: Vec<_> = open.into_iter().map(job).collect();
        match episode {
            Some(episode) => self.write_episode(&mut resident, episode, effects),
            None => self.write(None, None, effects),
        }
        self.residents.put(resident);
    }

    fn suspend(&mut self, record: InstanceRecord, suspension: Suspension) {
        let mut resident = Resident::new(record, self.written);
        if resident.record.suspension.as_ref() == Some(&suspension) {
            resident.end = Some(End::Suspended(suspension));
        } else {
            let episode = Episode::set_aside(self.clock.now(), [], suspension, true);
            self.write_episode(&mut resident, episode, Vec::new());
        }
        self.residents.put(resident);
    }

    fn start(&mut self, start: Start) -> Result<(), Stopped> {
        let Start { instance_id, event, origin } = start;
        let EventKind::ExecutionStarted { name, version, execution_id, .. } = &event else {
            tracing::warn!(instance = %instance_id, event = event.type_name(), "an unknown message");
            return Ok(());
        };
        let existing = match self.residents.get(&instance_id) {
            Some(resident) => Some(resident.record.runtime_status),
            None => {
                self.read(self.store.instance(&instance_id))?.map(|record| record.runtime_status)
            }
        };
        if let Some(status) = existing {
            self.refuse(instance_id, status, origin);
            return Ok(());
        }
        let now = self.clock.now();
        let record = InstanceRecord::new(
            instance_id.clone(),
            *execution_id,
            name.clone(),
            version.clone(),
            now,
        );
        let mut resident = Resident::new(record, self.written);
        let begun = self.begin(&resident.record);
        let episode = match begun {
            Ok(mut execution) => {
                let episode = execution.run(now, vec![event]);
                resident.execution = Some(execution);
                episode
            }
            Err(suspension) => Some(Episode::set_aside(now, [event], suspension, true)),
        };
        let Some(episode) = episode else { return Ok(()) };
        match origin {
            Origin::Client(reply) => {
                self.write_episode(&mut resident, episode, vec![Effect::Started(reply, Ok(()))]);
            }
            Origin::Message(id) => {
                self.write_episode(&mut resident, episode, Vec::new());
                self.write(None, Some(id), Vec::new());
            }
        }
        self.residents.put(resident);
        Ok(())
    }

    fn refuse(&mut self, instance_id: InstanceId, status: RuntimeStatus, origin: Origin) {
        match origin {
            Origin::Client(reply) => {
                let refused = Err(StartError::AlreadyExists { instance_id, status });
                self.write(None, None, vec![Effect::Started(reply, refused)]);
            }
            Origin::Message(id) => self.write(None, Some(id), Vec::new()),
        }
    }

    /// Runs an episode of an instance for what came for it.
    fn deliver(
        &mut self,
        id: &InstanceId,
        execution_id: ExecutionId,
        events: Vec<EventKind>,
    ) -> Result<(), Stopped> {
        let Some(mut resident) = self.resident(id)? else { return Ok(()) };
        let finished = resident.record.runtime_status.is_finished();
        if resident.record.execution_id == execution_id && !finished {
            let now = self.clock.now();
            let episode = match (&mut resident.execution, &resident.record.suspension) {
                (Some(execution), _) => execution.run(now, events),
                (None, Some(suspension)) => {
                    Some(Episode::set_aside(now, events, suspension.clone(), false))
                }
                (None, None) => None,
            };
            if let Some(episode) = episode {
                self.write_episode(&mut resident, episode, Vec::new());
            }
        }
        self.residents.put(resident);
        Ok(())
    }

    fn wait(&mut self, id: InstanceId, reply: EndReply) -> Result<(), Stopped> {
        let end = match self.residents.get(&id) {
            Some(resident) => resident.end.clone(),
            None => match self.read(self.store.instance(&id))? {
                Some(record) => self.stored_end(&record)?,
                None => {
                    self.write(None, None, vec![Effect::Ended(reply, None)]);
                    return Ok(());
                }
            },
        };
        match end {
            Some(end) => self.write(None, None, vec![Effect::Ended(reply, Some(end))]),
            None => {
                let waiters = self.waiters.entry(id).or_default();
                // Who asks again and again, with a timeout, must not leave a reply behind each time.
                waiters.retain(|waiter| !waiter.is_closed());
                waiters.push(reply);
            }
        }
        Ok(())
    }

    fn stored_end(&self, record: &InstanceRecord) -> Result<Option<End>, Stopped> {
        if let Some(suspension) = &record.suspension {
            return Ok(Some(End::Suspended(suspension.clone())));
        }
        if !record.runtime_status.is_finished() {
            return Ok(None);
        }
        let id = &record.instance_id;
        let last = self.read(self.store.history(id, record.execution_id, record.last_episode))?;
        Ok(last.iter().rev().find_map(|event| End::of(&event.kind)))
    }

    /// An instance from memory, or else from the store, replayed.
    fn resident(&mut self, id: &InstanceId) -> Result<Option<Resident>, Stopped> {
        if let Some(resident) = self.residents.take(id) {
            return Ok(Some(resident));
        }
        let Some(record) = self.read(self.store.instance(id))? else { return Ok(None) };
        let end = self.stored_end(&record)?;
        let mut resident = Resident::new(record, self.written);
        resident.end = end;
        if resident.end.is_none() {
            let past = self.read(self.store.history(id, resident.record.execution_id, 0))?;
            match self.replay(&resident.record, &past) {
                Ok(execution) => {
                    resident.execution = Some(execution);
                    resident.remember(self.verify, &past);
                }
                Err(suspension) => {
                    let episode = Episode::set_aside(self.clock.now(), [], suspension, true);
                    self.write_episode(&mut resident, episode, Vec::new());
                }
            }
        }
        Ok(Some(resident))
    }

    fn begin(&self, record: &InstanceRecord) -> Result<Execution, Suspension> {
        let name = (record.name.as_str(), record.version.as_deref());
        let (id, execution_id) = (&record.instance_id, record.execution_id);
        Execution::new(&self.registry, name, id, execution_id, record.created_at)
    }

    fn replay(
        &self,
        record: &InstanceRecord,
        past: &[HistoryEvent],
    ) -> Result<Execution, Suspension> {
        let mut execution = self.begin(record)?;
        execution.replay(past)?;
        Ok(execution)
    }

    /// Replays the history with this episode from scratch; one that cannot be done twice is not
    /// written, but what came in is.
    fn verified(&self, resident: &mut Resident, episode: Episode) -> Episode {
        if !self.verify || matches!(episode.outcome, Outcome::Suspended(_)) {
            return episode;
        }
        resident.past.extend_from_slice(&episode.events);
        let verified =
            self.begin(&resident.record).and_then(|execution| execution.verify(&resident.past));
        match (verified, episode.events.first()) {
            (Err(suspension), Some(first)) => {
                let now = first.timestamp;
                Episode::set_aside(now, episode.into_incoming(), suspension, true)
            }
            _ => episode,
        }
    }

    /// Writes an episode, and what follows from it.
    fn write_episode(&mut self, resident: &mut Resident, episode: Episode, effects: Vec<Effect>) {
        let episode = self.verified(resident, episode);
        let mut effects = effects;
        effects.extend(episode.actions.into_iter().map(|action| match action {
            Action::ScheduleTask(task) => Effect::Run(resident.job(task)),
            Action::CancelTask { event_id } => {
                Effect::Cancel((resident.record.execution_id, event_id))
            }
        }));
        resident.settle(&episode.events, episode.outcome);
        if let Some(end) = &resident.end {
            let waiters = self.waiters.remove(&resident.record.instance_id).unwrap_or_default();
            let answer = |reply| Effect::Ended(reply, Some(end.clone()));
            effects.extend(waiters.into_iter().map(answer));
        }
        let record = resident.record.clone();
        let write = EpisodeWrite { partition: self.id, record, events: episode.events };
        self.write(Some(write), None, effects);
        resident.written = self.written;
    }

    fn write(
        &mut self,
        episode: Option<EpisodeWrite>,
        consumed: Option<MessageId>,
        effects: Vec<Effect>,
    ) {
        self.written += 1;
        let (partition, number) = (self.id, self.written);
        // The committer outlives every partition, so there is always somebody to take it.
        let _ = self.committer.send(Write { partition, number, episode, consumed, effects });
    }
}

impl Resident {
    fn new(record: InstanceRecord, written: u64) -> Self {
        Self { record, execution: None, end: None, written, past: Vec::new() }
    }

    /// Keeps the history, if episodes are to be verified against it.
    fn remember(&mut self, verify: bool, past: &[HistoryEvent]) {
        if verify {
            past.clone_into(&mut self.past);
        }
    }

    fn job(&self, task: crate::engine::ScheduledTask) -> Job {
        let InstanceRecord { instance_id, execution_id, .. } = &self.record;
        Job { instance_id: instance_id.clone(), execution_id: *execution_id, task }
    }

    /// What an episode makes of the instance.
    fn settle(&mut self, events: &[HistoryEvent], outcome: Outcome) {
        let record = &mut self.record;
        record.last_episode = record.history_len;
        record.history_len += events.len() as u64;
        record.last_updated_at = events.first().map_or(record.created_at, |event| event.timestamp);
        record.suspension = None;
        match outcome {
            Outcome::Waiting => {
                record.runtime_status = RuntimeStatus::Running;
                self.end = None;
            }
            Outcome::Finished(status) => {
                record.runtime_status = status;
                self.execution = None;
                self.end = events.iter().rev().find_map(|event| End::of(&event.kind));
            }
            Outcome::Suspended(suspension) => {
                tracing::error!(instance = %record.instance_id, "{suspension}");
                record.runtime_status = RuntimeStatus::Suspended;
                record.suspension = Some(suspension.clone());
                self.execution = None;
                self.end = Some(End::Suspended(suspension));
            }
        }
    }
}

impl End {
    /// The end that an event records.
    fn of(kind: &EventKind) -> Option<Self> {
        let EventKind::ExecutionCompleted { status, result, failure } = kind else { return None };
        Some(match (status, result, failure) {
            (RuntimeStatus::Completed, Some(result), _) => Self::Completed(result.clone()),
            (_, _, Some(failure)) => Self::Failed(failure.clone()),
            _ => Self::Terminated,
        })
    }
}
