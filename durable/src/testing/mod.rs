//! For tests: of orchestrations, and of stores.
//!
//! Owns nothing that runs in a program; it is compiled with the feature `testing` only, for tests.
//!
//! Read next: `hub.rs` (a hub in which time passes by itself), `conformance/mod.rs` (for whoever
//! writes a store).

pub mod conformance;
mod hub;
mod mocks;

#[doc(inline)]
pub use crate::__conformance_tests as conformance_tests;
pub use hub::{TestHub, TestHubBuilder};
pub(crate) use mocks::{MockOrchestrator, Mocks};
