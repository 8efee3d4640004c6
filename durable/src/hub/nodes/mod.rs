//! Several processes on one hub: the partitions that this one owns, and requests to the others.
//!
//! ```text
//!  supervisor: assign, about once a second --> gains and stops partitions
//!  inbox:      starts those that were gained
//!              receive --> messages: a write of the target, which commits them as its own
//!                      --> requests: mail to the owner; the reply is part of a commit
//!                      --> answers:  to the client that waits here
//!  client:     a request to an owned partition is mail; to another one, it is sent by the store
//! ```
//! If stored data of a partition cannot be read, the partition is parked: no node runs it until an
//! operator retries it.
//!
//! Only hubs on a store with a [`Cluster`](crate::store::Cluster) use this module. If a partition
//! is lost while it handles a client's request, the request is sent to the next owner. That is safe
//! because none of the writes of a lost partition takes effect.
//!
//! Read next: `supervisor.rs`, `inbox.rs` (also the order of messages), `thread.rs` (the threads of
//! both), `asking.rs` (requests of clients), `wire.rs` (what is sent), `parking.rs`.

pub(crate) mod asking;
pub(crate) mod gained;
pub(crate) mod inbox;
pub(crate) mod node;
pub(crate) mod parking;
pub(crate) mod supervisor;
#[cfg(all(test, feature = "testing"))]
mod tests;
pub(crate) mod thread;
mod watching;
mod wire;
