//! Partitions some of whose stored data cannot be read: they do not stop the others, and an
//! operator retries them.

mod cluster;
mod nodes;

use std::time::Duration;

use durable::InstanceId;
use durable::prelude::*;
use durable::protocol::PartitionId;
use durable::store::{Cluster as _, Epoch, Store, StoreError};
use durable_postgres::{PostgresOptions, PostgresStore};
use nodes::{Peer, balance, hub, ids, message};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_mins(1);

/// Two nodes with half of the partitions each. The first sends to the second.
fn two(options: &PostgresOptions) -> (Peer, Peer) {
    let mut peers = vec![Peer::start(options, "from"), Peer::start(options, "to")];
    balance(&mut peers, &[2, 2]);
    let to = peers.pop().unwrap();
    (peers.pop().unwrap(), to)
}

/// Damages the messages that are queued for a partition.
fn damage_outbox(options: &PostgresOptions, partition: u16, set: &str) {
    let key = format!("'\\x{partition:04x}'::bytea");
    let sql = format!("UPDATE outbox SET {set} WHERE substring(key FROM 1 FOR 2) = {key}");
    cluster::execute(options, &sql);
}

#[test]
fn a_message_that_cannot_be_decoded_stops_only_its_partition() {
    for damage in ["record = '\\x01ff'", "record = NULL", "source = -1", "key = key || '\\x01'"] {
        let options = hub(4);
        let (from, to) = two(&options);
        let targets: Vec<_> = to.listed();
        let [(damaged, epoch), (intact, _)] = targets[..] else { panic!("{targets:?}") };
        from.send(from.first(), damaged.0, message(1));
        damage_outbox(&options, damaged.0, damage);
        from.send(from.first(), damaged.0, message(2));
        from.send(from.first(), intact.0, message(3));
        let request = from.ask(intact.0, "{}");
        let received = to.receive(LIMIT);
        let messages: Vec<_> = received.messages.iter().map(|it| it.message.clone()).collect();
        assert_eq!(ids(&messages), ids(&[message(3)]), "{damage}");
        assert_eq!(received.requests.iter().map(|it| it.id).collect::<Vec<_>>(), [request]);
        let [(partition, reason)] = &received.unreadable[..] else { panic!("{received:?}") };
        assert_eq!(*partition, damaged);
        assert!(reason.contains("table `outbox`"), "{reason}");
        to.store.park(damaged, epoch, reason).unwrap();
        let members = from.store.members().unwrap();
        assert_eq!((members.parked[0].partition, members.free.len()), (damaged, 0));
    }
}

#[test]
fn a_parked_partition_is_claimed_again_once_it_is_unparked() {
    let options = hub(1);
    let mut peer = Peer::start(&options, "one");
    let (partition, epoch) = peer.listed()[0];
    peer.store.park(partition, Epoch(epoch.0 + 1), "not the owner").unwrap();
    assert!(peer.store.members().unwrap().parked.is_empty());
    peer.store.park(partition, epoch, "a test").unwrap();
    assert_eq!(peer.assign().lost, [partition]);
    assert!(peer.assign().is_empty());
    let commit = durable::store::Commit::new(vec![(partition, epoch)]);
    assert_eq!(nodes::is_fenced(peer.store.commit(&commit)), [partition]);
    assert!(peer.store.unpark(partition).unwrap());
    assert!(!peer.store.unpark(partition).unwrap());
    assert_eq!(peer.assign().gained.len(), 1);
    assert!(peer.store.members().unwrap().parked.is_empty());
}

#[test]
fn requests_to_a_parked_partition_are_refused_and_not_carried_out_later() {
    let options = hub(4);
    let (mut from, to) = two(&options);
    let (partition, epoch) = to.listed()[0];
    let early = from.ask(partition.0, "{}");
    assert_eq!(to.receive(LIMIT).requests.len(), 1);
    to.store.park(partition, epoch, "a test").unwrap();
    let late =
        durable::store::ClusterRequest::new(durable::store::RequestId::generate(), partition, "{}");
    let refused = from.store.ask(&late);
    let Err(StoreError::Parked { partition: refused, reason }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((refused, &*reason), (partition, "a test"));
    let refused = from.assign().refused;
    let [(request, parked)] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!((*request, parked.partition, &*parked.reason), (early, partition, "a test"));
    assert!(from.assign().refused.is_empty());
    from.store.unpark(partition).unwrap();
    let mut peers = [from, to];
    for _ in 0..100 {
        for peer in &mut peers {
            peer.turn();
        }
    }
    for peer in &peers {
        assert!(peer.receive(Duration::from_millis(300)).requests.is_empty());
    }
}

/// A message of the partition, which its owner reads when it claims it.
#[test]
fn a_stored_message_that_cannot_be_decoded_is_found_when_its_partition_is_loaded() {
    let options = hub(4);
    let peer = Peer::start(&options, "one");
    peer.send(0, 2, message(1));
    drop(peer);
    cluster::execute(
        &options,
        "UPDATE message SET record = '\\x01ff'; UPDATE node SET lock_key = 0",
    );
    let mut peer = Peer::join(&options, "two");
    while peer.owned.len() < 4 {
        peer.assign();
        std::thread::yield_now();
    }
    for partition in [0, 1, 3].map(PartitionId) {
        peer.store.load(partition).unwrap();
    }
    let error = peer.store.load(PartitionId(2)).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("table `message`"), "{error}");
}

#[orchestrator]
async fn approval(ctx: &OrchestrationContext) -> Result<String> {
    Ok(ctx.wait_for_external_event::<String>("Approval").await?)
}

async fn open(options: &PostgresOptions) -> TaskHub {
    let store = PostgresStore::connect_with(options.clone()).await.unwrap();
    TaskHub::builder().store(store).partitions(4).open().await.unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it takes too long")
}

/// Waits until as many partitions are parked, and no other is without an owner.
async fn parked(hub: &TaskHub, count: usize) {
    let are_parked = async {
        loop {
            let members = hub.members().await.unwrap();
            if members.parked.len() == count && members.free.is_empty() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    within(are_parked).await;
}

fn is_parked<T: std::fmt::Debug>(refused: Result<T, impl Into<Error>>) {
    let error = refused.map_err(Into::into).unwrap_err();
    let told = format!("{error:?}");
    assert!(told.contains("is parked") && told.contains("retry"), "{told}");
}

/// An instance whose record cannot be read. Its partition reads it when it receives an event.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_decoded_parks_its_partition_and_both_hubs_go_on() {
    let options = cluster::schema(&cluster::unique("parked")).lease(nodes::LEASE);
    let a = open(&options).await;
    for n in 0..8 {
        a.start(approval().instance_id(format!("approval-{n}"))).await.unwrap();
    }
    let broken = PartitionId::of(&InstanceId::new("approval-0").unwrap(), 4);
    let damage = "CREATE TABLE kept AS SELECT id, record FROM instance WHERE id = 'approval-0';
        UPDATE instance SET record = '\\x01ff' WHERE id = 'approval-0'";
    cluster::execute(&options, damage);
    a.shutdown().await.unwrap();
    let (a, b) = (open(&options).await, open(&options).await);
    for hub in [&a, &b] {
        // The first of them lets the owner of the partition read the record.
        let run = hub.instance("approval-0").unwrap();
        is_parked(within(run.raise_event("Approval", "yes")).await);
    }
    parked(&b, 1).await;
    assert_eq!(a.members().await.unwrap().parked[0].partition, broken);
    for n in 1..8 {
        let id = format!("approval-{n}");
        if PartitionId::of(&InstanceId::new(&id).unwrap(), 4) != broken {
            let run = b.find_instance::<approval>(&id).await.unwrap().unwrap();
            within(run.raise_event("Approval", "yes")).await.unwrap();
            assert_eq!(within(run.result()).await.unwrap(), "yes");
        }
    }
    // It is parked again as long as it is damaged.
    assert!(b.retry_partition(broken).await.unwrap());
    parked(&a, 0).await;
    is_parked(within(b.instance("approval-0").unwrap().raise_event("Approval", "no")).await);
    parked(&a, 1).await;
    cluster::execute(
        &options,
        "UPDATE instance i SET record = k.record FROM kept k WHERE i.id = k.id",
    );
    assert!(a.retry_partition(broken).await.unwrap());
    parked(&a, 0).await;
    let run = b.find_instance::<approval>("approval-0").await.unwrap().unwrap();
    within(run.raise_event("Approval", "yes")).await.unwrap();
    assert_eq!(within(run.result()).await.unwrap(), "yes");
    a.shutdown().await.unwrap();
    b.shutdown().await.unwrap();
}

/// A partition that is parked while a client of another process waits for one of its instances.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_learns_that_the_partition_was_parked() {
    let options = cluster::schema(&cluster::unique("waiting")).lease(nodes::LEASE);
    let worker = open(&options).await;
    let store = PostgresStore::connect_with(options.clone()).await.unwrap();
    let client = TaskHub::builder().store(store).client_only().open().await.unwrap();
    let run = within(client.start(approval())).await.unwrap();
    let partition = PartitionId::of(run.instance_id(), 4);
    let wait = {
        let run = client.find_instance::<approval>(run.instance_id().as_str()).await;
        let run = run.unwrap().unwrap();
        tokio::spawn(async move { run.result().await })
    };
    // A message for a part of the hub that it does not own.
    let insert = format!(
        "INSERT INTO stream SELECT 77, id FROM node LIMIT 1;
         INSERT INTO outbox (key, source, record)
             VALUES ('\\x{:04x}'::bytea || int8send(77) || int8send(5), 0, '\\x01ff')",
        partition.0
    );
    cluster::execute(&options, &insert);
    is_parked(within(wait).await.unwrap());
    is_parked(within(run.terminate("enough")).await);
    parked(&client, 1).await;
    cluster::execute(&options, "DELETE FROM outbox WHERE record = '\\x01ff'");
    assert!(client.retry_partition(partition).await.unwrap());
    parked(&client, 0).await;
    within(run.raise_event("Approval", "yes")).await.unwrap();
    assert_eq!(within(run.result()).await.unwrap(), "yes");
    client.shutdown().await.unwrap();
    worker.shutdown().await.unwrap();
}
