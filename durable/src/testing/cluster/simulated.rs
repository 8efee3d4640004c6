//! The methods of a node that a simulation calls. They never wait.

use super::{Asked, MemoryNode};
use crate::protocol::PartitionId;
use crate::store::{Epoch, Received};

impl MemoryNode {
    /// Whether the node would receive anything now.
    pub(crate) fn has_arrived(&self, owned: &[(PartitionId, Epoch)]) -> bool {
        let state = self.shared.state();
        let owned = state.owned(owned);
        let mut messages = state.outbox.iter();
        let is_for_it = |asked: &Asked| asked.by == Some(self.number) && asked.answer.is_some();
        state.nodes.get(&self.number).is_some_and(|node| node.has_changed)
            || messages
                .any(|(place, it)| owned.contains(&it.target) && !state.given.contains(place))
            || state.requests.values().any(|asked| asked.is_open(&owned) || is_for_it(asked))
    }

    /// What has arrived, with at most this many messages and requests.
    pub(crate) fn receive_some(&self, owned: &[(PartitionId, Epoch)], at_most: usize) -> Received {
        let mut state = self.shared.state();
        if let Some(node) = state.nodes.get_mut(&self.number) {
            node.is_interrupted = false;
        }
        state.receive(self.number, owned, at_most)
    }

    /// The partitions in `owners` that the node does not own any more.
    pub(crate) fn lost(&self, owners: &[(PartitionId, Epoch)]) -> Vec<PartitionId> {
        self.shared.state().lost(owners)
    }
}
