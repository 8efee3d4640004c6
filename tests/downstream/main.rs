//! The library in a user's own crate: an app that depends on it, and Clippy with the lints that the
//! docs recommend.

mod app;
mod clippy_fragment;
#[path = "../support/user_crate.rs"]
mod user_crate;
