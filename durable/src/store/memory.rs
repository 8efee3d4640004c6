//! The reference: the simplest store that keeps the contract, for tests and for what may be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Commit, EpisodeWrite, Epoch, PartitionState, Store, StoreError};
use crate::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
};

/// A store that lives as long as it is held. Hubs that share one (in an `Arc`) find each other's
/// work, one after another.
///
/// ```standalone_crate
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
    unfinished: BTreeMap<PartitionId, BTreeSet<InstanceId>>,
    histories: BTreeMap<(InstanceId, ExecutionId), Vec<HistoryEvent>>,
    messages: BTreeMap<PartitionId, Vec<TaskMessage>>,
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
        let id = &episode.record.instance_id;
        let unfinished = self.unfinished.entry(episode.partition).or_default();
        if episode.record.runtime_status.is_finished() {
            unfinished.remove(id);
        } else {
            unfinished.insert(id.clone());
        }
        let key = (id.clone(), episode.record.execution_id);
        self.histories.entry(key).or_default().extend_from_slice(&episode.events);
        self.instances.insert(id.clone(), episode.record.clone());
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
        let unfinished = state.unfinished.get(&partition).into_iter().flatten().cloned().collect();
        let messages = state.messages.get(&partition).cloned().unwrap_or_default();
        Ok(PartitionState { unfinished, messages })
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut state = self.state();
        commit.check(
            |partition| state.epochs.get(&partition).copied(),
            |instance, execution| Ok(state.history_len(instance, execution)),
        )?;
        commit.episodes.iter().for_each(|episode| state.apply(episode));
        for (partition, id) in &commit.consumed {
            state.messages.entry(*partition).or_default().retain(|message| message.id != *id);
        }
        for (partition, message) in &commit.messages {
            state.messages.entry(*partition).or_default().push(message.clone());
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
}
