//! Querying entities, and releasing orphaned locks.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::oneshot;

use super::{EntityDetails, details};
use crate::entity::Entity;
use crate::hub::client::page::{Page, PageToken, Paging, Query};
use crate::hub::error::{EntityError, HubError};
use crate::hub::mail::Mail;
use crate::hub::task_hub::TaskHub;
use crate::protocol::{EntityId, ParentInstance, Timestamp};
use crate::store::{InstanceFilter, Store, StoreError};

/// A query for the entities that match all conditions.
///
/// ```
/// # use durable::prelude::*;
/// # use serde::{Serialize, Deserialize};
/// use durable::client::EntityQuery;
///
/// # #[derive(Default, Serialize, Deserialize)]
/// # struct Counter(i64);
/// # #[entity]
/// # impl Counter { fn add(&mut self, n: i64) { self.0 += n } }
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().open().await?;
/// for page in ["home", "help", "contact"] {
///     hub.call_entity(Counter::at(page).add(1)).await?;
/// }
/// let query = EntityQuery::new().of::<Counter>().key_prefix("h");
/// let found = hub.stream(query).try_collect().await?;
/// let keys: Vec<_> = found.iter().map(|entity| entity.entity_id.key()).collect();
/// assert_eq!(keys, ["help", "home"]);
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a query does nothing until it is given to a hub"]
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a condition of its own")]
pub struct EntityQuery {
    name: Option<String>,
    key_prefix: String,
    modified_from: Option<Timestamp>,
    modified_to: Option<Timestamp>,
    leaves_out_state: bool,
    includes_transient: bool,
    only_locked: bool,
    only_set_aside: bool,
    paging: Paging,
}

/// The result of [`TaskHub::clean_entities`].
///
/// ```
/// # use durable::TaskHub;
/// async fn clean(hub: &TaskHub) -> durable::Result<()> {
///     let cleaned = hub.clean_entities().await?;
///     println!("{} orphaned locks were released", cleaned.orphaned_locks_released);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CleanedEntities {
    /// The number of released locks whose orchestration no longer exists.
    pub orphaned_locks_released: u64,
}

impl Default for EntityQuery {
    fn default() -> Self {
        Self::new()
    }
}

impl EntityQuery {
    /// Selects all entities that have a state.
    pub fn new() -> Self {
        Self {
            name: None,
            key_prefix: String::new(),
            modified_from: None,
            modified_to: None,
            leaves_out_state: false,
            includes_transient: false,
            only_locked: false,
            only_set_aside: false,
            paging: Paging::default(),
        }
    }

    /// Finds only entities of type `E`.
    pub fn of<E: Entity>(self) -> Self {
        self.name(E::ENTRY.name)
    }

    /// Finds only entities with this name.
    pub fn name(self, name: impl AsRef<str>) -> Self {
        Self { name: Some(name.as_ref().to_lowercase()), ..self }
    }

    /// Finds only entities whose key begins with this prefix. Combine it with [`of`](Self::of) or
    /// [`name`](Self::name), so that only those entities are read.
    pub fn key_prefix(self, prefix: impl Into<String>) -> Self {
        Self { key_prefix: prefix.into(), ..self }
    }

    /// Finds only entities last changed at this time or later.
    pub fn modified_from(self, time: DateTime<Utc>) -> Self {
        Self { modified_from: Some(Timestamp::new(time)), ..self }
    }

    /// Finds only entities last changed before this time.
    pub fn modified_to(self, time: DateTime<Utc>) -> Self {
        Self { modified_to: Some(Timestamp::new(time)), ..self }
    }

    /// Leaves out the states.
    pub fn leave_out_state(self) -> Self {
        Self { leaves_out_state: true, ..self }
    }

    /// Includes entities without a state, which are only locked.
    pub fn include_transient(self) -> Self {
        Self { includes_transient: true, ..self }
    }

    /// Finds only entities that a critical section has locked, even if they have no state. This
    /// reads every entity that meets the other conditions, so a page may be empty although more
    /// pages follow.
    ///
    /// ```
    /// use durable::client::EntityQuery;
    ///
    /// let accounts = EntityQuery::new().name("account").locked().leave_out_state();
    /// ```
    pub fn locked(self) -> Self {
        Self { only_locked: true, includes_transient: true, ..self }
    }

    /// Finds only entities that are set aside because an operation crashes the process
    /// ([DURABLE0106](crate::guide::error_codes::DURABLE0106)), even if they have no state. This
    /// reads every entity that meets the other conditions, so a page may be empty although more
    /// pages follow.
    ///
    /// ```
    /// use durable::client::EntityQuery;
    ///
    /// let poisoned = EntityQuery::new().set_aside().leave_out_state();
    /// ```
    pub fn set_aside(self) -> Self {
        Self { only_set_aside: true, includes_transient: true, ..self }
    }

    /// Sets the maximum number of entities on a page; by default 100.
    pub fn page_size(self, entities: usize) -> Self {
        Self { paging: self.paging.with_size(entities), ..self }
    }

    /// Finds only entities after this position: the [`next`](Page::next) of the previous page.
    pub fn after(self, token: impl Into<PageToken>) -> Self {
        Self { paging: self.paging.starting_after(token.into()), ..self }
    }

    fn filter(&self) -> InstanceFilter {
        InstanceFilter {
            entities: true,
            id_prefix: match &self.name {
                Some(name) => format!("@{name}@{}", self.key_prefix),
                None => "@".to_owned(),
            },
            updated_from: self.modified_from,
            updated_to: self.modified_to,
            ..InstanceFilter::default()
        }
    }
}

impl Query for EntityQuery {
    type Item = EntityDetails;

    fn paging(&mut self) -> &mut Paging {
        &mut self.paging
    }

    fn read_page(
        &self,
        store: &dyn Store,
        _now: Timestamp,
    ) -> Result<Page<EntityDetails>, StoreError> {
        let found = store.instances(&self.filter(), self.paging.after_id(), self.paging.size)?;
        let mut entities = Vec::new();
        for record in &found.instances {
            let Some(mut entity) = details(store, record)? else { continue };
            let is_meant = entity.entity_id.key().starts_with(&self.key_prefix);
            let is_meant = is_meant
                && (!self.only_locked || entity.locked_by.is_some())
                && (!self.only_set_aside || entity.suspension.is_some());
            if is_meant && (self.includes_transient || entity.state.is_some()) {
                entity.state.take_if(|_| self.leaves_out_state);
                entities.push(entity);
            }
        }
        Ok(Page::new(entities, found.next, found.scanned))
    }
}

impl TaskHub {
    /// Releases locks of critical sections whose orchestration no longer exists.
    ///
    /// Normally there are none: locks are released in the same commit in which their orchestration
    /// ends, and a deleted entity leaves nothing behind. Use this after a store was repaired by
    /// hand. It reads every entity.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// # async fn clean(hub: TaskHub) -> durable::Result<()> {
    /// let cleaned = hub.clean_entities().await?;
    /// println!("{} orphaned locks were released", cleaned.orphaned_locks_released);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed; some locks may have been released by then.
    pub async fn clean_entities(&self) -> Result<CleanedEntities, EntityError> {
        let query = EntityQuery::new().include_transient().leave_out_state();
        let (mut cleaned, mut entities) = (CleanedEntities::default(), self.stream(query));
        while let Some(entity) = entities.try_next().await? {
            let Some(owner) = entity.locked_by else { continue };
            if self.is_gone(&owner).await? && self.unlock(&entity.entity_id, owner).await? {
                cleaned.orphaned_locks_released += 1;
            }
        }
        Ok(cleaned)
    }

    async fn is_gone(&self, owner: &ParentInstance) -> Result<bool, HubError> {
        let id = owner.instance_id.clone();
        let record = self.read(move |store| store.instance(&id)).await?;
        let is_there = record.is_some_and(|record| {
            record.execution_id == owner.execution_id && !record.runtime_status.is_finished()
        });
        Ok(!is_there)
    }

    async fn unlock(&self, entity: &EntityId, owner: ParentInstance) -> Result<bool, HubError> {
        let (reply, unlocked) = oneshot::channel();
        let (entity, owner) = (entity.instance_id().clone(), Box::new(owner));
        let mail = Mail::TakeBackLock { entity: entity.clone(), owner, reply: reply.into() };
        self.request(&entity, mail).await?;
        self.replied(unlocked).await
    }
}
