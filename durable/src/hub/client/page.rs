//! Results of queries: page by page, or as a stream of items.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::{Deserialize, Serialize};

use crate::hub::TaskHub;
use crate::hub::error::HubError;
use crate::protocol::{EntityId, InstanceId, InvalidInstanceId, Timestamp};
use crate::store::{Creation, Store, StoreError};

/// The default page size.
const PAGE_SIZE: usize = 100;

/// A query for [`TaskHub::query`] and [`TaskHub::stream`]: an
/// [`InstanceQuery`](crate::client::InstanceQuery),
/// [`InstanceDetailsQuery`](crate::client::InstanceDetailsQuery),
/// [`EntityQuery`](crate::client::EntityQuery),
/// [`ScheduleQuery`](crate::schedule::ScheduleQuery) or
/// [`ScheduledSignalQuery`](crate::client::ScheduledSignalQuery).
///
/// All of them have the methods `page_size` and `after`.
///
/// ```
/// # use durable::TaskHub;
/// use durable::client::{HubError, Query};
///
/// /// The number of items that any query finds.
/// async fn number<Q: Query>(hub: &TaskHub, query: Q) -> Result<usize, HubError> {
///     Ok(hub.stream(query).try_collect().await?.len())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query",
    label = "expected a query of this crate",
    note = "pass an `InstanceQuery`, `EntityQuery`, `ScheduleQuery` or `ScheduledSignalQuery`"
)]
pub trait Query: Clone + Send + Sync + 'static {
    /// The type of the items found.
    type Item: Send + 'static;

    #[doc(hidden)]
    fn paging(&mut self) -> &mut Paging;

    /// Reads a page. It may be short, or empty, although more pages follow.
    #[doc(hidden)]
    fn read_page(&self, store: &dyn Store, now: Timestamp) -> Result<Page<Self::Item>, StoreError>;
}

/// The start position and the page size of a query.
#[derive(Clone, Debug)]
pub struct Paging {
    after: Option<PageToken>,
    pub(crate) size: usize,
    /// The most records to read for a page.
    pub(crate) max_scanned: Option<usize>,
}

impl Default for Paging {
    fn default() -> Self {
        Self { after: None, size: PAGE_SIZE, max_scanned: None }
    }
}

impl Paging {
    pub(crate) fn with_size(self, items: usize) -> Self {
        Self { size: items.max(1), ..self }
    }

    pub(crate) fn scanning(self, records: usize) -> Self {
        Self { max_scanned: Some(records.max(1)), ..self }
    }

    pub(crate) fn starting_after(self, token: PageToken) -> Self {
        Self { after: Some(token), ..self }
    }

    /// The instance after which a page in the order of ids begins.
    pub(crate) fn after_id(&self) -> Option<&InstanceId> {
        match &self.after.as_ref()?.0 {
            Position::Id(id) | Position::Creation((_, id)) => Some(id),
        }
    }

    /// The position after which the page begins.
    pub(crate) fn after(&self) -> Option<&Position> {
        self.after.as_ref().map(|token| &token.0)
    }
}

/// One page of a query's results; see [`TaskHub::query`].
///
/// ```
/// # use durable::TaskHub;
/// use durable::client::{HubError, InstanceQuery};
///
/// /// The ids on one page, and the token of the next page, which a client may send back later.
/// async fn ids(hub: &TaskHub, query: &InstanceQuery) -> Result<(Vec<String>, Option<String>), HubError> {
///     let page = hub.query(query).await?;
///     let ids = page.items.iter().map(|status| status.instance_id.to_string()).collect();
///     Ok((ids, page.next.map(|next| next.to_string())))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items: at most the query's `page_size`, possibly fewer even if more pages follow.
    pub items: Vec<T>,
    /// Where the next page begins: pass it to the query's `after`. `None` on the last page.
    pub next: Option<PageToken>,
    /// The number of stored records that were read for this page, matching or not.
    pub scanned: u64,
}

impl<T> Page<T> {
    pub(crate) fn new(items: Vec<T>, next: Option<impl Into<PageToken>>, scanned: u64) -> Self {
        Self { items, next: next.map(Into::into), scanned }
    }
}

/// The start position of a page. It is a position in the order of the query, so it stays valid across
/// restarts, insertions and removals. It can be passed only to queries in the same order.
///
/// It can be handed to a remote client and back as text or in JSON:
///
/// ```
/// use durable::client::{InstanceQuery, PageToken};
///
/// let token: PageToken = "order-7".parse()?;
/// let next = InstanceQuery::new().after(token);
/// # Ok::<(), durable::client::InvalidPageToken>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageToken(Position);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Position {
    Id(InstanceId),
    Creation(Creation),
}

/// Separates the microseconds of a creation from its id. An instance id does not contain it, and
/// the id of an entity does not begin with a digit.
const AFTER_MICROS: char = '/';

/// The error returned when a text is not a [`PageToken`].
///
/// ```
/// use durable::client::{InvalidPageToken, PageToken};
///
/// /// A token that arrives from outside.
/// fn token(text: &str) -> Result<PageToken, InvalidPageToken> {
///     text.parse()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a page token; pass the `next` of an earlier page, or omit it to read the first page")]
pub struct InvalidPageToken(#[source] InvalidInstanceId);

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Position::Id(id) => fmt::Display::fmt(id, f),
            Position::Creation((at, id)) => {
                write!(f, "{}{AFTER_MICROS}{id}", at.to_datetime().timestamp_micros())
            }
        }
    }
}

impl FromStr for PageToken {
    type Err = InvalidPageToken;

    fn from_str(text: &str) -> Result<Self, InvalidPageToken> {
        let micros = |micros: &str| micros.parse().ok().and_then(Timestamp::from_micros);
        let creation = text.split_once(AFTER_MICROS).and_then(|(at, id)| Some((micros(at)?, id)));
        let (at, id) = creation.map_or((None, text), |(at, id)| (Some(at), id));
        let id = InstanceId::try_from(id.to_owned()).map_err(InvalidPageToken)?;
        Ok(Self(match at {
            Some(at) => Position::Creation((at, id)),
            None => Position::Id(id),
        }))
    }
}

impl TryFrom<String> for PageToken {
    type Error = InvalidPageToken;

    fn try_from(text: String) -> Result<Self, InvalidPageToken> {
        text.parse()
    }
}

impl From<PageToken> for String {
    fn from(token: PageToken) -> Self {
        token.to_string()
    }
}

/// The position after an instance.
impl From<InstanceId> for PageToken {
    fn from(id: InstanceId) -> Self {
        Self(Position::Id(id))
    }
}

/// The position after an instance in the order of creation.
impl From<Creation> for PageToken {
    fn from(creation: Creation) -> Self {
        Self(Position::Creation(creation))
    }
}

/// The position after an entity.
impl From<EntityId> for PageToken {
    fn from(id: EntityId) -> Self {
        Self(Position::Id(id.instance_id().clone()))
    }
}

impl TaskHub {
    /// Reads one page of a query's results, in the order of ids unless the query has another order.
    ///
    /// A page may hold fewer items than `page_size`, or none, even if more pages follow; only the
    /// last page has no [`next`](Page::next). [`stream`](Self::stream) returns all items one by
    /// one.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::client::InstanceQuery;
    ///
    /// # #[orchestrator]
    /// # async fn order(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let hub = TaskHub::builder().in_memory().open().await?;
    /// # hub.start(order()).await?.result().await?;
    /// let mut query = InstanceQuery::new().of::<order>().page_size(20);
    /// loop {
    ///     let page = hub.query(&query).await?;
    ///     for instance in &page.items {
    ///         println!("{} is {}", instance.instance_id, instance.runtime_status);
    ///     }
    ///     let Some(next) = page.next else { break };
    ///     query = query.after(next);
    /// }
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    pub async fn query<Q: Query>(&self, query: &Q) -> Result<Page<Q::Item>, HubError> {
        let (query, now) = (query.clone(), self.now());
        self.read(move |store| query.read_page(store, now)).await
    }

    /// Streams all results of a query in its order, reading one page at a time.
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
    /// # let hub = TaskHub::builder().in_memory().open().await?;
    /// # hub.start(order()).await?.result().await?;
    /// let mut failed = hub.stream(InstanceQuery::new().status(RuntimeStatus::Failed));
    /// while let Some(instance) = failed.try_next().await? {
    ///     hub.instance(&instance.instance_id)?.rewind("the bank is open again").await?;
    /// }
    ///
    /// let all = hub.stream(InstanceQuery::new()).try_collect().await?;
    /// assert_eq!(all.len(), 1);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream<Q: Query>(&self, query: Q) -> QueryStream<Q> {
        QueryStream {
            hub: self.clone(),
            query,
            items: Vec::new().into_iter(),
            reading: None,
            is_last: false,
        }
    }
}

type Reading<T> = Pin<Box<dyn Future<Output = Result<Page<T>, HubError>> + Send>>;

/// The results of a query, one by one; created by [`TaskHub::stream`].
///
/// It implements [`Stream`] of the crate `futures-core`, with `Result`s as items. After an error,
/// the next poll reads the same page again.
///
/// ```
/// use durable::client::{HubError, InstanceQuery, QueryStream};
///
/// async fn print(mut found: QueryStream<InstanceQuery>) -> Result<(), HubError> {
///     while let Some(instance) = found.try_next().await? {
///         println!("{} {}", instance.instance_id, instance.runtime_status);
///     }
///     Ok(())
/// }
/// ```
#[must_use = "a stream reads nothing until it is asked for an item"]
pub struct QueryStream<Q: Query> {
    hub: TaskHub,
    query: Q,
    items: std::vec::IntoIter<Q::Item>,
    reading: Option<Reading<Q::Item>>,
    is_last: bool,
}

impl<Q: Query> QueryStream<Q> {
    /// Returns the next item; `None` when there are no more.
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    pub async fn try_next(&mut self) -> Result<Option<Q::Item>, HubError> {
        poll_fn(|cx| self.poll_item(cx)).await.transpose()
    }

    /// Collects all remaining items in memory.
    ///
    /// # Errors
    /// The same as [`try_next`](Self::try_next).
    pub async fn try_collect(mut self) -> Result<Vec<Q::Item>, HubError> {
        let mut items = Vec::new();
        while let Some(item) = self.try_next().await? {
            items.push(item);
        }
        Ok(items)
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Q::Item, HubError>>> {
        loop {
            if let Some(item) = self.items.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            if self.is_last {
                return Poll::Ready(None);
            }
            let reading = self.reading.get_or_insert_with(|| {
                let (hub, query) = (self.hub.clone(), self.query.clone());
                Box::pin(async move { hub.query(&query).await })
            });
            let Poll::Ready(page) = reading.as_mut().poll(cx) else { return Poll::Pending };
            self.reading = None;
            match page {
                Ok(page) => {
                    self.items = page.items.into_iter();
                    self.is_last = page.next.is_none();
                    self.query.paging().after = page.next;
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

/// The items are never pinned.
impl<Q: Query> Unpin for QueryStream<Q> {}

impl<Q: Query> Stream for QueryStream<Q> {
    type Item = Result<Q::Item, HubError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<Q: Query> fmt::Debug for QueryStream<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryStream").field("is_last", &self.is_last).finish_non_exhaustive()
    }
}
