//! Counting instances.

use std::collections::BTreeMap;

use serde::Serialize;

use super::page::{PageToken, Query};
use super::query::InstanceQuery;
use crate::hub::error::HubError;
use crate::hub::task_hub::TaskHub;
use crate::protocol::{InstanceRecord, RuntimeStatus};

/// The number of instances that are read together.
const READ_AT_ONCE: usize = 1000;

/// The number of instances that match a query; the result of [`TaskHub::counts`].
///
/// ```
/// use durable::RuntimeStatus;
/// use durable::client::InstanceCounts;
///
/// fn failed(counts: &InstanceCounts) -> u64 {
///     counts.by_status.get(&RuntimeStatus::Failed).copied().unwrap_or_default()
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InstanceCounts {
    /// The number of all matching instances.
    pub total: u64,
    /// The number of instances with each status that occurs.
    pub by_status: BTreeMap<RuntimeStatus, u64>,
    /// The number of instances of each orchestration that occurs, by its name.
    pub by_name: BTreeMap<String, u64>,
    /// The number of instances with each value of a tag, if [`TaskHub::counts_by_tag`] counted
    /// them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_tag: BTreeMap<String, u64>,
    /// The number of instances that were read, matching or not.
    pub scanned: u64,
    /// Where the search stopped because it had read as many instances as the query's
    /// [`max_scanned`](InstanceQuery::max_scanned) allows: pass it to the query's `after` to
    /// continue.
    pub next: Option<PageToken>,
}

impl InstanceCounts {
    fn add(&mut self, record: InstanceRecord, tag: Option<&str>) {
        self.total += 1;
        if let Some(value) = tag.and_then(|key| record.tags.get(key)) {
            *self.by_tag.entry(value.clone()).or_default() += 1;
        }
        *self.by_status.entry(record.runtime_status).or_default() += 1;
        *self.by_name.entry(record.name).or_default() += 1;
    }
}

impl TaskHub {
    /// Counts the matching instances by status and by name, in one search. This reads every
    /// instance whose id has the query's prefix, or as many as
    /// [`max_scanned`](InstanceQuery::max_scanned) allows.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::RuntimeStatus;
    /// use durable::client::InstanceQuery;
    ///
    /// # #[orchestrator]
    /// # async fn order(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// hub.start(order()).await?.result().await?;
    /// let counts = hub.counts(&InstanceQuery::new()).await?;
    /// assert_eq!(counts.by_status[&RuntimeStatus::Completed], 1);
    /// assert_eq!(counts.by_name["order"], 1);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    pub async fn counts(&self, query: &InstanceQuery) -> Result<InstanceCounts, HubError> {
        self.count_each(query, None).await
    }

    /// Counts the matching instances like [`counts`](Self::counts), and also by the value of the
    /// tag with this key. Instances without the tag are counted only in the other groups.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::client::InstanceQuery;
    ///
    /// # #[orchestrator]
    /// # async fn order(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// hub.start(order().tag("region", "eu")).await?.result().await?;
    /// let counts = hub.counts_by_tag(&InstanceQuery::new(), "region").await?;
    /// assert_eq!(counts.by_tag["eu"], 1);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    pub async fn counts_by_tag(
        &self,
        query: &InstanceQuery,
        key: &str,
    ) -> Result<InstanceCounts, HubError> {
        self.count_each(query, Some(key)).await
    }

    async fn count_each(
        &self,
        query: &InstanceQuery,
        tag: Option<&str>,
    ) -> Result<InstanceCounts, HubError> {
        let mut query = query.clone().page_size(READ_AT_ONCE);
        let most = query.paging().max_scanned.map(|most| most as u64);
        let mut counts = InstanceCounts::default();
        loop {
            let page_query = query.clone();
            let page = self.read(move |store| page_query.find(store)).await?;
            page.instances.into_iter().for_each(|record| counts.add(record, tag));
            counts.scanned += page.scanned;
            let Some(next) = page.next else { return Ok(counts) };
            if let Some(most) = most {
                let left = most.saturating_sub(counts.scanned);
                if left == 0 {
                    counts.next = Some(next);
                    return Ok(counts);
                }
                query = query.max_scanned(usize::try_from(left).unwrap_or(usize::MAX));
            }
            query = query.after(next);
        }
    }

    /// Counts the matching instances. Reads every instance whose id has the query's prefix;
    /// [`counts`](Self::counts) can stop earlier.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::RuntimeStatus;
    /// use durable::client::{HubError, InstanceQuery};
    ///
    /// async fn failed(hub: &TaskHub) -> Result<u64, HubError> {
    ///     hub.count(&InstanceQuery::new().status(RuntimeStatus::Failed)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    pub async fn count(&self, query: &InstanceQuery) -> Result<u64, HubError> {
        let mut query = query.clone();
        query.paging().max_scanned = None;
        Ok(self.counts(&query).await?.total)
    }
}
