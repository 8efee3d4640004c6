//! The public API of `durable`: which items it has, which traits its types implement, and which of
//! them can grow without breaking users.

mod growth;
mod snapshot;
mod traits;
