//! Due times when more instances sleep than fit into memory: no timer is lost.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use durable::client::InstanceQuery;
use durable::prelude::*;
use durable::protocol::{InstanceId, PartitionId, Timestamp};
use durable::store::{Commit, MemoryStore, Store, StoreError};
use durable::testing::TestHub;

use super::delegate::delegate;

/// More due times than a partition reads at once.
const MANY: u32 = 1100;

const MINUTE: Duration = Duration::from_mins(1);

#[orchestrator]
async fn due_sleeper(ctx: &OrchestrationContext, naps: u32) -> Result<()> {
    for _ in 0..naps {
        ctx.create_timer(100 * MINUTE).await;
    }
    Ok(())
}

#[activity]
async fn due_hangs() -> Result<()> {
    panic!("a test lets it hang")
}

/// Its second attempt begins after 90 minutes and hangs. Its time limit ends after 120 minutes.
fn hangs_twice() -> durable::Call<due_hangs> {
    due_hangs().attempt_timeout(90 * MINUTE).retry(RetryPolicy::new(5, Duration::from_secs(1)))
}

#[orchestrator]
async fn due_patient(ctx: &OrchestrationContext) -> Result<String> {
    let limited = hangs_twice().timeout(120 * MINUTE).await;
    Ok(limited.unwrap_err().to_string())
}

#[orchestrator]
async fn due_racer(ctx: &OrchestrationContext) -> Result<String> {
    let time = ctx.create_timer(120 * MINUTE);
    match durable::race((hangs_twice(), time)).await {
        durable::task::Race2::First(_) => Ok("work".to_owned()),
        durable::task::Race2::Second(()) => Ok("time".to_owned()),
    }
}

/// A hub of one partition whose due times do not all fit into what it reads at once.
async fn crowded(store: Arc<dyn Store>, sleepers: u32, naps: u32) -> Result<TestHub> {
    let hub = TestHub::builder()
        .never::<due_hangs>()
        .configure(|hub| hub.partitions(1).store(store).verify_replay(false))
        .open()
        .await?;
    for n in 0..sleepers {
        hub.start(due_sleeper(naps).instance_id(format!("sleeper-{n}"))).await?;
    }
    Ok(hub.reopen().await?)
}

#[tokio::test]
async fn a_timeout_fires_after_a_retry_with_many_sleepers() -> Result<()> {
    let hub = crowded(Arc::new(MemoryStore::default()), MANY, 1).await?;
    let patient = hub.start(due_patient()).await?;
    let racer = hub.start(due_racer()).await?;
    hub.advance(121 * MINUTE).await;
    let running = InstanceQuery::new().status(RuntimeStatus::Running);
    assert_eq!(hub.count(&running).await?, 0);
    assert!(patient.result().await?.contains("it took longer than its timeout of 7200s"));
    assert_eq!(racer.result().await?, "time");
    Ok(())
}

#[activity]
async fn due_fails_once(ctx: &ActivityContext) -> Result<()> {
    if ctx.attempt() == 1 { Err(Error::msg("the first attempt fails")) } else { Ok(()) }
}

#[orchestrator]
async fn due_at_once(ctx: &OrchestrationContext) -> Result<()> {
    due_fails_once().retry(RetryPolicy::new(2, Duration::from_secs(1))).await?;
    ctx.create_timer(Duration::ZERO).await;
    Ok(())
}

/// The store still has the due time of the retry when the instance is read back, and the new timer
/// is due at the same time.
#[tokio::test]
async fn a_timer_is_not_lost_if_it_is_due_when_a_retry_was() -> Result<()> {
    let configure = |hub: durable::client::TaskHubBuilder| {
        hub.partitions(1).live_instances(0).verify_replay(false)
    };
    let hub = TestHub::builder().configure(configure).open().await?;
    let run = hub.start(due_at_once()).await?;
    hub.advance(MINUTE).await;
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Completed);
    Ok(())
}

#[tokio::test]
async fn no_timer_is_lost_if_a_commit_overtakes_a_read_of_due_times() -> Result<()> {
    let store = Arc::new(Racing::default());
    let hub = crowded(store, 2 * MANY, 3).await?;
    hub.advance(301 * MINUTE).await;
    let running = InstanceQuery::new().status(RuntimeStatus::Running);
    assert_eq!(hub.count(&running).await?, 0);
    Ok(())
}

/// A store in which a concurrent commit overtakes each read of due times.
#[derive(Debug, Default)]
struct Racing {
    inner: MemoryStore,
    commits: Mutex<Commits>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Commits {
    under_way: usize,
    /// How many reads have not returned yet.
    asked: usize,
    done: usize,
}

/// The longest time that a read and a commit wait for each other.
const PATIENCE: Duration = Duration::from_millis(20);

impl Store for Racing {
    delegate! { (inner) create claim load messages instance instances history }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut commits = self.commits.lock().unwrap();
        commits.under_way += 1;
        // A partition leaves large groups to the thread of the committer, and continues.
        if commit.episodes.len() > 32 {
            let no_read = |commits: &mut Commits| commits.asked == 0;
            commits = self.changed.wait_timeout_while(commits, PATIENCE, no_read).unwrap().0;
        }
        self.inner.commit(commit)?;
        commits.under_way -= 1;
        commits.done += 1;
        self.changed.notify_all();
        Ok(())
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        let mut commits = self.commits.lock().unwrap();
        let found = self.inner.due(partition, after, until, limit);
        if commits.under_way > 0 {
            commits.asked += 1;
            self.changed.notify_all();
            let done = commits.done;
            let overtaken = |commits: &mut Commits| commits.done == done;
            commits = self.changed.wait_timeout_while(commits, PATIENCE, overtaken).unwrap().0;
            commits.asked -= 1;
            drop(commits);
            // The hub may learn of the commit before the read returns.
            std::thread::yield_now();
        }
        found
    }
}
