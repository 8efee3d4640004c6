//! Client operations: each is a message to a partition, or a read of the store.

pub(crate) mod about;
pub(crate) mod backup;
pub(crate) mod counts;
pub(crate) mod details;
pub(crate) mod entities;
pub(crate) mod events;
mod failures;
pub(crate) mod follow;
pub(crate) mod handle;
pub(crate) mod history;
pub(crate) mod instance;
mod members;
pub(crate) mod page;
pub(crate) mod passing;
pub(crate) mod pending;
pub(crate) mod progress;
pub(crate) mod query;
pub(crate) mod registered;
pub(crate) mod reply;
pub(crate) mod requests;
pub(crate) mod shutdown;
pub(crate) mod start;
pub(crate) mod start_request;
pub(crate) mod status;
pub(crate) mod values;
mod waiting;
