//! The screens. Each file has `answer`, which fetches a model, and functions that turn it into
//! markup.
//!
//! A new screen adds a line to the table of pages in `routes.rs`.

pub(crate) mod activities;
pub(crate) mod batches;
pub(crate) mod compare;
pub(crate) mod entities;
pub(crate) mod failed;
pub(crate) mod grid;
pub(crate) mod hub;
pub(crate) mod instance;
pub(crate) mod instances;
pub(crate) mod live;
pub(crate) mod locks;
pub(crate) mod overview;
pub(crate) mod schedules;
pub(crate) mod start;
#[cfg(test)]
mod tests;
pub(crate) mod waits;
