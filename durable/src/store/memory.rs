//! The reference implementation: the simplest correct store, for tests and for data that may be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    Commit, Creation, CreationOrder, EpisodeWrite, Epoch, InstanceFilter, InstancePage,
    PartitionState, Store, StoreError,
};
use crate::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, MessageId, PartitionId,
    TaskMessage, Timestamp,
};

/// A store in memory, whose content is lost when the process ends. Put the store into an `Arc` to
/// open several hubs on it, one after another.
///
/// ```
/// # use durable::prelude::*;
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().store(durable::store::MemoryStore::default()).open().await?;
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hub: Option<HubRecord>,
    epochs: BTreeMap<PartitionId, Epoch>,
    instances: BTreeMap<InstanceId, InstanceRecord>,
    /// The orchestrations by creation.
    creations: BTreeSet<Creation>,
    active: BTreeMap<PartitionId, BTreeSet<InstanceId>>,
    due: BTreeMap<PartitionId, BTreeSet<(Timestamp, InstanceId)>>,
    histories: BTreeMap<(InstanceId, ExecutionId), Vec<HistoryEvent>>,
    messages: BTreeMap<PartitionId, Messages>,
}

/// The messages of a partition.
#[derive(Debug, Default)]
struct Messages {
    by_position: BTreeMap<u64, TaskMessage>,
    positions: BTreeMap<MessageId, u64>,
    /// The position of the next message.
    end: u64,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn history_len(&self, instance: &InstanceId, execution: ExecutionId) -> u64 {
        let events = self.histories.get(&(instance.clone(), execution));
        events.map_or(0, |events| events.len() as u64)
    }

    fn apply(&mut self, episode: &EpisodeWrite) {
        let EpisodeWrite { partition, record, events, replaces } = episode;
        let id = &record.instance_id;
        self.unlist(*partition, id);
        if record.active {
            self.active.entry(*partition).or_default().insert(id.clone());
        }
        if let Some(due) = record.next_due {
            self.due.entry(*partition).or_default().insert((due, id.clone()));
        }
        if id.is_orchestration() {
            self.creations.insert((record.created_at, id.clone()));
        }
        if let Some(replaced) = replaces {
            self.histories.remove(&(id.clone(), *replaced));
        }
        let key = (id.clone(), record.execution_id);
        self.histories.entry(key).or_default().extend_from_slice(events);
        self.instances.insert(id.clone(), record.clone());
    }

    fn purge(&mut self, partition: PartitionId, id: &InstanceId) {
        self.unlist(partition, id);
        self.instances.remove(id);
        // The record names only the current execution; earlier ones may have a history, too.
        let from = (id.clone(), ExecutionId::from_u128(0));
        let keys = self.histories.range(from..).map(|(key, _)| key);
        let of_it: Vec<_> = keys.take_while(|(of, _)| of == id).cloned().collect();
        for key in of_it {
            self.histories.remove(&key);
        }
    }

    /// Removes an instance from the indexes that its last record put it in.
    fn unlist(&mut self, partition: PartitionId, id: &InstanceId) {
        self.active.entry(partition).or_default().remove(id);
        let Some(record) = self.instances.get(id) else { return };
        self.creations.remove(&(record.created_at, id.clone()));
        if let Some(due) = record.next_due {
            self.due.entry(partition).or_default().remove(&(due, id.clone()));
        }
    }
}

impl Store for MemoryStore {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        Ok(self.state().hub.get_or_insert_with(|| hub.clone()).clone())
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        let mut state = self.state();
        let epoch = state.epochs.entry(partition).or_insert(Epoch(0));
        epoch.0 += 1;
        Ok(*epoch)
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        let state = self.state();
        let active = state.active.get(&partition).into_iter().flatten().cloned().collect();
        let messages_end = state.messages.get(&partition).map_or(0, |messages| messages.end);
        Ok(PartitionState { active, messages_end })
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        let state = self.state();
        let messages = state.messages.get(&partition).filter(|_| !positions.is_empty());
        let messages =
            messages.into_iter().flat_map(|all| all.by_position.range(positions.clone()));
        let wanted = messages.filter(|(_, it)| to.is_none_or(|to| it.instance_id == *to));
        Ok(wanted.take(limit).map(|(position, message)| (*position, message.clone())).collect())
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut state = self.state();
        commit.check(
            |partition| state.epochs.get(&partition).copied(),
            |instance, execution| Ok(state.history_len(instance, execution)),
        )?;
        commit.episodes.iter().for_each(|episode| state.apply(episode));
        commit.purged.iter().for_each(|(partition, id)| state.purge(*partition, id));
        for (partition, id) in &commit.consumed {
            let messages = state.messages.entry(*partition).or_default();
            if let Some(position) = messages.positions.remove(id) {
                messages.by_position.remove(&position);
            }
        }
        for (partition, message) in &commit.messages {
            let messages = state.messages.entry(*partition).or_default();
            messages.positions.insert(message.id, messages.end);
            messages.by_position.insert(messages.end, message.clone());
            messages.end += 1;
        }
        Ok(())
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        Ok(self.state().instances.get(instance).cloned())
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        let state = self.state();
        let events = state.histories.get(&(instance.clone(), execution));
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(events.into_iter().flatten().skip(from).cloned().collect())
    }

    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        let state = self.state();
        let events = state.histories.get(&(instance.clone(), execution)).map_or(&[][..], |it| it);
        let index = |index| usize::try_from(index).unwrap_or(usize::MAX).min(events.len());
        let indices = index(indices.start)..index(indices.end);
        Ok(events.get(indices).unwrap_or_default().to_vec())
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        let state = self.state();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let due = state.due.get(&partition).into_iter();
        let due =
            due.flat_map(|due| due.range::<(Timestamp, InstanceId), _>((from, Bound::Unbounded)));
        Ok(due.take_while(|(at, _)| *at <= until).take(limit).cloned().collect())
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        let state = self.state();
        let prefix = filter.ids_begin_with();
        let from = match after.map(InstanceId::as_str) {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let found = state.instances.range::<str, _>((from, Bound::Unbounded));
        let (limit, most) = (limit.max(1), filter.max_scanned.map(|most| most.max(1) as u64));
        let mut page = InstancePage::default();
        for (id, record) in found.take_while(|(id, _)| id.as_str().starts_with(prefix)) {
            page.scanned += 1;
            page.instances.extend(filter.matches(record).then(|| record.clone()));
            if page.instances.len() == limit || Some(page.scanned) == most {
                page.next = Some(id.clone());
                break;
            }
        }
        Ok(page)
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        let state = self.state();
        let (limit, most) = (limit.max(1), filter.max_scanned.map(|most| most.max(1) as u64));
        let mut page = InstancePage::default();
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = match order {
            CreationOrder::OldestFirst => state.creations.range((after, Bound::Unbounded)),
            CreationOrder::NewestFirst => state.creations.range((Bound::Unbounded, after)),
        };
        let mut next = || match order {
            CreationOrder::OldestFirst => found.next(),
            CreationOrder::NewestFirst => found.next_back(),
        };
        while let Some(creation) = next() {
            let record = state.instances.get(&creation.1);
            page.scanned += 1;
            page.instances.extend(record.filter(|record| filter.matches(record)).cloned());
            if page.instances.len() == limit || Some(page.scanned) == most {
                page.next = Some(creation.clone());
                break;
            }
        }
        Ok(page)
    }
}
