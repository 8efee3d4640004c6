//! The store.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use durable::InstanceId;
use durable::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceRecord, PartitionId, TaskMessage, Timestamp,
    codec,
};
use durable::store::{
    Commit, Creation, CreationOrder, Epoch, InstanceFilter, InstancePage, PartitionState, Store,
    StoreError,
};
use tokio::sync::Mutex as AsyncMutex;

use crate::driver::Driver;
use crate::lane::{Committer, Group};
use crate::owned::{self, AllOwned, Listed, Owned};
use crate::sessions::Sessions;
use crate::{PostgresOptions, read, schema};

/// A task hub in a schema of a PostgreSQL database, version 14 or later.
#[derive(Debug)]
pub struct PostgresStore {
    sessions: Sessions,
    owned: RwLock<AllOwned>,
    committer: AsyncMutex<Committer>,
    // Dropped last: the connections live on it.
    driver: Driver,
}

impl PostgresStore {
    /// Connects to a database, and creates the tables in its schema `durable` if they are missing.
    ///
    /// # Errors
    /// The URL cannot be read, the database cannot be reached, or the user may not create the
    /// tables; [`StoreError::UnknownFormat`] if a newer release created them.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, StoreError> {
        Self::connect_with(PostgresOptions::new(url)?).await
    }

    /// As [`connect`](Self::connect), with options.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn connect_with(options: PostgresOptions) -> Result<Self, StoreError> {
        let driver = Driver::start()?;
        let handle = driver.handle();
        let sessions = Sessions::new(options, handle.clone());
        let opened = handle.spawn(async move {
            let mut client = sessions.connect().await?;
            schema::migrate(&mut client, sessions.schema()).await?;
            Ok::<_, StoreError>(sessions)
        });
        let sessions =
            opened.await.map_err(|error| StoreError::backend("cannot connect", error))??;
        let (owned, committer) = (RwLock::default(), AsyncMutex::new(Committer::new()));
        let store = Self { sessions, owned, committer, driver };
        Ok(store)
    }

    async fn claim_partition(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        let claim = "INSERT INTO partition (id, epoch) VALUES ($1, 1)
                     ON CONFLICT (id) DO UPDATE SET epoch = partition.epoch + 1 RETURNING epoch";
        let id = i32::from(partition.0);
        let rows = self.sessions.query("cannot claim a partition", claim, &[&id]).await?;
        let epoch = rows.first().map(|row| Epoch(row.get::<_, i64>(0).cast_unsigned()));
        let epoch = epoch.ok_or_else(|| StoreError::damaged("a claim returned no epoch"))?;
        let positions: HashMap<_, _> =
            read::positions(&self.sessions, partition).await?.into_iter().collect();
        let next = positions.values().max().map_or(0, |last| last + 1);
        let next = next.max(Owned::first_position(epoch));
        let mut listed: HashMap<InstanceId, Listed> = HashMap::new();
        for id in read::active(&self.sessions, partition).await? {
            listed.entry(id).or_default().active = true;
        }
        for (at, id) in read::all_due(&self.sessions, partition).await? {
            listed.entry(id).or_default().due = Some(at);
        }
        let owned = Owned { epoch, positions, listed, next };
        self.owned_mut().insert(partition, owned);
        Ok(epoch)
    }

    async fn write(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut committer = self.committer.lock().await;
        if let Err(error) = check_locally(commit) {
            return Err(committer.why(&self.sessions, commit).await?.unwrap_or(error));
        }
        self.know_targets(commit).await?;
        let positions = self.positions(commit);
        let group = {
            let owned = self.owned.read().unwrap_or_else(PoisonError::into_inner);
            Group::of(commit, &owned, &positions)?
        };
        let written = committer.commit(&self.sessions, commit, &group).await;
        if let Err(StoreError::Fenced { partitions }) = &written {
            let mut all = self.owned_mut();
            for (partition, epoch) in &commit.owners {
                // This store may have claimed it again meanwhile.
                let is_stale = all.get(partition).is_some_and(|owned| owned.epoch == *epoch);
                if is_stale && partitions.contains(partition) {
                    all.remove(partition);
                }
            }
        }
        written?;
        self.remember(commit, &positions);
        Ok(())
    }

    /// Finds the last position of each partition to which a commit sends, unless it is known.
    async fn know_targets(&self, commit: &Commit) -> Result<(), StoreError> {
        for (partition, _) in &commit.messages {
            if !self.owned_mut().contains_key(partition) {
                let next = read::messages_end(&self.sessions, *partition).await?;
                self.owned_mut().entry(*partition).or_insert_with(|| Owned::unclaimed(next));
            }
        }
        Ok(())
    }

    /// The positions of the new messages of a commit.
    fn positions(&self, commit: &Commit) -> Vec<u64> {
        let mut owned = self.owned_mut();
        let position = |(partition, _): &(PartitionId, _)| {
            let owned = owned.entry(*partition).or_insert_with(|| Owned::unclaimed(0));
            owned.next += 1;
            owned.next - 1
        };
        commit.messages.iter().map(position).collect()
    }

    /// Applies a written commit to what is remembered.
    fn remember(&self, commit: &Commit, positions: &[u64]) {
        let mut all = self.owned_mut();
        for ((partition, id), listed) in owned::listed_after(commit) {
            if let Some(owned) = all.get_mut(&partition) {
                owned.list(id, listed);
            }
        }
        for (partition, id) in &commit.consumed {
            if let Some(owned) = all.get_mut(partition) {
                owned.positions.remove(id);
            }
        }
        for ((partition, message), position) in commit.messages.iter().zip(positions) {
            if let Some(owned) = all.get_mut(partition) {
                owned.positions.insert(message.id, *position);
            }
        }
    }

    fn owned_mut(&self) -> RwLockWriteGuard<'_, AllOwned> {
        self.owned.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The points of the contract that need no answer of the database. It checks the rest.
fn check_locally(commit: &Commit) -> Result<(), StoreError> {
    let epoch = |partition| {
        let owner = commit.owners.iter().find(|(owned, _)| *owned == partition);
        owner.map(|(_, epoch)| *epoch)
    };
    let mut first = HashMap::new();
    for episode in &commit.episodes {
        let record = &episode.record;
        first.entry((&record.instance_id, record.execution_id)).or_insert(record.last_episode);
    }
    let length = |id: &InstanceId, execution: ExecutionId| {
        Ok(first.get(&(id, execution)).copied().unwrap_or_default())
    };
    commit.check(epoch, length)
}

impl Store for PostgresStore {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.sessions.begin();
        self.driver.run(async {
            let insert = "INSERT INTO hub (record) VALUES ($1) ON CONFLICT DO NOTHING";
            let record = codec::encode(hub)?;
            self.sessions.query("cannot create the hub", insert, &[&record]).await?;
            let found = read::hub(&self.sessions).await?;
            found.ok_or_else(|| StoreError::damaged("the table `hub` is empty"))
        })
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.driver.run(self.claim_partition(partition))
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        self.driver.run(async {
            let active = read::active(&self.sessions, partition).await?;
            let known = self.owned_mut().get(&partition).map(|owned| owned.next);
            let messages_end = match known {
                Some(next) => next,
                None => read::messages_end(&self.sessions, partition).await?,
            };
            Ok(PartitionState::new(active, messages_end))
        })
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        self.driver.run(read::messages(&self.sessions, partition, to, &positions, limit))
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.driver.run(self.write(commit))
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.driver.run(read::instance(&self.sessions, instance))
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        self.driver.run(read::due(&self.sessions, partition, after, until, limit))
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.driver.run(read::instances(&self.sessions, filter, after, limit))
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        let read = read::instances_by_creation(&self.sessions, filter, order, after, limit);
        self.driver.run(read)
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        let all = from..u64::MAX;
        self.driver.run(read::history(&self.sessions, instance, execution, &all))
    }

    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.driver.run(read::history(&self.sessions, instance, execution, &indices))
    }

    fn give_up(&self) {
        self.sessions.give_up();
    }
}
