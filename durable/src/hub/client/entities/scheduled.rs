//! Scheduled signals to entities: querying and cancelling them.

use serde::Serialize;
use tokio::sync::oneshot;

use crate::entity::Entity;
use crate::hub::client::page::{Page, PageToken, Paging, Query};
use crate::hub::error::HubError;
use crate::hub::mail::Mail;
use crate::hub::task_hub::TaskHub;
use crate::protocol::{EntityId, EventKind, InstanceId, InstanceRecord, Json, Timestamp};
use crate::store::{InstanceFilter, Store, StoreError};

/// A signal that is delivered to an entity at a later time.
///
/// ```
/// # use durable::TaskHub;
/// use durable::client::ScheduledSignalQuery;
///
/// async fn cancel_all(hub: &TaskHub) -> durable::Result<()> {
///     for signal in hub.stream(ScheduledSignalQuery::new()).try_collect().await? {
///         hub.cancel_scheduled_signal(&signal.id).await?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScheduledSignal {
    /// Its id, for [cancelling](TaskHub::cancel_scheduled_signal). It stays the same across
    /// restarts.
    pub id: InstanceId,
    /// The entity.
    pub entity_id: EntityId,
    /// The requested operation.
    pub operation: String,
    /// Its input.
    pub input: Json,
    /// When it is delivered.
    pub due_at: Timestamp,
    /// When it was sent.
    pub created_at: Timestamp,
}

/// A query for the scheduled signals that match all conditions. They are ordered by their entities'
/// ids; the signals of one entity are in no particular order.
///
/// ```
/// # use std::time::Duration;
/// # use durable::prelude::*;
/// # use serde::{Serialize, Deserialize};
/// use durable::client::ScheduledSignalQuery;
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Hold {
///     is_released: bool,
/// }
///
/// #[entity]
/// impl Hold {
///     fn release(&mut self) {
///         self.is_released = true;
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().open().await?;
/// hub.signal_entity_at(Duration::from_hours(1), Hold::at("seat-7").release()).await?;
///
/// let page = hub.query(&ScheduledSignalQuery::new().of::<Hold>()).await?;
/// let signal = &page.items[0];
/// assert_eq!((signal.entity_id.key(), &*signal.operation), ("seat-7", "release"));
/// assert!(hub.cancel_scheduled_signal(&signal.id).await?);
/// assert!(!hub.cancel_scheduled_signal(&signal.id).await?, "it is gone");
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a query does nothing until it is given to a hub"]
#[derive(Clone, Debug)]
pub struct ScheduledSignalQuery {
    id_prefix: String,
    paging: Paging,
}

impl Default for ScheduledSignalQuery {
    fn default() -> Self {
        Self::new()
    }
}

impl ScheduledSignalQuery {
    /// Selects all scheduled signals.
    pub fn new() -> Self {
        Self { id_prefix: String::new(), paging: Paging::default() }
    }

    /// Finds only signals to entities of type `E`.
    pub fn of<E: Entity>(self) -> Self {
        self.name(E::ENTRY.name)
    }

    /// Finds only signals to entities with this name.
    pub fn name(self, name: impl AsRef<str>) -> Self {
        Self { id_prefix: format!("@{}@", name.as_ref().to_lowercase()), ..self }
    }

    /// Finds only signals to this entity; replaces [`of`](Self::of) and [`name`](Self::name).
    pub fn entity(self, entity: &EntityId) -> Self {
        Self { id_prefix: InstanceId::prefix_of_signals(entity), ..self }
    }

    /// Sets the maximum number of signals on a page; by default 100.
    pub fn page_size(self, signals: usize) -> Self {
        Self { paging: self.paging.with_size(signals), ..self }
    }

    /// Finds only signals after this position: the [`next`](Page::next) of the previous page.
    pub fn after(self, token: impl Into<PageToken>) -> Self {
        Self { paging: self.paging.starting_after(token.into()), ..self }
    }
}

/// Signals come in the order of their entities' ids; those of one entity in no particular order.
impl Query for ScheduledSignalQuery {
    type Item = ScheduledSignal;

    fn paging(&mut self) -> &mut Paging {
        &mut self.paging
    }

    fn read_page(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Page<ScheduledSignal>, StoreError> {
        let filter = InstanceFilter {
            scheduled_signals: true,
            id_prefix: self.id_prefix.clone(),
            ..InstanceFilter::default()
        };
        let found = store.instances(&filter, self.paging.after_id(), self.paging.size)?;
        let mut signals = Vec::new();
        for record in found.instances {
            // A signal that has come due is in its entity's queue and can no longer be cancelled.
            signals.extend(signal(store, record)?.filter(|signal| signal.due_at > now));
        }
        Ok(Page::new(signals, found.next, found.scanned))
    }
}

fn signal(
    store: &dyn Store,
    record: InstanceRecord,
) -> Result<Option<ScheduledSignal>, StoreError> {
    let history = store.history(&record.instance_id, record.execution_id, 0)?;
    // It may have been delivered or cancelled since it was read.
    let event = history.into_iter().next().map(|event| event.kind);
    Ok(match event {
        Some(EventKind::EntityOperationSignaled {
            entity_id,
            operation,
            input,
            scheduled_time: Some(due_at),
            ..
        }) => Some(ScheduledSignal {
            id: record.instance_id,
            entity_id,
            operation,
            input,
            due_at,
            created_at: record.created_at,
        }),
        _ => None,
    })
}

impl TaskHub {
    /// Cancels a scheduled signal; returns whether it was cancelled. When this returns `true`, the
    /// cancellation is durable, and the signal is never delivered.
    ///
    /// `false` means that the signal was already due, was cancelled before, or never existed.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::client::{HubError, ScheduledSignal};
    ///
    /// async fn cancel(hub: &TaskHub, signal: &ScheduledSignal) -> Result<(), HubError> {
    ///     if !hub.cancel_scheduled_signal(&signal.id).await? {
    ///         println!("too late: the signal was delivered");
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`HubError::InvalidInstanceId`] if the id is invalid; another error if the hub was shut
    /// down, or its store failed.
    pub async fn cancel_scheduled_signal(&self, id: impl AsRef<str>) -> Result<bool, HubError> {
        self.check()?;
        let id = InstanceId::try_from(id.as_ref().to_owned())?;
        let Some(entity) = id.entity_of_signal() else { return Ok(false) };
        let (reply, cancelled) = oneshot::channel();
        let mail = Mail::CancelSignal { id, reply: reply.into() };
        self.request(entity.instance_id(), mail).await?;
        self.replied(cancelled).await
    }
}
