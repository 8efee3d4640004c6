//! How many commits an operation takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::client::InstanceQuery;
use durable::prelude::*;
use durable::protocol::RuntimeStatus;
use durable::schedule::{Schedule, ScheduleError, ScheduleQuery};
use durable::store::{Commit, MemoryStore, Store, StoreError};
use durable::testing::TestHub;

use super::delegate::delegate;

#[orchestrator]
async fn commits_nothing(ctx: &OrchestrationContext) -> Result<()> {
    let _ = ctx;
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
    last_purged: Mutex<usize>,
}

impl Counting {
    fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    fn last_purged(&self) -> usize {
        *self.last_purged.lock().unwrap()
    }
}

impl Store for Counting {
    delegate! { (inner) create claim load messages instance due instances history }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        *self.last_purged.lock().unwrap() = commit.purged.len();
        self.inner.commit(commit)
    }
}
