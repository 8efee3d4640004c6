//! The test kit: for orchestrations, and for stores.
//!
//! # How to test an orchestration
//!
//! * **Virtual time.** A [`TestHub`] runs the same code as a production hub. When all work is done and
//!   the test waits for a result, time jumps to the next timer, so a test that spans a week takes no
//!   real time.
//! * **Mocks.** A [mock](TestHubBuilder::mock) replaces an activity with a function that has the
//!   same parameter and result types. [`TestHub::calls`] returns the inputs that it received. A
//!   mock may also [never](TestHubBuilder::never) return.
//! * **Events.** [`TestHub::raise_event_after`] raises an event at a later virtual time.
//! * **Restarts.** [`TestHub::reopen`] and [`TestHub::crash`] show whether instances continue where
//!   they stopped.
//! * **Changed code.** Keep a [`RecordedHistory`] of each path through an orchestration with the
//!   source. [`verify_replay`] says whether an instance with that history could continue with the
//!   current code.
//!
//! ```
//! # use std::time::Duration;
//! # use durable::prelude::*;
//! use durable::testing::{RecordedHistory, TestHub, verify_replay};
//!
//! #[activity]
//! async fn ask_for_approval(whom: &str, cents: u64) -> Result<()> {
//!     panic!("a test writes to nobody")
//! }
//!
//! #[orchestrator]
//! async fn expense(ctx: &OrchestrationContext, cents: u64) -> Result<String> {
//!     ask_for_approval("boss", cents).await?;
//!     let answer = ctx.wait_for_external_event::<bool>("Approval");
//!     match durable::timeout(Duration::from_hours(72), answer).await {
//!         Ok(approved) => Ok(if approved? { "paid" } else { "refused" }.into()),
//!         Err(_elapsed) => Ok("forgotten".into()),
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<()> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("expense.json");
//! let hub = TestHub::builder().mock::<ask_for_approval>(|_| Ok(())).open().await?;
//! let began = hub.now();
//!
//! let run = hub.start(expense(500).instance_id("lunch")).await?;
//! hub.raise_event_after(Duration::from_hours(48), "lunch", "Approval", &true)?;
//! assert_eq!(run.result().await?, "paid");
//! assert_eq!((hub.now() - began).num_hours(), 48);
//! assert_eq!(hub.calls::<ask_for_approval>(), [("boss".to_owned(), 500)]);
//!
//! // There is no answer, and the program is restarted in the meantime.
//! hub.start(expense(700).instance_id("dinner")).await?;
//! hub.advance(Duration::from_hours(24)).await;
//! let hub = hub.reopen().await?;
//! let run = hub.find_instance::<expense>("dinner").await?.expect("it is kept");
//! assert_eq!(run.result().await?, "forgotten");
//!
//! // Kept with the source, to check later changes of `expense`.
//! RecordedHistory::of(&run).await?.save(&path)?;
//! verify_replay(&RecordedHistory::load(&path)?)?;
//! # Ok(())
//! # }
//! ```
//!
//! To test the body of an activity without a hub, call it: `ask_for_approval::run("boss", 500).await`.
//! [`ActivityContext::for_test`](crate::ActivityContext::for_test) makes a context for it.
//!
//! # How to test a store
//!
//! [`conformance_tests!`](crate::testing::conformance_tests) makes one test for every point of the
//! contract of [`Store`](crate::store::Store). [`test_store!`](crate::testing::test_store)
//! registers a store by name, so that `DURABLE_TEST_STORE=NAME cargo test` runs the [`TestHub`]s of
//! a program on it.
//!
//! This module is compiled with the feature `testing` only; nothing here runs in production.

// Read next: `hub.rs` (virtual time), `mocks.rs` (mocks and recorded calls), `history.rs`
// (histories as files), `conformance/mod.rs` (for authors of stores).

mod builder;
mod cluster;
mod cluster_store;
pub mod conformance;
mod history;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod http_mock;
mod hub;
mod mocks;
#[doc(hidden)]
pub mod sim;
mod stores;

#[doc(inline)]
pub use crate::__cluster_conformance_tests as cluster_conformance_tests;
pub use crate::__conformance_tests as conformance_tests;
#[doc(inline)]
pub use crate::__test_store as test_store;
pub use builder::TestHubBuilder;
pub use cluster::{MemoryCluster, MemoryNode};
pub use history::{
    Divergence, HistoryFileError, RecordedHistory, verify_replay, verify_replay_strictly,
    verify_replay_with,
};
pub use hub::{ReopenError, TestHub};
#[doc(hidden)]
pub use stores::TestStore;
