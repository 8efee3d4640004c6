//! For tests: of orchestrations, and of stores.
//!
//! # How to test an orchestration
//!
//! *In a hub of its own*, which takes no longer to open than a map. What runs in a [`TestHub`] is what
//! runs in production: the same partitions, the same replay. Time passes by itself while somebody
//! waits for a result, so a test of a week takes no time, and nothing in it sleeps.
//!
//! *With [mocks](TestHubBuilder::mock) for what the world does.* A mock is a function of the
//! activity's own types. What it was called with is known [afterwards](TestHub::calls). Activities
//! that are slow are mocked as ones that [never](TestHubBuilder::never) end, and
//! [events](TestHub::raise_event_after) come when the test says.
//!
//! *Over a restart*: [`reopen`](TestHub::reopen) and [`crash`](TestHub::crash) say whether it goes on
//! where it was.
//!
//! *Against its past*: a [`RecordedHistory`] of each way that it can go is kept with the source, and
//! [`verify_replay`] says whether instances that are under way would survive today's change.
//!
//! ```standalone_crate
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
//! // Nobody answers, and the program is started again meanwhile.
//! hub.start(expense(700).instance_id("dinner")).await?;
//! hub.advance(Duration::from_hours(24)).await;
//! let hub = hub.reopen().await?;
//! let run = hub.get_instance::<expense>("dinner").await?.expect("it is kept");
//! assert_eq!(run.result().await?, "forgotten");
//!
//! // Kept with the source, for whoever changes `expense`.
//! RecordedHistory::of(&run).await?.save(&path)?;
//! verify_replay(&RecordedHistory::load(&path)?)?;
//! # Ok(())
//! # }
//! ```
//!
//! A body alone needs none of this: `ask_for_approval::run("boss", 500).await` is a function call, and
//! [`ActivityContext::for_test`](crate::ActivityContext::for_test) makes a context for it.
//!
//! # How to test a store
//!
//! [`conformance_tests!`](crate::testing::conformance_tests) makes a test of every point of the
//! contract of [`Store`](crate::store::Store). [`test_store!`](crate::testing::test_store) registers a
//! store by name, so that `DURABLE_TEST_STORE=NAME cargo test` runs the [`TestHub`]s of a program on it.
//!
//! Owns nothing that runs in a program; it is compiled with the feature `testing` only, for tests.
//!
//! Read next: `hub.rs` (a hub in which time passes by itself), `mocks.rs` (what stands in for
//! functions), `history.rs` (histories as files), `conformance/mod.rs` (for whoever writes a store).

mod builder;
pub mod conformance;
mod history;
mod hub;
mod mocks;
mod stores;

#[doc(inline)]
pub use crate::__conformance_tests as conformance_tests;
#[doc(inline)]
pub use crate::__test_store as test_store;
pub use builder::TestHubBuilder;
pub use history::{
    Divergence, HistoryFileError, RecordedHistory, verify_replay, verify_replay_strictly,
    verify_replay_with,
};
pub use hub::TestHub;
pub(crate) use mocks::{MockOrchestrator, Mocks};
#[doc(hidden)]
pub use stores::TestStore;
