//! Commits with certain outcomes: after a broken connection it looks, and sends the group again if it
//! was not written, until it knows.

use std::collections::BTreeMap;

use durable::InstanceId;
use durable::protocol::PartitionId;
use durable::store::{Commit, Epoch, StoreError};
use uuid::Uuid;

use super::{Group, Lane, Mark, Refused};
use crate::error::Meaning;
use crate::read;
use crate::sessions::Sessions;

/// Commits the groups of a store, one after the other.
#[derive(Debug)]
pub(crate) struct Committer {
    lane: Option<Lane>,
    /// The next commit.
    mark: Mark,
}

/// The epoch of each partition that a commit names.
async fn epochs(
    sessions: &Sessions,
    commit: &Commit,
) -> Result<impl Fn(PartitionId) -> Option<Epoch>, StoreError> {
    let partitions: Vec<_> =
        commit.owners.iter().map(|(partition, _)| i32::from(partition.0)).collect();
    let select = "SELECT id, epoch FROM partition WHERE id = ANY($1::int4[])";
    let rows = sessions.query(DOING, select, &[&partitions]).await?;
    let epochs: BTreeMap<i32, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    Ok(move |partition: PartitionId| {
        epochs.get(&i32::from(partition.0)).map(|epoch| Epoch(epoch.cast_unsigned()))
    })
}

/// What became of a group whose outcome was unknown.
enum Fate {
    Committed,
    NotCommitted,
    /// Another owner has claimed a partition, so the group is not there and never will be.
    Fenced,
}

impl Committer {
    pub(crate) fn new() -> Self {
        let lane =
            i64::from_be_bytes(Uuid::new_v4().as_bytes()[..8].try_into().unwrap_or_default());
        Self { lane: None, mark: Mark { lane, number: 1 } }
    }

    /// Writes a group. It returns once the outcome is certain, or once the store was told to give up.
    pub(crate) async fn commit(
        &mut self,
        sessions: &Sessions,
        commit: &Commit,
        group: &Group<'_>,
    ) -> Result<(), StoreError> {
        let (mut pause, mark) = (sessions.pauses(), self.mark);
        loop {
            let lane = match self.lane(sessions).await {
                Ok(lane) => lane,
                Err(error) if error.is_transient() => {
                    pause.wait(error).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Refused { meaning, error } = match lane.commit(group, mark).await {
                Ok(()) => break,
                Err(refused) => refused,
            };
            match meaning {
                Meaning::Again => pause.wait(error).await?,
                Meaning::Broken => return Err(error),
                Meaning::Lost | Meaning::Refused => {
                    // Refused may mean that an earlier attempt was written after all.
                    if meaning == Meaning::Lost {
                        self.lane = None;
                        pause.wait(error.clone()).await?;
                    }
                    match self.fate(sessions, commit).await? {
                        Fate::Committed => break,
                        Fate::NotCommitted if meaning == Meaning::Lost => {}
                        Fate::NotCommitted | Fate::Fenced => {
                            return Err(self.why(sessions, commit).await?.unwrap_or(error));
                        }
                    }
                }
            }
        }
        self.mark.number += 1;
        Ok(())
    }

    async fn lane(&mut self, sessions: &Sessions) -> Result<&Lane, StoreError> {
        let lane = match self.lane.take() {
            Some(lane) if !lane.client.is_closed() => lane,
            _ => Lane::new(sessions.connect().await?).await?,
        };
        Ok(self.lane.insert(lane))
    }
}

impl Committer {
    /// Whether the group of the present mark was written.
    async fn fate(&mut self, sessions: &Sessions, commit: &Commit) -> Result<Fate, StoreError> {
        let mut partitions: Vec<_> =
            commit.owners.iter().map(|(partition, _)| i32::from(partition.0)).collect();
        partitions.sort_unstable();
        // The server goes on with a transaction whose client is gone. This waits for it.
        let lock = "SELECT id FROM partition WHERE id = ANY($1::int4[]) ORDER BY id FOR UPDATE";
        sessions.query(DOING, lock, &[&partitions]).await?;
        // A statement of its own, which sees what was written until now.
        let mark = "SELECT 1 FROM committed WHERE lane = $1 AND number = $2";
        let found = sessions.query(DOING, mark, &[&self.mark.lane, &self.mark.number]).await?;
        if !found.is_empty() {
            return Ok(Fate::Committed);
        }
        let epochs = epochs(sessions, commit).await?;
        let is_stale =
            |(partition, epoch): &(PartitionId, Epoch)| epochs(*partition) != Some(*epoch);
        let fenced = commit.owners.iter().any(is_stale);
        Ok(if fenced { Fate::Fenced } else { Fate::NotCommitted })
    }

    /// The error for the point of the contract that a refused commit violates.
    pub(crate) async fn why(
        &self,
        sessions: &Sessions,
        commit: &Commit,
    ) -> Result<Option<StoreError>, StoreError> {
        let epochs = epochs(sessions, commit).await?;
        let mut lengths = BTreeMap::new();
        for episode in &commit.episodes {
            let record = &episode.record;
            let (id, execution) = (&record.instance_id, record.execution_id);
            lengths.insert((id, execution), read::history_len(sessions, id, execution).await?);
        }
        let length = |id: &InstanceId, execution| {
            Ok(lengths.get(&(id, execution)).copied().unwrap_or_default())
        };
        Ok(commit.check(epochs, length).err())
    }
}

const DOING: &str = "cannot find out whether a commit was written";
