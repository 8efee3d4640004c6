//! Starts and stops the partitions of a node as it gains and loses them.
//!
//! The supervisor is a state machine: `thread.rs` does the waiting and runs its turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::node::Nodes;
use super::parking::{give_up, release};
use crate::hub::commit::committer::Committer;
use crate::hub::mail::Mail;
use crate::hub::open_error::OpenError;
use crate::hub::ownership::{Former, Ownership};
use crate::hub::recovery::takeover::Takeovers;
use crate::hub::time::clock::{self, Clock};
use crate::protocol::PartitionId;
use crate::store::{Assignment, Cluster, Epoch, Node, StoreError, chain};

/// How often the node sets the hub's clock to the time of the store.
const SET_CLOCK: Duration = Duration::from_secs(10);

pub(crate) struct Supervisor {
    nodes: Arc<Nodes>,
    committer: Arc<Committer>,
    clock: Clock,
    /// `None` in a simulation, where no process can end.
    takeovers: Option<Arc<Takeovers>>,
    /// Partitions that stop so that another node can own them.
    leaving: Vec<Leaving>,
    clock_set_at: Option<Instant>,
    has_failed: bool,
}

struct Leaving {
    owner: Arc<Ownership>,
    /// Set once everything that the partition wrote is committed.
    is_done: Arc<AtomicBool>,
}

impl Supervisor {
    pub(crate) fn new(
        nodes: Arc<Nodes>,
        committer: Arc<Committer>,
        clock: Clock,
        takeovers: Option<Arc<Takeovers>>,
    ) -> Self {
        // Partitions come and go; the committer ends after the supervisor.
        committer.writes.join();
        let (leaving, clock_set_at, has_failed) = (Vec::new(), None, false);
        Self { nodes, committer, clock, takeovers, leaving, clock_set_at, has_failed }
    }

    /// Joins the hub and gains the partitions that this node gets at once.
    pub(crate) fn begin(&mut self, node: &Node) -> Result<(), OpenError> {
        self.committer.cluster()?.join(node)?;
        self.set_clock();
        let assignment = self.committer.cluster()?.assign(&[])?;
        self.carry_out(assignment);
        Ok(())
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

    /// Releases the partitions that have left. If `is_due`, or if no partition is leaving, also
    /// renews the leases, and gains and stops partitions. Returns whether it did.
    pub(crate) fn turn(&mut self, is_due: bool) -> bool {
        self.release_those_that_left();
        if self.is_waiting() && !is_due {
            return false;
        }
        if self.clock_set_at.is_none_or(|at| at.elapsed() >= SET_CLOCK) {
            self.set_clock();
        }
        let owned = self.owned();
        let assigned = self.committer.cluster().and_then(|cluster| cluster.assign(&owned));
        match assigned {
            Ok(assignment) => {
                self.has_failed = false;
                self.carry_out(assignment);
                self.withdraw_abandoned();
                if let Some(takeovers) = &self.takeovers {
                    takeovers.remove_old(&*self.committer.store);
                }
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

    /// The partitions that this node owns. The inbox opens the mailbox of a partition before it
    /// takes the partition out of `not_started`. These are read in the opposite order, so that none
    /// is missed.
    fn owned(&self) -> Vec<(PartitionId, Epoch)> {
        let gained = self.nodes.not_started.owners();
        pause!();
        let mut owned = self.nodes.mailboxes.owned();
        let leaving = self.leaving.iter().map(|leaving| &leaving.owner);
        let others = gained.iter().chain(leaving.filter(|owner| !owner.is_lost()));
        owned.extend(others.map(|owner| (owner.partition, owner.epoch)));
        owned.sort_unstable();
        owned.dedup();
        owned
    }

    /// Withdraws the requests whose clients have gone.
    fn withdraw_abandoned(&self) {
        let requests = self.nodes.waiting.take_abandoned();
        if requests.is_empty() {
            return;
        }
        let withdrawn = self.committer.cluster().and_then(|cluster| cluster.withdraw(&requests));
        if withdrawn.is_err() {
            // If the store has failed, the next renewal of the leases says so.
            self.nodes.waiting.put_back_abandoned(requests);
        }
    }

    /// The node stops: the inbox need not wait any longer, and the requests of this node are withdrawn.
    pub(super) fn end(self) {
        if let Some(cluster) = self.committer.store.cluster() {
            cluster.interrupt();
        }
        self.withdraw_abandoned();
    }

    /// Sets the hub's clock to the time of the store. If the store's time cannot be read, the clock
    /// is left as it is.
    fn set_clock(&mut self) {
        let asked = clock::stopwatch();
        self.clock_set_at = Some(asked);
        if let Ok(Some(time)) = self.committer.cluster().and_then(Cluster::time) {
            self.clock.follow(time, asked, clock::stopwatch());
        }
    }

    fn carry_out(&mut self, assignment: Assignment) {
        let Assignment { gained, lost, to_release, refused, orphaned } = assignment;
        let has_changed = !(gained.is_empty() && lost.is_empty());
        for partition in &lost {
            tell!(warn, partition = partition.0, "a partition has another owner now");
            self.nodes.not_started.lose(*partition);
            pause!();
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
            let former =
                if orphaned.contains(&partition) { Former::Ended } else { Former::Released };
            if let Err(error) = self.gain(partition, epoch, former) {
                give_up(&*self.committer.store, partition, epoch, &error);
            }
        }
        for (request, parked) in refused {
            self.nodes.waiting.refused(request, parked);
        }
        let must_stay =
            |it| self.takeovers.as_ref().is_some_and(|takeovers| takeovers.must_stay(it));
        let to_release: Vec<_> = to_release.into_iter().filter(|it| !must_stay(*it)).collect();
        for partition in to_release {
            if let Some(owner) = self.nodes.mailboxes.owner(partition) {
                self.begin_to_leave(&owner);
            }
        }
        if has_changed && let Some(cluster) = self.committer.store.cluster() {
            // The inbox is still waiting for messages to the partitions that it had before, and
            // would start the new ones late.
            cluster.interrupt();
        }
    }

    fn gain(&self, partition: PartitionId, epoch: Epoch, former: Former) -> Result<(), StoreError> {
        // An earlier ownership that was lost without notice must be void before the next begins.
        self.nodes.not_started.lose(partition);
        pause!();
        if let Some(former) = self.nodes.mailboxes.owner(partition) {
            self.nodes.mailboxes.lose(&former);
            self.committer.activities.forget_lost();
        }
        let found = self.committer.store.load(partition)?;
        let (owner, mail) = Ownership::after(former, partition, epoch);
        self.nodes.not_started.add((owner, mail, found));
        Ok(())
    }

    /// Lets a partition finish its current work, so that another node can own it.
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
            if let Some(takeovers) = self.takeovers.as_ref().filter(|_| !owner.is_lost()) {
                takeovers.leave(&*self.committer.store, owner.partition);
            }
            owner.lose();
            self.committer.activities.forget_lost();
            release(&*self.committer.store, owner.partition, owner.epoch);
        }
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
