//! The routes, driven in the process and over sockets.

mod access;
mod backups;
mod batches;
mod callbacks;
mod common;
mod events;
mod fuzz;
mod golden;
mod histories;
mod limits;
mod locks;
mod openapi;
mod partitions;
mod pattern;
mod serve;
mod statistics;
mod timeline;
mod v1;
#[cfg(feature = "webhooks")]
mod webhooks;
#[cfg(feature = "webhooks")]
mod webhooks_socket;
