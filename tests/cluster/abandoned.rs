//! Requests whose clients have gone.

use durable::client::{HubError, StartError};

use super::*;

/// A hub that only sends requests, while no process owns a partition.
async fn client(node: &MemoryNode) -> TaskHub {
    let hub = TaskHub::builder().store(node.clone()).partitions(8);
    hub.client_only().open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_client_has_gone_is_withdrawn_before_an_owner_receives_it() {
    let cluster = MemoryCluster::default();
    let node = cluster.node();
    let client = client(&node).await;
    let starting = client.clone();
    let gives_up =
        tokio::spawn(async move { starting.start(leaf(1).instance_id("abandoned")).await });
    until(|| node.requests() == 1).await;
    gives_up.abort();
    until(|| node.requests() == 0).await;
    let worker = open(&cluster.node()).await;
    let run = within(client.start(leaf(2))).await.unwrap();
    assert_eq!(within(run.result()).await.unwrap(), 4);
    assert!(within(client.find_instance::<leaf>("abandoned")).await.unwrap().is_none());
    client.shutdown().await.unwrap();
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_withdraws_the_requests_of_its_clients() {
    let cluster = MemoryCluster::default();
    let node = cluster.node();
    let client = client(&node).await;
    let starting = client.clone();
    let waits = tokio::spawn(async move { starting.start(leaf(1).instance_id("abandoned")).await });
    until(|| node.requests() == 1).await;
    client.shutdown().await.unwrap();
    let error = within(waits).await.unwrap().unwrap_err();
    assert!(matches!(error, StartError::Hub(HubError::ShutDown)), "{error:?}");
    assert_eq!(node.requests(), 0);
}
