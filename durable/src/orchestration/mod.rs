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

use crate::error::ErrorCodec;
use crate::payload::Codec;
use crate::registry::Definition;

/// A function annotated with [`#[orchestrator]`](macro@crate::orchestrator). The attribute
/// implements it.
pub trait Orchestrator: Definition {
    /// What it returns when it succeeds.
    type Output: 'static;
    /// What it returns when it fails.
    type Error: 'static;

    #[doc(hidden)]
    fn codecs() -> (Codec<Self::Output>, ErrorCodec<Self::Error>);
}
