//! Hubs that share a database, as several processes do.

mod cluster;

use std::time::Duration;

use durable::prelude::*;
use durable_postgres::{PostgresOptions, PostgresStore};

#[activity]
async fn double(n: u64) -> Result<u64> {
    Ok(2 * n)
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Account(i64);

#[entity]
impl Account {
    fn deposit(&mut self, cents: i64) -> i64 {
        self.0 += cents;
        self.0
    }
}

/// An activity, a child and an entity, which are spread over all partitions.
#[orchestrator]
async fn spread(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    let doubled = double(n).await?;
    let child = leaf(doubled).instance_id(format!("leaf-{n}")).await?;
    Account::at("total").deposit(1).await?;
    Ok(child)
}

#[orchestrator]
async fn leaf(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    double(n).await.map_err(Into::into)
}

#[orchestrator]
async fn approval(ctx: &OrchestrationContext) -> Result<String> {
    Ok(ctx.wait_for_external_event::<String>("Approval").await?)
}

async fn open(options: &PostgresOptions) -> TaskHub {
    let store = PostgresStore::connect_with(options.clone()).await.unwrap();
    TaskHub::builder().store(store).partitions(8).open().await.unwrap()
}

/// Waits until each of the nodes owns as many partitions.
async fn balanced(hub: &TaskHub, counts: &[usize]) {
    loop {
        let members = hub.members().await.unwrap();
        let owned: Vec<_> = members.nodes.iter().map(|node| node.partitions.len()).collect();
        if owned == counts {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hubs_share_the_work_and_go_on_for_each_other() {
    let options = cluster::schema(&cluster::unique("hubs")).lease(Duration::from_secs(2));
    let (a, b) = (open(&options).await, open(&options).await);
    balanced(&a, &[4, 4]).await;
    let mut waiting = Vec::new();
    for n in 0..8 {
        let run = a.start(approval().instance_id(format!("approval-{n}"))).await.unwrap();
        waiting.push(run);
    }
    let mut runs = Vec::new();
    for n in 0..20 {
        let hub = if n % 2 == 0 { &a } else { &b };
        runs.push(hub.start(spread(n).instance_id(format!("spread-{n}"))).await.unwrap());
    }
    for (n, run) in runs.iter().enumerate() {
        assert_eq!(run.result().await.unwrap(), 4 * n as u64);
    }
    // As a crash: nothing is given up.
    drop(b);
    runs.clear();
    balanced(&a, &[8]).await;
    for run in &waiting {
        run.raise_event("Approval", "yes").await.unwrap();
        assert_eq!(run.result().await.unwrap(), "yes");
    }
    assert_eq!(a.call_entity(Account::at("total").deposit(0)).await.unwrap(), 20);
    let client = PostgresStore::connect_with(options).await.unwrap();
    let client = TaskHub::builder().store(client).client_only().open().await.unwrap();
    let run = client.start(spread(100)).await.unwrap();
    assert_eq!(run.result().await.unwrap(), 400);
    client.shutdown().await.unwrap();
    a.shutdown().await.unwrap();
}

/// A request to another process that the database refuses. The client gets the reason, and the hub
/// continues.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_sent_is_refused_with_the_cause() {
    let name = cluster::unique("unsent");
    let options = cluster::schema(&name);
    let worker = open(&options).await;
    let role = format!("CREATE ROLE {name} LOGIN; GRANT USAGE, CREATE ON SCHEMA {name} TO {name}");
    cluster::execute(&options, &role);
    let grant = format!("GRANT ALL ON ALL TABLES IN SCHEMA {name} TO {name}");
    cluster::execute(&options, &grant);
    let url = cluster::shared().url().replace("postgres@", &format!("{name}@"));
    let limited = PostgresOptions::new(url).unwrap().schema(&name).unwrap();
    let store = PostgresStore::connect_with(limited).await.unwrap();
    let client = TaskHub::builder().store(store).client_only().open().await.unwrap();
    cluster::execute(&options, &format!("REVOKE INSERT ON request FROM {name}"));
    let error = Error::from(client.start(leaf(1)).await.unwrap_err());
    let told = format!("{error:?}");
    assert!(told.contains("cannot send a request"), "{told}");
    assert!(told.contains("permission denied for table request"), "{told}");
    cluster::execute(&options, &format!("GRANT INSERT ON request TO {name}"));
    assert_eq!(client.start(leaf(1)).await.unwrap().result().await.unwrap(), 2);
    client.shutdown().await.unwrap();
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_hub_has_32_partitions_and_an_old_one_keeps_its_number() {
    for (given, expected) in [(None, 32), (Some(3), 3)] {
        let options = cluster::schema(&cluster::unique("partitions"));
        for given in [given, None] {
            let store = PostgresStore::connect_with(options.clone()).await.unwrap();
            let hub = TaskHub::builder().store(store);
            let hub =
                given.map_or(hub.clone(), |count| hub.partitions(count)).open().await.unwrap();
            assert_eq!(hub.partitions(), expected);
            let run = hub.start(leaf(4)).await.unwrap();
            assert_eq!(run.result().await.unwrap(), 8);
            hub.shutdown().await.unwrap();
        }
    }
}

/// `cargo test -p durable-postgres` builds the example, too.
#[test]
fn the_example_cluster_loses_nothing_while_its_workers_are_killed() {
    let program = std::env::current_exe().unwrap();
    let target = program.parent().and_then(std::path::Path::parent).unwrap();
    let mut example = std::process::Command::new(target.join("examples/cluster"));
    example.args(["--seconds", "3", "--url", &cluster::shared().url()]);
    let ran = example.output().expect("build it: `cargo build -p durable-postgres --examples`");
    let (output, errors) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{output}\n{errors}");
    let (harm, audit) = output.split_once("\naudit of ").unwrap();
    assert!(harm.matches("is killed").count() == 2, "{output}");
    assert!(!audit.starts_with("0 offices"), "{output}");
    assert_eq!(audit.lines().filter(|line| line.ends_with("  ok")).count(), 6, "{output}");
}
