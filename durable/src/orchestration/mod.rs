//! What an orchestrator is written with: its context, tasks, and ways to wait for several.
//!
//! Read next: `scope.rs` (how a task finds the episode in which it is polled).

mod combinators;
mod context;
mod continue_as_new;
mod critical_section;
mod durable;
mod external_event;
mod in_critical_section;
mod inbox;
mod refusal;
pub(crate) mod request;
pub(crate) mod scope;
mod task;
mod timer;

pub use combinators::{
    AsCompleted, Child, Join, JoinAll, JoinChildren, JoinTuple, NextCompleted, Race, Race2, Race3,
    Race4, Race5, Race6, Race7, Race8, RaceChildren, RaceTuple, SelectAll, Selectable, TryJoin,
    TryJoinAll, TryJoinChildren, TryJoinTuple, as_completed, join, join_all, race, select_all,
    try_join, try_join_all,
};
pub use context::OrchestrationContext;
pub(crate) use context::{NamedStart, json_of};
pub use continue_as_new::ContinueAsNew;
pub use critical_section::{CriticalSection, LockEntities, LockSet, LockTask};
pub use durable::{Durable, DurableBlock, DurableFuture, check, durable_block};
pub use external_event::ExternalEventWait;
pub use in_critical_section::{
    CallsLockedOnly, CallsNoOrchestrator, LocksNothing, check_in_critical_section,
};
pub(crate) use inbox::UnreadEvent;
pub(crate) use task::Called;
pub use task::Task;
pub(crate) use timer::Due;
pub use timer::{Elapsed, Timeout, Timer, When, timeout};

use crate::registry::Definition;

/// A function annotated with [`#[orchestrator]`](macro@crate::orchestrator). The attribute
/// implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an orchestrator",
    label = "only orchestrations have instances, which are started",
    note = "annotate the function with `#[orchestrator]`; an activity is awaited in one"
)]
#[doc(alias = "workflow")]
pub trait Orchestrator: Definition {
    /// What the function returns, as it is written.
    type Return;
}
