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
//! A partition of which something stored cannot be read is parked: no node runs it until an operator
//! retries it.
//!
//! Only a store with a [`Cluster`](crate::store::Cluster) has this. If a partition is lost while a
//! client's request is in its hands, the request is sent to the next owner. That is safe because the
//! writes of a lost partition are void as a whole.
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
