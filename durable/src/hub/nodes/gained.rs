//! Partitions that this node has gained and not yet started.
//!
//! The messages of a node to a partition that it does not own go through the store, and those to a
//! partition of its own go straight to it. A message must not overtake an earlier one, so a partition
//! starts between two commits. While none is under way, all that this node has sent to the partition is
//! in the store, and so is all that the former owner of the partition has sent. The node
//! receives everything that is there for its partitions, including those that it has gained, and puts
//! it before all writes that wait. Then it starts the partitions and goes on with its commits.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::inbox::Inbox;
use super::node::Nodes;
use super::supervisor::release;
use crate::hub::commit::write::{Content, Effect, Write};
use crate::hub::mail::Delivery;
use crate::hub::ownership::Ownership;
use crate::protocol::PartitionId;
use crate::store::{PartitionState, StoreError, chain};

/// A partition to start: its ownership, its mail, and what is found in the store.
pub(crate) type Gained = (Arc<Ownership>, Receiver<Delivery>, PartitionState);

/// To be called when a partition has ended, and all that it wrote is handed over.
pub(crate) type AtEnd = Box<dyn FnOnce() + Send>;

/// Starts a partition.
pub(crate) type StartPartition = Box<dyn Fn(Gained, AtEnd) -> std::io::Result<()> + Send>;

/// The partitions that the supervisor has gained and the inbox has not started.
#[derive(Default)]
pub(super) struct NotStarted(Mutex<Vec<Gained>>);

impl NotStarted {
    pub(super) fn add(&self, gained: Gained) {
        self.all().push(gained);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    pub(super) fn owners(&self) -> Vec<Arc<Ownership>> {
        self.all().iter().map(|(owner, ..)| Arc::clone(owner)).collect()
    }

    /// Forgets a partition that has another owner now.
    pub(super) fn lose(&self, partition: PartitionId) {
        let is_it = |(owner, ..): &mut Gained| owner.partition == partition;
        self.all().extract_if(.., is_it).for_each(|(owner, ..)| owner.lose());
    }

    /// Takes the partitions of these owners, except those that were lost meanwhile.
    fn take(&self, owners: &[Arc<Ownership>]) -> Vec<Gained> {
        let is_of = |(owner, ..): &mut Gained| owners.iter().any(|it| Arc::ptr_eq(it, owner));
        self.all().extract_if(.., is_of).collect()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Gained>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NotStarted").field(&self.owners()).finish()
    }
}

impl Inbox {
    /// Receives what was sent before, and starts the partitions that this node has gained. Returns
    /// whether they could be started.
    pub(super) fn start_gained(&mut self) -> Result<bool, StoreError> {
        let committer = Arc::clone(&self.committer);
        let hold = committer.writes.hold();
        let gained = self.nodes.not_started.owners();
        let mut owners = self.nodes.mailboxes.owners();
        owners.extend(gained.iter().cloned());
        let mut requests = Vec::new();
        let received = loop {
            let received = self.receive_from(&owners, Duration::ZERO);
            let received = received.map(|(writes, asked, has_more)| {
                let has_received = !writes.is_empty();
                mark!(has_received, "nodes: messages come before the start of a partition");
                hold.add_received(writes);
                requests.extend(asked);
                (has_more, has_received)
            });
            match received {
                Ok((true, true)) => {}
                Ok((has_more, _)) => break Ok(!has_more),
                Err(error) => break Err(error),
            }
        };
        if matches!(received, Ok(true)) {
            for gained in self.nodes.not_started.take(&gained) {
                self.start(gained);
            }
        }
        drop(hold);
        self.hand_to_owners(&owners, requests);
        received
    }

    fn start(&self, gained: Gained) {
        let owner = Arc::clone(&gained.0);
        let (writer, ended) = (Arc::clone(&self.writer), Arc::clone(&owner));
        let at_end = Box::new(move || {
            // Behind everything that the partition wrote.
            let done = Effect::Left(ended.has_left());
            let last = Write::between_nodes(ended, Content::default(), vec![done]);
            writer.hand_over(&mut vec![last]);
        });
        self.nodes.mailboxes.open(&owner);
        if let Err(error) = (self.start)(gained, at_end) {
            self.nodes.mailboxes.lose(&owner);
            let (error, partition) = (chain(&error), owner.partition);
            tell!(error, partition = partition.0, error, "a partition cannot be started");
            release(&*self.committer.store, partition, owner.epoch);
        }
    }
}

impl Nodes {
    /// Whether partitions were gained and not yet started.
    pub(crate) fn has_gained(&self) -> bool {
        !self.not_started.is_empty()
    }
}
