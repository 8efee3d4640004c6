//! The commands that place the partitions of a hub that several processes share.

use durable::TaskHub;
use durable::testing::MemoryCluster;
use durable_cli::{Exit, Io, run_on};
use durable_http::HttpOptions;
use durable_http::client::Client;

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_pinned_and_frozen_until_that_is_ended() {
    let store = MemoryCluster::default().node();
    let hub = TaskHub::builder().store(store).partitions(4).open().await.unwrap();
    let client = Client::in_process(durable_http::router(&hub, HttpOptions::new()));
    let run = async |line: &str| {
        let mut io = Io::captured();
        let exit = run_on(client.clone(), line.split(' '), &mut io).await;
        (exit, io.output(), io.errors())
    };
    let done = (Exit::Ok, String::new(), String::new());
    assert_eq!(run("durable hub pin 1 worker-1").await, done);
    assert_eq!(run("durable hub freeze 2 upgrade").await, done);
    let (_, shown, _) = run("durable hub").await;
    let lines = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let lines: Vec<_> = lines.filter(|it| it.contains("pinned") || it.contains("frozen")).collect();
    assert_eq!(lines, ["pinned 1 worker-1", "frozen 2 upgrade"], "{shown}");
    assert_eq!(run("durable hub unpin 1").await, done);
    assert_eq!(run("durable hub unfreeze 2").await, done);
    let (_, shown, _) = run("durable hub").await;
    assert!(!shown.contains("pinned") && !shown.contains("frozen"), "{shown}");
    let (exit, _, errors) = run("durable hub pin 4 worker-1").await;
    assert_eq!(exit, Exit::Failed);
    assert!(errors.contains("there is no partition `4`"), "{errors}");
    hub.shutdown().await.unwrap();
}
