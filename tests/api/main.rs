//! The public API of `durable`: which items it has, and which traits its types implement.

mod snapshot;
mod traits;
