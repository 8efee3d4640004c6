//! What partitions want written, until somebody commits it.
//!
//! Rules:
//! 1. One at a time commits, and takes from the front. So groups, and with them the effects of a
//!    partition, leave in the order in which they were written.
//! 2. What is written while a commit is under way is the next group: no group waits for another to
//!    join, and none is larger than [`GROUP_MAX`] and [`GROUP_BYTES_MAX`].
//! 3. A purge is a group of its own, since the instance may be written just before it, or be started
//!    anew just behind it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::committer::Write;

/// How many writes a group has at most.
const GROUP_MAX: usize = 1024;
/// How many bytes a group has at most, but for a write that alone has more.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// How many writes may wait before partitions wait for them to go.
const WAITING_MAX: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Writes {
    queue: Mutex<Queue>,
    /// Wakes the committer's thread.
    work: Condvar,
    /// Wakes partitions that wait for room.
    room: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Write>,
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
    pub(super) fn join(&self) {
        self.queue().writers += 1;
    }

    /// A partition writes no more.
    pub(super) fn leave(&self) {
        let mut queue = self.queue();
        queue.writers -= 1;
        self.wake(queue);
    }

    /// Adds what a partition wants written, for the committer's thread.
    pub(super) fn add(&self, new: &mut Vec<Write>) {
        let queue = self.put(new);
        self.wake(queue);
    }

    /// Adds what a partition wants written; gives a group for it to commit, unless somebody is at one.
    pub(super) fn add_and_take(&self, new: &mut Vec<Write>) -> Option<Vec<Write>> {
        let mut queue = self.put(new);
        if queue.committing || queue.waiting.is_empty() {
            return None;
        }
        Some(self.take_group(&mut queue))
    }

    /// Waits for a group; none when every partition has gone.
    pub(super) fn take(&self) -> Option<Vec<Write>> {
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
    pub(super) fn done(&self) {
        let mut queue = self.queue();
        queue.committing = false;
        self.wake(queue);
    }

    fn put(&self, new: &mut Vec<Write>) -> MutexGuard<'_, Queue> {
        let mut queue = self.queue();
        while queue.waiting.len() >= WAITING_MAX {
            if queue.wakes() {
                self.work.notify_one();
            }
            queue.crowded += 1;
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.crowded -= 1;
        }
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
    /// Whether the committer's thread is to be woken, which then is done once.
    fn wakes(&mut self) -> bool {
        let has_work = !self.committing && (!self.waiting.is_empty() || self.writers == 0);
        has_work && std::mem::take(&mut self.sleeping)
    }
}

/// Takes the group at the front.
fn gather(waiting: &mut VecDeque<Write>) -> Vec<Write> {
    let mut bytes = 0;
    let fits = |(place, write): &(usize, &Write)| {
        bytes += write.bytes;
        let purges = |write: &Write| !write.content.purged.is_empty();
        *place == 0
            || (*place < GROUP_MAX
                && bytes <= GROUP_BYTES_MAX
                && !purges(write)
                && !waiting.front().is_some_and(purges))
    };
    let count = waiting.iter().enumerate().take_while(fits).count();
    waiting.drain(..count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::committer::Content;
    use crate::hub::virtual_time::Busy;
    use crate::protocol::{InstanceId, PartitionId};

    fn write(number: u64, bytes: usize) -> Write {
        let (partition, content, effects) = (PartitionId(0), Content::default(), Vec::new());
        Write { partition, number, content, effects, bytes, _busy: Busy::default() }
    }

    fn purge(number: u64) -> Write {
        let purged = vec![InstanceId::generate()];
        Write { content: Content { purged, ..Content::default() }, ..write(number, 0) }
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
    fn a_purge_is_a_group_of_its_own() {
        let groups = groups([write(0, 1), purge(1), purge(2), write(3, 1), write(4, 1)]);
        assert_eq!(groups, [vec![0], vec![1], vec![2], vec![3, 4]]);
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
