//! Entities: small pieces of named state, each with operations that run one at a time.
//!
//! `#[entity]` on an `impl` block makes the type an [`Entity`] and its methods operations. Each
//! operation is a transaction: its changes and messages take effect only if it succeeds. An
//! [`EntityId`](crate::EntityId) is the entity's name and a key.
//!
//! | to | write |
//! |---|---|
//! | call an operation and wait for its result | `Account::at(key).deposit(5).await`, an [`Operation`] |
//! | signal an operation without waiting | `Account::at(key).deposit(5).signal()?` |
//! | reach an entity whose type is not known here | [`EntityHandle`], [`DynamicHandle`] |
//! | lock several entities in an orchestrator | a [`CriticalSection`], through which [`LockedOperation`]s are called |
//! | read, list and signal entities as a client | [`client`](crate::client) |
//!
//! ```
//! # use durable::prelude::*;
//! # use serde::{Deserialize, Serialize};
//! #[derive(Default, Serialize, Deserialize)]
//! struct Account {
//!     cents: u32,
//! }
//!
//! #[entity]
//! impl Account {
//!     fn deposit(&mut self, cents: u32) -> u32 {
//!         self.cents += cents;
//!         self.cents
//!     }
//! }
//!
//! #[orchestrator]
//! async fn save(ctx: &OrchestrationContext, owner: String) -> Result<u32> {
//!     Ok(Account::at(&owner).deposit(5).await?)
//! }
//! ```

// When and where a batch of operations runs is up to the hub (`hub/partition/entities/`). Uses
// `orchestration/`, which knows nothing of this module: to it, an operation is a request.
// Read next: `run.rs` (each operation is a transaction), `operation.rs` (how it is called).

pub(crate) mod batch;
mod context;
mod critical_section;
pub(crate) mod entity_ref;
pub(crate) mod handle;
pub(crate) mod in_critical_section;
pub(crate) mod operation;
pub(crate) mod run;

pub(crate) use batch::{Batch, BatchContext, BatchDone, DELETE, Outgoing, Requested, is_deletion};
pub use context::EntityContext;
pub use critical_section::{CriticalSection, LockEntities, LockSet, LockTask};
pub(crate) use entity_ref::EntityRef;
pub use handle::{DynamicHandle, DynamicLocked, EntityHandle};
pub use operation::{InvalidOperation, LockedOperation, LockedTask, Operation};

use crate::definition::Entry;
use crate::payload::Codec;

/// A type or function annotated with [`#[entity]`](macro@crate::entity). The attribute implements
/// it.
///
/// ```
/// # use durable::prelude::*;
/// use durable::Entity;
/// use durable::client::{EntityQuery, HubError};
///
/// /// The number of entities of a type.
/// async fn number<E: Entity>(hub: &TaskHub) -> Result<usize, HubError> {
///     Ok(hub.stream(EntityQuery::new().of::<E>().leave_out_state()).try_collect().await?.len())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity",
    label = "has no operations that a hub can run",
    note = "annotate an `impl` block of the type with `#[entity]`"
)]
pub trait Entity: Sized + 'static {
    #[doc(hidden)]
    const ENTRY: Entry;
    /// What `at(key)` returns: the entity's operations, to be called or signaled.
    type Handle: EntityHandle;
    /// What its state is read as.
    type State: 'static;

    #[doc(hidden)]
    fn handle(entity: EntityRef) -> Self::Handle;

    #[doc(hidden)]
    fn state_codec() -> Codec<Self::State>;
}
