//! Which node should own which partition. Every node computes the same result from the same rows.
//!
//! A partition stays where it is unless its node has more than its share. So a node that joins
//! takes over partitions, a node that leaves hands its partitions on, and no other partitions move.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use durable::protocol::PartitionId;
use uuid::Uuid;

/// A partition as it is now.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) partition: PartitionId,
    /// The node that owns it, if that node is alive.
    pub(super) owner: Option<Uuid>,
    /// The node that it is pinned to, if that node is alive.
    pub(super) pin: Option<Uuid>,
    /// Whether the partition must not be moved.
    pub(super) is_fixed: bool,
}

impl Place {
    /// Whether the owner of the partition does not depend on balance.
    fn is_settled(&self) -> bool {
        self.is_fixed || self.pin.is_some()
    }
}

/// The intended owner of each partition. `nodes` are the nodes that are alive and may own
/// partitions.
pub(super) fn wanted(nodes: &[Uuid], places: &[Place]) -> BTreeMap<PartitionId, Option<Uuid>> {
    let (settled, open): (Vec<_>, Vec<_>) = places.iter().partition(|place| place.is_settled());
    let owner = |place: &Place| if place.is_fixed { place.owner } else { place.pin };
    let mut wanted: BTreeMap<_, _> =
        settled.iter().map(|place| (place.partition, owner(place))).collect();
    let mut room = shares(nodes, wanted.values().flatten(), &open);
    let mut free = Vec::new();
    let mut held: BTreeMap<Uuid, Vec<PartitionId>> = BTreeMap::new();
    for place in open {
        match place.owner.filter(|owner| room.contains_key(owner)) {
            Some(owner) => held.entry(owner).or_default().push(place.partition),
            None => free.push(place.partition),
        }
    }
    for (owner, mut partitions) in held {
        partitions.sort_by_key(|partition| Reverse(score(owner, *partition)));
        let room = room.entry(owner).or_default();
        let kept = (*room).min(partitions.len());
        free.extend(partitions.drain(kept..));
        wanted.extend(partitions.into_iter().map(|partition| (partition, Some(owner))));
        *room -= kept;
    }
    free.sort_unstable();
    for partition in free {
        let with_room = room.iter_mut().filter(|(_, room)| **room > 0);
        let heir = with_room.max_by_key(|(node, _)| (score(**node, partition), **node));
        let heir = heir.map(|(node, room)| {
            *room -= 1;
            *node
        });
        wanted.insert(partition, heir);
    }
    wanted
}

/// The number of open partitions that each node should own.
fn shares<'a>(
    nodes: &[Uuid],
    settled: impl Iterator<Item = &'a Uuid>,
    open: &[&Place],
) -> BTreeMap<Uuid, usize> {
    let mut load: BTreeMap<Uuid, usize> = nodes.iter().map(|node| (*node, 0)).collect();
    let mut held = load.clone();
    let mut shares = load.clone();
    for owner in settled {
        load.entry(*owner).and_modify(|load| *load += 1);
    }
    for owner in open.iter().filter_map(|place| place.owner) {
        held.entry(owner).and_modify(|held| *held += 1);
    }
    for _ in open {
        // The least loaded node; among several, one that keeps another partition.
        let keeps = |node: &Uuid| held.get(node) > shares.get(node);
        let least = load.iter().min_by_key(|(node, load)| (**load, !keeps(node), **node));
        let Some(node) = least.map(|(node, _)| *node) else { break };
        *load.entry(node).or_default() += 1;
        *shares.entry(node).or_default() += 1;
    }
    shares
}

/// Spreads partitions over nodes pseudo-randomly.
fn score(node: Uuid, partition: PartitionId) -> u64 {
    let (high, low) = node.as_u64_pair();
    [low, u64::from(partition.0)].into_iter().fold(high, |hash, next| {
        // The finalizer of splitmix64.
        let hash = (hash ^ next).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^ (hash >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u128) -> Uuid {
        Uuid::from_u128(0x1234_5678_9abc_def0 * (number + 1))
    }

    fn nodes(count: u128) -> Vec<Uuid> {
        (0..count).map(node).collect()
    }

    fn free(count: u16) -> Vec<Place> {
        let place =
            |id| Place { partition: PartitionId(id), owner: None, pin: None, is_fixed: false };
        (0..count).map(place).collect()
    }

    /// The partitions after each one has moved to its intended owner.
    fn settle(nodes: &[Uuid], places: &[Place]) -> Vec<Place> {
        let wanted = wanted(nodes, places);
        let settle = |place: &Place| Place { owner: wanted[&place.partition], ..place.clone() };
        places.iter().map(settle).collect()
    }

    fn without(places: &[Place], gone: Uuid) -> Vec<Place> {
        let drop = |place: &Place| Place {
            owner: place.owner.filter(|owner| *owner != gone),
            ..place.clone()
        };
        places.iter().map(drop).collect()
    }

    fn moved(before: &[Place], after: &[Place]) -> Vec<(Option<Uuid>, Option<Uuid>)> {
        let pairs = before.iter().zip(after).map(|(before, after)| (before.owner, after.owner));
        pairs.filter(|(before, after)| before != after).collect()
    }

    fn assert_balanced(nodes: &[Uuid], places: &[Place]) {
        let count = |node: &Uuid| places.iter().filter(|it| it.owner == Some(*node)).count();
        let counts: Vec<_> = nodes.iter().map(count).collect();
        let (min, max) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(max - min <= 1, "{counts:?}");
        assert_eq!(counts.iter().sum::<usize>(), places.len());
    }

    #[test]
    fn partitions_are_balanced_and_few_move_when_nodes_join_and_leave() {
        for partitions in [1, 4, 64, 129] {
            let mut places = settle(&nodes(1), &free(partitions));
            for count in 2..9 {
                let newcomer = node(count - 1);
                let after = settle(&nodes(count), &places);
                assert_balanced(&nodes(count), &after);
                assert!(moved(&places, &after).iter().all(|(_, to)| *to == Some(newcomer)));
                places = after;
            }
            let mut left = nodes(8);
            for gone in [3, 0, 4] {
                let gone = left.remove(gone);
                let orphaned = without(&places, gone);
                let after = settle(&left, &orphaned);
                assert_balanced(&left, &after);
                assert!(moved(&orphaned, &after).iter().all(|(from, _)| from.is_none()));
                places = after;
            }
            assert!(moved(&places, &settle(&left, &places)).is_empty());
        }
    }

    #[test]
    fn the_order_of_nodes_and_partitions_does_not_matter() {
        let places = settle(&nodes(2), &free(64));
        let (mut nodes, mut reversed) = (nodes(5), places.clone());
        let expected = wanted(&nodes, &places);
        nodes.reverse();
        reversed.reverse();
        assert_eq!(wanted(&nodes, &reversed), expected);
    }

    #[test]
    fn a_moving_partition_keeps_its_heir() {
        let three = nodes(3);
        let mut places = settle(&nodes(2), &free(64));
        let expected = wanted(&three, &places);
        // The partitions that have to move are released one after the other.
        for index in 0..places.len() {
            let place = &mut places[index];
            if place.owner != expected[&place.partition] {
                place.owner = None;
                assert_eq!(wanted(&three, &places), expected);
                places[index].owner = expected[&PartitionId(u16::try_from(index).unwrap())];
                assert_eq!(wanted(&three, &places), expected);
            }
        }
    }

    #[test]
    fn pinned_and_fixed_partitions_stay_and_others_fill_up() {
        let mut places = free(16);
        for place in &mut places[..8] {
            place.pin = Some(node(0));
        }
        (places[8].owner, places[8].is_fixed, places[9].is_fixed) = (Some(node(7)), true, true);
        let after = settle(&nodes(3), &places);
        assert!(after[..8].iter().all(|place| place.owner == Some(node(0))));
        assert_eq!((after[8].owner, after[9].owner), (Some(node(7)), None));
        let count = |number| after.iter().filter(|it| it.owner == Some(node(number))).count();
        assert_eq!([count(0), count(1), count(2)], [8, 3, 3]);
    }

    #[test]
    fn without_nodes_nobody_owns_a_partition() {
        assert!(wanted(&[], &free(4)).values().all(Option::is_none));
    }
}
