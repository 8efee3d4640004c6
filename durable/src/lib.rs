#![doc = include_str!("../docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::expect_used, clippy::unwrap_used)]

extern crate self as durable;

#[macro_use]
mod marks;
#[macro_use]
mod tell;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private_0_1;
mod activity;
mod call;
mod chance;
pub mod client;
mod definition;
mod engine;
pub mod entity;
pub mod error;
mod event;
mod fresh;
#[cfg(any(doc, doctest))]
pub mod guide;
#[cfg(feature = "http")]
pub mod http;
mod hub;
mod limits;
mod orchestration;
mod panics;
mod payload;
pub mod protocol;
mod quiet;
mod registry;
mod replay_rules;
pub mod retry;
#[cfg(feature = "schedules")]
pub mod schedule;
pub mod store;
pub mod task;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;
mod weight;

/// The crate of dates and times that the API uses.
pub use chrono;
// Of other crates only the types that the API names: a whole crate would make more names ambiguous,
// and the compiler would then print `std::string::String` in the errors of users.
#[doc(no_inline)]
pub use tokio_util::sync::CancellationToken;
#[doc(no_inline)]
pub use uuid::Uuid;

pub use activity::{ActivityContext, State};
#[doc(inline)]
pub use client::{InstanceHandle, OrchestrationHandle, TaskHub};
pub use definition::Activity;
#[doc(alias = "workflow")]
pub use definition::Orchestrator;
pub use durable_macros::{activity, allow, deterministic, entity, event, helper, orchestrator};
#[doc(inline)]
pub use entity::{Entity, EntityContext};
#[doc(inline)]
pub use error::{Error, Result, TaskFailed};
pub use event::ExternalEvent;
pub use orchestration::OrchestrationContext;
pub use payload::Payload;
#[doc(inline)]
pub use protocol::{EntityId, InstanceId, RuntimeStatus};
#[doc(inline)]
pub use retry::RetryPolicy;
#[cfg(all(fuzzing, feature = "sled"))]
#[doc(hidden)]
pub use store::fuzz;
#[doc(inline)]
pub use task::{Call, timeout, try_join, try_join_all};
// rustdoc does not find the aliases of an item that is inlined, but those of its `pub use`.
#[doc(inline, alias("FuturesUnordered", "buffer_unordered"))]
pub use task::as_completed;
#[doc(inline, alias("when_all", "task_all"))]
pub use task::{join, join_all};
#[doc(inline, alias("when_any", "select"))]
pub use task::{race, select_all};

/// What nearly every program needs: `use durable::prelude::*;`.
///
/// # With other crates
/// `axum` also has a `State` (`axum::extract::State`). An explicit import takes precedence over a
/// glob import, so a file that imports axum's `State` explicitly gets that, and writes
/// `durable::State` in its activities:
///
/// ```
/// # mod axum { pub mod extract { pub struct State<T>(pub T); } }
/// use axum::extract::State;
/// use durable::prelude::*;
///
/// struct Bank;
///
/// #[activity]
/// async fn charge(bank: durable::State<Bank>, cents: u32) -> Result<u32> {
///     # let _: &Bank = &bank;
///     Ok(cents)
/// }
///
/// async fn route(State(hub): State<TaskHub>) {
///     # let _ = hub;
/// }
/// ```
///
/// [`Json`](crate::protocol::Json) is in neither the prelude nor the crate root, so that
/// `axum::Json` never collides with it.
pub mod prelude {
    pub use durable_macros::{activity, entity, orchestrator};

    pub use crate::task::{Race2, Race3};
    pub use crate::{
        ActivityContext, EntityContext, Error, OrchestrationContext, OrchestrationHandle, Result,
        RetryPolicy, RuntimeStatus, State, TaskFailed, TaskHub,
    };
}
