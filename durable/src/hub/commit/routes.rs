//! Which messages go straight to another partition of this process.
//!
//! A partition may have sent messages to another one while they were on different nodes. Those are
//! received later, and must not be overtaken. So the first message on each route goes through the
//! store, as if the target were on another node. Once it is received, all earlier ones are, too, because
//! the store keeps their order, and the way is clear for as long as both partitions stay here.
//!
//! While any message to a target is on its way through the store, all messages to that target take it: one
//! of them may be the effect of that one.

use std::collections::{BTreeMap, BTreeSet};

use crate::hub::ownership::Ownership;
use crate::protocol::{MessageId, PartitionId};
use crate::store::Epoch;

/// The routes between the partitions of a node that shares its hub.
#[derive(Debug, Default)]
pub(crate) struct Routes(BTreeMap<(PartitionId, PartitionId), Route>);

/// A route, between these ownerships of two partitions.
#[derive(Debug)]
struct Route {
    owners: (Epoch, Epoch),
    /// The messages that went through the store and are not received.
    under_way: BTreeSet<MessageId>,
    is_clear: bool,
}

impl Routes {
    /// Whether a message can go straight from one partition to another. If not, it is under way.
    pub(super) fn is_clear(&mut self, from: &Ownership, to: &Ownership, id: MessageId) -> bool {
        if from.partition == to.partition {
            return true;
        }
        let owners = (from.epoch, to.epoch);
        let new = || Route { owners, under_way: BTreeSet::new(), is_clear: false };
        let route = self.0.entry((from.partition, to.partition)).or_insert_with(new);
        if route.owners != owners {
            *route = new();
        }
        let route = &*route;
        // Nor may it overtake a message of another partition to the same target, which may be its cause.
        let is_to = |((_, target), route): (&(PartitionId, PartitionId), &Route)| {
            *target == to.partition && route.owners.1 == to.epoch && !route.under_way.is_empty()
        };
        let is_clear = route.is_clear && !self.0.iter().any(is_to);
        if let Some(route) = self.0.get_mut(&(from.partition, to.partition))
            && !is_clear
        {
            mark!("routes: a message goes through the store first");
            route.is_clear = false;
            route.under_way.insert(id);
        }
        is_clear
    }

    /// A message from a partition is received by the owner of its target.
    pub(super) fn received(&mut self, from: PartitionId, to: &Ownership, id: MessageId) {
        if let Some(route) = self.0.get_mut(&(from, to.partition))
            && route.owners.1 == to.epoch
            && route.under_way.remove(&id)
        {
            route.is_clear = route.under_way.is_empty();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(partition: u16, epoch: u64) -> std::sync::Arc<Ownership> {
        Ownership::new(PartitionId(partition), Epoch(epoch)).0
    }

    #[test]
    fn the_way_is_clear_once_everything_that_went_through_the_store_is_received() {
        let (mut routes, from, to) = (Routes::default(), owner(0, 1), owner(1, 1));
        let [first, second, third, fourth] = [1, 2, 3, 4].map(MessageId::from_u128);
        assert!(!routes.is_clear(&from, &to, first));
        assert!(!routes.is_clear(&from, &to, second));
        routes.received(from.partition, &to, first);
        assert!(!routes.is_clear(&from, &to, third), "the second is under way");
        routes.received(from.partition, &to, second);
        routes.received(from.partition, &to, third);
        assert!(routes.is_clear(&from, &to, fourth));
        assert!(!routes.is_clear(&to, &from, fourth), "the way back is another one");
        assert!(routes.is_clear(&from, &from, fourth), "a partition has itself");
    }

    #[test]
    fn the_way_is_not_clear_any_more_when_a_partition_was_away() {
        let (mut routes, from, to) = (Routes::default(), owner(0, 1), owner(1, 1));
        let [first, second, third] = [1, 2, 3].map(MessageId::from_u128);
        assert!(!routes.is_clear(&from, &to, first));
        routes.received(from.partition, &to, first);
        assert!(routes.is_clear(&from, &to, second));
        let back = owner(1, 3);
        assert!(!routes.is_clear(&from, &back, second));
        routes.received(from.partition, &to, second);
        assert!(!routes.is_clear(&from, &back, third), "the earlier owner received it");
        let back = owner(0, 2);
        assert!(!routes.is_clear(&back, &to, third));
    }

    #[test]
    fn a_message_does_not_overtake_its_cause_from_another_partition() {
        let (mut routes, to) = (Routes::default(), owner(1, 1));
        let (from, other) = (owner(0, 1), owner(2, 1));
        let [first, cause, effect, last] = [1, 2, 3, 4].map(MessageId::from_u128);
        assert!(!routes.is_clear(&from, &to, first));
        routes.received(from.partition, &to, first);
        assert!(!routes.is_clear(&other, &to, cause));
        assert!(!routes.is_clear(&from, &to, effect), "its cause is under way");
        routes.received(other.partition, &to, cause);
        assert!(!routes.is_clear(&from, &to, last), "the effect is under way");
    }
}
