//! Starts and stops the partitions of a node as it gains and loses them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::inbox;
use super::node::Nodes;
use crate::hub::commit::committer::Committer;
use crate::hub::commit::write::{Content, Effect, Write};
use crate::hub::error::OpenError;
use crate::hub::mail::{Delivery, Mail};
use crate::hub::ownership::Ownership;
use crate::hub::threads::Threads;
use crate::hub::time::clock::{self, Clock};
use crate::protocol::PartitionId;
use crate::store::{Assignment, Cluster, Epoch, Node, PartitionState, StoreError, chain};

/// How often the node renews its leases and looks for changes.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often it sets the hub's clock by that of the store.
const SET_CLOCK: Duration = Duration::from_secs(10);
/// How often it looks while partitions are leaving.
const WHILE_LEAVING: Duration = Duration::from_millis(10);

/// A partition to start: its ownership, its mail, and what is found in the store.
pub(crate) type Gained = (Arc<Ownership>, Receiver<Delivery>, PartitionState);

/// Starts the thread of a partition. When it has ended, and all that it wrote is handed over, the
/// thread calls the last argument.
pub(crate) type StartPartition =
    Box<dyn Fn(Gained, Box<dyn FnOnce() + Send>) -> std::io::Result<()> + Send>;

pub(crate) struct Supervisor {
    nodes: Arc<Nodes>,
    committer: Arc<Committer>,
    clock: Clock,
    start: StartPartition,
    /// Partitions that stop so that another node can own them.
    leaving: Vec<Leaving>,
    assigned_at: Option<Instant>,
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
        start: StartPartition,
    ) -> Self {
        // Partitions come and go; the committer ends after the supervisor.
        committer.writes.join();
        let leaving = Vec::new();
        let (assigned_at, clock_set_at, has_failed) = (None, None, false);
        Self { nodes, committer, clock, start, leaving, assigned_at, clock_set_at, has_failed }
    }

    /// Joins the hub and starts the partitions that this node gets at once.
    pub(crate) fn begin(&mut self, node: &Node) -> Result<(), OpenError> {
        self.cluster()?.join(node)?;
        self.set_clock();
        let assignment = self.cluster()?.assign(&[])?;
        self.carry_out(assignment);
        Ok(())
    }

    /// Starts the threads that go on with it.
    pub(crate) fn spawn(self, threads: &Threads) -> std::io::Result<()> {
        let (nodes, committer) = (Arc::clone(&self.nodes), Arc::clone(&self.committer));
        threads.start("durable-nodes", move || self.run())?;
        threads.start("durable-inbox", move || inbox::run(&nodes, &committer))
    }

    fn run(mut self) {
        while !self.nodes.is_stopping() {
            let at_most = if self.leaving.is_empty() { INTERVAL } else { WHILE_LEAVING };
            self.nodes.bell.wait(at_most);
            if !self.nodes.is_stopping() {
                self.turn();
            }
        }
        if let Some(cluster) = self.committer.store.cluster() {
            cluster.interrupt();
        }
    }

    fn turn(&mut self) {
        self.release_those_that_left();
        let is_early = self.assigned_at.is_some_and(|at| at.elapsed() < INTERVAL);
        if !self.leaving.is_empty() && is_early {
            return;
        }
        self.assigned_at = Some(clock::stopwatch());
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
        let committer = Arc::clone(&self.committer);
        let ended = Arc::clone(&owner);
        let at_end = Box::new(move || {
            // Behind everything that the partition wrote.
            let done = Effect::Left(ended.has_left());
            let last = Write::between_nodes(ended, Content::default(), vec![done]);
            committer.writes.add(&mut vec![last]);
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
        let is_done = |leaving: &Leaving| leaving.is_done.load(Ordering::Acquire);
        let (done, rest) = std::mem::take(&mut self.leaving).into_iter().partition(is_done);
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

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.committer.writes.leave();
    }
}
