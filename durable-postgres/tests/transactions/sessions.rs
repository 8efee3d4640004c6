//! The connections of transactional activities.

use durable::prelude::*;
use durable_postgres::{PostgresStore, Transaction};

use crate::bank::Bank;

/// Leaves in its session whatever it can.
#[activity(transactional)]
async fn leaves_traces(tx: &mut Transaction<'_>) -> Result<()> {
    let traces = "SET search_path = nowhere; SET statement_timeout = 1; RESET statement_timeout;
                  CREATE TEMPORARY TABLE scratch (id int); SELECT pg_advisory_lock(17);
                  LISTEN something; PREPARE mine AS SELECT 1";
    tx.batch_execute(traces).await?;
    Ok(())
}

#[activity(transactional)]
async fn finds_traces(tx: &mut Transaction<'_>) -> Result<(String, bool, i64)> {
    let find = "SELECT current_setting('search_path'), to_regclass('pg_temp.scratch') IS NULL,
                (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 17)";
    let row = tx.query_one(find, &[]).await?;
    Ok((row.get(0), row.get(1), row.get(2)))
}

#[orchestrator]
async fn look_for_traces(ctx: &OrchestrationContext) -> Result<(String, bool, i64)> {
    leaves_traces().await?;
    Ok(finds_traces().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activity_leaves_nothing_in_its_session() {
    let bank = Bank::new().await;
    let store = PostgresStore::connect_with(bank.options().transaction_connections(1)).await;
    let hub = TaskHub::builder().store(store.unwrap()).state(bank.clone()).open().await.unwrap();
    let found = hub.start(look_for_traces()).await.unwrap().result().await.unwrap();
    assert_eq!(found, (bank.schema, true, 0));
    hub.shutdown().await.unwrap();
}

/// All of them want the same rows, and there are fewer connections than activities.
#[orchestrator]
async fn all_at_once(ctx: &OrchestrationContext, count: u32) -> Result<usize> {
    let transfers = (0..count).map(|_| crate::bank::transfer("a0".into(), "a1".into(), 1));
    let left = durable::try_join_all(transfers).await?;
    let left: std::collections::BTreeSet<_> = left.into_iter().collect();
    Ok(left.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn activities_share_few_connections() {
    let bank = Bank::new().await;
    let store = PostgresStore::connect_with(bank.options().transaction_connections(2)).await;
    let hub = TaskHub::builder().store(store.unwrap()).state(bank.clone()).open().await.unwrap();
    assert_eq!(hub.start(all_at_once(40)).await.unwrap().result().await.unwrap(), 40);
    assert_eq!([bank.logged().await, bank.recorded().await], [40, 40]);
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bank.'";
    let count = count.replace("bank.", &bank.schema);
    // One commits, four read, two exchange messages with other processes, and two are for activities.
    assert!(bank.number(&count).await <= 9);
    hub.shutdown().await.unwrap();
}
