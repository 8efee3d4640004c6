//! Instances that are not in memory: what the store holds of them, replayed.

use std::ops::Range;

use super::episode;
use super::resident::Resident;
use super::{Arrivals, End, Partition, Stopped};
use crate::engine::{Episode, Execution};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::mail::Mail;
use crate::protocol::{EventKind, HistoryEvent, InstanceId, InstanceRecord, Suspension, Timestamp};
use crate::store::PartitionState;

/// How many messages are taken in at once.
const PAGE: usize = 1024;

impl Partition {
    /// Goes on with instances whose activities were running, or whose code was not there, and with
    /// messages that are still on their way. All others wait in the store for what they wait for.
    pub(super) fn recover(&mut self, found: PartitionState) -> Result<(), Stopped> {
        let (store, id) = (&*self.store, self.id);
        let loaded = self.due.load(|after, limit| store.due(id, after, Timestamp::MAX, limit));
        self.read(loaded)?;
        for id in found.active {
            let Some(record) = self.read(self.store.instance(&id))? else { continue };
            if !record.runtime_status.is_finished() {
                self.resume_from_store(record, "the code fits again")?;
            }
            self.residents.evict();
        }
        self.take_in_stored(0..found.messages_end)?;
        self.look_at_due()?;
        self.advance_entities()?;
        self.announce_due();
        Ok(())
    }

    /// Takes in the messages that the store holds at these places, page by page. That those of a page
    /// are consumed is not durable yet when the next is read, so it begins behind them. What is sent
    /// meanwhile lies behind all places, and comes by mail.
    fn take_in_stored(&mut self, mut places: Range<u64>) -> Result<(), Stopped> {
        let mut arrivals = Arrivals::default();
        while !places.is_empty() {
            let page = self.store.messages(self.id, None, places.clone(), PAGE);
            let page = self.read(page)?;
            places.start = page.last().map_or(places.end, |(last, _)| last + 1);
            for (_, message) in page {
                self.take_in(Mail::Message(Box::new(message)), &mut arrivals)?;
            }
            for (id, arrival) in arrivals.take_all() {
                self.deliver(&id, arrival)?;
            }
            self.advance_entities()?;
            self.residents.evict();
            self.entities.evict();
            self.scheduled.evict();
        }
        Ok(())
    }

    /// Replays an instance and begins again what its history leaves running. One that is suspended
    /// is resumed, if its code fits.
    pub(super) fn resume_from_store(
        &mut self,
        record: InstanceRecord,
        reason: &str,
    ) -> Result<(), Stopped> {
        let past = self.history(&record)?;
        let execution = self.replay(&record, &past).and_then(|mut execution| {
            episode::catch_up(&record, &mut execution)?;
            Ok(execution)
        });
        match execution {
            Ok(execution) => self.resume(record, execution, past, reason),
            Err(suspension) => self.suspend(record, suspension),
        }
        Ok(())
    }

    fn resume(
        &mut self,
        record: InstanceRecord,
        mut execution: Execution,
        past: Vec<HistoryEvent>,
        reason: &str,
    ) {
        let mut new = Vec::new();
        if record.suspension.is_some() {
            new.push(EventKind::ExecutionResumed { reason: reason.to_owned() });
        }
        let mut resident = Resident::new(record, self.written);
        let running = execution.running_tasks();
        let now = self.clock.now();
        let episode = episode::run(&resident.record, &mut execution, now, new);
        resident.execution = Some(execution);
        if self.settings.verify {
            resident.past = past;
        }
        let job = |task| Effect::Run(resident.job(task));
        let effects: Vec<_> = running.into_iter().map(job).collect();
        match episode {
            Some(episode) => {
                self.write_episode(&mut resident, episode, Content::default(), effects);
            }
            None => {
                self.keep_due(&mut resident);
                self.write(Content::default(), effects);
            }
        }
        self.residents.put(resident);
    }

    fn suspend(&mut self, record: InstanceRecord, suspension: Suspension) {
        let mut resident = Resident::new(record, self.written);
        if resident.record.suspension.as_ref() == Some(&suspension) {
            resident.end = Some(End::Suspended(suspension));
        } else {
            let episode = Episode::set_aside(self.clock.now(), [], suspension, true);
            self.write_episode(&mut resident, episode, Content::default(), Vec::new());
        }
        self.residents.put(resident);
    }

    pub(super) fn stored_end(&self, record: &InstanceRecord) -> Result<Option<End>, Stopped> {
        match &record.suspension {
            Some(suspension) if suspension.code.is_some() => {
                return Ok(Some(End::Suspended(suspension.clone())));
            }
            _ => {}
        }
        if !record.runtime_status.is_finished() {
            return Ok(None);
        }
        let id = &record.instance_id;
        let last = self.read(self.store.history(id, record.execution_id, record.last_episode))?;
        Ok(last.iter().rev().find_map(|event| End::of(&event.kind)))
    }

    /// An instance from memory, or else from the store, replayed.
    pub(super) fn take_resident(
        &mut self,
        id: &InstanceId,
    ) -> Result<Option<Box<Resident>>, Stopped> {
        if let Some(resident) = self.residents.take(id) {
            return Ok(Some(resident));
        }
        let Some(record) = self.read(self.store.instance(id))? else { return Ok(None) };
        let end = self.stored_end(&record)?;
        let mut resident = Resident::new(record, self.written);
        resident.end = end;
        let goes_on = !resident.record.runtime_status.is_finished();
        if goes_on && resident.record.suspension.is_none() {
            let past = self.history(&resident.record)?;
            match self.replay(&resident.record, &past) {
                Ok(execution) => {
                    resident.execution = Some(execution);
                    if self.settings.verify {
                        resident.past = past;
                    }
                }
                Err(suspension) => {
                    let episode = Episode::set_aside(self.clock.now(), [], suspension, true);
                    let content = Content::default();
                    self.write_episode(&mut resident, episode, content, Vec::new());
                }
            }
        }
        Ok(Some(resident))
    }

    pub(super) fn history(&self, record: &InstanceRecord) -> Result<Vec<HistoryEvent>, Stopped> {
        self.read(self.store.history(&record.instance_id, record.execution_id, 0))
    }
}
