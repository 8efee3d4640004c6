//! Code of the user's that fails where a hub runs it: destructors, stores, runtimes, listeners,
//! activities that do not end. Whatever it is, the hub goes on or says why it cannot.

mod bomb;
#[path = "../support/delegate.rs"]
mod delegate;
mod destructors;
mod listeners;
mod runtimes;
mod shutdown;
mod store;
