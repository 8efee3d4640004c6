//! Activities and batches of entity operations, which run on the async runtime.

pub(crate) mod activities;
pub(crate) mod attempt;
pub(crate) mod batches;
mod gate;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod running;
