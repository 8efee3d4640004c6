//! A commit as the arrays that its statements take.

use std::collections::BTreeMap;

use durable::protocol::{ExecutionId, PartitionId, Timestamp, codec};
use durable::store::{Commit, EpisodeWrite, StoreError};
use uuid::Uuid;

use crate::owned::{self, AllOwned, ListChanges};
use crate::{blocks, keys};

/// A commit in the form in which it is sent.
#[derive(Debug, Default)]
pub(crate) struct Group<'a> {
    pub(super) partitions: Vec<i32>,
    pub(super) epochs: Vec<i64>,
    /// The episodes: in each round at most one of an instance, because a statement touches a row
    /// once.
    pub(super) rounds: Vec<Round<'a>>,
    pub(super) purged: Vec<&'a str>,
    pub(super) consumed: Vec<Vec<u8>>,
    pub(super) sent: Messages<'a>,
    pub(super) lists: ListChanges,
}

#[derive(Debug, Default)]
pub(super) struct Round<'a> {
    pub(super) replaced: Executions<'a>,
    /// Histories that go on.
    pub(super) appended: Episodes<'a>,
    /// Histories that begin.
    pub(super) started: Episodes<'a>,
}

#[derive(Debug, Default)]
pub(super) struct Executions<'a> {
    pub(super) ids: Vec<&'a str>,
    pub(super) executions: Vec<Uuid>,
}

#[derive(Debug, Default)]
pub(super) struct Episodes<'a> {
    pub(super) ids: Vec<&'a str>,
    pub(super) executions: Vec<Uuid>,
    /// The number of events before the episode.
    pub(super) expected: Vec<i64>,
    pub(super) lengths: Vec<i64>,
    pub(super) created: Vec<i64>,
    pub(super) records: Vec<Vec<u8>>,
    pub(super) events: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
pub(super) struct Messages<'a> {
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) targets: Vec<&'a str>,
    pub(super) records: Vec<Vec<u8>>,
}

impl<'a> Group<'a> {
    /// `positions` are those of the new messages.
    pub(crate) fn of(
        commit: &'a Commit,
        owned: &AllOwned,
        positions: &[u64],
    ) -> Result<Self, StoreError> {
        let mut owners = commit.owners.clone();
        owners.sort_unstable();
        owners.dedup();
        let mut purged: Vec<_> = commit.purged.iter().map(|(_, id)| id.as_str()).collect();
        purged.sort_unstable();
        purged.dedup();
        Ok(Self {
            partitions: owners.iter().map(|(partition, _)| i32::from(partition.0)).collect(),
            epochs: owners.iter().map(|(_, epoch)| epoch.0.cast_signed()).collect(),
            rounds: rounds(&commit.episodes)?,
            purged,
            consumed: consumed(commit, owned),
            sent: Messages::of(commit, positions)?,
            lists: owned::list_changes(owned, &owned::listed_after(commit)),
        })
    }
}

fn rounds(episodes: &[EpisodeWrite]) -> Result<Vec<Round<'_>>, StoreError> {
    let mut by_round: Vec<BTreeMap<&str, &EpisodeWrite>> = Vec::new();
    let mut written: BTreeMap<&str, usize> = BTreeMap::new();
    for episode in episodes {
        let id = episode.record.instance_id.as_str();
        let round = written.entry(id).or_default();
        if by_round.len() == *round {
            by_round.push(BTreeMap::new());
        }
        by_round[*round].insert(id, episode);
        *round += 1;
    }
    by_round.iter().map(|round| Round::of(round.values().copied())).collect()
}

impl<'a> Round<'a> {
    /// The episodes are of different instances, in the order of their ids.
    fn of(episodes: impl Iterator<Item = &'a EpisodeWrite>) -> Result<Self, StoreError> {
        let mut round = Self::default();
        for episode in episodes {
            if let Some(replaced) = episode.replaces {
                round.replaced.ids.push(episode.record.instance_id.as_str());
                round.replaced.executions.push(uuid(replaced));
            }
            let begins = episode.record.last_episode == 0;
            let kind = if begins { &mut round.started } else { &mut round.appended };
            kind.add(episode)?;
        }
        Ok(round)
    }
}

impl<'a> Episodes<'a> {
    fn add(&mut self, episode: &'a EpisodeWrite) -> Result<(), StoreError> {
        let EpisodeWrite { record, events, .. } = episode;
        let expected = record.last_episode;
        self.ids.push(record.instance_id.as_str());
        self.executions.push(uuid(record.execution_id));
        self.expected.push(expected.cast_signed());
        self.lengths.push((expected + events.len() as u64).cast_signed());
        self.created.push(micros(record.created_at));
        self.records.push(codec::encode(record)?);
        self.events.push(blocks::encode(events)?);
        Ok(())
    }

    /// The number of rows, as a statement counts them.
    pub(super) fn count(&self) -> i64 {
        count(self.ids.len())
    }
}

impl<'a> Messages<'a> {
    fn of(commit: &'a Commit, positions: &[u64]) -> Result<Self, StoreError> {
        let mut messages: Vec<_> = commit.messages.iter().zip(positions).collect();
        messages.sort_by_key(|((partition, _), position)| (*partition, **position));
        let mut columns = Self::default();
        for ((partition, message), position) in messages {
            columns.keys.push(keys::message(*partition, *position));
            columns.targets.push(message.instance_id.as_str());
            columns.records.push(codec::encode(message)?);
        }
        Ok(columns)
    }
}

/// The keys of the consumed messages that exist.
fn consumed(commit: &Commit, owned: &AllOwned) -> Vec<Vec<u8>> {
    let key = |(partition, id): &(PartitionId, _)| {
        let position = owned.get(partition)?.positions.get(id)?;
        Some(keys::message(*partition, *position))
    };
    let mut consumed: Vec<_> = commit.consumed.iter().filter_map(key).collect();
    consumed.sort_unstable();
    consumed.dedup();
    consumed
}

pub(super) fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(crate) fn uuid(execution: ExecutionId) -> Uuid {
    Uuid::from_bytes(*execution.as_bytes())
}

pub(crate) fn micros(at: Timestamp) -> i64 {
    at.to_datetime().timestamp_micros()
}
