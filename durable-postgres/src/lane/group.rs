//! A commit as the arrays that its statements take as parameters.

use std::collections::{BTreeMap, BTreeSet};

use durable::protocol::{ExecutionId, PartitionId, Timestamp, codec};
use durable::store::{Commit, EpisodeWrite, ReceivedMessage, RequestId, StoreError};
use uuid::Uuid;

use crate::owned::{self, AllOwned, ListChanges};
use crate::{blocks, keys};

/// A commit in the form that is sent.
#[derive(Debug, Default)]
pub(crate) struct Group<'a> {
    pub(super) partitions: Vec<i32>,
    pub(super) epochs: Vec<i64>,
    /// The episodes. A round has at most one episode of an instance, because a statement can write
    /// a row only once.
    pub(super) rounds: Vec<Round<'a>>,
    pub(super) purged: Vec<&'a str>,
    pub(super) consumed: Vec<Vec<u8>>,
    pub(super) sent: Messages<'a>,
    pub(super) lists: ListChanges,
    /// The outbox keys of the messages that were received.
    pub(super) received: Vec<Vec<u8>>,
    pub(super) queued: Queued,
    /// Requests that are now messages.
    pub(super) taken: Vec<Uuid>,
    pub(super) answers: Answers<'a>,
    /// All requests whose delivery ends.
    pub(super) ended: Vec<Uuid>,
}

/// The numbers that the owner gives to the messages and answers of a commit.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// The positions of the received messages.
    pub(crate) received: Vec<u64>,
    /// The positions of the other messages.
    pub(crate) messages: Vec<u64>,
    /// The stream in which messages to other nodes, and answers, are queued.
    pub(crate) stream: u64,
    /// The number before that of the first queued row.
    pub(crate) queued: u64,
}

/// Messages to other nodes.
#[derive(Debug, Default)]
pub(super) struct Queued {
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) sources: Vec<i32>,
    pub(super) records: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
pub(super) struct Answers<'a> {
    pub(super) ids: Vec<Uuid>,
    pub(super) bodies: Vec<&'a str>,
    pub(super) stream: Vec<u8>,
    /// The number before the first answer.
    pub(super) number: i64,
}

#[derive(Debug, Default)]
pub(super) struct Round<'a> {
    pub(super) replaced: Replaced<'a>,
    /// Histories that are extended.
    pub(super) appended: Episodes<'a>,
    /// Histories that begin.
    pub(super) started: Episodes<'a>,
}

#[derive(Debug, Default)]
pub(super) struct Replaced<'a> {
    pub(super) ids: Vec<&'a str>,
    pub(super) executions: Vec<Uuid>,
    /// Whether another execution follows. After a rewind, the same execution continues and keeps
    /// its effects.
    pub(super) are_over: Vec<bool>,
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
    pub(crate) fn of(
        commit: &'a Commit,
        owned: &AllOwned,
        numbers: &Numbers,
    ) -> Result<Self, StoreError> {
        let mut owners = commit.owners.clone();
        owners.sort_unstable();
        owners.dedup();
        let mut purged: Vec<_> = commit.purged.iter().map(|(_, id)| id.as_str()).collect();
        purged.sort_unstable();
        purged.dedup();
        // The row of a request is written once.
        let answered: BTreeSet<_> = commit.answers.iter().map(|(id, _)| *id).collect();
        Ok(Self {
            partitions: owners.iter().map(|(partition, _)| i32::from(partition.0)).collect(),
            epochs: owners.iter().map(|(_, epoch)| epoch.0.cast_signed()).collect(),
            rounds: rounds(&commit.episodes)?,
            purged,
            consumed: consumed(commit, owned),
            sent: Messages::of(commit, owned, numbers)?,
            lists: owned::list_changes(owned, &owned::listed_after(commit)),
            received: received(commit, owned),
            queued: Queued::of(commit, numbers)?,
            taken: ids(commit.taken.iter().filter(|id| !answered.contains(id))),
            ended: ids(commit.taken.iter().chain(commit.answers.iter().map(|(id, _)| id))),
            answers: Answers::of(commit, numbers),
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
                round.replaced.are_over.push(replaced != episode.record.execution_id);
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
    fn of(commit: &'a Commit, owned: &AllOwned, numbers: &Numbers) -> Result<Self, StoreError> {
        let received = commit.received.iter().zip(&numbers.received);
        let received = received.filter(|(received, _)| stream_of(received, owned).is_some());
        let received =
            received.map(|(received, position)| (received.target, *position, &received.message));
        let messages = commit.messages.iter().zip(&numbers.messages);
        let messages = messages.map(|((target, message), position)| (*target, *position, message));
        let mut messages: Vec<_> = received.chain(messages).collect();
        messages.sort_by_key(|(partition, position, _)| (*partition, *position));
        let mut columns = Self::default();
        for (partition, position, message) in messages {
            columns.keys.push(keys::message(partition, position));
            columns.targets.push(message.instance_id.as_str());
            columns.records.push(codec::encode(message)?);
        }
        Ok(columns)
    }
}

/// The stream in which a message was received in this ownership. A message that the caller got in
/// an earlier ownership has no stream: it is stored already, or will be received again.
fn stream_of(received: &ReceivedMessage, owned: &AllOwned) -> Option<u64> {
    let arrived = &owned.get(&received.target)?.arrived;
    arrived.get(&(received.source, received.sequence)).copied()
}

fn received(commit: &Commit, owned: &AllOwned) -> Vec<Vec<u8>> {
    let key = |received: &ReceivedMessage| {
        let target = keys::partition(received.target);
        Some(keys::queued(&target, stream_of(received, owned)?, received.sequence))
    };
    let mut received: Vec<_> = commit.received.iter().filter_map(key).collect();
    received.sort_unstable();
    received
}

impl Queued {
    fn of(commit: &Commit, numbers: &Numbers) -> Result<Self, StoreError> {
        let mut rows: Vec<_> = (numbers.queued + 1..).zip(&commit.sent).collect();
        rows.sort_by_key(|(number, (_, target, _))| (*target, *number));
        let mut columns = Self::default();
        for (number, (source, target, message)) in rows {
            columns.keys.push(keys::queued(&keys::partition(*target), numbers.stream, number));
            columns.sources.push(i32::from(source.0));
            columns.records.push(codec::encode(message)?);
        }
        Ok(columns)
    }
}

impl<'a> Answers<'a> {
    fn of(commit: &'a Commit, numbers: &Numbers) -> Self {
        let mut answers = BTreeMap::new();
        for (id, body) in &commit.answers {
            answers.entry(request(*id)).or_insert(body.as_str());
        }
        let (ids, bodies) = answers.into_iter().unzip();
        let stream = numbers.stream.to_be_bytes().to_vec();
        let number = (numbers.queued + commit.sent.len() as u64).cast_signed();
        Self { ids, bodies, stream, number }
    }
}

/// The ids of requests, sorted.
fn ids<'a>(requests: impl Iterator<Item = &'a RequestId>) -> Vec<Uuid> {
    let ids: BTreeSet<_> = requests.map(|id| request(*id)).collect();
    ids.into_iter().collect()
}

fn request(id: RequestId) -> Uuid {
    Uuid::from_bytes(*id.0.as_bytes())
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
