//! A sequence of commits whose content says whether each was written exactly once, and in order.

use std::time::Duration;

use durable::InstanceId;
use durable::protocol::{
    EventKind, ExecutionId, HistoryEvent, HubRecord, InstanceRecord, Json, MessageId, PartitionId,
    RuntimeStatus, TaskMessage, Timestamp,
};
use durable::store::{Commit, EpisodeWrite, Epoch, Store, StoreError};
use durable_postgres::{PostgresOptions, PostgresStore};
use tokio_postgres::{Client, NoTls};

use crate::cluster;

const PARTITION: PartitionId = PartitionId(0);

/// Commits to one partition. The n-th appends an event to a history, sends a message and consumes
/// the message before.
pub(crate) struct Ledger {
    owner: (PartitionId, Epoch),
    record: InstanceRecord,
}

impl Ledger {
    /// Claims the partition of a new hub.
    pub(crate) fn begin(store: &PostgresStore) -> Self {
        let at = Timestamp::default();
        store.create(&HubRecord::new(4, at)).expect("a hub");
        let owner = (PARTITION, store.claim(PARTITION).expect("a partition"));
        let id = InstanceId::new("ledger").expect("an id");
        let record = InstanceRecord::new(id, ExecutionId::from_u128(1), "ledger", None, at);
        Self { owner, record }
    }

    /// Claims the partition again, after a commit with an unknown outcome: it may have been written.
    pub(crate) fn reopen(&mut self, store: &PostgresStore) {
        store.create(&HubRecord::new(4, Timestamp::default())).expect("a hub");
        self.owner = (PARTITION, store.claim(PARTITION).expect("a partition"));
        let found =
            store.instance(&self.record.instance_id).expect("a record").expect("an instance");
        assert!([0, 1].contains(&(found.history_len - self.written())));
        self.record = found;
    }

    /// The number of commits that were written.
    pub(crate) fn written(&self) -> u64 {
        self.record.history_len
    }

    /// Writes the next commit.
    pub(crate) fn commit(&mut self, store: &PostgresStore) -> Result<(), StoreError> {
        let number = self.written();
        let mut record = self.record.clone();
        record.last_episode = number;
        record.history_len = number + 1;
        record.runtime_status = RuntimeStatus::Running;
        record.active = number.is_multiple_of(2);
        record.next_due = Timestamp::from_micros(number.cast_signed() / 3);
        let mut commit = Commit::new(vec![self.owner]);
        let events = vec![event(number)];
        commit.episodes.push(EpisodeWrite::new(PARTITION, record.clone(), events));
        commit.messages.push((PARTITION, message(number)));
        commit.consumed.extend(number.checked_sub(1).map(|last| (PARTITION, id(last))));
        store.commit(&commit)?;
        self.record = record;
        Ok(())
    }

    /// Checks that the database holds exactly what was written.
    #[track_caller]
    pub(crate) fn check(&self, store: &PostgresStore) {
        let InstanceRecord { instance_id, execution_id, .. } = &self.record;
        let found = store.instance(instance_id).expect("a record");
        let written = self.written();
        assert_eq!(found.as_ref(), (written > 0).then_some(&self.record));
        let events = store.history(instance_id, *execution_id, 0).expect("a history");
        assert_eq!(events, (0..written).map(event).collect::<Vec<_>>());
        let messages = store.messages(PARTITION, None, 0..u64::MAX, 10).expect("messages");
        let messages: Vec<_> = messages.into_iter().map(|(_, message)| message).collect();
        assert_eq!(messages, written.checked_sub(1).map(message).into_iter().collect::<Vec<_>>());
        let state = store.load(PARTITION).expect("a partition");
        let active = self.record.active.then(|| instance_id.clone());
        assert_eq!(state.active, active.into_iter().collect::<Vec<_>>());
        let due = store.due(PARTITION, None, Timestamp::MAX, 10).expect("what is due");
        let wanted = self.record.next_due.map(|at| (at, instance_id.clone()));
        assert_eq!(due, wanted.into_iter().collect::<Vec<_>>());
    }
}

fn json(number: u64) -> Json {
    Json::parse(&number.to_string()).expect("JSON")
}

fn event(number: u64) -> HistoryEvent {
    let at = Timestamp::from_micros(number.cast_signed()).expect("a time");
    HistoryEvent::new(at, EventKind::task_result(0, Ok(json(number))))
}

fn id(number: u64) -> MessageId {
    MessageId::from_u128(u128::from(u64::MAX - number))
}

fn message(number: u64) -> TaskMessage {
    let to = InstanceId::new("ledger").expect("an id");
    TaskMessage::new(id(number), to, EventKind::task_result(0, Ok(json(number))))
}

/// Options for the shared server, through another port if one is given. The connections are named
/// for the schema.
pub(crate) fn options(schema: &str, port: Option<u16>) -> PostgresOptions {
    options_of("postgres", schema, port)
}

/// As [`options`], for a user.
pub(crate) fn options_of(user: &str, schema: &str, port: Option<u16>) -> PostgresOptions {
    let port = port.unwrap_or(cluster::shared().address().port());
    let url = format!("postgres://{user}@127.0.0.1:{port}/postgres?application_name={schema}");
    PostgresOptions::new(url).expect("a URL").schema(schema).expect("a name")
}

/// A connection of the test's own to the shared server, and the runtime that drives it.
pub(crate) struct Sql {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Sql {
    pub(crate) fn connect() -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let url = cluster::shared().url();
        let (client, connection) =
            runtime.block_on(tokio_postgres::connect(&url, NoTls)).expect("a connection");
        runtime.spawn(connection);
        Self { runtime, client }
    }

    pub(crate) fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).expect("a statement");
    }

    /// Runs a future, which must end within this time.
    pub(crate) fn finish_within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> T {
        let ended = self.runtime.block_on(async { tokio::time::timeout(limit, future).await });
        ended.expect("it does not wait forever")
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.runtime.block_on(self.client.query_one(sql, &[])).expect("a row").get(0)
    }
}
