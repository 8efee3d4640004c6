//! Starts and stops the partitions of a node as it gains and loses them.
//!
//! This is a state machine: `thread.rs` waits, and lets it take its turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::inbox::Inbox;
use super::node::{Nodes, Writer};
use crate::hub::commit::committer::Committer;
use crate::hub::commit::write::{Content, Effect, Write};
use crate::hub::error::OpenError;
use crate::hub::mail::{Delivery, Mail};
use crate::hub::ownership::Ownership;
use crate::hub::time::clock::{self, Clock};
use crate::protocol::PartitionId;
use crate::store::{Assignment, Cluster, Epoch, Node, PartitionState, StoreError, chain};

/// How often the node sets the hub's clock by that of the store.
const SET_CLOCK: Duration = Duration::from_secs(10);

/// A partition to start: its ownership, its mail, and what is found in the store.
pub(crate) type Gained = (Arc<Ownership>, Receiver<Delivery>, PartitionState);

/// To be called when a partition has ended, and all that it wrote is handed over.
pub(crate) type AtEnd = Box<dyn FnOnce() + Send>;

/// Starts a partition.
pub(crate) type StartPartition = Box<dyn Fn(Gained, AtEnd) -> std::io::Result<()> + Send>;

pub(crate) struct Supervisor {
    nodes: Arc<Nodes>,
    committer: Arc<Committer>,
    clock: Clock,
    writer: Arc<dyn Writer>,
    start: StartPartition,
    /// Partitions that stop so that another node can own them.
    leaving: Vec<Leaving>,
    clock_set_at: Option<Instant>,
    has_failed: bool,
}

struct Leaving {
    owner: Arc<Ownership>,
    /// Set when all that it wrote is committed.
    is_done: Arc<AtomicBool>,
}

impl Supervisor {
    pub(crate) fn new(
        nodes: Arc<Nodes>,
        committer: Arc<Committer>,
        clock: Clock,
        writer: Arc<dyn Writer>,
        start: StartPartition,
    ) -> Self {
        // Partitions come and go; the committer ends after the supervisor.
        committer.writes.join();
        let (leaving, clock_set_at, has_failed) = (Vec::new(), None, false);
        Self { nodes, committer, clock, writer, start, leaving, clock_set_at, has_failed }
    }

    /// Joins the hub and starts the partitions that this node gets at once.
    pub(crate) fn begin(&mut self, node: &Node) -> Result<(), OpenError> {
        self.cluster()?.join(node)?;
        self.set_clock();
        let assignment = self.cluster()?.assign(&[])?;
        self.carry_out(assignment);
        Ok(())
    }

    /// What receives for the node.
    pub(crate) fn inbox(&self) -> Inbox {
        let (nodes, writer) = (Arc::clone(&self.nodes), Arc::clone(&self.writer));
        Inbox::new(nodes, Arc::clone(&self.committer.store), writer)
    }

    pub(super) fn nodes(&self) -> &Arc<Nodes> {
        &self.nodes
    }

    /// Whether partitions are leaving.
    pub(super) fn is_waiting(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Whether a partition that was leaving can be released.
    #[cfg(feature = "testing")]
    pub(crate) fn can_release(&self) -> bool {
        self.leaving.iter().any(Leaving::is_done)
    }

    /// Releases the partitions that have left. Then renews the leases, and starts and stops partitions;
    /// while others are leaving, only if that `is_due`. Returns whether it did.
    pub(crate) fn turn(&mut self, is_due: bool) -> bool {
        self.release_those_that_left();
        if self.is_waiting() && !is_due {
            return false;
        }
        if self.clock_set_at.is_none_or(|at| at.elapsed() >= SET_CLOCK) {
            self.set_clock();
        }
        let mut owned = self.nodes.mailboxes.owned();
        let leaving = self.leaving.iter().filter(|leaving| !leaving.owner.is_lost());
        owned.extend(leaving.map(|leaving| (leaving.owner.partition, leaving.owner.epoch)));
        let assigned = self.cluster().and_then(|cluster| cluster.assign(&owned));
        match assigned {
            Ok(assignment) => {
                self.has_failed = false;
                self.carry_out(assignment);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    let error = chain(&error);
                    tell!(warn, error, "the leases of partitions cannot be renewed: trying again");
                }
            }
        }
        true
    }

    /// The node stops: the inbox need not wait any longer.
    pub(super) fn end(self) {
        if let Some(cluster) = self.committer.store.cluster() {
            cluster.interrupt();
        }
    }

    /// Sets the hub's clock by that of the store. If that cannot be read, the clock goes on as it is.
    fn set_clock(&mut self) {
        let asked = clock::stopwatch();
        self.clock_set_at = Some(asked);
        if let Ok(Some(time)) = self.cluster().and_then(Cluster::time) {
            self.clock.follow(time, asked, clock::stopwatch());
        }
    }

    fn carry_out(&mut self, assignment: Assignment) {
        let Assignment { gained, lost, to_release } = assignment;
        let has_changed = !(gained.is_empty() && lost.is_empty());
        for partition in &lost {
            tell!(warn, partition = partition.0, "a partition has another owner now");
            if let Some(owner) = self.nodes.mailboxes.owner(*partition) {
                self.nodes.mailboxes.lose(&owner);
            }
            let of_it = |leaving: &&Leaving| leaving.owner.partition == *partition;
            for leaving in self.leaving.iter().filter(of_it) {
                self.nodes.mailboxes.lose(&leaving.owner);
            }
        }
        if !lost.is_empty() {
            self.committer.activities.forget_lost();
        }
        for (partition, epoch) in gained {
            if let Err(error) = self.gain(partition, epoch) {
                let error = chain(&error);
                tell!(error, partition = partition.0, error, "a partition cannot be started");
                self.release(partition, epoch);
            }
        }
        for partition in to_release {
            if let Some(owner) = self.nodes.mailboxes.owner(partition) {
                self.begin_to_leave(&owner);
            }
        }
        if has_changed && let Some(cluster) = self.committer.store.cluster() {
            // It waits for messages to the partitions of before.
            cluster.interrupt();
        }
    }

    fn gain(&self, partition: PartitionId, epoch: Epoch) -> Result<(), StoreError> {
        // An earlier ownership that was lost without notice must be void before the next begins.
        if let Some(former) = self.nodes.mailboxes.owner(partition) {
            self.nodes.mailboxes.lose(&former);
            self.committer.activities.forget_lost();
        }
        let found = self.committer.store.load(partition)?;
        let (owner, mail) = Ownership::new(partition, epoch);
        let (writer, ended) = (Arc::clone(&self.writer), Arc::clone(&owner));
        let at_end = Box::new(move || {
            // Behind everything that the partition wrote.
            let done = Effect::Left(ended.has_left());
            let last = Write::between_nodes(ended, Content::default(), vec![done]);
            writer.hand_over(&mut vec![last]);
        });
        // Messages that this node commits from now on go straight to the partition.
        self.nodes.mailboxes.open(&owner);
        let started = (self.start)((Arc::clone(&owner), mail, found), at_end);
        started.map_err(|error| {
            self.nodes.mailboxes.lose(&owner);
            StoreError::io("cannot start the thread of a partition", error)
        })
    }

    /// Lets a partition finish what it does, so that another node can own it.
    fn begin_to_leave(&mut self, owner: &Arc<Ownership>) {
        self.nodes.mailboxes.close(owner);
        self.nodes.mailboxes.send_to(owner, Mail::Stop);
        self.leaving.push(Leaving { owner: Arc::clone(owner), is_done: owner.has_left() });
    }

    fn release_those_that_left(&mut self) {
        let (done, rest) =
            std::mem::take(&mut self.leaving).into_iter().partition(Leaving::is_done);
        self.leaving = rest;
        let done: Vec<Leaving> = done;
        for Leaving { owner, .. } in done {
            owner.lose();
            self.committer.activities.forget_lost();
            self.release(owner.partition, owner.epoch);
        }
    }

    fn release(&self, partition: PartitionId, epoch: Epoch) {
        let released = self.cluster().and_then(|cluster| cluster.release(partition, epoch));
        if let Err(error) = released {
            let error = chain(&error);
            tell!(warn, partition = partition.0, error, "a lease cannot be given up: it expires");
        }
    }

    fn cluster(&self) -> Result<&dyn Cluster, StoreError> {
        let none = || StoreError::Unsupported { what: "several processes".into() };
        self.committer.store.cluster().ok_or_else(none)
    }
}

impl Leaving {
    fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Acquire)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.committer.writes.leave();
    }
}
