//! Orchestrations in the order of their creation.
//!
//! Each overlay has a set of its orchestrations by creation, and the tree an index of them, whose
//! entries the checkpoint writes in the batch of the instance. A position in a layer is stale if a
//! newer layer has purged the instance or started it again, so a reader compares it with the
//! instance's record.
//!
//! Read next: `block.rs` (the index in the tree), `index.rs` (changing it), `rebuild.rs` (trees
//! without a complete index), `../creation_page.rs` (reading through all layers).

mod block;
mod created_at;
mod index;
mod rebuild;
mod scan;

#[cfg(any(test, fuzzing))]
pub(super) use block::read as read_block;
pub(super) use block::{count, first};
pub(super) use created_at::created_at;
pub(super) use index::IndexChanges;
pub(super) use rebuild::{rebuild, rebuild_if_incomplete};
pub(super) use scan::Scan;
