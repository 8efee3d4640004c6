//! What an orchestrator is written with: its context, tasks, and ways to wait for several.
//!
//! Read next: `scope.rs` (how a task finds the episode in which it is polled).

mod combinators;
mod context;
mod durable;
pub(crate) mod scope;
mod task;

pub use combinators::{
    Child, Join, JoinAll, JoinTuple, TryJoin, TryJoinAll, TryJoinTuple, join, join_all, try_join,
    try_join_all,
};
pub use context::OrchestrationContext;
pub use durable::{Durable, DurableBlock, DurableFuture, DurableTuple, check, durable_block};
pub use task::Task;

use crate::registry::Definition;

/// A function annotated with [`#[orchestrator]`](macro@crate::orchestrator). The attribute
/// implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an orchestrator",
    label = "only orchestrations can be started",
    note = "annotate the function with `#[orchestrator]`; an activity is awaited in one"
)]
pub trait Orchestrator: Definition {
    /// What the function returns, as it is written.
    type Return;
}
