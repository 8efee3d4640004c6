//! User code that fails where a hub runs it: destructors, stores, runtimes, listeners, activities
//! that never end. The hub continues, or reports why it cannot.

mod bomb;
#[path = "../support/delegate.rs"]
mod delegate;
mod destructors;
mod hostile;
mod listeners;
mod runtimes;
mod shutdown;
mod store;
