//! For whoever writes a store: the tests that show whether it keeps the contract.
//!
//! Owns nothing that runs in a program; it is compiled with the feature `testing` only, for tests.
//!
//! Read next: `conformance/mod.rs`.

pub mod conformance;

#[doc(inline)]
pub use crate::__conformance_tests as conformance_tests;
