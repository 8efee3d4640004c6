//! The building blocks of orchestrators: the context, tasks, timers, external events, and
//! combinators that wait for several tasks.
//!
//! This module does not depend on `call/`, `definition.rs` or `entity/`, which build on it.
//!
//! Read next: `scope/mod.rs` (how a task finds the episode in which it is polled).

mod combinators;
mod context;
mod continue_as_new;
mod durable;
mod external_event;
pub(crate) mod request;
pub(crate) mod scope;
mod serialize;
mod task;
mod timer;

pub use combinators::{
    AsCompleted, Child, Join, JoinAll, JoinChildren, JoinTuple, NextCompleted, Race, Race2, Race3,
    Race4, Race5, Race6, Race7, Race8, RaceChildren, RaceTuple, SelectAll, Selectable, TryJoin,
    TryJoinAll, TryJoinChildren, TryJoinTuple, as_completed, join, join_all, race, select_all,
    try_join, try_join_all,
};
#[cfg(feature = "schedules")]
pub(crate) use context::NamedStart;
pub use context::OrchestrationContext;
pub use continue_as_new::ContinueAsNew;
pub use durable::{Durable, DurableBlock, DurableFuture, check, durable_block};
pub use external_event::ExternalEventWait;
pub(crate) use scope::UnreadEvent;
pub(crate) use serialize::json_of;
pub(crate) use task::Called;
pub use task::Task;
pub(crate) use timer::Due;
pub use timer::{Elapsed, Timeout, Timer, When, timeout};
