//! Facts about a hub for its operators: partitions, running activities and resource usage.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::hub::commit::times::CommitLatency;
use crate::hub::error::HubError;
use crate::hub::task_hub::TaskHub;
use crate::hub::work::running::RunningActivity;
use crate::store::Usage;

impl TaskHub {
    /// Returns the time by the hub's clock, which is the machine's; in a `TestHub` (feature
    /// `testing`), returns the virtual time.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// println!("{}", hub.current_utc_datetime().to_rfc3339());
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn current_utc_datetime(&self) -> DateTime<Utc> {
        self.now().to_datetime()
    }

    /// Returns the number of partitions into which the hub divides its instances, which was fixed
    /// when its store was created.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().partitions(2).open().await?;
    /// assert_eq!(hub.partitions(), 2);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn partitions(&self) -> u16 {
        self.inner.mailboxes.count()
    }

    /// Returns how long the last commits of this process took, from the call of the store to its
    /// answer; `None` before the first commit. Each step of an orchestration waits for one commit.
    /// Metrics (feature `metrics`) count all commits as `durable_commit_seconds`.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn greet(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// hub.start(greet()).await?.result().await?;
    /// let latency = hub.commit_latency().expect("at least one commit");
    /// println!("{} commits, p50 {:?}, p99 {:?}", latency.commits, latency.p50, latency.p99);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn commit_latency(&self) -> Option<CommitLatency> {
        self.inner.commit_times.latency()
    }

    /// Returns the activities that are running in this process, longest-running first. Activities
    /// that wait for a free slot (`activity_concurrency`, `max_concurrent`) or for a retry are not
    /// included, nor are activities that were cancelled and have not ended yet.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// for activity in hub.running() {
    ///     let (name, attempt, since) = (activity.name, activity.attempt, activity.since);
    ///     println!("{}: `{name}`, attempt {attempt} since {since}", activity.instance_id);
    /// }
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn running(&self) -> Vec<RunningActivity> {
        self.inner.activities.describe_running()
    }

    /// Returns the number of activities that wait for a free slot in this process, by name: they
    /// wait while [`activity_concurrency`](Self::activity_concurrency) activities are running, or
    /// as many of the same activity as its `max_concurrent` permits.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().activity_concurrency(2).open().await?;
    /// for (name, count) in hub.waiting() {
    ///     println!("{count} calls of `{name}` wait until one of {} ends", hub.activity_concurrency());
    /// }
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn waiting(&self) -> BTreeMap<String, usize> {
        self.inner.activities.count_waiting()
    }

    /// Returns the maximum number of activities that run at once in this process; see
    /// [`TaskHubBuilder::activity_concurrency`](crate::client::TaskHubBuilder::activity_concurrency).
    pub fn activity_concurrency(&self) -> usize {
        self.inner.activities.concurrency()
    }

    /// Returns the disk and memory usage of the hub's store.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// let usage = hub.usage().await?;
    /// println!("{} bytes on disk", usage.disk_bytes);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    pub async fn usage(&self) -> Result<Usage, HubError> {
        self.read(|store| Ok(store.usage())).await
    }
}
