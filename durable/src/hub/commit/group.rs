//! Which of the waiting writes are committed together.
//!
//! Rules:
//! 1. A group keeps the order of the writes, and has at most [`group`](CommitSizes::group) writes
//!    and [`group_bytes`](CommitSizes::group_bytes) bytes. A write that alone exceeds the bytes is a
//!    group of its own.
//! 2. An instance that a group purges is not written in the same group, nor purged twice in it. The
//!    instance may have been written just before, or be started again right after, and a commit
//!    does not order such changes. A new group begins there.
//! 3. A group purges at most [`group`](CommitSizes::group) instances, unless a single write purges
//!    more.

use std::collections::{BTreeSet, VecDeque};

use super::write::Write;
use crate::hub::sizes::CommitSizes;
use crate::protocol::InstanceId;

/// Takes the group at the front.
pub(super) fn gather(waiting: &mut VecDeque<Write>, sizes: &CommitSizes) -> Vec<Write> {
    let (mut count, mut bytes, mut purges) = (0, 0, Purges::new(sizes.group));
    for write in &*waiting {
        bytes += write.bytes;
        let has_room = count < sizes.group && bytes <= sizes.group_bytes;
        let fits = has_room && purges.go_with(write, waiting.iter().take(count));
        if !fits && count > 0 {
            mark!(has_room, "commit: a purge ends a group");
            mark!(!has_room, "commit: a group is full");
            break;
        }
        count += 1;
    }
    waiting.drain(..count).collect()
}

/// The instances that a group purges and, once it purges any, those that it writes.
struct Purges<'a> {
    /// How many instances the group may purge.
    at_most: usize,
    purged: BTreeSet<&'a InstanceId>,
    written: BTreeSet<&'a InstanceId>,
}

impl<'a> Purges<'a> {
    fn new(at_most: usize) -> Self {
        Self { at_most, purged: BTreeSet::new(), written: BTreeSet::new() }
    }

    /// Adds a write to the group of the writes in `before`. Returns whether rules 2 and 3 allow
    /// that.
    fn go_with(&mut self, write: &'a Write, before: impl Iterator<Item = &'a Write>) -> bool {
        let purged = &write.content.purged;
        // Most groups contain no purge.
        if purged.is_empty() && self.purged.is_empty() {
            return true;
        }
        if self.purged.is_empty() {
            self.written.extend(before.filter_map(written));
        }
        let written = written(write);
        let has_room = purged.is_empty() || self.purged.len() + purged.len() <= self.at_most;
        let fits = has_room
            && purged.iter().all(|id| !self.purged.contains(id) && !self.written.contains(id))
            && written.is_none_or(|id| !self.purged.contains(id));
        self.written.extend(written);
        self.purged.extend(purged);
        fits
    }
}

/// The instance whose episode the write contains.
fn written(write: &Write) -> Option<&InstanceId> {
    write.content.episode.as_ref().map(|episode| &episode.record.instance_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance;
    use crate::hub::commit::write::Content;
    use crate::hub::ownership::Ownership;
    use crate::hub::sizes::Sizes;
    use crate::hub::time::virtual_time::Busy;
    use crate::protocol::{ExecutionId, InstanceRecord, PartitionId, Timestamp};
    use crate::store::{EpisodeWrite, Epoch};

    const SIZES: CommitSizes = Sizes::PRODUCTION.commit;
    const GROUP_MAX: usize = SIZES.group;
    const GROUP_BYTES_MAX: usize = SIZES.group_bytes;

    fn write(number: u64, bytes: usize) -> Write {
        let (owner, _mail) = Ownership::new(PartitionId(0), Epoch(1));
        let (content, effects) = (Content::default(), Vec::new());
        Write { owner, number, content, effects, bytes, _busy: Busy::default() }
    }

    fn id(id: &str) -> InstanceId {
        InstanceId::new(id).unwrap()
    }

    fn purge<'a>(number: u64, ids: impl IntoIterator<Item = &'a str>) -> Write {
        let purged = ids.into_iter().map(id).collect();
        Write { content: Content { purged, ..Content::default() }, ..write(number, 0) }
    }

    fn episode(number: u64, of: &str) -> Write {
        let (execution, at) = (ExecutionId::from_u128(1), Timestamp::MAX);
        let record = InstanceRecord::new(id(of), execution, "checkout", None, at);
        let (partition, events) = (PartitionId(0), Vec::new());
        let episode = Some(EpisodeWrite { partition, record, events, replaces: None });
        Write { content: Content { episode, ..Content::default() }, ..write(number, 0) }
    }

    /// The numbers of the writes of each group.
    fn groups(writes: impl IntoIterator<Item = Write>) -> Vec<Vec<u64>> {
        let mut waiting: VecDeque<_> = writes.into_iter().collect();
        let mut groups = Vec::new();
        while !waiting.is_empty() {
            groups.push(gather(&mut waiting, &SIZES).iter().map(|write| write.number).collect());
        }
        groups
    }

    #[test]
    fn waiting_writes_form_one_group_in_order() {
        assert_eq!(groups((0..5).map(|number| write(number, 9))), [[0, 1, 2, 3, 4]]);
    }

    #[test]
    fn a_group_is_bounded_in_writes_and_bytes() {
        let many = groups((0..2500).map(|number| write(number, 1)));
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [1024, 1024, 452]);
        let large = groups((0..4).map(|number| write(number, GROUP_BYTES_MAX / 2)));
        assert_eq!(large, [[0, 1], [2, 3]]);
        let huge = groups([write(0, GROUP_BYTES_MAX * 2), write(1, 1)]);
        assert_eq!(huge, [[0], [1]]);
    }

    #[test]
    fn purges_share_a_group_with_each_other_and_with_writes_of_other_instances() {
        let all = [episode(0, "a"), purge(1, ["b"]), purge(2, ["c", "d"]), episode(3, "e")];
        assert_eq!(groups(all), [[0, 1, 2, 3]]);
    }

    #[test]
    fn an_instance_is_not_written_in_the_group_that_purges_it() {
        let before = [episode(0, "a"), write(1, 1), purge(2, ["b", "a"]), episode(3, "c")];
        assert_eq!(groups(before), [[0, 1], [2, 3]]);
        let behind = [purge(0, ["a"]), episode(1, "b"), episode(2, "a"), purge(3, ["b"])];
        assert_eq!(groups(behind), [vec![0, 1], vec![2, 3]]);
        let again = [episode(0, "a"), purge(1, ["a"]), episode(2, "a"), purge(3, ["a"])];
        assert_eq!(groups(again), [[0], [1], [2], [3]]);
        let between = [purge(0, ["b"]), episode(1, "a"), purge(2, ["a"])];
        assert_eq!(groups(between), [vec![0, 1], vec![2]]);
    }

    #[test]
    fn a_group_purges_an_instance_once_and_a_bounded_number() {
        assert_eq!(groups([purge(0, ["a"]), write(1, 1), purge(2, ["a"])]), [vec![0, 1], vec![2]]);
        let ids: Vec<String> = (0..2 * GROUP_MAX).map(|number| number.to_string()).collect();
        let ids = |range: std::ops::Range<usize>| ids[range].iter().map(String::as_str);
        let half = GROUP_MAX / 2;
        let many = [purge(0, ids(0..half)), purge(1, ids(half..2 * half)), purge(2, ["a"])];
        assert_eq!(groups(many), [vec![0, 1], vec![2]]);
        let huge = [purge(0, ids(0..2 * GROUP_MAX)), write(1, 1), purge(2, ["a"])];
        assert_eq!(groups(huge), [vec![0, 1], vec![2]]);
    }

    /// No write is lost, doubled or overtaken, and each group follows the rules.
    #[test]
    fn groups_follow_the_rules() {
        for seed in 0..500 {
            let drawn = std::cell::Cell::new(0);
            let below = |end: u64| {
                drawn.set(drawn.get() + 1);
                chance::number(seed, drawn.get()) % end
            };
            let names = ["a", "b", "c", "d", "e", "f"];
            let name = || names[usize::try_from(below(6)).unwrap()];
            let mut waiting: VecDeque<_> = (0..60)
                .map(|number| match below(8) {
                    0 => purge(number, [name()]),
                    1 => write(number, GROUP_BYTES_MAX / 3),
                    _ => episode(number, name()),
                })
                .collect();
            let mut next = 0;
            while !waiting.is_empty() {
                let group = gather(&mut waiting, &SIZES);
                assert!(!group.is_empty(), "seed {seed}: no progress");
                let numbers = group.iter().map(|write| write.number);
                assert!(numbers.eq(next..next + group.len() as u64), "seed {seed}");
                next += group.len() as u64;
                let bytes: usize = group.iter().map(|write| write.bytes).sum();
                assert!(bytes <= GROUP_BYTES_MAX || group.len() == 1, "seed {seed}");
                let purged: Vec<_> = group.iter().flat_map(|write| &write.content.purged).collect();
                let once: BTreeSet<_> = purged.iter().collect();
                assert_eq!(once.len(), purged.len(), "seed {seed}: purged twice");
                let mut written = group.iter().filter_map(written);
                assert!(!written.any(|id| purged.contains(&id)), "seed {seed}: purged and written");
            }
            assert_eq!(next, 60, "seed {seed}");
        }
    }
}
