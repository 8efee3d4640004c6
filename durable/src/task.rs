//! What an orchestrator can await: calls, timers, external events, critical sections, and
//! combinations of them.
//!
//! | to wait for | write | type or result |
//! |---|---|---|
//! | an activity or a sub-orchestration | `charge(order).await` | [`Call`], [`Task`] |
//! | time (a durable `sleep`) | [`ctx.create_timer(duration)`](crate::OrchestrationContext::create_timer) | [`Timer`] |
//! | an external event | [`ctx.wait_for_external_event(name)`](crate::OrchestrationContext::wait_for_external_event) | [`ExternalEventWait`] |
//! | the locks of entities | [`ctx.lock_entities(entities)`](crate::OrchestrationContext::lock_entities) | a [`CriticalSection`](crate::entity::CriticalSection) |
//! | all of a few tasks of different types | [`join`], [`try_join`] | a tuple of results |
//! | all of many tasks of one type (`when_all`) | [`join_all`], [`try_join_all`] | a `Vec` of results |
//! | the first of a few tasks of different types (`when_any`) | [`race`] | [`Race2`] to [`Race8`] |
//! | the first of many tasks of one type (`when_any`) | [`select_all`] | [`SelectAll`] |
//! | many tasks, in the order in which they complete | [`as_completed`] | [`AsCompleted`] |
//! | a task, for a limited time | [`timeout`] | [`Timeout`], or [`Elapsed`] |
//!
//! The functions are also in the crate root. Programs name the types only in signatures and patterns.
//!
//! All these futures implement [`Durable`], so an orchestrator may await them. The futures of other
//! libraries, such as `tokio::time::sleep`, do not, because their results would not be recorded.
//!
//! ```
//! # use durable::prelude::*;
//! # use std::time::Duration;
//! use durable::task::Race2;
//!
//! # #[activity]
//! # async fn quote(shop: &str) -> Result<u32> { Ok(shop.len() as u32) }
//! #[orchestrator]
//! async fn cheapest(ctx: &OrchestrationContext, shops: Vec<String>) -> Result<Option<u32>> {
//!     let quotes = durable::try_join_all(shops.iter().map(|shop| quote(shop)));
//!     let deadline = ctx.create_timer(Duration::from_secs(5));
//!     match durable::race((quotes, deadline)).await {
//!         Race2::First(quotes) => Ok(quotes?.into_iter().min()),
//!         Race2::Second(()) => Ok(None),
//!     }
//! }
//! ```

pub use crate::call::Call;
pub use crate::definition::Definition;
pub use crate::orchestration::{
    AsCompleted, ContinueAsNew, Durable, DurableFuture, Elapsed, ExternalEventWait, Join, JoinAll,
    JoinTuple, NextCompleted, Race, Race2, Race3, Race4, Race5, Race6, Race7, Race8, RaceTuple,
    SelectAll, Selectable, Task, Timeout, Timer, TryJoin, TryJoinAll, TryJoinTuple, When,
    as_completed, join, join_all, race, select_all, timeout, try_join, try_join_all,
};
