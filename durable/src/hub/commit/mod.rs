//! Group commit: what partitions write, the queue in which it waits, and the committer.

pub(crate) mod committer;
pub(crate) mod queue;
pub(crate) mod write;
