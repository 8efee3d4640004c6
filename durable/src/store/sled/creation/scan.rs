//! A range of the order of creation, in the tree and in an overlay.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::protocol::Timestamp;
use crate::store::{Creation, CreationOrder};

/// The part of the order of creation that a page may contain.
pub(in super::super) struct Scan {
    pub(in super::super) order: CreationOrder,
    pub(in super::super) after: Option<Creation>,
    /// Created at this time or later.
    pub(in super::super) from: Option<Timestamp>,
    /// Created before this time.
    pub(in super::super) to: Option<Timestamp>,
}

impl Scan {
    /// The first and the last time at which an orchestration may have been created.
    pub(super) fn bounds(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let after = self.after.as_ref().map(|(at, _)| *at);
        match self.order {
            CreationOrder::OldestFirst => (after.max(self.from), self.to),
            CreationOrder::NewestFirst => (self.from, after.into_iter().chain(self.to).min()),
        }
    }

    pub(super) fn contains(&self, creation: &Creation) -> bool {
        let is_after = |after| self.order.is_after(creation, after);
        self.after.as_ref().is_none_or(is_after)
            && self.from.is_none_or(|from| creation.0 >= from)
            && self.to.is_none_or(|to| creation.0 < to)
    }

    /// The first positions in an overlay.
    pub(in super::super) fn of(
        &self,
        creations: &BTreeSet<Creation>,
        limit: usize,
    ) -> Vec<Creation> {
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
