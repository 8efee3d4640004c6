//! What partitions want written, until somebody commits it.
//!
//! Rules:
//! 1. One at a time commits, and takes from the front. So groups, and with them the effects of a
//!    partition, leave in the order in which they were written.
//! 2. What is written while a commit is under way is the next group: no group waits for another to
//!    join, and none is larger than [`GROUP_MAX`] and [`GROUP_BYTES_MAX`].
//! 3. An instance that is purged in a group is not written in it as well, nor purged twice: it may be
//!    written just before, or be started anew just behind, and a commit has no order for that. Then a
//!    new group begins. No group purges more than [`GROUP_MAX`], but for a write that alone does.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::write::Write;
use crate::protocol::InstanceId;

/// How many writes a group has at most.
const GROUP_MAX: usize = 1024;
/// How many bytes a group has at most, but for a write that alone has more.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// How many writes may wait before partitions wait for them to go.
const WAITING_MAX: usize = 4096;
/// How many bytes may wait before partitions wait for them to go.
const WAITING_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Default)]
pub(crate) struct Writes {
    queue: Mutex<Queue>,
    /// Wakes the committer's thread.
    work: Condvar,
    /// Wakes partitions that wait for room.
    room: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Write>,
    /// How many bytes the waiting writes have.
    bytes: usize,
    /// Whether somebody commits a group.
    committing: bool,
    /// Whether the committer's thread sleeps. Waking costs a system call, so it is not done in vain.
    sleeping: bool,
    /// How many partitions wait for room.
    crowded: usize,
    /// How many partitions may still write.
    writers: usize,
}

impl Writes {
    /// One more partition will write.
    pub(crate) fn join(&self) {
        self.queue().writers += 1;
    }

    /// A partition writes no more.
    pub(crate) fn leave(&self) {
        let mut queue = self.queue();
        queue.writers -= 1;
        self.wake(queue);
    }

    /// Adds what a partition wants written, for the committer's thread.
    pub(crate) fn add(&self, new: &mut Vec<Write>) {
        let queue = self.put(new);
        self.wake(queue);
    }

    /// Adds what a partition wants written; gives a group for it to commit, unless somebody is at one.
    pub(crate) fn add_and_take(&self, new: &mut Vec<Write>) -> Option<Vec<Write>> {
        let mut queue = self.put(new);
        if queue.committing || queue.waiting.is_empty() {
            return None;
        }
        Some(self.take_group(&mut queue))
    }

    /// Waits for a group; none when every partition has gone.
    pub(crate) fn take(&self) -> Option<Vec<Write>> {
        let mut queue = self.queue();
        while queue.committing || queue.waiting.is_empty() {
            if queue.writers == 0 && queue.waiting.is_empty() {
                return None;
            }
            queue.sleeping = true;
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.sleeping = false;
        Some(self.take_group(&mut queue))
    }

    /// The group that was taken is dealt with.
    pub(crate) fn done(&self) {
        let mut queue = self.queue();
        queue.committing = false;
        self.wake(queue);
    }

    fn put(&self, new: &mut Vec<Write>) -> MutexGuard<'_, Queue> {
        let mut queue = self.queue();
        while queue.is_full() {
            if queue.wakes() {
                self.work.notify_one();
            }
            queue.crowded += 1;
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.crowded -= 1;
        }
        queue.bytes += new.iter().map(|write| write.bytes).sum::<usize>();
        queue.waiting.extend(new.drain(..));
        queue
    }

    /// Wakes the committer's thread, if there is something for it to do.
    fn wake(&self, mut queue: MutexGuard<'_, Queue>) {
        let wakes = queue.wakes();
        drop(queue);
        if wakes {
            self.work.notify_one();
        }
    }

    fn take_group(&self, queue: &mut Queue) -> Vec<Write> {
        queue.committing = true;
        let group = gather(&mut queue.waiting);
        queue.bytes -= group.iter().map(|write| write.bytes).sum::<usize>();
        if queue.crowded > 0 {
            self.room.notify_all();
        }
        group
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MAX || self.bytes >= WAITING_BYTES_MAX
    }

    /// Whether the committer's thread is to be woken, which then is done once.
    fn wakes(&mut self) -> bool {
        let has_work = !self.committing && (!self.waiting.is_empty() || self.writers == 0);
        has_work && std::mem::take(&mut self.sleeping)
    }
}

/// Takes the group at the front.
fn gather(waiting: &mut VecDeque<Write>) -> Vec<Write> {
    let (mut count, mut bytes, mut purges) = (0, 0, Purges::default());
    for write in &*waiting {
        bytes += write.bytes;
        let has_room = count < GROUP_MAX && bytes <= GROUP_BYTES_MAX;
        let fits = has_room && purges.go_with(write, waiting.iter().take(count));
        if !fits && count > 0 {
            break;
        }
        count += 1;
    }
    waiting.drain(..count).collect()
}

/// What a group purges; and, once it purges anything, what it writes.
#[derive(Default)]
struct Purges<'a> {
    purged: BTreeSet<&'a InstanceId>,
    written: BTreeSet<&'a InstanceId>,
}

impl<'a> Purges<'a> {
    /// Adds a write to the group that has those before it, if it may be in it.
    fn go_with(&mut self, write: &'a Write, before: impl Iterator<Item = &'a Write>) -> bool {
        let purged = &write.content.purged;
        // Nearly always.
        if purged.is_empty() && self.purged.is_empty() {
            return true;
        }
        if self.purged.is_empty() {
            self.written.extend(before.filter_map(written));
        }
        let written = written(write);
        let has_room = purged.is_empty() || self.purged.len() + purged.len() <= GROUP_MAX;
        let fits = has_room
            && purged.iter().all(|id| !self.purged.contains(id) && !self.written.contains(id))
            && written.is_none_or(|id| !self.purged.contains(id));
        self.written.extend(written);
        self.purged.extend(purged);
        fits
    }
}

/// The instance of which it has an episode.
fn written(write: &Write) -> Option<&InstanceId> {
    write.content.episode.as_ref().map(|episode| &episode.record.instance_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::commit::write::Content;
    use crate::hub::time::virtual_time::Busy;
    use crate::protocol::{ExecutionId, InstanceRecord, PartitionId, Timestamp};
    use crate::store::EpisodeWrite;

    fn write(number: u64, bytes: usize) -> Write {
        let (partition, content, effects) = (PartitionId(0), Content::default(), Vec::new());
        Write { partition, number, content, effects, bytes, _busy: Busy::default() }
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
            groups.push(gather(&mut waiting).iter().map(|write| write.number).collect());
        }
        groups
    }

    #[test]
    fn what_waits_is_one_group_in_its_order() {
        assert_eq!(groups((0..5).map(|number| write(number, 9))), [[0, 1, 2, 3, 4]]);
    }

    #[test]
    fn a_group_has_bounds() {
        let many = groups((0..2500).map(|number| write(number, 1)));
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [1024, 1024, 452]);
        let large = groups((0..4).map(|number| write(number, GROUP_BYTES_MAX / 2)));
        assert_eq!(large, [[0, 1], [2, 3]]);
        let huge = groups([write(0, GROUP_BYTES_MAX * 2), write(1, 1)]);
        assert_eq!(huge, [[0], [1]]);
    }

    #[test]
    fn purges_go_with_each_other_and_with_what_is_done_to_others() {
        let all = [episode(0, "a"), purge(1, ["b"]), purge(2, ["c", "d"]), episode(3, "e")];
        assert_eq!(groups(all), [[0, 1, 2, 3]]);
    }

    #[test]
    fn what_is_purged_is_not_written_in_the_same_group() {
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
    fn nothing_is_purged_twice_in_a_group_nor_too_much() {
        assert_eq!(groups([purge(0, ["a"]), write(1, 1), purge(2, ["a"])]), [vec![0, 1], vec![2]]);
        let ids: Vec<String> = (0..2 * GROUP_MAX).map(|number| number.to_string()).collect();
        let ids = |range: std::ops::Range<usize>| ids[range].iter().map(String::as_str);
        let half = GROUP_MAX / 2;
        let many = [purge(0, ids(0..half)), purge(1, ids(half..2 * half)), purge(2, ["a"])];
        assert_eq!(groups(many), [vec![0, 1], vec![2]]);
        let huge = [purge(0, ids(0..2 * GROUP_MAX)), write(1, 1), purge(2, ["a"])];
        assert_eq!(groups(huge), [vec![0, 1], vec![2]]);
    }

    #[test]
    fn few_large_writes_fill_the_queue_as_many_small_ones_do() {
        let writes = Writes::default();
        let large = |number| write(number, WAITING_BYTES_MAX / 2);
        writes.add(&mut vec![large(0)]);
        assert!(!writes.queue().is_full());
        writes.add(&mut vec![large(1), large(2)]);
        assert!(writes.queue().is_full());
        for _ in 0..3 {
            drop(writes.take().expect("it waits"));
            writes.done();
        }
        let queue = writes.queue();
        assert!(!queue.is_full());
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn one_commits_at_a_time_and_nothing_is_left_behind() {
        let writes = Writes::default();
        writes.join();
        let group = writes.add_and_take(&mut vec![write(1, 1)]).expect("nobody commits");
        assert!(writes.add_and_take(&mut vec![write(2, 1)]).is_none(), "somebody does");
        writes.leave();
        drop(group);
        writes.done();
        assert_eq!(writes.take().expect("it waits").len(), 1);
        writes.done();
        assert!(writes.take().is_none(), "all partitions have gone");
    }
}
