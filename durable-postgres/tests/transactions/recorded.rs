//! Recorded results: they are returned instead of running an activity again, encoded like other values,
//! and removed with what they belong to.

use std::sync::atomic::{AtomicBool, Ordering};

use durable::InstanceId;
use durable::client::ManageError;
use durable::prelude::*;
use durable::store::{EncodedPayload, EncodedStore, PayloadCodec, StoreError};
use durable_postgres::Transaction;

use crate::bank::{Bank, CENTS, transfer};

/// The other process is a statement on a connection of its own: it has recorded a result, and the process
/// died before it could report it.
#[activity(transactional, retry(max_number_of_attempts = 2, first_retry_interval = "1ms"))]
async fn done_elsewhere(
    ctx: &ActivityContext,
    tx: &mut Transaction<'_>,
    bank: State<Bank>,
    result: &str,
) -> Result<String> {
    let (instance, execution, task) = (ctx.instance_id(), ctx.execution_id(), ctx.task_id());
    let insert =
        format!("INSERT INTO hub.effect VALUES ('{instance}', '{execution}', {task}, '{result}')");
    bank.execute(&insert).await;
    tx.execute("INSERT INTO log VALUES ('ran')", &[]).await?;
    Err(Error::msg("as if this process had died"))
}

#[orchestrator]
async fn ask(ctx: &OrchestrationContext, result: String) -> Result<String> {
    Ok(done_elsewhere(&result).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_result_is_returned_and_nothing_is_run() {
    let bank = Bank::new().await;
    let hub = bank.open().await;
    let run = hub.start(ask("\"of the other\"".into())).await.unwrap();
    assert_eq!(run.result().await.unwrap(), "of the other");
    assert_eq!([bank.logged().await, bank.recorded().await], [0, 1]);
    hub.shutdown().await.unwrap();
}

/// Reverses texts.
#[derive(Debug)]
struct Reversed;

impl PayloadCodec for Reversed {
    fn encode(&self, text: &str, _: &InstanceId) -> Result<EncodedPayload, StoreError> {
        Ok(EncodedPayload::new("r", text.chars().rev().collect::<String>()))
    }

    fn decode(&self, payload: &EncodedPayload, _: &InstanceId) -> Result<String, StoreError> {
        Ok(payload.data.chars().rev().collect())
    }
}

#[activity(transactional)]
async fn secret(tx: &mut Transaction<'_>) -> Result<String> {
    tx.execute("INSERT INTO log VALUES ('secret')", &[]).await?;
    Ok("attack at dawn".to_owned())
}

#[orchestrator]
async fn keep_secret(ctx: &OrchestrationContext) -> Result<String> {
    Ok(secret().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_encoded_by_the_codec_of_the_hub() {
    let bank = Bank::new().await;
    let store = EncodedStore::new(bank.store().await, Reversed);
    let hub = TaskHub::builder().store(store).state(bank.clone()).open().await.unwrap();
    let run = hub.start(keep_secret()).await.unwrap();
    assert_eq!(run.result().await.unwrap(), "attack at dawn");
    let encoded = "SELECT count(*) FROM hub.effect WHERE result LIKE '%nwad ta kcatta%'";
    assert_eq!(bank.number(encoded).await, 1);
    let recorded = r#"{"durable.encoded":1,"key":"r","data":"\"degnahc\""}"#;
    let run = hub.start(ask(recorded.into())).await.unwrap();
    assert_eq!(run.result().await.unwrap(), "changed");
    hub.shutdown().await.unwrap();
}

/// As many executions, each with a transfer.
#[orchestrator]
async fn generations(ctx: &OrchestrationContext, left: u32) -> Result<u32> {
    transfer("a0".into(), "a1".into(), 1).await?;
    if left > 0 {
        return ctx.continue_as_new(generations(left - 1)).await;
    }
    Ok(left)
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_removed_with_their_execution_and_their_instance() {
    let bank = Bank::new().await;
    let hub = bank.open().await;
    let run = hub.start(generations(5)).await.unwrap();
    run.result().await.unwrap();
    assert_eq!([bank.cents("a0").await, bank.logged().await], [CENTS - 6, 6]);
    assert_eq!(bank.recorded().await, 1);
    run.purge().await.unwrap();
    assert_eq!(bank.recorded().await, 0);
    hub.shutdown().await.unwrap();
}

static FAILS: AtomicBool = AtomicBool::new(true);

#[activity]
async fn fails_once() -> Result<()> {
    if FAILS.swap(false, Ordering::Relaxed) { Err(Error::msg("not yet")) } else { Ok(()) }
}

#[orchestrator]
async fn pay_and_fail(ctx: &OrchestrationContext) -> Result<i64> {
    let left = transfer("a0".into(), "a1".into(), 1).await?;
    fails_once().await?;
    Ok(left)
}

/// An activity that runs while its instance fails has the same key after a rewind.
#[tokio::test(flavor = "multi_thread")]
async fn a_rewind_keeps_recorded_results() {
    let bank = Bank::new().await;
    let hub = bank.open().await;
    let run = hub.start(pay_and_fail()).await.unwrap();
    run.result().await.unwrap_err();
    let rewound: Result<(), ManageError> = run.rewind("again").await;
    rewound.unwrap();
    assert_eq!(run.result().await.unwrap(), CENTS - 1);
    assert_eq!([bank.logged().await, bank.recorded().await], [1, 1]);
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_of_an_earlier_release_are_brought_up_to_date() {
    let bank = Bank::new().await;
    let tables = include_str!("../../src/schema/1.sql");
    bank.execute(&format!(
        "CREATE SCHEMA {0}; SET search_path = {0}; {tables}
         CREATE TABLE version (number int NOT NULL); INSERT INTO version VALUES (1)",
        bank.hub
    ))
    .await;
    let hub = bank.open().await;
    let run = hub.start(generations(0)).await.unwrap();
    run.result().await.unwrap();
    assert_eq!(bank.recorded().await, 1);
    assert_eq!(bank.number("SELECT number::int8 FROM hub.version").await, 3);
    hub.shutdown().await.unwrap();
}
