//! The public API of `durable`: which items it has, which traits its types implement, which of them
//! can grow without breaking users, and that its items have examples.

mod examples;
mod growth;
mod snapshot;
mod traits;
