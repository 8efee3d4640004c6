//! The store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use durable::InstanceId;
use durable::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceRecord, PartitionId, TaskMessage, Timestamp,
    codec,
};
use durable::store::{
    Cluster, Commit, Creation, CreationOrder, Epoch, InstanceFilter, InstancePage, PartitionState,
    Store, StoreError, StoreTransactions,
};
use tokio::sync::Mutex as AsyncMutex;

use crate::cluster::{Identity, Nodes};
use crate::driver::Driver;
use crate::lane::{Committer, Group, Numbers};
use crate::owned::{self, AllOwned, Owned};
use crate::sessions::Sessions;
use crate::transactions::{Pool, PostgresTransactions};
use crate::{PostgresOptions, read, schema};

/// A task hub in a schema of a PostgreSQL database, version 14 or later.
///
/// ```
/// use durable::TaskHub;
/// use durable_postgres::PostgresStore;
///
/// async fn open() -> durable::Result<TaskHub> {
///     let store = PostgresStore::connect("postgres://app@localhost/app").await?;
///     Ok(TaskHub::builder().store(store).open().await?)
/// }
/// ```
#[derive(Debug)]
pub struct PostgresStore {
    pub(crate) sessions: Arc<Sessions>,
    owned: RwLock<AllOwned>,
    committer: AsyncMutex<Committer>,
    pub(crate) nodes: Nodes,
    pool: Arc<Pool>,
    // Dropped last: the connections live on it.
    pub(crate) driver: Driver,
}

impl PostgresStore {
    /// Connects to a database, and creates the tables in its schema `durable` if they are missing.
    ///
    /// # Errors
    /// The URL cannot be parsed, the database cannot be reached, or the user may not create the
    /// tables; [`StoreError::UnknownFormat`] if a newer release created them.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, StoreError> {
        Self::connect_with(PostgresOptions::new(url)?).await
    }

    /// Like [`connect`](Self::connect), but with options.
    ///
    /// ```
    /// use durable::store::StoreError;
    /// use durable_postgres::{PostgresOptions, PostgresStore};
    ///
    /// async fn connect(url: &str) -> Result<PostgresStore, StoreError> {
    ///     PostgresStore::connect_with(PostgresOptions::new(url)?.schema("orders")?).await
    /// }
    /// ```
    ///
    /// # Errors
    /// The same as [`connect`](Self::connect).
    pub async fn connect_with(options: PostgresOptions) -> Result<Self, StoreError> {
        let driver = Driver::start()?;
        let handle = driver.handle();
        let sessions = Sessions::new(options, handle.clone());
        let opened = handle.spawn(async move {
            let mut client = sessions.connect().await?;
            let migrated = schema::migrate(&mut client, sessions.schema());
            sessions.answer("cannot read or create the tables", migrated).await??;
            Ok::<_, StoreError>(sessions)
        });
        let sessions =
            opened.await.map_err(|error| StoreError::backend("cannot connect", error))??;
        let sessions = Arc::new(sessions);
        let pool = Arc::new(Pool::new(Arc::clone(&sessions), driver.handle()));
        let (owned, committer) = (RwLock::default(), AsyncMutex::new(Committer::new()));
        Ok(Self { sessions, owned, committer, nodes: Nodes::default(), pool, driver })
    }

    async fn claim_partition(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        let claim = "INSERT INTO partition (id, epoch, claimed_at) VALUES ($1, 1, now())
                     ON CONFLICT (id) DO UPDATE SET epoch = partition.epoch + 1, owner = NULL,
                        claimed_at = now() RETURNING epoch";
        let id = i32::from(partition.0);
        let rows = self.sessions.query("cannot claim a partition", claim, &[&id]).await?;
        let epoch = rows.first().map(|row| Epoch(row.get::<_, i64>(0).cast_unsigned()));
        let epoch = epoch.ok_or_else(|| StoreError::damaged("a claim returned no epoch"))?;
        self.load_owned(&BTreeMap::from([(partition, epoch)])).await?;
        Ok(epoch)
    }

    pub(crate) async fn write(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut committer = self.committer.lock().await;
        let me = self.nodes.identity();
        let foreign = if me.is_some() { foreign_targets(commit) } else { BTreeSet::new() };
        if let Err(error) = check_locally(commit) {
            let error = committer.why(&self.sessions, commit).await?.unwrap_or(error);
            return Err(also_fenced(error, foreign));
        }
        if !foreign.is_empty() {
            let error = committer.why(&self.sessions, commit).await?;
            return Err(also_fenced(error.unwrap_or(StoreError::fenced([])), foreign));
        }
        self.know_targets(commit).await?;
        let numbers = self.numbers(commit, me.as_ref());
        let group = {
            let owned = self.owned.read().unwrap_or_else(PoisonError::into_inner);
            Group::of(commit, &owned, &numbers)?
        };
        let written = committer.commit(&self.sessions, commit, &group).await;
        if let Err(StoreError::Fenced { partitions }) = &written {
            let mut all = self.owned_mut();
            for (partition, epoch) in &commit.owners {
                // This store may have claimed it again in the meantime.
                let is_stale = all.get(partition).is_some_and(|owned| owned.epoch == *epoch);
                if is_stale && partitions.contains(partition) {
                    all.remove(partition);
                }
            }
        }
        written?;
        self.remember(commit, &numbers);
        self.nodes.committed(commit);
        Ok(())
    }

    /// Finds the last position of each partition that a commit sends to, unless it is already
    /// known.
    async fn know_targets(&self, commit: &Commit) -> Result<(), StoreError> {
        for (partition, _) in &commit.messages {
            if !self.owned_mut().contains_key(partition) {
                let next = read::messages_end(&self.sessions, *partition).await?;
                self.owned_mut().entry(*partition).or_insert_with(|| Owned::unclaimed(next));
            }
        }
        Ok(())
    }

    /// The numbers of a commit's messages and answers.
    fn numbers(&self, commit: &Commit, me: Option<&Identity>) -> Numbers {
        let mut owned = self.owned_mut();
        let mut position = |partition: PartitionId| {
            let owned = owned.entry(partition).or_insert_with(|| Owned::unclaimed(0));
            owned.next += 1;
            owned.next - 1
        };
        let received = commit.received.iter().map(|message| position(message.target)).collect();
        let messages = commit.messages.iter().map(|(target, _)| position(*target)).collect();
        let queued = self.nodes.clock.take(commit.sent.len() + commit.answers.len());
        let stream = me.map_or(0, |me| me.commits);
        Numbers { received, messages, stream, queued }
    }

    /// Applies a written commit to the copy in memory.
    fn remember(&self, commit: &Commit, numbers: &Numbers) {
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
        for (received, position) in commit.received.iter().zip(&numbers.received) {
            let Some(owned) = all.get_mut(&received.target) else { continue };
            if owned.arrived.remove(&(received.source, received.sequence)).is_some() {
                owned.positions.insert(received.message.id, *position);
            }
        }
        for ((partition, message), position) in commit.messages.iter().zip(&numbers.messages) {
            if let Some(owned) = all.get_mut(partition) {
                owned.positions.insert(message.id, *position);
            }
        }
    }

    pub(crate) fn owned_mut(&self) -> RwLockWriteGuard<'_, AllOwned> {
        self.owned.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks the points of the store's contract that need no answer of the database. The database
/// checks the rest.
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

/// The partitions to which a commit sends messages although it does not name them.
fn foreign_targets(commit: &Commit) -> BTreeSet<PartitionId> {
    let is_named = |target: &PartitionId| commit.owners.iter().any(|(owned, _)| owned == target);
    let targets = commit.messages.iter().map(|(target, _)| *target);
    targets.filter(|target| !is_named(target)).collect()
}

/// Adds partitions to a `Fenced` error. If there are any, also replaces any other error by a
/// `Fenced` one.
fn also_fenced(error: StoreError, foreign: BTreeSet<PartitionId>) -> StoreError {
    match error {
        StoreError::Fenced { partitions } => {
            StoreError::fenced(foreign.into_iter().chain(partitions).collect::<BTreeSet<_>>())
        }
        _ if !foreign.is_empty() => StoreError::fenced(foreign),
        error => error,
    }
}

impl Store for PostgresStore {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.sessions.begin();
        // The next hub on this store is another node.
        self.nodes.forget();
        self.driver.run(async {
            let insert = "INSERT INTO hub (record) VALUES ($1) ON CONFLICT DO NOTHING";
            let record = codec::encode(hub)?;
            self.sessions.query("cannot create the hub", insert, &[&record]).await?;
            let found = read::hub(&self.sessions).await?;
            let found = found.ok_or_else(|| StoreError::damaged("the table `hub` is empty"))?;
            let insert = "INSERT INTO partition (id, epoch)
                          SELECT id, 0 FROM generate_series(0, $1::int4 - 1) id ON CONFLICT DO NOTHING";
            let partitions = i32::from(found.partitions);
            self.sessions.query("cannot create the partitions", insert, &[&partitions]).await?;
            Ok(found)
        })
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.driver.run(self.claim_partition(partition))
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        self.driver.run(async {
            let active = read::active(&self.sessions, partition).await?;
            let known = self.owned_mut().get(&partition).map(|it| (it.next, it.damage.clone()));
            let messages_end = match known {
                Some((_, Some(damage))) => return Err(damage),
                Some((next, None)) => next,
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

    fn cluster(&self) -> Option<&dyn Cluster> {
        Some(self)
    }

    /// More partitions than processes, so that the processes share the work evenly. Each partition
    /// has a thread, and with more partitions a thread finds less work at each wake-up.
    fn default_partitions(&self) -> u16 {
        32
    }

    fn transactions(&self) -> Option<StoreTransactions> {
        Some(StoreTransactions::new(PostgresTransactions::new(Arc::clone(&self.pool))))
    }

    fn give_up(&self) {
        self.sessions.give_up();
    }
}
