//! Stores that share a hub, without the hubs on top of them.

#![allow(dead_code, reason = "no program of tests uses all of it")]

use std::collections::BTreeMap;
use std::time::Duration;

use durable::InstanceId;
use durable::protocol::{EventKind, HubRecord, MessageId, PartitionId, TaskMessage, Timestamp};
use durable::store::{
    Assignment, Cluster as _, ClusterRequest, Commit, Epoch, Node, Received, RequestId, Store,
    StoreError,
};
use durable_postgres::{PostgresOptions, PostgresStore};

use crate::cluster::{self, unique};

/// The lease of most tests.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

/// A store that has joined, with the partitions that it owns.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) store: PostgresStore,
    pub(crate) owned: BTreeMap<PartitionId, Epoch>,
}

/// The options of a new hub with these partitions.
pub(crate) fn hub(partitions: u16) -> PostgresOptions {
    let options = cluster::schema(&unique("nodes")).lease(LEASE);
    let store = cluster::connect(options.clone());
    store.create(&HubRecord::new(partitions, Timestamp::default())).expect("a hub");
    options
}

impl Peer {
    pub(crate) fn join(options: &PostgresOptions, name: &str) -> Self {
        Self::join_as(options, &Node::new(name))
    }

    pub(crate) fn join_as(options: &PostgresOptions, node: &Node) -> Self {
        let store = cluster::connect(options.clone());
        store.create(&HubRecord::new(1, Timestamp::default())).expect("the hub");
        store.join(node).expect("joining");
        Self { store, owned: BTreeMap::new() }
    }

    /// Joins, and claims what is free.
    pub(crate) fn start(options: &PostgresOptions, name: &str) -> Self {
        let mut peer = Self::join(options, name);
        peer.assign();
        peer
    }

    pub(crate) fn listed(&self) -> Vec<(PartitionId, Epoch)> {
        self.owned.iter().map(|(partition, epoch)| (*partition, *epoch)).collect()
    }

    /// Calls `assign`, and starts and stops partitions as it says, but releases none.
    pub(crate) fn assign(&mut self) -> Assignment {
        let assignment = self.store.assign(&self.listed()).expect("an assignment");
        for partition in &assignment.lost {
            self.owned.remove(partition);
        }
        self.owned.extend(assignment.gained.iter().copied());
        assignment
    }

    /// Calls `assign`, and does all that it says.
    pub(crate) fn turn(&mut self) {
        let assignment = self.assign();
        for partition in assignment.to_release {
            self.release(partition);
        }
    }

    pub(crate) fn release(&mut self, partition: PartitionId) {
        let epoch = self.owned.remove(&partition).expect("an owned partition");
        self.store.release(partition, epoch).expect("a release");
    }

    pub(crate) fn receive(&self, wait: Duration) -> Received {
        self.store.receive(&self.listed(), wait).expect("what was received")
    }

    /// Receives until there is something, for at most half a minute.
    pub(crate) fn receive_some(&self) -> Received {
        (0..60)
            .map(|_| self.receive(Duration::from_millis(500)))
            .find(|received| *received != Received::default())
            .expect("something to receive")
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, wait: Duration) {
        let mut received = Received::default();
        for _ in 0..wait.as_millis().div_ceil(50) {
            received = self.receive(Duration::from_millis(50));
        }
        assert_eq!(received, Received::default());
    }

    /// A commit by the owner of all partitions of this node.
    pub(crate) fn group(&self) -> Commit {
        Commit::new(self.listed())
    }

    pub(crate) fn commit(&self, commit: &Commit) {
        self.store.commit(commit).expect("a commit");
    }

    /// Commits a message from one partition to another.
    pub(crate) fn send(&self, from: u16, to: u16, message: TaskMessage) {
        let mut commit = self.group();
        if self.owned.contains_key(&PartitionId(to)) {
            commit.messages.push((PartitionId(to), message));
        } else {
            commit.sent.push((PartitionId(from), PartitionId(to), message));
        }
        self.commit(&commit);
    }

    /// Commits what was received.
    pub(crate) fn accept(&self, received: &Received) {
        let mut commit = self.group();
        commit.received.clone_from(&received.messages);
        self.commit(&commit);
    }

    /// The messages of a partition, in their order.
    pub(crate) fn messages(&self, partition: u16) -> Vec<TaskMessage> {
        let messages =
            self.store.messages(PartitionId(partition), None, 0..u64::MAX >> 1, 1_000_000);
        messages.expect("messages").into_iter().map(|(_, message)| message).collect()
    }

    pub(crate) fn ask(&self, target: u16, body: &str) -> RequestId {
        let request =
            ClusterRequest::new(RequestId::generate(), PartitionId(target), body.to_owned());
        self.store.ask(&request).expect("a request");
        request.id
    }

    pub(crate) fn answer(&self, request: RequestId, answer: &str) {
        let mut commit = self.group();
        commit.answers.push((request, answer.to_owned()));
        self.commit(&commit);
    }

    pub(crate) fn first(&self) -> u16 {
        self.owned.keys().next().expect("a partition").0
    }
}

/// Takes turns until the nodes own as many partitions each as they should.
pub(crate) fn balance(peers: &mut [Peer], wanted: &[usize]) {
    for _ in 0..300 {
        for peer in &mut *peers {
            peer.turn();
        }
        let counts: Vec<_> = peers.iter().map(|peer| peer.owned.len()).collect();
        if counts == wanted {
            return;
        }
        peers[0].receive(Duration::from_millis(50));
    }
    panic!("the partitions are not balanced");
}

pub(crate) fn message(number: u128) -> TaskMessage {
    let id = InstanceId::new("order-17").expect("an id");
    TaskMessage::new(MessageId::from_u128(number), id, EventKind::OrchestratorStarted)
}

pub(crate) fn ids(messages: &[TaskMessage]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

pub(crate) fn is_fenced(result: Result<(), StoreError>) -> Vec<PartitionId> {
    match result {
        Err(StoreError::Fenced { partitions }) => partitions.into_iter().collect(),
        other => panic!("not fenced: {other:?}"),
    }
}
