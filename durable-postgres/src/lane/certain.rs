//! Commits with certain outcomes: after a broken connection, the committer looks up whether the
//! group was written, and sends it again if not, until the outcome is known.

use std::collections::BTreeMap;

use durable::InstanceId;
use durable::protocol::PartitionId;
use durable::store::{Commit, Epoch, StoreError};
use uuid::Uuid;

use super::{COMMIT, Group, Lane, Mark, Refused};
use crate::error::Meaning;
use crate::read;
use crate::sessions::{self, Sessions};

/// Commits the groups of a store, one after the other.
#[derive(Debug)]
pub(crate) struct Committer {
    lane: Option<Lane>,
    /// The mark of the next commit.
    mark: Mark,
}

/// The fate of a group whose outcome was unknown.
enum Fate {
    Committed,
    NotCommitted,
    /// Another owner has claimed a partition, so the group was not written and never will be.
    Fenced,
}

impl Committer {
    pub(crate) fn new() -> Self {
        Self { lane: None, mark: Mark::first() }
    }

    /// Writes a group. Returns once the outcome is certain, or once the store was told to give up.
    pub(crate) async fn commit(
        &mut self,
        sessions: &Sessions,
        commit: &Commit,
        group: &Group<'_>,
    ) -> Result<(), StoreError> {
        let written = self.commit_for_certain(sessions, commit, group).await;
        match written {
            Ok(()) => self.mark.number += 1,
            // The group may be there, or may still get there. The next one must not be taken for it.
            Err(_) => self.mark = Mark::first(),
        }
        written
    }

    async fn commit_for_certain(
        &mut self,
        sessions: &Sessions,
        commit: &Commit,
        group: &Group<'_>,
    ) -> Result<(), StoreError> {
        let mut pauses = sessions.pauses();
        loop {
            let mut lane = match self.lane(sessions).await {
                Ok(lane) => lane,
                Err(error) if error.is_transient() => {
                    pauses.wait(error).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let answer = sessions.answer(COMMIT, lane.commit(group, self.mark)).await;
            let lost = |error| Refused { meaning: Meaning::Lost, error };
            let Refused { meaning, error } = match answer.map_err(lost).flatten() {
                Ok(()) => {
                    self.lane = Some(lane);
                    return Ok(());
                }
                Err(refused) => refused,
            };
            match meaning {
                Meaning::Again => {
                    self.lane = Some(lane);
                    pauses.wait(error).await?;
                }
                Meaning::Broken => return Err(error),
                Meaning::Lost => {
                    pauses.wait(error.clone()).await.map_err(unknown)?;
                    sessions::end(sessions, lane.client.session()).await;
                    match self.fate(sessions, commit).await.map_err(unknown)? {
                        Fate::Committed => return Ok(()),
                        Fate::NotCommitted => {}
                        Fate::Fenced => {
                            return Err(self.why(sessions, commit).await?.unwrap_or(error));
                        }
                    }
                }
                // That may also mean that an earlier attempt was written after all.
                Meaning::Refused => {
                    self.lane = Some(lane);
                    match self.fate(sessions, commit).await.map_err(unknown)? {
                        Fate::Committed => return Ok(()),
                        Fate::NotCommitted | Fate::Fenced => {
                            return Err(self.why(sessions, commit).await?.unwrap_or(error));
                        }
                    }
                }
            }
        }
    }

    /// The connection that commits, or a new one.
    async fn lane(&mut self, sessions: &Sessions) -> Result<Lane, StoreError> {
        match self.lane.take() {
            Some(lane) if !lane.client.is_closed() => Ok(lane),
            _ => Lane::new(sessions.connect().await?, sessions).await,
        }
    }

    /// Whether the group with the current mark was written.
    async fn fate(&self, sessions: &Sessions, commit: &Commit) -> Result<Fate, StoreError> {
        // The server continues a transaction even if its client has disconnected. This waits for
        // it. If a later owner is found here, then no such transaction can be written any more.
        let lock =
            "SELECT id, epoch FROM partition WHERE id = ANY($1::int4[]) ORDER BY id FOR UPDATE";
        let epochs = epochs(sessions, lock, commit).await?;
        // A statement of its own, which sees what was written until now.
        let mark = "SELECT 1 FROM committed WHERE lane = $1 AND number = $2";
        let found = sessions.query(LOOK, mark, &[&self.mark.lane, &self.mark.number]).await?;
        if !found.is_empty() {
            return Ok(Fate::Committed);
        }
        let is_stale =
            |(partition, epoch): &(PartitionId, Epoch)| epochs(*partition) != Some(*epoch);
        let fenced = commit.owners.iter().any(is_stale);
        Ok(if fenced { Fate::Fenced } else { Fate::NotCommitted })
    }

    /// The error for the point of the store's contract that a refused commit violates.
    pub(crate) async fn why(
        &self,
        sessions: &Sessions,
        commit: &Commit,
    ) -> Result<Option<StoreError>, StoreError> {
        let select = "SELECT id, epoch FROM partition WHERE id = ANY($1::int4[])";
        let epochs = epochs(sessions, select, commit).await?;
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

impl Mark {
    /// The first mark of a new lane.
    fn first() -> Self {
        let [lane @ .., _, _, _, _, _, _, _, _] = *Uuid::new_v4().as_bytes();
        Self { lane: i64::from_be_bytes(lane), number: 1 }
    }
}

/// The epoch of each partition that a commit names, read by a statement that takes their ids.
async fn epochs(
    sessions: &Sessions,
    select: &'static str,
    commit: &Commit,
) -> Result<impl Fn(PartitionId) -> Option<Epoch>, StoreError> {
    let owners = commit.owners.iter();
    let mut partitions: Vec<_> = owners.map(|(partition, _)| i32::from(partition.0)).collect();
    partitions.sort_unstable();
    let rows = sessions.query(LOOK, select, &[&partitions]).await?;
    let epochs: BTreeMap<i32, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    Ok(move |partition: PartitionId| {
        epochs.get(&i32::from(partition.0)).map(|epoch| Epoch(epoch.cast_unsigned()))
    })
}

/// An error that says that a commit may have been written; it is not transient.
fn unknown(error: StoreError) -> StoreError {
    StoreError::backend(LOOK, error)
}

const LOOK: &str = "cannot find out whether a commit was written";
