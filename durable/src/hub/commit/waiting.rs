//! Where threads wait for the queue of writes: the committer for a group, partitions for room.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::queue::{Next, Queue};
use super::write::Write;
use crate::hub::sizes::CommitSizes;

/// The queue of writes, shared by the partitions and the committer.
#[derive(Debug)]
pub(crate) struct Writes {
    shared: Mutex<Shared>,
    /// Wakes the committer's thread.
    work: Condvar,
    /// Wakes partitions that wait for room.
    room: Condvar,
    /// Wakes the thread that holds the queue when no group is being committed any more.
    idle: Condvar,
}

/// While this exists, no group is being committed.
pub(crate) struct Hold<'a>(&'a Writes);

#[derive(Debug)]
struct Shared {
    queue: Queue,
    /// Whether the committer's thread sleeps. Waking it costs a system call, so it is woken only if
    /// it sleeps.
    is_asleep: bool,
    /// The number of partitions that wait for room.
    crowded: usize,
}

impl Writes {
    pub(crate) fn new(sizes: CommitSizes) -> Self {
        let shared = Shared { queue: Queue::new(sizes), is_asleep: false, crowded: 0 };
        Self {
            shared: Mutex::new(shared),
            work: Condvar::new(),
            room: Condvar::new(),
            idle: Condvar::new(),
        }
    }

    /// One more partition will write.
    pub(crate) fn join(&self) {
        self.shared().queue.join();
    }

    /// A partition has stopped writing.
    pub(crate) fn leave(&self) {
        let mut shared = self.shared();
        shared.queue.leave();
        self.wake(shared);
    }

    /// Adds the writes of a partition, which the committer's thread will commit.
    pub(crate) fn add(&self, new: &mut Vec<Write>) {
        let shared = self.put(new);
        self.wake(shared);
    }

    /// Adds the writes of a partition, and returns a group for it to commit. `None` while another
    /// group is being committed; the committer's thread then takes the next one.
    pub(crate) fn add_and_take(&self, new: &mut Vec<Write>) -> Option<Vec<Write>> {
        let mut shared = self.put(new);
        match self.next(&mut shared) {
            Next::Group(group) => Some(group),
            Next::Nothing | Next::Over => None,
        }
    }

    /// Takes a group, if one can be committed now.
    #[cfg(feature = "testing")]
    pub(crate) fn next_group(&self) -> Option<Vec<Write>> {
        match self.next(&mut self.shared()) {
            Next::Group(group) => Some(group),
            Next::Nothing | Next::Over => None,
        }
    }

    /// Whether [`next_group`](Self::next_group) would find one.
    #[cfg(feature = "testing")]
    pub(crate) fn has_group(&self) -> bool {
        self.shared().queue.has_group()
    }

    /// Whether partitions wait for room.
    #[cfg(feature = "testing")]
    pub(crate) fn is_full(&self) -> bool {
        self.shared().queue.is_full()
    }

    /// Adds writes even if there is no room for them.
    #[cfg(feature = "testing")]
    pub(crate) fn add_unbounded(&self, new: &mut Vec<Write>) {
        self.shared().queue.add(new);
    }

    /// Waits for a group. `None` once all partitions have left and everything is committed.
    pub(crate) fn take(&self) -> Option<Vec<Write>> {
        let mut shared = self.shared();
        loop {
            match self.next(&mut shared) {
                Next::Group(group) => {
                    shared.is_asleep = false;
                    return Some(group);
                }
                Next::Over => return None,
                Next::Nothing => {
                    shared.is_asleep = true;
                    shared = self.work.wait(shared).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// The group that was taken is committed, and its effects are taken.
    pub(crate) fn done(&self) {
        let mut shared = self.shared();
        shared.queue.done();
        if shared.queue.is_held() {
            self.idle.notify_one();
        }
        self.wake(shared);
    }

    /// Waits for the group that is being committed. No other is taken before the returned value is
    /// dropped.
    pub(crate) fn hold(&self) -> Hold<'_> {
        let mut shared = self.shared();
        shared.queue.hold();
        while shared.queue.is_committing() {
            shared = self.idle.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
        Hold(self)
    }

    /// Whether a group is being committed.
    #[cfg(feature = "testing")]
    pub(crate) fn is_committing(&self) -> bool {
        self.shared().queue.is_committing()
    }

    fn next(&self, shared: &mut Shared) -> Next {
        let next = shared.queue.next();
        if matches!(next, Next::Group(_)) && shared.crowded > 0 {
            self.room.notify_all();
        }
        next
    }

    /// Adds writes as soon as there is room for them.
    fn put(&self, new: &mut Vec<Write>) -> MutexGuard<'_, Shared> {
        let mut shared = self.shared();
        while shared.queue.is_full() {
            if shared.must_wake() {
                self.work.notify_one();
            }
            shared.crowded += 1;
            shared = self.room.wait(shared).unwrap_or_else(PoisonError::into_inner);
            shared.crowded -= 1;
        }
        shared.queue.add(new);
        shared
    }

    /// Wakes the committer's thread if it has work.
    fn wake(&self, mut shared: MutexGuard<'_, Shared>) {
        let wakes = shared.must_wake();
        drop(shared);
        if wakes {
            self.work.notify_one();
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold<'_> {
    /// Adds writes that contain only what was received, before those that wait already.
    pub(crate) fn add_received(&self, new: Vec<Write>) {
        self.0.shared().queue.add_received(new);
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut shared = self.0.shared();
        shared.queue.let_go();
        self.0.wake(shared);
    }
}

impl Shared {
    /// Whether the committer's thread is to be woken. True only once for each time it sleeps.
    fn must_wake(&mut self) -> bool {
        self.queue.is_ready() && std::mem::take(&mut self.is_asleep)
    }
}
