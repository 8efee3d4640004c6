//! What arrives from other nodes.
//!
//! This is a state machine: `thread.rs` lets it take its turns.

use std::sync::Arc;
use std::time::Duration;

use super::node::{Nodes, Writer};
use super::wire::{Ask, To};
use crate::hub::commit::write::{Content, Write};
use crate::hub::ownership::Ownership;
use crate::protocol::PartitionId;
use crate::store::{ClusterRequest, Epoch, Received, ReceivedMessage, Store, chain};

/// Receives what other nodes send, turn by turn.
pub(crate) struct Inbox {
    pub(super) nodes: Arc<Nodes>,
    store: Arc<dyn Store>,
    writer: Arc<dyn Writer>,
    has_failed: bool,
}

impl Inbox {
    pub(super) fn new(nodes: Arc<Nodes>, store: Arc<dyn Store>, writer: Arc<dyn Writer>) -> Self {
        Self { nodes, store, writer, has_failed: false }
    }

    /// Waits for at most this long until something arrives, and takes it in. Returns whether it
    /// could receive.
    pub(crate) fn turn(&mut self, wait: Duration) -> bool {
        let Some(cluster) = self.store.cluster() else { return false };
        let owned = self.nodes.mailboxes.owned();
        match cluster.receive(&owned, wait) {
            Ok(received) => {
                self.has_failed = false;
                take_in(&self.nodes, &*self.writer, &owned, received);
                true
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
}

/// Takes in what was received while the node owned these partitions.
fn take_in(
    nodes: &Nodes,
    committing: &dyn Writer,
    owned: &[(PartitionId, Epoch)],
    received: Received,
) {
    let Received { messages, requests, answers, has_changed } = received;
    if has_changed {
        nodes.ring();
    }
    for (request, answer) in answers {
        nodes.waiting.answered(request, answer);
    }
    let mut writes = Vec::new();
    let mut messages = messages.into_iter().peekable();
    while let Some(first) = messages.next() {
        let target = first.target;
        let mut of_target = vec![first];
        while let Some(next) = messages.next_if(|next| next.target == target) {
            of_target.push(next);
        }
        // The next owner receives them if this one has lost the partition meanwhile: also if that is
        // this node again.
        let is_same = |owner: &Arc<Ownership>| owned.contains(&(target, owner.epoch));
        if let Some(owner) = nodes.mailboxes.owner(target).filter(is_same) {
            writes.push(write(owner, of_target));
        }
    }
    if !writes.is_empty() {
        committing.commit(&mut writes);
    }
    for request in requests {
        hand_to_owner(nodes, owned, request);
    }
}

/// A write that makes received messages those of the partition.
fn write(owner: Arc<Ownership>, received: Vec<ReceivedMessage>) -> Write {
    let content = Content { received, ..Content::default() };
    Write::between_nodes(owner, content, Vec::new())
}

fn hand_to_owner(nodes: &Nodes, owned: &[(PartitionId, Epoch)], request: ClusterRequest) {
    let ClusterRequest { id, target, body, .. } = request;
    match serde_json::from_str::<Ask>(&body) {
        Ok(ask) => {
            let is_same = |owner: &Arc<Ownership>| owned.contains(&(target, owner.epoch));
            if let Some(owner) = nodes.mailboxes.owner(target).filter(is_same) {
                nodes.mailboxes.send_to(&owner, ask.into_mail(To::Node(id)));
            }
        }
        Err(error) => {
            let (error, partition) = (error.to_string(), target.0);
            tell!(error, partition, error, "a request of another process cannot be read");
        }
    }
}
