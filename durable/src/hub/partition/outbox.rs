//! The output of a partition: writes, which it numbers and collects, and batches of operations.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::hub::commit::write::{Content, Effect, Write};
use crate::hub::ownership::Ownership;
use crate::hub::sizes::Sizes;
use crate::hub::time::virtual_time::{Busy, VirtualTime};
use crate::hub::work::batches::BatchJob;

/// The consumer of a partition's output. The partition itself knows neither threads nor channels.
pub(crate) trait Outlet: fmt::Debug + Send {
    /// Takes these writes, in their order, to be committed by another thread.
    fn hand_over(&mut self, writes: &mut Vec<Write>);

    /// Takes these writes, and commits them on this thread unless another thread is committing.
    fn commit(&mut self, writes: &mut Vec<Write>);

    /// Runs the operations of an entity. Their outcome comes back as mail.
    fn run(&mut self, batch: BatchJob);
}

/// Collects writes. Dropping the partition hands over the remaining writes.
#[derive(Debug)]
pub(crate) struct Outbox {
    owner: Arc<Ownership>,
    outlet: Box<dyn Outlet>,
    writes: Vec<Write>,
    /// Size of the collected writes.
    bytes: usize,
    /// The number of writes, and of bytes, that are handed over together.
    hand_over: (usize, usize),
    /// The number of the last write.
    last: u64,
    time: Option<Arc<VirtualTime>>,
}

impl Outbox {
    pub(crate) fn new(
        owner: Arc<Ownership>,
        outlet: Box<dyn Outlet>,
        sizes: &Sizes,
        time: Option<Arc<VirtualTime>>,
    ) -> Self {
        let (writes, hand_over) = (Vec::new(), (sizes.hand_over, sizes.hand_over_bytes));
        Self { owner, outlet, writes, bytes: 0, hand_over, last: 0, time }
    }

    /// The number of the last durable write, which the committer updates.
    pub(super) fn durable(&self) -> &Arc<AtomicU64> {
        &self.owner.durable
    }

    pub(super) fn last_write(&self) -> u64 {
        self.last
    }

    /// The number that the next write will get.
    pub(super) fn next_write(&self) -> u64 {
        self.last + 1
    }

    /// Whether the write of this number is durable.
    pub(super) fn is_durable(&self, write: u64) -> bool {
        write <= self.owner.durable.load(Ordering::Acquire)
    }

    pub(super) fn write(&mut self, content: Content, effects: Vec<Effect>) {
        self.last += 1;
        let (owner, number, bytes) = (Arc::clone(&self.owner), self.last, content.bytes());
        let busy = Busy::new(self.time.as_ref());
        self.writes.push(Write { owner, number, content, effects, bytes, _busy: busy });
        self.bytes += bytes;
        if self.writes.len() >= self.hand_over.0
            || self.bytes >= self.hand_over.1
            || maybe!("outbox: writes are handed over early")
        {
            self.hand_over();
        }
    }

    pub(super) fn run(&mut self, batch: BatchJob) {
        self.outlet.run(batch);
    }

    /// Leaves the collected writes to the committer's thread.
    pub(super) fn hand_over(&mut self) {
        if !self.writes.is_empty() {
            self.bytes = 0;
            self.outlet.hand_over(&mut self.writes);
        }
    }

    /// Commits the collected writes on this thread, unless another thread is committing.
    pub(super) fn commit(&mut self) {
        if !self.writes.is_empty() {
            self.bytes = 0;
            self.outlet.commit(&mut self.writes);
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.hand_over();
    }
}
