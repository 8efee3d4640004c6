//! Helpers of the tests of a store that several processes share: a process that has joined.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::cluster_under_test::ClusterUnderTest;
use super::scene::must;
use crate::protocol::{
    EventKind, HubRecord, InstanceId, MessageId, PartitionId, TaskMessage, Timestamp,
};
use crate::store::{
    Assignment, Cluster, ClusterRequest, Commit, Epoch, Node, Received, RequestId, Store,
    StoreError,
};

/// The most times that a test checks a condition that it waits for, and the time between checks.
const LOOKS: usize = 600;
const WAIT: Duration = Duration::from_millis(50);

/// A process that has joined, with the partitions that it owns.
pub(super) struct Peer {
    store: Arc<dyn Store>,
    pub(super) owned: BTreeMap<PartitionId, Epoch>,
}

impl Peer {
    pub(super) fn join(
        under_test: &dyn ClusterUnderTest,
        partitions: u16,
        name: &str,
        is_client: bool,
    ) -> Self {
        let store = under_test.open();
        must(store.create(&HubRecord::new(partitions, Timestamp::default())), "creating the hub");
        let peer = Self { store, owned: BTreeMap::new() };
        let mut node = Node::new(name);
        node.is_client = is_client;
        must(peer.cluster().join(&node), "joining");
        peer
    }

    /// The processes `one`, which owns everything, and `two`.
    pub(super) fn first_two(under_test: &dyn ClusterUnderTest, partitions: u16) -> [Self; 2] {
        let mut one = Self::join(under_test, partitions, "one", false);
        one.turn();
        let mut two = Self::join(under_test, partitions, "two", false);
        two.assign();
        [one, two]
    }

    #[track_caller]
    pub(super) fn cluster(&self) -> &dyn Cluster {
        must(self.store.cluster().ok_or("it belongs to one process"), "sharing the store")
    }

    pub(super) fn listed(&self) -> Vec<(PartitionId, Epoch)> {
        self.owned.iter().map(|(partition, epoch)| (*partition, *epoch)).collect()
    }

    #[track_caller]
    pub(super) fn first(&self) -> PartitionId {
        *must(self.owned.keys().next().ok_or("it owns none"), "finding a partition")
    }

    pub(super) fn forget(&mut self, partition: PartitionId) {
        self.owned.remove(&partition);
    }

    /// Calls `assign`, and starts and stops partitions as it says, but releases none.
    #[track_caller]
    pub(super) fn assign(&mut self) -> Assignment {
        let assignment = must(self.cluster().assign(&self.listed()), "assigning partitions");
        for partition in &assignment.lost {
            self.owned.remove(partition);
        }
        self.owned.extend(assignment.gained.iter().copied());
        assignment
    }

    /// Calls `assign`, and does all that it says.
    #[track_caller]
    pub(super) fn turn(&mut self) {
        for partition in self.assign().to_release {
            if let Some(epoch) = self.owned.remove(&partition) {
                must(self.cluster().release(partition, epoch), "releasing a partition");
            }
        }
    }

    /// Lets time pass until a condition holds.
    #[track_caller]
    pub(super) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        for _ in 0..LOOKS {
            if is_so(self) {
                return;
            }
            self.receive(WAIT);
        }
        panic!("{what}: waited in vain");
    }

    #[track_caller]
    pub(super) fn receive(&self, wait: Duration) -> Received {
        let received = must(self.cluster().receive(&self.listed(), wait), "receiving");
        // Nodes come and go.
        Received { has_changed: false, ..received }
    }

    #[track_caller]
    pub(super) fn receive_some(&self) -> Received {
        let mut received = (0..LOOKS).map(|_| self.receive(WAIT));
        must(received.find(|it| *it != Received::default()).ok_or("nothing arrived"), "receiving")
    }

    /// A commit by the owner of all partitions of this process.
    pub(super) fn group(&self) -> Commit {
        Commit::new(self.listed())
    }

    #[track_caller]
    pub(super) fn commit(&self, commit: &Commit) {
        must(self.store.commit(commit), "committing what is in order");
    }

    /// The partitions from which a commit is fenced.
    #[track_caller]
    pub(super) fn fenced(&self, commit: &Commit) -> Vec<PartitionId> {
        match self.store.commit(commit) {
            Err(StoreError::Fenced { partitions }) => {
                let mut partitions: Vec<_> = partitions.into_iter().collect();
                partitions.sort_unstable();
                partitions
            }
            other => panic!("a commit was to be fenced: {other:?}"),
        }
    }

    /// Commits a message from the first partition of this process to one of either process.
    #[track_caller]
    pub(super) fn send(&self, to: PartitionId, message: TaskMessage) {
        let mut commit = self.group();
        if self.owned.contains_key(&to) {
            commit.messages.push((to, message));
        } else {
            commit.sent.push((self.first(), to, message));
        }
        self.commit(&commit);
    }

    /// Commits what was received.
    #[track_caller]
    pub(super) fn accept(&self, received: &Received) {
        let mut commit = self.group();
        commit.received.clone_from(&received.messages);
        self.commit(&commit);
    }

    /// The messages of a partition, in their order.
    #[track_caller]
    pub(super) fn messages(&self, partition: PartitionId) -> Vec<TaskMessage> {
        let found = self.store.messages(partition, None, 0..u64::MAX >> 1, 1_000);
        must(found, "reading messages").into_iter().map(|(_, message)| message).collect()
    }

    #[track_caller]
    pub(super) fn ask(&self, request: &ClusterRequest) {
        must(self.cluster().ask(request), "sending a request");
    }

    #[track_caller]
    pub(super) fn answer(&self, request: RequestId, answer: &str) {
        let mut commit = self.group();
        commit.answers.push((request, answer.to_owned()));
        self.commit(&commit);
    }
}

/// Takes turns until the processes own as many partitions each as they should.
#[track_caller]
pub(super) fn balance(peers: &mut [Peer; 2], wanted: &[usize; 2]) {
    for _ in 0..LOOKS {
        peers.iter_mut().for_each(Peer::turn);
        if peers.each_ref().map(|peer| peer.owned.len()) == *wanted {
            return;
        }
        peers[0].receive(WAIT);
    }
    panic!("the partitions are not balanced");
}

/// Checks that a condition holds.
#[track_caller]
pub(super) fn holds(is_so: bool, what: &str) {
    assert!(is_so, "{what}");
}

pub(super) fn message(number: u128) -> TaskMessage {
    let id = must(InstanceId::new("order-17"), "making an id");
    TaskMessage::new(MessageId::from_u128(number), id, EventKind::OrchestratorStarted)
}
