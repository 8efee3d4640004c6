//! A range of the order of creation, in the tree and in an overlay.

use std::collections::BTreeSet;
use std::ops::{Bound, Range};

use super::keys;
use crate::protocol::Timestamp;
use crate::store::{Creation, CreationOrder};

/// The part of the order of creation that a page may contain.
pub(super) struct Scan {
    pub(super) order: CreationOrder,
    pub(super) after: Option<Creation>,
    /// Created at this time or later.
    pub(super) from: Option<Timestamp>,
    /// Created before this time.
    pub(super) to: Option<Timestamp>,
}

impl Scan {
    /// The range of keys in the tree.
    pub(super) fn keys(&self) -> Range<Vec<u8>> {
        let from = self.from.map_or_else(|| keys::CREATIONS.to_vec(), keys::created_at);
        let to = self.to.map_or_else(|| keys::BEHIND_CREATIONS.to_vec(), keys::created_at);
        let Some(after) = &self.after else { return from..to };
        let after = keys::creation(after);
        match self.order {
            CreationOrder::OldestFirst => keys::successor(after).max(from)..to,
            CreationOrder::NewestFirst => from..after.min(to),
        }
    }

    /// The first positions in an overlay.
    pub(super) fn of(&self, creations: &BTreeSet<Creation>, limit: usize) -> Vec<Creation> {
        let after = self.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let is_early = |(at, _): &&Creation| self.from.is_some_and(|from| *at < from);
        let is_late = |(at, _): &&Creation| self.to.is_some_and(|to| *at >= to);
        match self.order {
            CreationOrder::OldestFirst => {
                let found = creations.range((after, Bound::Unbounded)).skip_while(is_early);
                found.take_while(|found| !is_late(found)).take(limit).cloned().collect()
            }
            CreationOrder::NewestFirst => {
                let found = creations.range((Bound::Unbounded, after)).rev().skip_while(is_late);
                found.take_while(|found| !is_early(found)).take(limit).cloned().collect()
            }
        }
    }
}
