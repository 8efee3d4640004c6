//! Entities: small pieces of state, each with its operations, which run one after another.
//!
//! What users write entities with, how orchestrators call, signal and lock them, and how a batch of
//! operations runs. When and where a batch runs is up to the hub (`hub/partition/entities/`).
//!
//! Uses `orchestration/`, which knows nothing of this module: to it, an operation is a request.
//!
//! Read next: `batch.rs` (each operation is a transaction), `operation.rs` (how it is called).

mod batch;
mod context;
mod critical_section;
mod handle;
mod in_critical_section;
mod operation;

#[expect(unreachable_pub, reason = "the attribute names them in signatures")]
pub use batch::{
    Batch, BatchDone, EntityBody, EntityFunction, OperationRun, RunOperation, RunnableEntity,
    run_entity, run_entity_function,
};
pub(crate) use batch::{DELETE, Requested, is_deletion};
pub use context::EntityContext;
pub(crate) use context::{Around, Outgoing};
pub use critical_section::{CriticalSection, LockEntities, LockSet, LockTask};
pub use handle::{DynamicHandle, DynamicLocked, EntityHandle, EntityRef};
pub use in_critical_section::{
    CallsLockedOnly, CallsNoOrchestrator, LocksNothing, check_in_critical_section,
};
pub use operation::{LockedOperation, LockedTask, Operation, locked_operation, operation};

use crate::payload::Codec;
use crate::registry::Entry;

/// A type or function annotated with [`#[entity]`](macro@crate::entity). The attribute implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity",
    label = "has no operations that a hub could run",
    note = "annotate an `impl` block of the type with `#[entity]`"
)]
pub trait Entity: Sized + 'static {
    #[doc(hidden)]
    const ENTRY: Entry;
    /// What `at(key)` gives: the entity's operations, to be called or signalled.
    type Handle: EntityHandle;
    /// What its state is read as.
    type State: 'static;

    #[doc(hidden)]
    fn handle(entity: EntityRef) -> Self::Handle;

    #[doc(hidden)]
    fn state_codec() -> Codec<Self::State>;
}
