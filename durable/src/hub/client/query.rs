//! Querying, counting and purging instances.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::oneshot;

use super::failures::{self, FailureFilter};
use super::page::{Page, PageToken, Paging, Position, Query};
use super::status::InstanceStatus;
use crate::definition::Orchestrator;
use crate::hub::built_in::{self, SCHEDULE};
use crate::hub::error::ManageError;
use crate::hub::mail::{Mail, Manage, Managed};
use crate::hub::reply_to::Replied;
use crate::hub::task_hub::TaskHub;
use crate::protocol::{InstanceId, InstanceRecord, Json, RuntimeStatus, Timestamp};
use crate::store::{CreationOrder, InstanceFilter, InstancePage, Store, StoreError};

/// The id prefix of the instances that drive schedules.
pub(crate) const SCHEDULE_IDS: &str = "durable.schedule:";

/// The number of instances that are purged together.
const PURGED_AT_ONCE: usize = 1000;

/// A query for the instances that match all conditions.
///
/// ```
/// # use durable::prelude::*;
/// use durable::client::InstanceQuery;
/// use durable::RuntimeStatus;
///
/// # #[orchestrator]
/// # async fn order(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().open().await?;
/// hub.start(order().tag("country", "jp")).await?.result().await?;
///
/// let failed = InstanceQuery::new().of::<order>().status(RuntimeStatus::Failed);
/// assert_eq!(hub.count(&failed).await?, 0);
///
/// let mut japanese = hub.stream(InstanceQuery::new().tag("country", "jp"));
/// while let Some(instance) = japanese.try_next().await? {
///     println!("{} is {}", instance.instance_id, instance.runtime_status);
/// }
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a query does nothing until it is given to a hub"]
#[derive(Clone, Debug)]
pub struct InstanceQuery {
    filter: InstanceFilter,
    /// The requested custom status cannot be serialized, so no instance has it.
    finds_nothing: bool,
    /// Only failed instances, with such a failure.
    failure: Option<FailureFilter>,
    /// In the order of ids if `None`.
    order: Option<CreationOrder>,
    paging: Paging,
}

impl Default for InstanceQuery {
    fn default() -> Self {
        Self::new()
    }
}

impl InstanceQuery {
    /// Selects all instances of your orchestrations.
    ///
    /// The instances of the library's own orchestrations are left out, unless
    /// [`include_internal`](Self::include_internal) is set or [`name`](Self::name) names one of
    /// these:
    ///
    /// | name | the instance |
    /// |---|---|
    /// | `durable.Schedule` | drives a [schedule](crate::schedule::Schedule); see [`include_schedules`](Self::include_schedules) |
    /// | `durable.Batch` | is a batch of `durable-http` |
    /// | `durable.Webhook` | delivers an event to a webhook of `durable-http` |
    /// | `durable.Callback` | remembers a used callback link of `durable-http` |
    pub fn new() -> Self {
        let not_names = built_in::HIDDEN.map(str::to_owned).to_vec();
        let filter = InstanceFilter { not_names, ..InstanceFilter::default() };
        let paging = Paging::default();
        Self { filter, finds_nothing: false, failure: None, order: None, paging }
    }

    /// Includes the instances of the library's own orchestrations, whose names begin with `durable.`.
    pub fn include_internal(self) -> Self {
        self.with(|filter| filter.not_names.clear())
    }

    /// Includes the instances that drive schedules, one per schedule.
    pub fn include_schedules(self) -> Self {
        self.with(|filter| filter.not_names.retain(|name| name != SCHEDULE))
    }

    /// Finds only instances of the orchestration `O`.
    pub fn of<O: Orchestrator>(self) -> Self {
        self.name(O::ENTRY.name)
    }

    /// Finds only instances of the orchestration with this name, which may be one of the library
    /// itself, such as `durable.Schedule`.
    pub fn name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.with(|filter| {
            filter.not_names.retain(|left_out| *left_out != name);
            filter.name = Some(name);
        })
    }

    /// Finds only instances with this status. If called several times, any of the statuses matches.
    pub fn status(self, status: RuntimeStatus) -> Self {
        self.with(|filter| filter.statuses.push(status))
    }

    /// Finds only instances created at this time or later.
    pub fn created_from(self, time: DateTime<Utc>) -> Self {
        self.with(|filter| filter.created_from = Some(Timestamp::new(time)))
    }

    /// Finds only instances created before this time.
    pub fn created_to(self, time: DateTime<Utc>) -> Self {
        self.with(|filter| filter.created_to = Some(Timestamp::new(time)))
    }

    /// Finds only instances that ended at this time or later.
    pub fn ended_from(self, time: DateTime<Utc>) -> Self {
        self.with(|filter| filter.ended_from = Some(Timestamp::new(time)))
    }

    /// Finds only instances that ended before this time.
    pub fn ended_to(self, time: DateTime<Utc>) -> Self {
        self.with(|filter| filter.ended_to = Some(Timestamp::new(time)))
    }

    /// Finds only instances whose id begins with this prefix. The prefix `durable.schedule:` finds
    /// the instances that drive schedules.
    pub fn id_prefix(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        self.with(|filter| {
            if prefix.starts_with(SCHEDULE_IDS) {
                filter.not_names.retain(|name| name != SCHEDULE);
            }
            filter.id_prefix = prefix;
        })
    }

    /// Finds only instances with this tag. If called several times, all of the tags must match.
    pub fn tag(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|filter| drop(filter.tags.insert(key.into(), value.into())))
    }

    /// Finds only instances with exactly this custom status. If `status` cannot be serialized, no
    /// instance matches.
    pub fn custom_status(self, status: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_string(status) {
            Ok(json) => self.custom_status_json(Json::trusted(json)),
            Err(_) => Self { finds_nothing: true, ..self },
        }
    }

    /// Finds only instances with exactly this custom status, including the order of its fields.
    pub fn custom_status_json(self, status: Json) -> Self {
        self.with(|filter| filter.custom_status = Some(status))
    }

    /// Finds only failed instances with this text in the message of their failure or of one of its
    /// causes; the comparison is case-sensitive.
    ///
    /// This reads the end of the history of each failed instance that meets the other conditions,
    /// because the failure is stored there; [`max_scanned`](Self::max_scanned) bounds how many
    /// instances are read for a page.
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
    /// let query = InstanceQuery::new().of::<order>().failure_contains("card declined");
    /// let mut declined = hub.stream(query.newest_first());
    /// while let Some(instance) = declined.try_next().await? {
    ///     hub.instance(&instance.instance_id)?.rewind("the bank is reachable again").await?;
    /// }
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn failure_contains(self, text: impl Into<String>) -> Self {
        self.failed_with(|failure| failure.text = Some(text.into()))
    }

    /// Finds only failed instances whose failure, or one of its causes, has this
    /// [`error_type`](crate::protocol::FailureDetails::error_type), such as `shop::CardDeclined`.
    /// This reads as much as [`failure_contains`](Self::failure_contains).
    pub fn failure_type(self, error_type: impl Into<String>) -> Self {
        self.failed_with(|failure| failure.error_type = Some(error_type.into()))
    }

    fn failed_with(mut self, set: impl FnOnce(&mut FailureFilter)) -> Self {
        set(self.failure.get_or_insert_default());
        self
    }

    /// Lists the newest instances first, by their time of creation, instead of in the order of ids.
    ///
    /// The stores of this crate have an index by creation, so a page of recent instances is read
    /// without a search, however many instances there are. With
    /// [`created_from`](Self::created_from) and [`created_to`](Self::created_to), only instances of
    /// that time are read. [`id_prefix`](Self::id_prefix) does not bound the search in this order.
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
    /// hub.start(order().instance_id("first")).await?.result().await?;
    /// hub.start(order().instance_id("a later one")).await?.result().await?;
    /// let page = hub.query(&InstanceQuery::new().newest_first().page_size(50)).await?;
    /// assert_eq!(page.items[0].instance_id.as_str(), "a later one");
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn newest_first(self) -> Self {
        Self { order: Some(CreationOrder::NewestFirst), ..self }
    }

    /// Lists the oldest instances first; see [`newest_first`](Self::newest_first).
    pub fn oldest_first(self) -> Self {
        Self { order: Some(CreationOrder::OldestFirst), ..self }
    }

    /// Sets the maximum number of instances on a page; by default 100.
    pub fn page_size(self, instances: usize) -> Self {
        Self { paging: self.paging.with_size(instances), ..self }
    }

    /// Sets the maximum number of instances to read for a page, matching or not; at least 1. A page
    /// that reaches this number is short, or empty, and its [`next`](Page::next) continues the
    /// search. The time of a request is therefore bounded, even if few instances match. By default,
    /// the store decides.
    pub fn max_scanned(self, instances: usize) -> Self {
        Self { paging: self.paging.scanning(instances), ..self }
    }

    /// Finds only instances after this position: the [`next`](Page::next) of the previous page, or
    /// an instance. In an order by creation, an instance that no longer exists has no position, so
    /// nothing is found after it; the `next` of a page in this order remains valid.
    pub fn after(self, token: impl Into<PageToken>) -> Self {
        Self { paging: self.paging.starting_after(token.into()), ..self }
    }

    /// The records of a page.
    pub(super) fn find(&self, store: &dyn Store) -> Result<InstancePage<PageToken>, StoreError> {
        let mut page = self.find_before_failures(store)?;
        let Some(failure) = &self.failure else { return Ok(page) };
        let mut found = Vec::new();
        for record in page.instances {
            let failure_of = failures::failure(store, &record)?;
            found.extend(failure_of.filter(|it| failure.matches(it)).map(|_| record));
        }
        page.instances = found;
        Ok(page)
    }

    fn find_before_failures(
        &self,
        store: &dyn Store,
    ) -> Result<InstancePage<PageToken>, StoreError> {
        let statuses = &self.filter.statuses;
        let excludes_failed = !statuses.is_empty() && !statuses.contains(&RuntimeStatus::Failed);
        if self.finds_nothing || self.failure.is_some() && excludes_failed {
            return Ok(InstancePage::default());
        }
        let Paging { size, max_scanned, .. } = &self.paging;
        let mut filter = Cow::Borrowed(&self.filter);
        if max_scanned.is_some() {
            filter.to_mut().max_scanned = *max_scanned;
        }
        if self.failure.is_some() {
            filter.to_mut().statuses = vec![RuntimeStatus::Failed];
        }
        let Some(order) = self.order else {
            let page = store.instances(&filter, self.paging.after_id(), *size)?;
            return Ok(with_token(page));
        };
        let after = match self.paging.after() {
            None => None,
            Some(Position::Creation(creation)) => Some(creation.clone()),
            Some(Position::Id(id)) => match store.instance(id)? {
                Some(record) => Some((record.created_at, record.instance_id)),
                None => return Ok(InstancePage::default()),
            },
        };
        store.instances_by_creation(&filter, order, after.as_ref(), *size).map(with_token)
    }

    /// The position of an instance in the order of this query.
    pub(super) fn position(&self, record: &InstanceRecord) -> PageToken {
        let id = record.instance_id.clone();
        if self.order.is_some() { (record.created_at, id).into() } else { id.into() }
    }

    pub(super) fn matches(&self, record: &InstanceRecord) -> bool {
        self.filter.matches(record)
    }

    fn with(mut self, set: impl FnOnce(&mut InstanceFilter)) -> Self {
        set(&mut self.filter);
        self
    }
}

fn with_token<P: Into<PageToken>>(page: InstancePage<P>) -> InstancePage<PageToken> {
    let InstancePage { instances, next, scanned } = page;
    InstancePage::new(instances, next.map(Into::into)).scanned(scanned)
}

impl Query for InstanceQuery {
    type Item = InstanceStatus;

    fn paging(&mut self) -> &mut Paging {
        &mut self.paging
    }

    fn read_page(
        &self,
        store: &dyn Store,
        _now: Timestamp,
    ) -> Result<Page<InstanceStatus>, StoreError> {
        let found = self.find(store)?;
        let items = found.instances.into_iter().map(InstanceStatus::from).collect();
        Ok(Page::new(items, found.next, found.scanned))
    }
}

impl TaskHub {
    /// Sends a management request to an instance; the answer arrives once its effect is durable.
    pub(crate) async fn manage(
        &self,
        instance_id: &InstanceId,
        what: Manage,
    ) -> Result<oneshot::Receiver<Replied<Managed>>, ManageError> {
        let (reply, managed) = oneshot::channel();
        let mail = Mail::Manage { instance_id: instance_id.clone(), what, reply: reply.into() };
        self.request(instance_id, mail).await?;
        Ok(managed)
    }

    /// Removes the matching instances that have ended; returns the number of removed instances.
    ///
    /// Instances are removed in groups, each of which shares a commit.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::RuntimeStatus;
    /// use durable::chrono::TimeDelta;
    /// use durable::client::{InstanceQuery, ManageError};
    ///
    /// /// Removes what completed more than a month ago.
    /// async fn tidy_up(hub: &TaskHub) -> Result<u64, ManageError> {
    ///     let month_ago = hub.current_utc_datetime() - TimeDelta::days(30);
    ///     let old = InstanceQuery::new().ended_to(month_ago);
    ///     hub.purge(&old.status(RuntimeStatus::Completed)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed; some instances may have been removed by then.
    pub async fn purge(&self, query: &InstanceQuery) -> Result<u64, ManageError> {
        let (mut purged, mut query) = (0, query.clone().page_size(PURGED_AT_ONCE));
        loop {
            let page = self.query(&query).await?;
            let ended = page.items.iter().filter(|it| it.runtime_status.is_finished());
            let mut replies = Vec::new();
            for instance in ended {
                let purge = Manage::Purge { child_of: None };
                replies.push(self.manage(&instance.instance_id, purge).await?);
            }
            for reply in replies {
                match self.replied(reply).await? {
                    Ok(()) => purged += 1,
                    // Purged or replaced since it was read.
                    Err(error) if error.is_no_such_instance() => {}
                    Err(ManageError::NotFinished { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            match page.next {
                Some(next) => query = query.after(next),
                None => return Ok(purged),
            }
        }
    }
}
