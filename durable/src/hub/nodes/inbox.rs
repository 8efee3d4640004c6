//! What arrives from other nodes, and the start of the partitions that this node has gained.
//!
//! The inbox is a state machine, and `thread.rs` runs its turns.
//!
//! **The order of messages.** The messages of a node to a partition that it does not own go through
//! the store, and those to a partition of its own go straight to it. A message must not overtake an
//! earlier one, so a partition starts between two commits. While no commit is in progress, the
//! store contains everything that this node and the former owner have sent to the partition. The
//! node receives all of these messages, for the partitions that it runs and those that it has
//! gained, and puts them before all queued writes. Then it starts the partitions and continues with
//! its commits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::gained::StartPartition;
use super::node::{Nodes, Writer};
use super::parking::{Parking, release};
use super::wire::{self, ClientRequest};
use crate::hub::commit::committer::Committer;
use crate::hub::commit::write::{Content, Effect, Write};
use crate::hub::ownership::Ownership;
use crate::protocol::PartitionId;
use crate::store::{ClusterRequest, Received, ReceivedMessage, StoreError, chain};

/// Receives what other nodes send, turn by turn, and starts the partitions that the node has gained.
pub(crate) struct Inbox {
    pub(super) nodes: Arc<Nodes>,
    pub(super) committer: Arc<Committer>,
    pub(super) writer: Arc<dyn Writer>,
    pub(super) start: StartPartition,
    has_failed: bool,
}

impl Inbox {
    pub(crate) fn new(
        nodes: Arc<Nodes>,
        committer: Arc<Committer>,
        writer: Arc<dyn Writer>,
        start: StartPartition,
    ) -> Self {
        Self { nodes, committer, writer, start, has_failed: false }
    }

    /// Starts the partitions that the node has gained. If there are none, waits until something
    /// arrives, but at most this long, and takes it in. Returns whether it succeeded.
    pub(crate) fn turn(&mut self, wait: Duration) -> bool {
        let turned = if self.nodes.has_gained() { self.start_gained() } else { self.receive(wait) };
        match turned {
            Ok(is_done) => {
                self.has_failed = false;
                is_done
            }
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) && !self.nodes.is_stopping() {
                    let error = chain(&error);
                    tell!(warn, error, "messages of other processes cannot be read: trying again");
                }
                false
            }
        }
    }

    fn receive(&mut self, wait: Duration) -> Result<bool, StoreError> {
        let owners = self.nodes.mailboxes.owners();
        let (mut writes, requests, _) = self.receive_from(&owners, wait)?;
        if !writes.is_empty() {
            self.writer.commit(&mut writes);
        }
        self.hand_to_owners(&owners, requests);
        Ok(true)
    }

    /// Receives what was sent to the partitions of these owners. Returns the writes that store the
    /// received messages as messages of the partition, the requests, and whether more has arrived.
    pub(super) fn receive_from(
        &self,
        owners: &[Arc<Ownership>],
        wait: Duration,
    ) -> Result<(Vec<Write>, Vec<ClusterRequest>, bool), StoreError> {
        let cluster = self.committer.cluster()?;
        let owned: Vec<_> = owners.iter().map(|owner| (owner.partition, owner.epoch)).collect();
        let received = cluster.receive(&owned, wait)?;
        let Received { messages, requests, answers, unreadable, has_changed, has_more } = received;
        self.park(owners, unreadable);
        if has_changed {
            self.nodes.ring();
        }
        for (request, answer) in answers {
            self.nodes.waiting.answered(request, answer);
        }
        let mut writes = Vec::new();
        let mut messages = messages.into_iter().peekable();
        while let Some(first) = messages.next() {
            let target = first.target;
            let mut of_target = vec![first];
            while let Some(next) = messages.next_if(|next| next.target == target) {
                of_target.push(next);
            }
            if let Some(owner) = self.owner_of(owners, target) {
                writes.push(write(owner, of_target));
            }
        }
        Ok((writes, requests, has_more))
    }

    /// Receives what was sent earlier, and then starts the partitions that this node has gained.
    /// Returns whether it could start them.
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
            for owner in &gained {
                self.start(owner);
            }
        }
        drop(hold);
        self.hand_to_owners(&owners, requests);
        received
    }

    fn start(&self, owner: &Arc<Ownership>) {
        // Before it is taken, so that the supervisor finds the partition at any moment.
        self.nodes.mailboxes.open(owner);
        pause!();
        let Some(gained) = self.nodes.not_started.take(owner) else {
            mark!("nodes: a partition is lost while it is being started");
            self.nodes.mailboxes.lose(owner);
            owner.has_left().store(true, Ordering::Release);
            return;
        };
        pause!();
        let (writer, ended) = (Arc::clone(&self.writer), Arc::clone(owner));
        let at_end = Box::new(move || {
            // Comes after everything that the partition wrote.
            let done = Effect::Left(ended.has_left());
            let last = Write::between_nodes(ended, Content::default(), vec![done]);
            writer.hand_over(&mut vec![last]);
        });
        // The node may have lost the partition, or gained it again, since this began.
        self.committer.activities.forget_lost();
        if let Err(error) = (self.start)(gained, at_end) {
            self.nodes.mailboxes.lose(owner);
            owner.has_left().store(true, Ordering::Release);
            let (error, partition) = (chain(&error), owner.partition);
            tell!(error, partition = partition.0, error, "a partition cannot be started");
            release(&*self.committer.store, partition, owner.epoch);
        }
    }

    /// Parks the partitions for which something has arrived that cannot be read.
    fn park(&self, owners: &[Arc<Ownership>], unreadable: Vec<(PartitionId, String)>) {
        let parking = Parking::new(&self.nodes, &self.committer.activities, &self.committer.store);
        for (partition, reason) in unreadable {
            if let Some(owner) = self.owner_of(owners, partition) {
                parking.park(&owner, &reason);
            }
        }
    }

    /// Hands requests to these owners. Requests that cannot be read are refused.
    pub(super) fn hand_to_owners(&self, owners: &[Arc<Ownership>], requests: Vec<ClusterRequest>) {
        let mut refusals = Vec::new();
        for ClusterRequest { id, target, body, .. } in requests {
            let Some(owner) = self.owner_of(owners, target) else { continue };
            match serde_json::from_str::<ClientRequest>(&body) {
                Ok(request) => self.nodes.mailboxes.send_to(&owner, request.into_mail(id)),
                Err(error) => {
                    let (error, partition) = (error.to_string(), target.0);
                    tell!(error, partition, error, "a request of another process cannot be read");
                    let refused = Effect::Refused(id, wire::not_understood(error));
                    refusals.push(Write::between_nodes(owner, Content::default(), vec![refused]));
                }
            }
        }
        if !refusals.is_empty() {
            self.writer.commit(&mut refusals);
        }
    }

    /// The owner of this partition. `None` if the partition is leaving or has been lost in the
    /// meantime: the next owner, which may be this node again, receives the same messages and
    /// requests.
    fn owner_of(
        &self,
        owners: &[Arc<Ownership>],
        partition: PartitionId,
    ) -> Option<Arc<Ownership>> {
        let owner = owners.iter().find(|owner| owner.partition == partition)?;
        let is_it = |other: &Arc<Ownership>| Arc::ptr_eq(owner, other);
        let is_open = self.nodes.mailboxes.owner(partition).as_ref().is_some_and(is_it);
        let stays = is_open || self.nodes.not_started.owners().iter().any(is_it);
        stays.then(|| Arc::clone(owner))
    }
}

/// A write that stores received messages as messages of the partition.
fn write(owner: Arc<Ownership>, received: Vec<ReceivedMessage>) -> Write {
    let content = Content { received, ..Content::default() };
    Write::between_nodes(owner, content, Vec::new())
}
