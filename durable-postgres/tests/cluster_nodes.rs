//! Processes that share a hub: the owners of partitions, and what the nodes send each other.

mod cluster;
mod nodes;

use std::time::Duration;

use durable::protocol::PartitionId;
use durable::store::{
    Cluster as _, ClusterRequest, Commit, Node, Received, ReceivedMessage, RequestId, Store,
};
use nodes::{Peer, balance, hub, ids, is_fenced, message};

const MOMENT: Duration = Duration::from_millis(200);

#[test]
fn a_lone_node_claims_everything_at_once_and_shares_with_those_that_join() {
    let options = hub(64);
    let mut peers = vec![Peer::start(&options, "one")];
    assert_eq!(peers[0].owned.len(), 64);
    for count in 2..5 {
        peers.push(Peer::start(&options, "another"));
        assert_eq!(peers[count - 1].owned.len(), 0);
        let before: Vec<_> = peers.iter().map(|peer| peer.owned.clone()).collect();
        let (share, more) = (64 / count, 64 % count);
        let counts: Vec<_> = (0..count).map(|_| share).collect();
        if more == 0 {
            balance(&mut peers, &counts);
        } else {
            // Only for two and four nodes is the share the same for all.
            while peers.iter().any(|peer| !(share..=share + 1).contains(&peer.owned.len())) {
                for peer in &mut peers {
                    peer.turn();
                }
                peers[0].receive(MOMENT);
            }
        }
        // Partitions move to the newcomer only.
        for (peer, before) in peers.iter().zip(before).take(count - 1) {
            assert!(peer.owned.iter().all(|(owned, epoch)| before.get(owned) == Some(epoch)));
        }
    }
    let members = peers[0].store.members().unwrap();
    assert_eq!(members.nodes.len(), 4);
    assert!(members.free.is_empty());
    for (partition, _) in peers[2].listed() {
        assert_eq!(members.owner(partition).unwrap().partitions.len(), 16);
    }
    let left = peers.pop().unwrap();
    left.store.leave().unwrap();
    assert_eq!(is_fenced(left.store.commit(&left.group())).len(), 16);
    for peer in &mut peers {
        peer.turn();
    }
    assert_eq!(peers.iter().map(|peer| peer.owned.len()).sum::<usize>(), 64);
}

#[test]
fn a_node_that_is_silent_loses_its_partitions_and_commits_nothing() {
    let options = hub(4);
    let silent = Peer::start(&options, "silent");
    let mut other = Peer::start(&options, "other");
    let mut gained = 0;
    for _ in 0..200 {
        gained += other.assign().gained.len();
        if gained == 4 {
            break;
        }
        other.wait(Duration::from_millis(50));
    }
    assert_eq!(gained, 4);
    let mut late = silent.group();
    late.messages.push((PartitionId(2), message(1)));
    assert_eq!(is_fenced(silent.store.commit(&late)).len(), 4);
    assert!(other.messages(2).is_empty());
    let mut silent = silent;
    assert_eq!(silent.assign().lost.len(), 4);
}

#[test]
fn a_node_whose_connections_end_is_replaced_before_its_lease_ends() {
    let options = hub(4).lease(Duration::from_secs(30));
    let gone = Peer::start(&options, "gone");
    let mut heir = Peer::start(&options, "heir");
    assert!(heir.owned.is_empty());
    drop(gone);
    let mut turns = 0;
    while heir.owned.len() < 4 {
        turns += 1;
        assert!(turns < 150, "a fifth of the lease has passed");
        heir.wait(Duration::from_millis(100));
        heir.turn();
    }
}

#[test]
fn a_partition_that_is_released_wakes_the_other_nodes() {
    let options = hub(4);
    let mut peers = [Peer::start(&options, "one"), Peer::start(&options, "two")];
    // Now it knows the other.
    peers[0].assign();
    peers[0].release(PartitionId(2));
    assert!(peers[1].receive_some().has_changed);
    assert!(peers[1].assign().gained.iter().any(|(gained, _)| *gained == PartitionId(2)));
}

#[test]
fn a_fenced_commit_names_all_partitions_that_were_lost() {
    let options = hub(6);
    let mut peers = [Peer::start(&options, "one"), Peer::start(&options, "two")];
    let before = peers[0].group();
    balance(&mut peers, &[3, 3]);
    let mut lost = is_fenced(peers[0].store.commit(&before));
    lost.sort_unstable();
    let theirs: Vec<_> = peers[1].owned.keys().copied().collect();
    assert_eq!(lost, theirs);
    // A message to a partition of another node has to be sent.
    let mut commit = peers[0].group();
    commit.messages.push((theirs[0], message(1)));
    assert_eq!(is_fenced(peers[0].store.commit(&commit)), theirs[..1]);
}

#[test]
fn messages_arrive_once_and_in_order() {
    let options = hub(4);
    let mut peers = [Peer::start(&options, "one"), Peer::start(&options, "two")];
    balance(&mut peers, &[2, 2]);
    let [one, two] = peers;
    let (from, to) = (one.first(), two.first());
    for number in 0..10 {
        one.send(from, to, message(number));
    }
    let mut arrived = Vec::new();
    while arrived.len() < 10 {
        let received = two.receive_some();
        two.accept(&received);
        // It was received and committed, so it is not received again, nor committed twice.
        two.accept(&received);
        arrived.extend(received.messages.into_iter().map(|received| received.message));
    }
    assert_eq!(ids(&arrived), (0..10).map(|number| message(number).id).collect::<Vec<_>>());
    assert_eq!(two.messages(to), arrived);
    two.wait(MOMENT);
    let mut commit = two.group();
    commit.consumed = arrived.iter().map(|message| (PartitionId(to), message.id)).collect();
    two.commit(&commit);
    assert!(two.messages(to).is_empty());
}

#[test]
fn a_message_that_was_not_committed_goes_to_the_next_owner() {
    let options = hub(2);
    let mut peers = [Peer::start(&options, "one"), Peer::start(&options, "two")];
    balance(&mut peers, &[1, 1]);
    let [mut one, mut two] = peers;
    let (from, to) = (one.first(), two.first());
    one.send(from, to, message(1));
    let received = two.receive_some();
    let stale = two.group();
    two.store.leave().unwrap();
    one.send(from, to, message(2));
    one.turn();
    assert_eq!(one.owned.len(), 2);
    // Whatever was queued before the claim is received at once, so that nothing overtakes it.
    let queued = one.receive(Duration::ZERO);
    assert!(!queued.has_more, "{queued:?}");
    one.accept(&queued);
    one.send(from, to, message(3));
    let expected: Vec<_> = (1..4).map(|number| message(number).id).collect();
    assert_eq!(ids(&one.messages(to)), expected);
    let mut commit = stale;
    commit.received = received.messages;
    assert_eq!(is_fenced(two.store.commit(&commit)), [PartitionId(to)]);
    assert_eq!(ids(&one.messages(to)), expected);
    one.wait(MOMENT);
    two.owned.clear();
}

#[test]
fn a_node_that_nobody_has_seen_yet_is_heard_once() {
    let options = hub(1);
    let owner = Peer::start(&options, "owner");
    let mut client = Peer::join(&options, "client");
    client.turn();
    let id = client.ask(0, "0");
    assert_eq!(owner.receive_some().requests[0].id, id);
    owner.wait(MOMENT);
}

#[test]
fn requests_are_answered_once() {
    let options = hub(2);
    let mut owner = Peer::start(&options, "owner");
    let mut node = Node::new("client");
    node.is_client = true;
    let mut client = Peer::join_as(&options, &node);
    client.turn();
    let id = client.ask(1, "{\"start\":17}");
    let request = ClusterRequest::new(id, PartitionId(1), "{\"start\":17}");
    client.store.ask(&request).unwrap();
    let received = owner.receive_some();
    assert_eq!(received.requests, std::slice::from_ref(&request));
    owner.wait(MOMENT);
    owner.answer(id, "\"done\"");
    owner.answer(id, "\"again\"");
    assert_eq!(client.receive_some().answers, [(id, "\"done\"".to_owned())]);
    client.wait(MOMENT);
    client.turn();
    owner.turn();
    owner.wait(MOMENT);
    assert!(client.owned.is_empty());
}

#[test]
fn a_request_that_was_not_answered_goes_to_the_next_owner() {
    let options = hub(2);
    let mut peers = [Peer::start(&options, "one"), Peer::start(&options, "two")];
    let client = Peer::join_as(&options, &Node::new("client"));
    balance(&mut peers, &[1, 1]);
    let [mut one, two] = peers;
    let target = two.first();
    let (open, taken) = (client.ask(target, "1"), client.ask(target, "2"));
    let mut received = Vec::new();
    while received.len() < 2 {
        received.extend(two.receive_some().requests);
    }
    let mut commit = two.group();
    commit.taken.push(taken);
    two.commit(&commit);
    two.store.leave().unwrap();
    client.store.leave().unwrap();
    one.turn();
    let received = one.receive_some().requests;
    assert_eq!(received, [ClusterRequest::new(open, PartitionId(target), "1")]);
    one.wait(MOMENT);
    assert_eq!(one.owned.len(), 2);
}

#[test]
fn a_request_that_was_taken_is_not_delivered_and_answered_later() {
    let options = hub(1);
    let owner = Peer::start(&options, "owner");
    let mut client = Peer::join(&options, "client");
    client.turn();
    // The owner knows it first, from elsewhere.
    let (taken, answered) = (RequestId::generate(), RequestId::generate());
    let mut commit = owner.group();
    commit.taken.push(taken);
    commit.answers.push((answered, "2".to_owned()));
    owner.commit(&commit);
    for id in [taken, answered] {
        client.store.ask(&ClusterRequest::new(id, PartitionId(0), "0")).unwrap();
    }
    assert_eq!(client.receive_some().answers, [(answered, "2".to_owned())]);
    owner.wait(MOMENT);
    owner.answer(taken, "1");
    assert_eq!(client.receive_some().answers, [(taken, "1".to_owned())]);
}

#[test]
fn interrupting_ends_a_wait() {
    let options = hub(1);
    let peer = Peer::start(&options, "one");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| peer.receive(Duration::from_mins(10)));
        peer.store.interrupt();
        assert_eq!(waiting.join().unwrap(), Received::default());
    });
}

#[test]
fn a_store_that_polls_receives_as_well() {
    let options = hub(2).without_listen();
    let mut peers = [Peer::start(&options, "one"), Peer::start(&options, "two")];
    balance(&mut peers, &[1, 1]);
    let [one, two] = peers;
    one.send(one.first(), two.first(), message(1));
    let received = two.receive_some();
    assert_eq!(received.messages.len(), 1);
    two.accept(&received);
    let id = two.ask(one.first(), "0");
    assert_eq!(one.receive_some().requests[0].id, id);
    one.answer(id, "1");
    assert_eq!(two.receive_some().answers, [(id, "1".to_owned())]);
}

#[test]
fn frozen_partitions_stay_and_pinned_ones_move() {
    let options = hub(4);
    let mut one = Peer::start(&options, "one");
    for partition in 0..3 {
        one.store.pin(PartitionId(partition), Some("two")).unwrap();
    }
    for partition in [2, 3] {
        one.store.freeze(PartitionId(partition), Some("for a look")).unwrap();
    }
    let mut two = Peer::start(&options, "two");
    for _ in 0..60 {
        one.turn();
        two.turn();
        one.receive(Duration::from_millis(50));
    }
    let owned = |peer: &Peer| peer.owned.keys().map(|partition| partition.0).collect::<Vec<_>>();
    assert_eq!((owned(&one), owned(&two)), (vec![2, 3], vec![0, 1]));
    one.store.leave().unwrap();
    two.turn();
    assert_eq!(owned(&two), [0, 1]);
    let members = two.store.members().unwrap();
    assert_eq!(members.pinned.iter().map(|it| it.node.as_str()).collect::<Vec<_>>(), ["two"; 3]);
    assert_eq!(members.frozen.iter().map(|it| it.partition.0).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(members.frozen[0].reason, "for a look");
    for partition in [2, 3] {
        two.store.freeze(PartitionId(partition), None).unwrap();
    }
    two.turn();
    assert_eq!(owned(&two), [0, 1, 2, 3]);
}

#[test]
fn many_messages_are_received_in_parts() {
    let options = hub(2);
    let mut peers = [Peer::start(&options, "one"), Peer::start(&options, "two")];
    balance(&mut peers, &[1, 1]);
    let [one, two] = peers;
    let mut commit = Commit::new(one.listed());
    let (from, to) = (PartitionId(one.first()), PartitionId(two.first()));
    commit.sent = (0..1_203).map(|number| (from, to, message(number))).collect();
    one.commit(&commit);
    let mut arrived: Vec<ReceivedMessage> = Vec::new();
    while arrived.len() < 1_203 {
        let received = two.receive_some();
        two.accept(&received);
        arrived.extend(received.messages);
    }
    let arrived: Vec<_> = arrived.into_iter().map(|received| received.message).collect();
    let expected: Vec<_> = (0..1_203).map(|number| message(number).id).collect();
    assert_eq!(ids(&arrived), expected);
}
