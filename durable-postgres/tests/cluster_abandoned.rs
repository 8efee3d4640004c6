//! Requests whose clients have gone leave nothing behind.

mod cluster;
mod nodes;

use std::time::Duration;

use durable::prelude::*;
use durable::store::Cluster as _;
use durable_postgres::{PostgresOptions, PostgresStore};
use nodes::Peer;

#[orchestrator]
async fn approval(ctx: &OrchestrationContext) -> Result<String> {
    Ok(ctx.wait_for_external_event::<String>("Approval").await?)
}

/// The numbers of requests and of what is queued.
async fn kept(options: &PostgresOptions) -> (i64, i64) {
    let (client, connection) =
        tokio_postgres::connect(&cluster::shared().url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let schema = cluster::schema_of(options);
    let count = format!(
        "SELECT (SELECT count(*) FROM {schema}.request), (SELECT count(*) FROM {schema}.outbox)"
    );
    let row = client.query_one(&count, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[test]
fn a_withdrawn_request_is_removed_unless_it_is_answered() {
    let options = nodes::hub(4);
    let mut peers = vec![Peer::start(&options, "from"), Peer::start(&options, "to")];
    nodes::balance(&mut peers, &[2, 2]);
    let (from, to) = (&peers[0], &peers[1]);
    let [open, taken, answered] = [0; 3].map(|_| from.ask(to.first(), "{}"));
    let mut commit = to.group();
    commit.taken.push(taken);
    commit.answers.push((answered, "yes".to_owned()));
    to.commit(&commit);
    to.store.withdraw(&[open]).unwrap();
    assert_eq!(to.receive_some().requests.len(), 1, "it is of another node");
    from.store.withdraw(&[open, taken, answered]).unwrap();
    let received = from.receive_some();
    assert_eq!(received.answers, [(answered, "yes".to_owned())]);
    // The owner has received it before, and answers.
    to.answer(open, "late");
    to.answer(taken, "late");
    assert!(from.receive(Duration::from_millis(300)).answers.is_empty());
}

/// Clients that wait for an instance for a moment, again and again, as requests with a time limit do.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_stop_to_wait_leave_no_requests_and_one_that_waits_is_answered() {
    let options = cluster::schema(&cluster::unique("abandoned"));
    let open = async |is_client| {
        let store = PostgresStore::connect_with(options.clone()).await.unwrap();
        let hub = TaskHub::builder().store(store).partitions(4);
        if is_client { hub.client_only().open().await } else { hub.open().await }
    };
    let (worker, client) = (open(false).await.unwrap(), open(true).await.unwrap());
    let run = client.start(approval().instance_id("a")).await.unwrap();
    let stays = tokio::spawn(async move { run.result().await });
    let run = client.find_instance::<approval>("a").await.unwrap().unwrap();
    for _ in 0..50 {
        let limit = Duration::from_millis(20);
        tokio::time::timeout(limit, run.result()).await.expect_err("nothing to wait for");
    }
    let all_gone = async {
        while kept(&options).await != (1, 1) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all_gone).await.expect("they are withdrawn");
    run.raise_event("Approval", "yes").await.unwrap();
    assert_eq!(stays.await.unwrap().unwrap(), "yes");
    client.shutdown().await.unwrap();
    worker.shutdown().await.unwrap();
}
