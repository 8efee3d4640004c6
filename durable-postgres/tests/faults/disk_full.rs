//! The disk of the database is full for a while.

use std::time::Duration;

use durable::prelude::*;
use durable_postgres::{PostgresOptions, PostgresStore};

use crate::cluster;

/// The tables that a hub writes to while it runs. `node` has the leases.
const TABLES: [&str; 8] =
    ["instance", "message", "history", "active", "due", "outbox", "request", "node"];

#[activity]
async fn double(n: u64) -> Result<u64> {
    Ok(2 * n)
}

#[orchestrator]
async fn twice(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    double(double(n).await?).await.map_err(Into::into)
}

#[orchestrator]
async fn approval(ctx: &OrchestrationContext) -> Result<String> {
    Ok(ctx.wait_for_external_event::<String>("Approval").await?)
}

/// Lets all writes of the hub fail as on a full disk, from now on.
fn fill(options: &PostgresOptions) {
    let create = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'could not extend file: No space left on device'
                USING ERRCODE = '53100';
        END $$;";
    let triggers = TABLES.map(|table| {
        format!(
            "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table}
                 FOR EACH ROW EXECUTE FUNCTION full_disk();"
        )
    });
    cluster::execute(options, &(create.to_owned() + &triggers.concat()));
}

fn free(options: &PostgresOptions) {
    let drops = TABLES.map(|table| format!("DROP TRIGGER full_disk ON {table};"));
    cluster::execute(options, &drops.concat());
}

async fn open(options: &PostgresOptions) -> TaskHub {
    let store = PostgresStore::connect_with(options.clone()).await.unwrap();
    TaskHub::builder().store(store).partitions(8).open().await.unwrap()
}

/// Longer than the leases of the hubs. Requests and running instances wait, nothing that was acknowledged
/// is lost, and the hubs go on when there is room again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hubs_wait_while_the_disk_of_the_database_is_full() {
    let options = cluster::schema(&cluster::unique("full")).lease(Duration::from_secs(2));
    let (a, b) = (open(&options).await, open(&options).await);
    let mut acknowledged = Vec::new();
    for n in 0..8 {
        let hub = if n % 2 == 0 { &a } else { &b };
        let id = format!("approval-{n}");
        acknowledged.push(hub.start(approval().instance_id(id)).await.unwrap());
    }
    let raised = b.find_instance::<approval>("approval-0").await.unwrap().unwrap();
    fill(&options);
    let waiting: Vec<_> = (0..24)
        .map(|n| {
            let hub = if n % 2 == 0 { a.clone() } else { b.clone() };
            tokio::spawn(async move {
                let run = hub.start(twice(n)).await?;
                Ok::<_, Error>(run.result().await?)
            })
        })
        .collect();
    let raised = tokio::spawn(async move { raised.raise_event("Approval", "yes").await });
    cluster::execute(&options, "SELECT pg_sleep(5)");
    assert!(!raised.is_finished() && waiting.iter().all(|it| !it.is_finished()), "they wait");
    for hub in [&a, &b] {
        // A read does not wait for the requests to the other node.
        assert!(hub.find_instance::<approval>("approval-0").await.unwrap().is_some());
    }
    free(&options);
    raised.await.unwrap().unwrap();
    for (n, waiting) in (0..24).zip(waiting) {
        assert_eq!(waiting.await.unwrap().unwrap(), 4 * n);
    }
    for (n, run) in acknowledged.iter().enumerate() {
        if n > 0 {
            run.raise_event("Approval", "yes").await.unwrap();
        }
        assert_eq!(run.result().await.unwrap(), "yes");
    }
    a.shutdown().await.unwrap();
    b.shutdown().await.unwrap();
}
