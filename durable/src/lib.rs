#![doc = include_str!("../../docs/tour.md")]
#![warn(clippy::expect_used, clippy::unwrap_used)]

extern crate self as durable;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod activity;
mod call;
mod engine;
mod error;
#[cfg(doctest)]
mod error_pages;
mod hub;
mod orchestration;
mod panics;
mod payload;
pub mod protocol;
mod registry;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use activity::{Activity, ActivityContext, State};
pub use call::Call;
pub use durable_macros::{activity, allow, deterministic, helper, orchestrator};
pub use error::{Error, Result, TaskError, TaskFailed};
pub use hub::{
    HubError, OpenError, OrchestrationHandle, ResultError, StartError, TaskHub, TaskHubBuilder,
};
pub use orchestration::{
    Durable, DurableFuture, Join, JoinAll, JoinTuple, OrchestrationContext, Orchestrator, Task,
    TryJoin, TryJoinAll, TryJoinTuple, join, join_all, try_join, try_join_all,
};
pub use payload::Payload;
pub use protocol::{InstanceId, InvalidInstanceId, RuntimeStatus};
pub use registry::{Definition, RegistryError, VersionMatch};

/// What nearly every program needs: `use durable::prelude::*;`.
pub mod prelude {
    pub use crate::{
        ActivityContext, Error, OrchestrationContext, Result, State, TaskFailed, TaskHub, activity,
        orchestrator,
    };
}
