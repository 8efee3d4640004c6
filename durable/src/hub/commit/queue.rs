//! The writes of all partitions until they are committed.
//!
//! Rules:
//! 1. One committer at a time takes a group from the front. So groups, and with them the effects of
//!    a partition, leave in the order in which they were written.
//! 2. The writes that arrive during a commit form the next group. No group waits for more writes to
//!    join it.
//! 3. Above [`waiting`](CommitSizes::waiting) writes or
//!    [`waiting_bytes`](CommitSizes::waiting_bytes) bytes the queue is full: partitions wait before
//!    they add more.
//! 4. While the queue is held, no group is taken. Meanwhile partitions start
//!    (`hub/nodes/inbox.rs`), and the messages that they received before go to the front.
//!
//! This is plain data. Read next: `waiting.rs`, which puts threads to sleep and wakes them, and
//! `group.rs`.

use std::collections::VecDeque;

use super::group::gather;
use super::write::Write;
use crate::hub::sizes::CommitSizes;

#[derive(Debug)]
pub(super) struct Queue {
    sizes: CommitSizes,
    waiting: VecDeque<Write>,
    /// Size of the waiting writes.
    bytes: usize,
    /// Whether a group was taken and is not [`done`](Self::done) yet.
    is_committing: bool,
    is_held: bool,
    /// The number of partitions that may still write.
    writers: usize,
}

/// The next step of a committer.
#[derive(Debug)]
pub(super) enum Next {
    /// To be committed now. [`Queue::done`] must follow.
    Group(Vec<Write>),
    /// No write can be committed now.
    Nothing,
    /// No more writes will arrive.
    Over,
}

impl Queue {
    pub(super) fn new(sizes: CommitSizes) -> Self {
        let waiting = VecDeque::new();
        Self { sizes, waiting, bytes: 0, is_committing: false, is_held: false, writers: 0 }
    }

    /// One more partition will write.
    pub(super) fn join(&mut self) {
        self.writers += 1;
    }

    /// A partition has stopped writing.
    pub(super) fn leave(&mut self) {
        self.writers -= 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= self.sizes.waiting || self.bytes >= self.sizes.waiting_bytes
    }

    /// Whether a committer would find a group, or the end.
    pub(super) fn is_ready(&self) -> bool {
        self.is_free() && (!self.waiting.is_empty() || self.writers == 0)
    }

    /// Whether a committer would find a group.
    #[cfg(feature = "testing")]
    pub(super) fn has_group(&self) -> bool {
        self.is_free() && !self.waiting.is_empty()
    }

    fn is_free(&self) -> bool {
        !self.is_committing && !self.is_held
    }

    /// From now on no group is taken, until the queue is let go.
    pub(super) fn hold(&mut self) {
        self.is_held = true;
    }

    pub(super) fn let_go(&mut self) {
        self.is_held = false;
    }

    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether a group was taken and is not [`done`](Self::done) yet.
    pub(super) fn is_committing(&self) -> bool {
        self.is_committing
    }

    /// Adds writes at the back, in their order.
    pub(super) fn add(&mut self, new: &mut Vec<Write>) {
        mark!(new.len() > 1, "commit: several writes are handed over at once");
        self.bytes += new.iter().map(|write| write.bytes).sum::<usize>();
        self.waiting.extend(new.drain(..));
    }

    /// Adds writes that contain only what was received, before all other writes except those of the
    /// same kind. What another process has committed can be the cause of a write here, but not its
    /// effect.
    pub(super) fn add_received(&mut self, new: Vec<Write>) {
        self.bytes += new.iter().map(|write| write.bytes).sum::<usize>();
        let waiting = std::mem::take(&mut self.waiting);
        let (received, others): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|write| !write.content.received.is_empty());
        mark!(!(new.is_empty() || others.is_empty()), "commit: received messages go first");
        self.waiting = received.into_iter().chain(new).chain(others).collect();
    }

    /// Takes the group at the front.
    pub(super) fn next(&mut self) -> Next {
        if !self.is_ready() {
            return Next::Nothing;
        }
        if self.waiting.is_empty() {
            return Next::Over;
        }
        self.is_committing = true;
        let group = gather(&mut self.waiting, &self.sizes);
        self.bytes -= group.iter().map(|write| write.bytes).sum::<usize>();
        Next::Group(group)
    }

    /// The group that was taken is committed, and its effects are taken.
    pub(super) fn done(&mut self) {
        self.is_committing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance;
    use crate::hub::commit::write::Content;
    use crate::hub::ownership::Ownership;
    use crate::hub::sizes::Sizes;
    use crate::hub::time::virtual_time::Busy;
    use crate::protocol::{EventKind, InstanceId, MessageId, PartitionId, TaskMessage};
    use crate::store::{Epoch, ReceivedMessage};

    fn write(number: u64, bytes: usize) -> Write {
        let (owner, _mail) = Ownership::new(PartitionId(0), Epoch(1));
        let (content, effects) = (Content::default(), Vec::new());
        Write { owner, number, content, effects, bytes, _busy: Busy::default() }
    }

    fn numbers(next: Next) -> Option<Vec<u64>> {
        match next {
            Next::Group(group) => Some(group.iter().map(|write| write.number).collect()),
            Next::Nothing | Next::Over => None,
        }
    }

    #[test]
    fn a_few_large_writes_fill_the_queue_like_many_small_ones() {
        let mut queue = Queue::new(Sizes::PRODUCTION.commit);
        let large = |number| write(number, Sizes::PRODUCTION.commit.waiting_bytes / 2);
        queue.add(&mut vec![large(0)]);
        assert!(!queue.is_full());
        queue.add(&mut vec![large(1), large(2)]);
        assert!(queue.is_full());
        for number in 0..3 {
            assert_eq!(numbers(queue.next()), Some(vec![number]));
            queue.done();
        }
        assert!(!queue.is_full());
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn what_was_received_goes_first_and_nothing_is_committed_while_the_queue_is_held() {
        let received = |number: u64| {
            let id = InstanceId::new("order-17").unwrap();
            let event = EventKind::ExecutionResumed { reason: String::new() };
            let message = MessageId::from_u128(number.into());
            let message = TaskMessage::new(message, id, event);
            let source = (PartitionId(1), number);
            let received = ReceivedMessage::new(PartitionId(0), source, message);
            let mut write = write(number, 1);
            write.content.received.push(received);
            write
        };
        let mut queue = Queue::new(Sizes::PRODUCTION.commit);
        queue.join();
        queue.add(&mut vec![write(1, 1), received(2), write(3, 1)]);
        queue.hold();
        queue.add_received(vec![received(4)]);
        assert!(!queue.is_ready());
        assert!(matches!(queue.next(), Next::Nothing));
        queue.let_go();
        assert_eq!(numbers(queue.next()), Some(vec![2, 4, 1, 3]));
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn one_group_is_committed_at_a_time() {
        let mut queue = Queue::new(Sizes::PRODUCTION.commit);
        queue.join();
        queue.add(&mut vec![write(1, 1)]);
        assert_eq!(numbers(queue.next()), Some(vec![1]));
        queue.add(&mut vec![write(2, 1)]);
        assert!(matches!(queue.next(), Next::Nothing), "a group is being committed");
        queue.done();
        assert_eq!(numbers(queue.next()), Some(vec![2]));
    }

    #[test]
    fn the_queue_ends_when_all_partitions_have_left_and_all_writes_are_committed() {
        let mut queue = Queue::new(Sizes::PRODUCTION.commit);
        queue.join();
        assert!(matches!(queue.next(), Next::Nothing), "a partition may still write");
        queue.add(&mut vec![write(1, 1)]);
        queue.leave();
        assert_eq!(numbers(queue.next()), Some(vec![1]));
        assert!(matches!(queue.next(), Next::Nothing), "the last group is being committed");
        queue.done();
        assert!(matches!(queue.next(), Next::Over));
    }

    /// Writes leave in the order of arrival, and every write leaves.
    #[test]
    fn no_write_is_lost_or_overtaken() {
        for seed in 0..500 {
            let mut drawn = 0;
            let mut below = |end| {
                drawn += 1;
                chance::number(seed, drawn) % end
            };
            let (mut queue, mut written, mut left) = (Queue::new(Sizes::PRODUCTION.commit), 0, 0);
            queue.join();
            for step in 0..200 {
                match below(3) {
                    _ if step == 150 => queue.leave(),
                    0 if step < 150 && !queue.is_full() => {
                        let count = 1 + below(3);
                        let bytes = usize::try_from(below(1 << 22)).unwrap();
                        let mut new =
                            (written..written + count).map(|it| write(it, bytes)).collect();
                        queue.add(&mut new);
                        written += count;
                    }
                    1 => queue.done(),
                    _ => {
                        let was_ready = queue.is_ready();
                        let found = queue.next();
                        assert_eq!(was_ready, !matches!(found, Next::Nothing), "seed {seed}");
                        for number in numbers(found).into_iter().flatten() {
                            assert_eq!(number, left, "seed {seed}");
                            left += 1;
                        }
                    }
                }
                let waiting: usize = queue.waiting.iter().map(|write| write.bytes).sum();
                assert_eq!(queue.bytes, waiting, "seed {seed}");
            }
            queue.done();
            while let Some(group) = numbers(queue.next()) {
                left += group.len() as u64;
                queue.done();
            }
            assert_eq!(left, written, "seed {seed}");
            assert!(matches!(queue.next(), Next::Over), "seed {seed}");
        }
    }
}
