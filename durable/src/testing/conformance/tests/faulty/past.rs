//! Faults in which a store keeps what it should have removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::thread;

use super::{Fault, Faulty};
use crate::protocol::{ExecutionId, HistoryEvent, InstanceId, InstanceRecord, PartitionId};
use crate::store::{Commit, EpisodeWrite, Store, StoreError};

type Execution = (InstanceId, ExecutionId);

/// Everything ever committed, ignoring replacements and purges.
#[derive(Debug, Default)]
pub(super) struct Past {
    partitions: BTreeMap<InstanceId, PartitionId>,
    records: BTreeMap<InstanceId, Vec<InstanceRecord>>,
    histories: BTreeMap<Execution, Vec<HistoryEvent>>,
    /// The replaced executions by kind of episode, and the purged ones.
    replaced: BTreeSet<Execution>,
    replaced_in_its_commit: BTreeSet<Execution>,
    hidden: BTreeSet<Execution>,
    purged: BTreeSet<Execution>,
}

impl Past {
    pub(super) fn commit(&mut self, commit: &Commit) {
        let mut in_this_commit = BTreeSet::new();
        for episode in &commit.episodes {
            let id = episode.record.instance_id.clone();
            let execution = (id.clone(), episode.record.execution_id);
            if let Some(replaced) = episode.replaces.map(|replaced| (id.clone(), replaced)) {
                if in_this_commit.contains(&replaced) {
                    self.replaced_in_its_commit.insert(replaced.clone());
                }
                let others = self.histories.keys().filter(|(of, _)| *of == id);
                self.hidden.extend(others.cloned());
                self.replaced.insert(replaced);
            }
            self.hidden.remove(&execution);
            let history = self.histories.entry(execution.clone()).or_default();
            // A rewritten event replaces the earlier one, like the value of a key.
            let first = usize::try_from(episode.record.last_episode).unwrap().min(history.len());
            let end = history.len().min(first + episode.events.len());
            history.splice(first..end, episode.events.iter().cloned());
            in_this_commit.insert(execution);
            self.partitions.insert(id.clone(), episode.partition);
            self.records.entry(id).or_default().push(episode.record.clone());
        }
        for (_, id) in &commit.purged {
            let last = self.records.get(id).and_then(|records| records.last());
            self.purged.extend(last.map(|record| (id.clone(), record.execution_id)));
        }
    }

    pub(super) fn partition(&self, id: &InstanceId) -> PartitionId {
        self.partitions[id]
    }

    pub(super) fn record(&self, id: &InstanceId) -> Option<InstanceRecord> {
        self.records.get(id)?.last().cloned()
    }

    /// The records of a partition's instances, each instance's from the first to the last.
    pub(super) fn records(
        &self,
        partition: PartitionId,
    ) -> impl Iterator<Item = &Vec<InstanceRecord>> {
        let here = move |id: &&InstanceId| self.partitions[*id] == partition;
        self.records.keys().filter(here).map(|id| &self.records[id])
    }

    pub(super) fn ever_active(&self, partition: PartitionId) -> Vec<InstanceId> {
        let was = self.records(partition).filter_map(|all| all.iter().find(|record| record.active));
        was.map(|record| record.instance_id.clone()).collect()
    }

    pub(super) fn active(&self, partition: PartitionId) -> Vec<InstanceId> {
        let last = self.records(partition).filter_map(|records| records.last());
        let active = last.filter(|record| record.active);
        active.map(|record| record.instance_id.clone()).collect()
    }

    /// The history as returned by a store that keeps removed events.
    pub(super) fn bend(
        &self,
        fault: Fault,
        id: &InstanceId,
        execution: ExecutionId,
        events: &mut Vec<HistoryEvent>,
    ) {
        let execution = (id.clone(), execution);
        let kept = self.histories.get(&execution).map_or([].as_slice(), Vec::as_slice);
        let is_kept = match fault {
            Fault::KeepsReplaced => self.replaced.contains(&execution),
            Fault::KeepsReplacedOfTheCommit => self.replaced_in_its_commit.contains(&execution),
            Fault::KeepsPurgedHistories => self.purged.contains(&execution),
            Fault::KeepsOtherHistories => {
                let purged = self.purged.iter().any(|(of, _)| of == id);
                purged && !self.purged.contains(&execution) && !self.replaced.contains(&execution)
            }
            _ => false,
        };
        match fault {
            _ if is_kept && events.is_empty() => *events = kept.to_vec(),
            Fault::KeepsTails if !events.is_empty() => {
                events.extend(kept.iter().skip(events.len()).cloned());
            }
            Fault::ReplacesAll if self.hidden.contains(&execution) => events.clear(),
            _ => {}
        }
    }
}

/// Commits that remove too much or too little.
impl Faulty {
    pub(super) fn bend_past(&self, commit: &mut Commit) -> Result<(), StoreError> {
        let right = self.right();
        match self.fault {
            Fault::RefusesToPurgeNobody => {
                for (_, id) in &commit.purged {
                    if right.instance(id)?.is_none() {
                        return Err(StoreError::damaged("there is no such instance"));
                    }
                }
            }
            Fault::PurgesAndWrites => {
                let written: BTreeSet<_> =
                    commit.episodes.iter().map(|write| write.record.instance_id.clone()).collect();
                commit.purged.retain(|(_, id)| !written.contains(id));
            }
            Fault::PurgesMessages => {
                for (partition, id) in &commit.purged {
                    let to_it = right.messages(*partition, Some(id), 0..u64::MAX, usize::MAX)?;
                    let ids = to_it.into_iter().map(|(_, message)| message.id);
                    commit.consumed.extend(ids.map(|id| (*partition, id)));
                }
            }
            Fault::PurgesByPrefix => {
                let kept = self.kept.lock().unwrap();
                for (partition, id) in commit.purged.clone() {
                    let known = kept.executions.iter().map(|(known, _)| known);
                    let alike = known.filter(|known| known.as_str().starts_with(id.as_str()));
                    commit.purged.extend(alike.map(|alike| (partition, alike.clone())));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks the commit, removes the execution that its first episode replaces, and writes
    /// afterwards.
    pub(super) fn replace_in_two_steps(&self, commit: &Commit) -> Result<(), StoreError> {
        let right = self.right();
        let owners = commit.owners.clone();
        let epochs = self.kept.lock().unwrap().epochs.clone();
        let len = |id: &_, execution| Ok(right.history(id, execution, 0)?.len() as u64);
        commit.check(|partition| epochs.get(&partition).copied(), len)?;
        let first = commit.episodes.first().filter(|first| first.record.last_episode == 0);
        if let Some(first) = first.filter(|first| first.replaces.is_some()) {
            let episodes = vec![EpisodeWrite { events: Vec::new(), ..first.clone() }];
            right.commit(&Commit { owners, episodes, ..Commit::default() })?;
            // If a reader is active, waits for its next read.
            let before = self.reads.load(Ordering::Acquire);
            let looked = || self.reads.load(Ordering::Acquire) > before + 2;
            (0..20_000).take_while(|_| !looked()).for_each(|_| thread::yield_now());
        }
        right.commit(commit)
    }
}
