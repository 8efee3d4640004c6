//! Entities: small pieces of state, each with its operations, which run one after another.
//!
//! What users write with, and how a batch of operations is run. When and where that is done, the hub
//! decides (`hub/partition/entities/`); how an orchestrator asks for it, `orchestration/` says.
//!
//! Read next: `batch.rs` (each operation is a transaction).

mod batch;
mod context;
mod handle;
mod operation;

#[expect(unreachable_pub, reason = "the attribute names them in signatures")]
pub use batch::{
    Batch, BatchDone, EntityBody, EntityFunction, OperationRun, RunOperation, RunnableEntity,
    run_entity, run_entity_function,
};
pub(crate) use batch::{DELETE, Requested, is_deletion};
pub use context::EntityContext;
pub(crate) use context::{Around, Outgoing};
pub use handle::{DynamicHandle, DynamicLocked, EntityHandle, EntityRef};
pub(crate) use operation::Asked;
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
