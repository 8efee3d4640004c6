//! Partitions that operators pin to a process, or freeze where they are.

use durable::client::HubError;
use durable::protocol::PartitionId;
use durable::store::{FrozenPartition, PinnedPartition};

use super::*;

async fn open_as(node: &MemoryNode, name: &str) -> TaskHub {
    let hub = TaskHub::builder().store(node.clone()).partitions(8).node_name(name);
    hub.open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_partition_moves_to_its_process_and_a_frozen_one_stays_without_an_owner() {
    let cluster = MemoryCluster::default();
    let (a, b) = (cluster.node(), cluster.node());
    let (hub_a, hub_b) = (open_as(&a, "a").await, open_as(&b, "b").await);
    until(|| a.partitions().len() == 4 && b.partitions().len() == 4).await;
    let [moves, stays, ..] = *a.partitions() else { panic!("it owns four") };
    hub_b.pin_partition(moves, Some("b")).await.unwrap();
    hub_b.freeze_partition(stays, Some("for a look")).await.unwrap();
    until(|| b.partitions().contains(&moves)).await;
    let members = hub_b.members().await.unwrap();
    assert_eq!(members.pinned, [PinnedPartition::new(moves, "b")]);
    assert_eq!(members.frozen, [FrozenPartition::new(stays, "for a look")]);
    hub_a.shutdown().await.unwrap();
    until(|| b.partitions().len() == 7).await;
    assert_eq!(hub_b.members().await.unwrap().free, [stays]);
    hub_b.freeze_partition(stays, None).await.unwrap();
    hub_b.pin_partition(moves, None).await.unwrap();
    until(|| b.partitions().len() == 8).await;
    let members = hub_b.members().await.unwrap();
    assert_eq!((members.pinned, members.frozen), (Vec::new(), Vec::new()));
    hub_b.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_partitions_of_a_hub_of_one_process_cannot_be_pinned() {
    let hub = TaskHub::builder().in_memory().open().await.unwrap();
    let refused = hub.pin_partition(PartitionId(0), Some("a")).await;
    assert!(matches!(refused, Err(HubError::NotShared)), "{refused:?}");
    hub.shutdown().await.unwrap();
}
