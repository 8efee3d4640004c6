//! Reading a history by page, and positions in it.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::instance::InstanceHandle;
use super::status::InstanceStatus;
use crate::hub::error::HubError;
use crate::protocol::{ExecutionId, HistoryEvent, InstanceId, InstanceRecord};
use crate::store::{Store, StoreError};

/// Some events of a history; see [`InstanceHandle::history_page`].
///
/// ```
/// use durable::client::{HubError, InstanceHandle};
///
/// async fn length(instance: &InstanceHandle) -> Result<usize, HubError> {
///     let mut page = instance.history_page(0, 100).await?;
///     let mut events = page.events.len();
///     while let Some(next) = page.next {
///         page = instance.history_page(next, 100).await?;
///         events += page.events.len();
///     }
///     Ok(events)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HistoryPage {
    /// The status of the instance when the page was read. Its `execution_id` is that of the events,
    /// its `history_len` the length of the whole history.
    pub status: InstanceStatus,
    /// The index of the first event of the page.
    pub from: u64,
    /// The events, in order.
    pub events: Vec<HistoryEvent>,
    /// The index at which the next page begins; `None` if this page reaches the end of the history.
    pub next: Option<u64>,
}

/// A position in the history of an instance, from which
/// [`follow_history`](InstanceHandle::follow_history) continues.
///
/// The position after an event is [`FollowedEvent::position`](crate::client::FollowedEvent::position).
/// It names the event's execution and contains a checksum of the event, so that a position in a history
/// that has been replaced since is recognized. A plain number stands for the event with this index,
/// counted from 0, in the current execution.
///
/// It can be handed to a remote client and back as text or in JSON. The text begins with the index of
/// the next event.
///
/// ```
/// use durable::client::HistoryPosition;
///
/// let position: HistoryPosition = "17".parse()?;
/// assert_eq!(position, HistoryPosition::from(17));
/// assert_eq!(position.index(), 17);
/// # Ok::<(), durable::client::InvalidHistoryPosition>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HistoryPosition {
    index: u64,
    /// The execution, and the checksum of the event before the position. `None` if only the index is
    /// known.
    after: Option<(ExecutionId, u32)>,
}

/// The error returned when a text is not a [`HistoryPosition`].
///
/// ```
/// use durable::client::{HistoryPosition, InvalidHistoryPosition};
///
/// let position: Result<HistoryPosition, InvalidHistoryPosition> = "the end".parse();
/// assert!(position.unwrap_err().to_string().starts_with("`the end` is not a position"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a position in a history; pass the position or the index of an event",
    .0.escape_debug()
)]
pub struct InvalidHistoryPosition(String);

impl HistoryPosition {
    /// The position after the event with this index.
    pub(super) fn after(execution: ExecutionId, index: u64, event: &HistoryEvent) -> Self {
        Self { index: index + 1, after: Some((execution, checksum(event))) }
    }

    /// Returns the index of the next event.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Reads at most `limit` events of the record's execution from this position on, or from the
    /// beginning if the position is in a history that has been replaced. Also returns the index of
    /// the first event.
    pub(super) fn read(
        &self,
        store: &dyn Store,
        record: &InstanceRecord,
        limit: u64,
    ) -> Result<(u64, Vec<HistoryEvent>), StoreError> {
        let InstanceRecord { instance_id, execution_id, .. } = record;
        let page = |indices: Range<u64>| store.history_page(instance_id, *execution_id, indices);
        let from = self.index;
        let until = from.saturating_add(limit);
        match self.after {
            None => Ok((from, page(from..until)?)),
            Some((execution, checksum_before)) => {
                if execution == *execution_id && from > 0 {
                    let mut events = page(from - 1..until)?;
                    if events.first().is_some_and(|event| checksum(event) == checksum_before) {
                        events.remove(0);
                        return Ok((from, events));
                    }
                }
                Ok((0, page(0..limit)?))
            }
        }
    }
}

/// Distinguishes the events that one history can have at an index before and after a rewind.
fn checksum(event: &HistoryEvent) -> u32 {
    // FNV-1a. An event that cannot be written as JSON cannot have been stored.
    let json = serde_json::to_vec(event).unwrap_or_default();
    json.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The event with this index in the current execution.
impl From<u64> for HistoryPosition {
    fn from(index: u64) -> Self {
        Self { index, after: None }
    }
}

impl fmt::Display for HistoryPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.after {
            None => write!(f, "{}", self.index),
            Some((execution, checksum)) => write!(f, "{}-{execution}-{checksum:08x}", self.index),
        }
    }
}

impl FromStr for HistoryPosition {
    type Err = InvalidHistoryPosition;

    fn from_str(text: &str) -> Result<Self, InvalidHistoryPosition> {
        let parse = || {
            // `from_str_radix` would accept a sign.
            let is_hex =
                |it: &str, len| it.len() == len && it.bytes().all(|it| it.is_ascii_hexdigit());
            let mut parts = text.split('-');
            let index = parts.next().filter(|it| !it.starts_with('+'))?.parse().ok()?;
            let Some(execution) = parts.next() else { return Some(Self::from(index)) };
            let checksum = parts.next()?;
            if !is_hex(execution, 32) || !is_hex(checksum, 8) || parts.next().is_some() {
                return None;
            }
            let execution = u128::from_str_radix(execution, 16).ok()?;
            let checksum = u32::from_str_radix(checksum, 16).ok()?;
            Some(Self { index, after: Some((ExecutionId::from_u128(execution), checksum)) })
        };
        parse().ok_or_else(|| InvalidHistoryPosition(text.to_owned()))
    }
}

impl TryFrom<String> for HistoryPosition {
    type Error = InvalidHistoryPosition;

    fn try_from(text: String) -> Result<Self, InvalidHistoryPosition> {
        text.parse()
    }
}

impl From<HistoryPosition> for String {
    fn from(position: HistoryPosition) -> Self {
        position.to_string()
    }
}

impl InstanceHandle {
    /// Returns at most `limit` events (0 counts as 1) of the current execution's history, beginning
    /// with the event of this index, counted from 0. The page is empty if the history is not that
    /// long.
    ///
    /// If the store has an index, as the stores of this crate have, only this part of the history is
    /// read. The length of the history is
    /// [`InstanceStatus::history_len`](crate::client::InstanceStatus::history_len), so the last
    /// events are those from `history_len - limit` on.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn order(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start(order()).await?;
    /// run.result().await?;
    /// let first = run.history_page(0, 1).await?;
    /// assert_eq!((first.events.len(), first.next), (1, Some(1)));
    /// let rest = run.history_page(1, 100).await?;
    /// assert_eq!(rest.next, None);
    /// assert_eq!(rest.status.history_len, 1 + rest.events.len() as u64);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`status`](Self::status).
    pub async fn history_page(&self, from: u64, limit: usize) -> Result<HistoryPage, HubError> {
        let until = from.saturating_add(limit.max(1) as u64);
        self.read_history_page(move |length| from..until.min(length.max(from))).await
    }

    /// Like [`history_page`](Self::history_page), but returns the last `limit` events before this
    /// index, in the order of the history. `u64::MAX` stands for the end of the history. To get the
    /// page before a page, pass its [`from`](HistoryPage::from), unless that is 0.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn order(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start(order()).await?;
    /// run.result().await?;
    /// let last = run.history_page_before(u64::MAX, 2).await?;
    /// assert_eq!((last.events.len(), last.next), (2, None));
    /// let rest = run.history_page_before(last.from, 100).await?;
    /// assert_eq!((rest.from, rest.next), (0, Some(last.from)));
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`status`](Self::status).
    pub async fn history_page_before(
        &self,
        until: u64,
        limit: usize,
    ) -> Result<HistoryPage, HubError> {
        let limit = limit.max(1) as u64;
        let indices = move |length| {
            let until = until.min(length);
            until.saturating_sub(limit)..until
        };
        self.read_history_page(indices).await
    }

    /// Reads the events with these indices of a history of the given length.
    async fn read_history_page(
        &self,
        indices: impl Fn(u64) -> Range<u64> + Copy + Send + 'static,
    ) -> Result<HistoryPage, HubError> {
        loop {
            let id = self.instance_id.clone();
            let read = self.hub.read(move |store| read_page(store, &id, indices)).await?;
            let page = read.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))?;
            let wanted = indices(page.status.history_len);
            // If it continued as new between the two reads, the history read is shorter.
            if page.events.len() as u64 >= wanted.end - wanted.start {
                return Ok(page);
            }
        }
    }
}

fn read_page(
    store: &dyn Store,
    id: &InstanceId,
    indices: impl Fn(u64) -> Range<u64>,
) -> Result<Option<HistoryPage>, StoreError> {
    let Some(record) = store.instance(id)? else { return Ok(None) };
    let Range { start: from, end: until } = indices(record.history_len);
    let events = store.history_page(id, record.execution_id, from..until)?;
    let next = (until < record.history_len).then_some(until);
    Ok(Some(HistoryPage { status: record.into(), from, events, next }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{EventKind, Timestamp};

    fn event(name: &str) -> HistoryEvent {
        let kind =
            EventKind::EventRaised { name: name.to_owned(), input: crate::protocol::Json::null() };
        HistoryEvent { event_id: -1, timestamp: Timestamp::default(), kind }
    }

    #[test]
    fn a_position_comes_back_from_its_text() {
        let execution = ExecutionId::from_u128(7);
        for position in [
            HistoryPosition::default(),
            HistoryPosition::from(u64::MAX),
            HistoryPosition::after(execution, 16, &event("a")),
        ] {
            assert_eq!(position.to_string().parse(), Ok(position.clone()));
            let json = serde_json::to_string(&position).unwrap();
            assert_eq!(serde_json::from_str::<HistoryPosition>(&json).unwrap(), position);
        }
        let text = HistoryPosition::after(execution, 16, &event("a")).to_string();
        assert!(text.starts_with("17-00000000000000000000000000000007-"), "{text}");
    }

    #[test]
    fn other_text_is_refused() {
        let execution = ExecutionId::from_u128(7);
        for text in [
            "",
            "-",
            "+1",
            "-1",
            "x",
            "1-",
            "1-7",
            "1-7-8",
            "18446744073709551616",
            &format!("1-{execution}"),
            &format!("1-{execution}-0123456"),
            &format!("1-{execution}-+1234567"),
            &format!("1-{execution}-01234567-"),
        ] {
            let error = text.parse::<HistoryPosition>().unwrap_err();
            assert_eq!(error, InvalidHistoryPosition(text.to_owned()));
        }
    }

    #[test]
    fn checksums_of_different_events_differ() {
        assert_ne!(checksum(&event("a")), checksum(&event("b")));
        assert_eq!(checksum(&event("a")), checksum(&event("a")));
    }
}
