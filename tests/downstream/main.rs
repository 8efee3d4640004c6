//! What a user's own crate sees: an app that depends on the library, and Clippy with the lints that the
//! docs recommend.

mod app;
mod clippy_fragment;
#[path = "../support/user_crate.rs"]
mod user_crate;
