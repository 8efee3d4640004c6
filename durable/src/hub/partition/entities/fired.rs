//! The signals of an entity that were pending and have become due.
//!
//! The list of due times may name a signal again until its removal from the store is durable, for
//! example if the entry was read from the store a second time. It must not take effect twice.

use std::collections::{BTreeSet, VecDeque};

use crate::protocol::InstanceId;

/// The signals that are queued or running, or whose removal from the store is not durable yet.
#[derive(Debug, Default)]
pub(super) struct Fired {
    ids: BTreeSet<InstanceId>,
    /// The signals that a write removes, in the order of the writes.
    removed: VecDeque<(u64, InstanceId)>,
}

impl Fired {
    /// Notes that a signal has become due.
    pub(super) fn insert(&mut self, id: &InstanceId) {
        self.ids.insert(id.clone());
    }

    pub(super) fn has(&self, id: &InstanceId) -> bool {
        self.ids.contains(id)
    }

    /// Notes that a write removes a signal from the store.
    pub(super) fn remove(&mut self, id: &InstanceId, write: u64) {
        if self.ids.contains(id) {
            self.removed.push_back((write, id.clone()));
        }
    }

    /// Forgets the signals whose removal is durable.
    pub(super) fn forget(&mut self, is_durable: impl Fn(u64) -> bool) {
        while let Some((_, id)) = self.removed.pop_front_if(|(write, _)| is_durable(*write)) {
            self.ids.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_until_its_removal_is_durable() {
        let mut fired = Fired::default();
        let id = InstanceId::new("signal").unwrap();
        fired.insert(&id);
        fired.forget(|_| true);
        assert!(fired.has(&id), "it is queued");
        fired.remove(&id, 7);
        fired.forget(|write| write <= 6);
        assert!(fired.has(&id), "the store still has it");
        fired.forget(|write| write <= 7);
        assert!(!fired.has(&id));
    }
}
