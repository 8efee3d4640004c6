//! A store on SQLite, written only with public items of `durable`. It proves that a store can be
//! added outside the crate, and is a sample.
//!
//! It is not tuned: a single connection does everything, one call at a time.
//!
//! Read next: `schema.rs` (the tables), `commit.rs` (what a commit does), `read.rs` (the queries).

mod commit;
mod read;
mod schema;
mod under_test;

use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use durable::InstanceId;
use durable::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceRecord, PartitionId, TaskMessage, Timestamp,
};
use durable::store::{
    Commit, Creation, CreationOrder, Epoch, InstanceFilter, InstancePage, PartitionState, Store,
    StoreError, Usage,
};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

pub use self::under_test::Database;

/// A task hub in a SQLite database.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens the database at `path`, and creates it if it is missing.
    ///
    /// # Errors
    /// [`StoreError::Backend`] or [`StoreError::Unavailable`] if SQLite cannot open it;
    /// [`StoreError::UnknownFormat`] if a newer release wrote it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), true)
    }

    /// Without `syncs`, a commit survives a crash of the process, but perhaps not a crash of the
    /// machine.
    fn open_with(path: &Path, syncs: bool) -> Result<Self, StoreError> {
        let doing = format!("cannot open `{}`", path.display());
        let connection = Connection::open(path).map_err(failed(&doing))?;
        schema::create(&connection, syncs).map_err(failed(&doing))?;
        let found = read::hub(&connection)?;
        let newer =
            |hub: &HubRecord| StoreError::newer_format(path.display().to_string(), hub.format);
        match found.as_ref().and_then(newer) {
            Some(newer) => Err(newer),
            None => Ok(Self { connection: Mutex::new(connection) }),
        }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic rolls its transaction back, so the connection can still be used.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `write` in a transaction, which is durable when this returns.
    fn write<T>(
        &self,
        doing: &str,
        write: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = transaction.map_err(failed(doing))?;
        let written = write(&transaction)?;
        transaction.commit().map_err(failed(doing))?;
        Ok(written)
    }
}

/// An error of SQLite as an error of the store.
fn failed(doing: &str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::unavailable(doing, error)
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::damaged(format!("{doing}: {error}"))
        }
        _ => StoreError::backend(doing, error),
    }
}

/// A number in the form in which SQLite stores it. Greater numbers become the greatest that it can
/// store.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that SQLite has stored.
fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::damaged(format!("{number} is negative")))
}

impl Store for SqliteStore {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.write("cannot create the hub", |connection| commit::create(connection, hub))
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.write("cannot claim a partition", |connection| commit::claim(connection, partition))
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        read::partition(&self.connection(), partition)
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        read::messages(&self.connection(), partition, to, &positions, limit)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.write("cannot commit", |connection| commit::commit(connection, commit))
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        read::instance(&self.connection(), instance)
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        read::due(&self.connection(), partition, after, until, limit)
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        read::instances(&self.connection(), filter, after, limit.max(1))
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        read::instances_by_creation(&self.connection(), filter, order, after, limit.max(1))
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        read::history(&self.connection(), instance, execution, from)
    }

    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        read::history_page(&self.connection(), instance, execution, &indices)
    }

    fn usage(&self) -> Usage {
        let pages = |name: &str| {
            self.connection().pragma_query_value(None, name, |row| row.get::<_, u32>(0))
        };
        let (Ok(count), Ok(size)) = (pages("page_count"), pages("page_size")) else {
            return Usage::default();
        };
        Usage::default()
            .disk_bytes(u64::from(count) * u64::from(size))
            .figure("pages", u64::from(count))
    }
}
