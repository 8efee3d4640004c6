//! Following the history of an instance: what is recorded, then what is committed.
//!
//! Rules:
//! 1. A follower reads the store; the partition only notifies it, through a channel, that an
//!    episode is durable. So a slow follower misses nothing, and no event is kept in memory for it.
//! 2. A follower subscribes once it has read everything, and then reads again before it waits. So no
//!    commit between the two is missed.
//! 3. The channel of an instance is closed when the instance ends and when the hub stops. The follower
//!    reads the store to tell these apart.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::Serialize;
use tokio::sync::{oneshot, watch};

use super::history::HistoryPosition;
use super::instance::InstanceHandle;
use super::status::InstanceStatus;
use crate::hub::error::HubError;
use crate::hub::mail::Mail;
use crate::protocol::{ExecutionId, HistoryEvent, InstanceId};
use crate::store::{Store, StoreError};

/// The most events that are read at once.
const EVENTS_AT_ONCE: u64 = 256;

/// An event of a history that is followed; see [`InstanceHandle::follow_history`].
///
/// ```
/// use durable::client::{FollowedEvent, HistoryPosition, InstanceHandle};
///
/// /// Continues after the last event that was shown.
/// fn show(event: &FollowedEvent) -> HistoryPosition {
///     println!("{} {:?}", event.index, event.event.kind);
///     event.position()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FollowedEvent {
    /// The execution whose history has the event.
    pub execution_id: ExecutionId,
    /// The index of the event in that history, counted from 0.
    pub index: u64,
    /// The event.
    pub event: HistoryEvent,
}

impl FollowedEvent {
    /// Returns the position after this event, from which to continue.
    pub fn position(&self) -> HistoryPosition {
        HistoryPosition::after(self.execution_id, self.index, &self.event)
    }
}

/// The events of an instance, recorded and new; created by [`InstanceHandle::follow_history`].
///
/// This implements [`Stream`] of the crate `futures-core`, with `Result`s as items. The stream ends
/// after an error.
///
/// ```
/// use durable::client::{HistoryStream, HubError};
///
/// async fn print(mut events: HistoryStream) -> Result<(), HubError> {
///     while let Some(event) = events.try_next().await? {
///         println!("{} {:?}", event.index, event.event.kind);
///     }
///     Ok(()) // the instance has ended
/// }
/// ```
#[must_use = "a stream reads nothing until it is asked for an item"]
pub struct HistoryStream {
    events: std::vec::IntoIter<FollowedEvent>,
    status: Option<InstanceStatus>,
    state: State,
}

/// Where the next events come from.
enum State {
    Idle(Box<Follower>),
    Reading(Reading),
    Ended,
}

type Reading = Pin<Box<dyn Future<Output = (Box<Follower>, Result<Found, HubError>)> + Send>>;

/// Reads the events after a position.
struct Follower {
    instance: InstanceHandle,
    position: HistoryPosition,
    /// Changes with each episode of the instance.
    episodes: Option<watch::Receiver<()>>,
}

/// What the store has after a position.
struct Found {
    status: InstanceStatus,
    events: Vec<FollowedEvent>,
    /// The instance has ended, and these are its last events.
    is_end: bool,
}

impl InstanceHandle {
    /// Follows the history of the instance from a position on, usually 0: first the events that are
    /// recorded, then each new one once it is durable. The stream ends when the instance has ended
    /// and its last event was returned.
    ///
    /// Each event is returned once, however slow the follower is, because it is read from the
    /// history. Commits wake the follower; it does not poll the store, unless [several processes share
    /// the hub](crate::guide::scale_out). An instance without followers costs nothing. It makes no
    /// difference whether the instance is in memory, pending or suspended.
    ///
    /// To resume after a disconnect, follow from the [position](FollowedEvent::position) of the last
    /// event.
    ///
    /// # A history that is replaced
    /// The events of each history have indices from 0. **An event with the index 0 begins a history:
    /// discard what was returned before.** This happens when the instance
    ///
    /// - continues as new, or another instance is started under its id: the event has another
    ///   `execution_id`. Events of the earlier history that had not been returned yet are gone;
    /// - is rewound, and the rewind removes events before the position: the same execution then has
    ///   another history, which is returned from its beginning.
    ///
    /// The stream of an instance that has ended does not continue if the instance is rewound or
    /// restarted: follow it again. If the instance is purged before its last event was returned,
    /// the stream ends with [`HubError::NoSuchInstance`].
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn approval(ctx: &OrchestrationContext) -> Result<bool> {
    /// #     Ok(ctx.wait_for_external_event::<bool>("Approval").await?)
    /// # }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start(approval()).await?;
    /// let mut history = run.follow_history(0);
    /// # let mut last = 0;
    /// while let Some(followed) = history.try_next().await? {
    ///     println!("{} {}", followed.index, followed.event.kind.type_name());
    ///     # last = followed.index;
    ///     if followed.index == 0 {
    ///         run.raise_event("Approval", &true).await?;
    ///     }
    /// }
    /// # assert_eq!(last + 1, run.history().await?.len() as u64);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The stream returns [`HubError::NoSuchInstance`], or an error if the hub stops or its store
    /// fails.
    pub fn follow_history(&self, from: impl Into<HistoryPosition>) -> HistoryStream {
        let (instance, position) = (self.clone(), from.into());
        let follower = Follower { instance, position, episodes: None };
        HistoryStream {
            events: Vec::new().into_iter(),
            status: None,
            state: State::Idle(Box::new(follower)),
        }
    }
}

impl HistoryStream {
    /// Waits for the next event; `None` if the instance has ended and all events were returned.
    ///
    /// This is cancel-safe: dropping the future loses no event.
    ///
    /// # Errors
    /// See [`InstanceHandle::follow_history`].
    pub async fn try_next(&mut self) -> Result<Option<FollowedEvent>, HubError> {
        poll_fn(|cx| self.poll_event(cx)).await.transpose()
    }

    /// Collects all remaining events in memory, until the instance has ended.
    ///
    /// # Errors
    /// See [`InstanceHandle::follow_history`].
    pub async fn try_collect(mut self) -> Result<Vec<FollowedEvent>, HubError> {
        let mut events = Vec::new();
        while let Some(event) = self.try_next().await? {
            events.push(event);
        }
        Ok(events)
    }

    /// Returns the status of the instance when the last events were read; after the end of the
    /// stream, the status with which the instance ended. `None` before the first event.
    pub fn last_status(&self) -> Option<&InstanceStatus> {
        self.status.as_ref()
    }

    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<FollowedEvent, HubError>>> {
        loop {
            if let Some(event) = self.events.next() {
                return Poll::Ready(Some(Ok(event)));
            }
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Idle(follower) => State::Reading(Box::pin(follower.next_events())),
                State::Reading(mut reading) => match reading.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    }
                    Poll::Ready((_, Err(error))) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready((follower, Ok(Found { status, events, is_end }))) => {
                        self.status = Some(status);
                        self.events = events.into_iter();
                        if is_end { State::Ended } else { State::Idle(follower) }
                    }
                },
            };
        }
    }
}

impl Follower {
    async fn next_events(mut self: Box<Self>) -> (Box<Self>, Result<Found, HubError>) {
        let found = self.wait().await;
        (self, found)
    }

    /// Waits until there are events after the position, or the instance has ended.
    async fn wait(&mut self) -> Result<Found, HubError> {
        loop {
            let found = self.read().await?;
            if found.is_end || !found.events.is_empty() {
                return Ok(found);
            }
            match &mut self.episodes {
                None => self.episodes = Some(self.subscribe().await?),
                Some(episodes) => {
                    if self.instance.hub.passing(episodes.changed()).await.is_err() {
                        self.episodes = None;
                    }
                }
            }
        }
    }

    async fn read(&mut self) -> Result<Found, HubError> {
        let (id, from) = (self.instance.instance_id.clone(), self.position.clone());
        let found = self.instance.hub.read(move |store| read(store, &id, &from)).await?;
        let found = found.ok_or_else(|| self.no_such_instance())?;
        if let Some(last) = found.events.last() {
            self.position = last.position();
        }
        Ok(found)
    }

    async fn subscribe(&self) -> Result<watch::Receiver<()>, HubError> {
        let InstanceHandle { hub, instance_id } = &self.instance;
        let (reply, subscribed) = oneshot::channel();
        let mail = Mail::Follow { instance_id: instance_id.clone(), reply };
        hub.request(instance_id, mail).await?;
        let subscribed = subscribed.await.map_err(|_gone| hub.error())?;
        subscribed.ok_or_else(|| self.no_such_instance())
    }

    fn no_such_instance(&self) -> HubError {
        HubError::NoSuchInstance(self.instance.instance_id.clone())
    }
}

fn read(
    store: &dyn Store,
    id: &InstanceId,
    from: &HistoryPosition,
) -> Result<Option<Found>, StoreError> {
    let Some(record) = store.instance(id)? else { return Ok(None) };
    let (first, events) = from.read(store, &record, EVENTS_AT_ONCE)?;
    let end = first + events.len() as u64;
    // If it has changed in the meantime, the events may be those of a history that has more events.
    let is_end = record.runtime_status.is_finished()
        && end >= record.history_len
        && store.instance(id)?.as_ref() == Some(&record);
    let execution_id = record.execution_id;
    let followed = |(index, event)| FollowedEvent { execution_id, index, event };
    let events = (first..).zip(events).map(followed).collect();
    Ok(Some(Found { status: record.into(), events, is_end }))
}

impl Stream for HistoryStream {
    type Item = Result<FollowedEvent, HubError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for HistoryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_ended = matches!(self.state, State::Ended);
        f.debug_struct("HistoryStream").field("has_ended", &has_ended).finish_non_exhaustive()
    }
}
