//! Group commit: the writes of partitions, the queue in which they wait, and the committer.

pub(crate) mod committer;
mod draft;
mod group;
mod queue;
pub(crate) mod run;
pub(crate) mod times;
pub(crate) mod waiting;
pub(crate) mod write;
