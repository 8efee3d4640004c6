//! What arrives from other nodes.

use std::sync::Arc;
use std::time::Duration;

use super::node::Nodes;
use super::wire::{Ask, To};
use crate::hub::commit::committer::Committer;
use crate::hub::commit::write::{Content, Write};
use crate::hub::ownership::Ownership;
use crate::protocol::PartitionId;
use crate::store::{ClusterRequest, Received, ReceivedMessage, chain};

/// How long one wait for messages may last.
const WAIT: Duration = Duration::from_secs(5);
/// The pause after a failed attempt to receive.
const PAUSE: Duration = Duration::from_millis(500);

/// Receives what other nodes send, until the node stops.
pub(super) fn run(nodes: &Nodes, committer: &Committer) {
    let mut has_failed = false;
    while !nodes.is_stopping() {
        let Some(cluster) = committer.store.cluster() else { return };
        match cluster.receive(&nodes.mailboxes.owned(), WAIT) {
            Ok(received) => {
                has_failed = false;
                take_in(nodes, committer, received);
            }
            Err(error) => {
                if !std::mem::replace(&mut has_failed, true) && !nodes.is_stopping() {
                    let error = chain(&error);
                    tell!(warn, error, "messages of other processes cannot be read: trying again");
                }
                nodes.pause.wait(PAUSE);
            }
        }
    }
}

fn take_in(nodes: &Nodes, committer: &Committer, received: Received) {
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
        // The next owner receives them if this one has lost the partition meanwhile.
        if let Some(owner) = nodes.mailboxes.owner(target) {
            writes.push(write(owner, of_target));
        }
    }
    if !writes.is_empty() {
        committer.commit_at_once(&mut writes);
    }
    for request in requests {
        hand_to_owner(nodes, request);
    }
}

/// A write that makes received messages those of the partition.
fn write(owner: Arc<Ownership>, received: Vec<ReceivedMessage>) -> Write {
    let content = Content { received, ..Content::default() };
    Write::between_nodes(owner, content, Vec::new())
}

fn hand_to_owner(nodes: &Nodes, request: ClusterRequest) {
    let ClusterRequest { id, target: PartitionId(partition), body, .. } = request;
    match serde_json::from_str::<Ask>(&body) {
        Ok(ask) => {
            if let Some(owner) = nodes.mailboxes.owner(PartitionId(partition)) {
                nodes.mailboxes.send_to(&owner, ask.into_mail(To::Node(id)));
            }
        }
        Err(error) => {
            let error = error.to_string();
            tell!(error, partition, error, "a request of another process cannot be read");
        }
    }
}
