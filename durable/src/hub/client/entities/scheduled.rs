//! Signals to entities that are not due: looking for them, and taking them back.

use tokio::sync::oneshot;

use crate::entity::Entity;
use crate::hub::error::HubError;
use crate::hub::mail::Mail;
use crate::hub::task_hub::TaskHub;
use crate::protocol::{EntityId, EventKind, InstanceId, InstanceRecord, Json, Timestamp};
use crate::store::{InstanceFilter, Store, StoreError};

/// How many signals are read at once.
const PAGE: usize = 100;

/// A signal to an entity that is delivered later.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduledSignal {
    /// By what it can be [cancelled](TaskHub::cancel_scheduled_signal). The id stays the same
    /// across restarts.
    pub id: InstanceId,
    /// The entity.
    pub entity_id: EntityId,
    /// The operation that is asked for.
    pub operation: String,
    /// With which input.
    pub input: Json,
    /// When it is delivered.
    pub due_at: Timestamp,
    /// When it was sent.
    pub created_at: Timestamp,
}

/// Some of the signals that were looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduledSignalPage {
    /// The signals, in the order of their entities' ids; those of one entity in no particular
    /// order.
    pub signals: Vec<ScheduledSignal>,
    /// After which id to look for more; `None` if there are no more. What follows may be nothing.
    pub next: Option<InstanceId>,
}

/// Which signals are looked for, of those that are not due: those to which all that is said
/// applies.
#[must_use = "a query does nothing until it is given to a hub"]
#[derive(Clone, Debug)]
pub struct ScheduledSignalQuery {
    id_prefix: String,
    page_size: usize,
}

impl Default for ScheduledSignalQuery {
    fn default() -> Self {
        Self::new()
    }
}

impl ScheduledSignalQuery {
    /// All signals that are not due.
    pub fn new() -> Self {
        Self { id_prefix: String::new(), page_size: PAGE }
    }

    /// To entities of the kind `E`.
    pub fn of<E: Entity>(self) -> Self {
        self.name(E::ENTRY.name)
    }

    /// To entities of the kind with this name.
    pub fn name(self, name: impl AsRef<str>) -> Self {
        Self { id_prefix: format!("@{}@", name.as_ref().to_lowercase()), ..self }
    }

    /// To this entity; instead of [`of`](Self::of) and [`name`](Self::name).
    pub fn entity(self, entity: &EntityId) -> Self {
        Self { id_prefix: InstanceId::prefix_of_signals(entity), ..self }
    }

    /// How many signals there are on a page, at most; by default 100.
    pub fn page_size(self, signals: usize) -> Self {
        Self { page_size: signals.max(1), ..self }
    }

    fn read(
        &self,
        store: &dyn Store,
        after: Option<&InstanceId>,
        now: Timestamp,
    ) -> Result<ScheduledSignalPage, StoreError> {
        let filter = InstanceFilter {
            scheduled_signals: true,
            id_prefix: self.id_prefix.clone(),
            ..InstanceFilter::default()
        };
        let found = store.instances(&filter, after, self.page_size)?;
        let mut page = ScheduledSignalPage { signals: Vec::new(), next: found.next };
        for record in found.instances {
            // What has come due waits for its entity like any other signal.
            let signal = signal(store, record)?.filter(|signal| signal.due_at > now);
            page.signals.extend(signal);
        }
        Ok(page)
    }
}

fn signal(
    store: &dyn Store,
    record: InstanceRecord,
) -> Result<Option<ScheduledSignal>, StoreError> {
    let history = store.history(&record.instance_id, record.execution_id, 0)?;
    // It may be delivered or cancelled meanwhile.
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
    /// A page of delayed signals from any sender, in the order of their entities' ids, starting
    /// after `after`.
    ///
    /// A page may be shorter than asked for though there are more; the last one has no
    /// [`next`](ScheduledSignalPage::next).
    ///
    /// ```standalone_crate
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
    /// let page = hub.scheduled_signals(&ScheduledSignalQuery::new().of::<Hold>(), None).await?;
    /// let signal = &page.signals[0];
    /// assert_eq!((signal.entity_id.key(), &*signal.operation), ("seat-7", "release"));
    /// assert!(hub.cancel_scheduled_signal(&signal.id).await?);
    /// assert!(!hub.cancel_scheduled_signal(&signal.id).await?, "it is gone");
    /// # hub.shutdown().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// The hub was shut down, or its store failed.
    pub async fn scheduled_signals(
        &self,
        query: &ScheduledSignalQuery,
        after: Option<&InstanceId>,
    ) -> Result<ScheduledSignalPage, HubError> {
        let (query, after, now) = (query.clone(), after.cloned(), self.now());
        self.read(move |store| query.read(store, after.as_ref(), now)).await
    }

    /// Takes back a signal whose time has not come; gives whether there was one. When this returns
    /// `true`, that is durable, and the signal is never delivered.
    ///
    /// `false` means that the signal has come due, was cancelled before, or never existed.
    ///
    /// # Errors
    /// The hub was shut down, or its store failed.
    pub async fn cancel_scheduled_signal(&self, id: &InstanceId) -> Result<bool, HubError> {
        self.check()?;
        let Some(entity) = id.entity_of_signal() else { return Ok(false) };
        let (reply, cancelled) = oneshot::channel();
        let mail = Mail::CancelSignal { id: id.clone(), reply };
        self.request(entity.instance_id(), mail).await?;
        cancelled.await.map_err(|_gone| self.error())
    }
}
