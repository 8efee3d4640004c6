//! The contract of [`Cluster`](crate::store::Cluster), as tests for every store that several
//! processes share.
//!
//! A store runs all of them with one line,
//! [`cluster_conformance_tests!`](super::super::cluster_conformance_tests), and defines in
//! [`ClusterUnderTest`] how a process opens it and falls silent.

// Read next: `cluster_scene.rs` (the helpers of the tests).

use std::time::Duration;

use super::cluster_scene::{Peer, balance, holds, message};
use super::cluster_under_test::ClusterUnderTest;
use super::scene::{must, same};
use crate::protocol::PartitionId;
use crate::store::{ClusterRequest, Received, RequestId, StoreError};

/// The test of a point of the contract of [`Cluster`](crate::store::Cluster). It panics if the store
/// violates the point.
///
/// ```
/// use durable::testing::conformance::{ClusterPoint, a_partition_has_one_owner};
///
/// let point: ClusterPoint = a_partition_has_one_owner;
/// # let _ = point;
/// ```
pub type ClusterPoint = fn(&dyn ClusterUnderTest);

/// Every point of the contract of [`Cluster`](crate::store::Cluster) with its name.
///
/// ```
/// use durable::testing::conformance::CLUSTER_POINTS;
///
/// assert_eq!(CLUSTER_POINTS[0].0, "a_partition_has_one_owner");
/// ```
pub const CLUSTER_POINTS: &[(&str, ClusterPoint)] =
    crate::__cluster_conformance_tests!(@each table []);

/// Defines a `#[test]` for each point of the contract of a [`Cluster`](crate::store::Cluster).
///
/// The macro takes an expression that creates a
/// [`ClusterUnderTest`](crate::testing::conformance::ClusterUnderTest) at an empty place; each test
/// evaluates it once.
///
/// ```
/// #[cfg(test)]
/// mod memory {
///     use std::sync::{Arc, Mutex};
///
///     use durable::store::Store;
///     use durable::testing::conformance::ClusterUnderTest;
///     use durable::testing::{MemoryCluster, MemoryNode};
///
///     #[derive(Debug, Default)]
///     struct InMemory(MemoryCluster, Mutex<Vec<MemoryNode>>);
///
///     impl ClusterUnderTest for InMemory {
///         fn open(&self) -> Arc<dyn Store> {
///             let node = self.0.node();
///             self.1.lock().unwrap().push(node.clone());
///             Arc::new(node)
///         }
///
///         fn silence(&self, number: usize) {
///             self.1.lock().unwrap()[number].cut_off();
///         }
///     }
///
///     durable::testing::cluster_conformance_tests!(InMemory::default());
/// }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __cluster_conformance_tests {
    (@each $then:ident $given:tt) => {
        $crate::__conformance_tests! {
            @$then $given
            a_partition_has_one_owner
            a_silent_owner_is_replaced_and_fenced
            a_message_to_another_node_arrives_once_and_in_order
            a_message_that_was_not_committed_goes_to_the_next_owner
            a_request_is_answered_once
            a_request_that_was_not_answered_goes_to_the_next_owner
            a_withdrawn_request_is_neither_delivered_nor_answered
            a_parked_partition_is_not_claimed
            a_partition_that_does_not_run_is_claimed_again
            the_nodes_share_a_clock
        }
    };
    ($under_test:expr $(,)?) => {
        $crate::__cluster_conformance_tests! { @each tests [$under_test] }
    };
}

/// Point 1 of the contract of `Cluster`: a partition is owned by at most one node, in an epoch that
/// rises with each change of owner, and a commit under an old epoch names all partitions that were lost.
pub fn a_partition_has_one_owner(under_test: &dyn ClusterUnderTest) {
    let mut peers = Peer::first_two(under_test, 6);
    let (both, before) = (peers[0].listed(), peers[0].group());
    same(&both.len(), &6, "the partitions of a node that is alone");
    balance(&mut peers, &[3, 3]);
    let theirs = peers[1].listed();
    for (partition, epoch) in &theirs {
        let former = both.iter().find(|(it, _)| it == partition).map(|(_, epoch)| *epoch);
        holds(former < Some(*epoch), "the epoch rises with a change of owner");
    }
    let theirs: Vec<_> = theirs.iter().map(|(partition, _)| *partition).collect();
    let mut late = before;
    late.messages.push((theirs[0], message(1)));
    same(&peers[0].fenced(&late), &theirs, "the partitions that were lost");
    same(&peers[1].messages(theirs[0]), &Vec::new(), "what a fenced commit has written");
    let mut foreign = peers[0].group();
    foreign.messages.push((theirs[0], message(1)));
    same(&peers[0].fenced(&foreign), &theirs[..1].to_vec(), "a message past its owner");
    let members = must(peers[0].cluster().members(), "reading the nodes");
    same(&members.free, &Vec::new(), "the free partitions");
    for partition in theirs {
        let owner = members.owner(partition).map(|owner| owner.node.name.as_str());
        same(&owner, &Some("two"), "the owner of a partition");
    }
}

/// Points 1 and 6 of the contract of `Cluster`: if a node is silent for longer than its lease, its
/// partitions are claimed as orphaned, and it can no longer commit.
pub fn a_silent_owner_is_replaced_and_fenced(under_test: &dyn ClusterUnderTest) {
    let [mut silent, mut other] = Peer::first_two(under_test, 4);
    let mut late = silent.group();
    let target = silent.first();
    late.messages.push((target, message(1)));
    under_test.silence(0);
    let (mut gained, mut orphaned) = (0, 0);
    other.until("the partitions of the silent node", |other| {
        let assignment = other.assign();
        gained += assignment.gained.len();
        orphaned += assignment.orphaned.len();
        gained == 4
    });
    same(&orphaned, &4, "the partitions that were not released");
    same(&silent.fenced(&late).len(), &4, "the partitions that a silent node has lost");
    same(&other.messages(target), &Vec::new(), "what a silent node has written");
    silent.until("the silent node to learn of it", |silent| {
        silent.assign();
        silent.listed().is_empty() || silent.listed().iter().all(|it| !other.listed().contains(it))
    });
}

/// Points 2 and 3 of the contract of `Cluster`: the messages of one sender are received in order,
/// each once, and become messages of the partition when they are committed.
pub fn a_message_to_another_node_arrives_once_and_in_order(under_test: &dyn ClusterUnderTest) {
    let mut peers = Peer::first_two(under_test, 4);
    balance(&mut peers, &[2, 2]);
    let [one, two] = &peers;
    let to = two.first();
    let sent: Vec<_> = (0..20).map(message).collect();
    for message in &sent {
        one.send(to, message.clone());
    }
    let mut arrived = Vec::new();
    while arrived.len() < sent.len() {
        let received = two.receive_some();
        two.accept(&received);
        arrived.extend(received.messages.into_iter().map(|it| it.message));
    }
    same(&arrived, &sent, "the messages of another node");
    same(&two.messages(to), &sent, "the messages of the partition");
    same(&two.receive(Duration::from_millis(100)), &Received::default(), "what arrives again");
    let mut commit = two.group();
    commit.consumed = sent.iter().map(|message| (to, message.id)).collect();
    two.commit(&commit);
    same(&two.messages(to), &Vec::new(), "the messages that were consumed");
}

/// Point 2 of the contract of `Cluster`: the next owner receives messages that were not committed,
/// and the former owner can no longer commit them.
pub fn a_message_that_was_not_committed_goes_to_the_next_owner(under_test: &dyn ClusterUnderTest) {
    let mut peers = Peer::first_two(under_test, 2);
    balance(&mut peers, &[1, 1]);
    let [mut one, two] = peers;
    let to = two.first();
    one.send(to, message(1));
    let received = two.receive_some();
    let mut stale = two.group();
    must(two.cluster().leave(), "leaving");
    one.send(to, message(2));
    one.until("the partition of the node that has left", |one| {
        one.turn();
        one.listed().len() == 2
    });
    let queued = one.receive(Duration::ZERO);
    same(&queued.has_more, &false, "whether there is more than what was sent before");
    one.accept(&queued);
    one.send(to, message(3));
    let expected: Vec<_> = (1..4).map(message).collect();
    same(&one.messages(to), &expected, "the messages of the partition");
    stale.received = received.messages;
    same(&two.fenced(&stale), &vec![to], "a late commit of the former owner");
    same(&one.messages(to), &expected, "the messages of the partition");
}

/// Point 4 of the contract of `Cluster`: a request is delivered once to the owner of its target,
/// the first answer counts, and the node that asked receives this answer once.
pub fn a_request_is_answered_once(under_test: &dyn ClusterUnderTest) {
    let mut owner = Peer::join(under_test, 2, "owner", false);
    owner.turn();
    let mut client = Peer::join(under_test, 2, "client", true);
    client.turn();
    same(&client.listed(), &Vec::new(), "the partitions of a client");
    let target = owner.first();
    let request = ClusterRequest::new(RequestId::generate(), target, "{\"start\":17}");
    client.ask(&request);
    client.ask(&request);
    same(&owner.receive_some().requests, &vec![request.clone()], "the request");
    let nothing = Received::default();
    same(&owner.receive(Duration::from_millis(100)), &nothing, "what arrives again");
    owner.answer(request.id, "\"done\"");
    owner.answer(request.id, "\"again\"");
    let answers = client.receive_some().answers;
    same(&answers, &vec![(request.id, "\"done\"".to_owned())], "the answers");
    same(&client.receive(Duration::from_millis(100)), &nothing, "what is answered again");
    // The owner has it from elsewhere before it is asked.
    let taken = ClusterRequest::new(RequestId::generate(), target, "{}");
    let mut commit = owner.group();
    commit.taken.push(taken.id);
    owner.commit(&commit);
    client.ask(&taken);
    same(&owner.receive(Duration::from_millis(100)), &nothing, "a request that was taken");
    owner.answer(taken.id, "\"late\"");
    let answers = client.receive_some().answers;
    same(&answers, &vec![(taken.id, "\"late\"".to_owned())], "the answers");
}

/// Point 4 of the contract of `Cluster`: if the owner of the target loses the partition before it
/// answers, the next owner receives the request, unless the request was taken.
pub fn a_request_that_was_not_answered_goes_to_the_next_owner(under_test: &dyn ClusterUnderTest) {
    let mut peers = Peer::first_two(under_test, 2);
    balance(&mut peers, &[1, 1]);
    let client = Peer::join(under_test, 2, "client", true);
    let [mut one, two] = peers;
    let target = two.first();
    let [open, taken] = ["1", "2"].map(|body| {
        let request = ClusterRequest::new(RequestId::generate(), target, body);
        client.ask(&request);
        request
    });
    let mut received = Vec::new();
    while received.len() < 2 {
        received.extend(two.receive_some().requests);
    }
    let mut commit = two.group();
    commit.taken.push(taken.id);
    two.commit(&commit);
    must(two.cluster().leave(), "leaving");
    one.until("the partition of the node that has left", |one| {
        one.turn();
        one.listed().len() == 2
    });
    same(&one.receive_some().requests, &vec![open], "the requests to the next owner");
}

/// A withdrawn request is not delivered any more, and an answer to it is not returned. Only the
/// node that asked can withdraw a request, and only until it is answered.
pub fn a_withdrawn_request_is_neither_delivered_nor_answered(under_test: &dyn ClusterUnderTest) {
    let mut owner = Peer::join(under_test, 2, "owner", false);
    owner.turn();
    let client = Peer::join(under_test, 2, "client", true);
    let target = owner.first();
    let [unread, read, answered, other] = [0; 4].map(|_| {
        let request = ClusterRequest::new(RequestId::generate(), target, "{}");
        (request.id, request)
    });
    for (_, request) in [&read, &answered, &other] {
        client.ask(request);
    }
    let mut received = Vec::new();
    while received.len() < 3 {
        received.extend(owner.receive_some().requests);
    }
    client.ask(&unread.1);
    owner.answer(answered.0, "1");
    must(client.cluster().withdraw(&[unread.0, read.0, answered.0]), "withdrawing requests");
    must(owner.cluster().withdraw(&[other.0]), "withdrawing the requests of another node");
    owner.answer(read.0, "2");
    owner.answer(other.0, "3");
    let mut answers = Vec::new();
    while answers.len() < 2 {
        answers.extend(client.receive_some().answers);
    }
    answers.sort_by(|(_, a), (_, b)| a.cmp(b));
    let expected = vec![(answered.0, "1".to_owned()), (other.0, "3".to_owned())];
    same(&answers, &expected, "the answers");
    let late = client.receive(Duration::from_millis(100)).answers;
    same(&late, &Vec::new(), "the answers to withdrawn requests");
    same(&owner.receive(Duration::ZERO).requests, &Vec::new(), "the requests that were withdrawn");
}

/// Point 5 of the contract of `Cluster`: a parked partition is not claimed until it is unparked.
pub fn a_parked_partition_is_not_claimed(under_test: &dyn ClusterUnderTest) {
    let mut peer = Peer::join(under_test, 2, "one", false);
    peer.turn();
    let parked = peer.first();
    let epoch = peer.owned[&parked];
    must(peer.cluster().park(parked, epoch, "for a test"), "parking a partition");
    peer.forget(parked);
    for _ in 0..3 {
        same(&peer.assign().gained, &Vec::new(), "what is claimed");
    }
    let members = must(peer.cluster().members(), "reading the nodes");
    let found: Vec<_> = members.parked.iter().map(|it| (it.partition, &*it.reason)).collect();
    same(&found, &vec![(parked, "for a test")], "the parked partitions");
    let request = ClusterRequest::new(RequestId::generate(), parked, "{}");
    let refused = peer.cluster().ask(&request);
    let is_refused =
        matches!(refused, Err(StoreError::Parked { partition, .. }) if partition == parked);
    holds(is_refused, "a request to a parked partition is refused");
    same(&must(peer.cluster().unpark(parked), "unparking"), &true, "whether it was parked");
    same(&must(peer.cluster().unpark(parked), "unparking"), &false, "whether it is parked");
    let gained: Vec<PartitionId> =
        peer.assign().gained.into_iter().map(|(partition, _)| partition).collect();
    same(&gained, &vec![parked], "what is claimed");
}

/// A partition that the node owns but that does not run there is claimed again, as
/// [`Cluster::assign`](crate::store::Cluster::assign) requires.
pub fn a_partition_that_does_not_run_is_claimed_again(under_test: &dyn ClusterUnderTest) {
    let mut peer = Peer::join(under_test, 2, "one", false);
    peer.turn();
    let idle = peer.first();
    let (before, epoch) = (peer.group(), peer.owned[&idle]);
    peer.forget(idle);
    let gained = peer.assign().gained;
    let is_it = gained.len() == 1 && gained[0].0 == idle && gained[0].1 > epoch;
    holds(is_it, &format!("partition {idle} was not claimed again: {gained:?}"));
    same(&peer.fenced(&before), &vec![idle], "the partitions of an earlier claim");
    same(&peer.assign().gained, &Vec::new(), "what is claimed while everything runs");
}

/// Point 6 of the contract of `Cluster`: if the store provides its time, all nodes read the same
/// clock.
pub fn the_nodes_share_a_clock(under_test: &dyn ClusterUnderTest) {
    let peers = Peer::first_two(under_test, 2);
    let time = |peer: &Peer| must(peer.cluster().time(), "reading the clock");
    let mut last = time(&peers[0]);
    for peer in peers.iter().cycle().take(8) {
        let now = time(peer);
        same(&now.is_some(), &last.is_some(), "whether a node reads the clock");
        holds(last <= now, &format!("the clock of a node is behind: {last:?}, {now:?}"));
        last = now;
    }
}
