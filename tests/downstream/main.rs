//! What a user's own crate sees: an app that depends on the library, Clippy with the lints that the docs
//! recommend, and expansions under `clippy::pedantic`.

mod app;
mod clippy_fragment;
mod pedantic;
