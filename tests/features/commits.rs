//! How many commits an operation takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::InstanceId;
use durable::client::InstanceQuery;
use durable::prelude::*;
use durable::protocol::{InstanceRecord, RuntimeStatus};
use durable::schedule::{Schedule, ScheduleError, ScheduleQuery};
use durable::store::{Commit, MemoryStore, Store, StoreError};
use durable::testing::TestHub;

use super::delegate::delegate;

#[orchestrator]
async fn commits_nothing(ctx: &OrchestrationContext) -> Result<()> {
    let _ = ctx;
    Ok(())
}

/// A generated id is new, so the store need not be asked whether it is taken: for a store in another
/// process, that would be a round trip for each start.
#[tokio::test]
async fn a_start_with_a_generated_id_reads_nothing() -> Result<()> {
    let store = Arc::new(Counting::default());
    let hub = open(&store).await?;
    let before = store.reads();
    for _ in 0..10 {
        hub.start(commits_nothing()).await?;
    }
    hub.settle().await;
    assert_eq!(store.reads() - before, 0);
    hub.start(commits_nothing().instance_id("mine")).await?;
    assert_eq!(store.reads() - before, 1);
    Ok(())
}

async fn open(store: &Arc<Counting>) -> Result<TestHub> {
    let store: Arc<dyn Store> = store.clone();
    Ok(TestHub::builder().configure(|hub| hub.partitions(1).store(store)).open().await?)
}

#[tokio::test]
async fn purges_of_many_instances_share_commits() -> Result<()> {
    let store = Arc::new(Counting::default());
    let hub = open(&store).await?;
    for _ in 0..2_000 {
        hub.start(commits_nothing()).await?;
    }
    hub.settle().await;
    let before = store.commits();
    assert_eq!(hub.purge(&InstanceQuery::new()).await?, 2_000);
    let commits = store.commits() - before;
    assert!(commits <= 200, "{commits} commits");
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_schedule_is_deleted_by_one_commit() -> Result<()> {
    let store = Arc::new(Counting::default());
    let hub = open(&store).await?;
    let hourly = Schedule::every(Duration::from_hours(1)).of(commits_nothing());
    let schedule = hub.create_schedule("s", hourly).await?;
    hub.settle().await;
    let before = store.commits();
    schedule.delete().await?;
    assert_eq!(store.commits() - before, 1);
    assert_eq!(store.last_purged(), 1);
    assert!(hub.stream(ScheduleQuery::new()).try_collect().await?.is_empty());
    hub.advance(Duration::from_hours(2)).await;
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 0, "it starts nothing more");
    let gone = schedule.delete().await.unwrap_err();
    assert!(matches!(gone, ScheduleError::NoSuchSchedule(_)), "{gone}");
    Ok(())
}

#[tokio::test]
async fn deleting_a_schedule_answers_the_waiters_of_its_instance() -> Result<()> {
    let hub = open(&Arc::new(Counting::default())).await?;
    let hourly = Schedule::every(Duration::from_hours(1)).of(commits_nothing());
    let schedule = hub.create_schedule("s", hourly).await?;
    let instance = schedule.instance().clone();
    let mut watch = instance.watch_custom_status::<serde_json::Value>().await?;
    let ended = async { instance.wait_for_completion().await };
    let deleted = async {
        tokio::task::yield_now().await;
        schedule.delete().await
    };
    let (ended, deleted) = tokio::join!(ended, deleted);
    deleted?;
    assert_eq!(ended?.runtime_status, RuntimeStatus::Terminated);
    while watch.next().await?.is_some() {}
    Ok(())
}

/// A store that counts commits.
#[derive(Debug, Default)]
struct Counting {
    inner: MemoryStore,
    commits: AtomicUsize,
    /// The number of records that were looked up.
    reads: AtomicUsize,
    last_purged: Mutex<usize>,
}

impl Counting {
    fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    fn last_purged(&self) -> usize {
        *self.last_purged.lock().unwrap()
    }
}

impl Store for Counting {
    delegate! { (inner) create claim load messages due instances history }

    fn instance(&self, id: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.instance(id)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        *self.last_purged.lock().unwrap() = commit.purged.len();
        self.inner.commit(commit)
    }
}
