//! The partitions of a hub that several processes share.

use durable::TaskHub;
use durable::testing::MemoryCluster;
use serde_json::json;

use crate::common::{hub, routes, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_pinned_and_frozen_until_that_is_ended() {
    let store = MemoryCluster::default().node();
    let hub = TaskHub::builder().store(store).partitions(4).open().await.unwrap();
    let router = routes(&hub);
    let ask = async |line: &str, body: &str| send(&router, line, &[], body.to_owned()).await;
    let pin = ask("POST /api/v1/partitions/1:pin", r#"{"node":"worker-1"}"#).await;
    let freeze = ask("POST /api/v1/partitions/2:freeze", r#"{"reason":"for a look"}"#).await;
    assert_eq!((pin.status, freeze.status), (204.try_into().unwrap(), 204.try_into().unwrap()));
    let shown = ask("GET /api/v1/hub", "").await.json();
    assert_eq!(shown["pinnedPartitions"], json!([{ "partition": 1, "node": "worker-1" }]));
    assert_eq!(shown["frozenPartitions"], json!([{ "partition": 2, "reason": "for a look" }]));
    ask("POST /api/v1/partitions/1:pin", r#"{"node":null}"#).await;
    ask("POST /api/v1/partitions/2:freeze", "{}").await;
    let shown = ask("GET /api/v1/hub", "").await.json();
    assert_eq!((&shown["pinnedPartitions"], &shown["frozenPartitions"]), (&json!([]), &json!([])));
    let unknown = ask("POST /api/v1/partitions/4:freeze", "{}").await;
    assert!(unknown.status == 400 && unknown.body.contains("no partition `4`"), "{unknown:?}");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_partitions_of_a_hub_of_one_process_are_not_pinned() {
    let hub = hub().await;
    let refused = send(&routes(&hub), "POST /api/v1/partitions/1:pin", &[], "{}").await;
    assert!(refused.status == 400 && refused.body.contains("one process"), "{refused:?}");
    hub.shutdown().await.unwrap();
}
