//! A transactional activity does what it does and records its result, or neither.

use std::sync::atomic::{AtomicU32, Ordering};

use durable::TaskFailed;
use durable::client::OpenError;
use durable::prelude::*;
use durable::protocol::FailureDetails;
use durable::testing::TestHub;
use durable_postgres::Transaction;

use crate::bank::{Bank, CENTS, move_cents, transfer};

#[orchestrator]
async fn pay(ctx: &OrchestrationContext, cents: i64) -> Result<i64> {
    Ok(transfer("a0".into(), "a1".into(), cents).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activity_and_its_result_are_one_transaction() {
    let bank = Bank::new().await;
    let hub = bank.open().await;
    let left = hub.start(pay(300)).await.unwrap().result().await.unwrap();
    assert_eq!(left, CENTS - 300);
    assert_eq!([bank.cents("a0").await, bank.cents("a1").await], [CENTS - 300, CENTS + 300]);
    assert_eq!([bank.logged().await, bank.recorded().await], [1, 1]);
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activity_that_fails_is_rolled_back() {
    let bank = Bank::new().await;
    let hub = bank.open().await;
    let failed = hub.start(pay(CENTS + 1)).await.unwrap().result().await.unwrap_err();
    assert!(failed.to_string().contains("a0 has too little"), "{failed}");
    assert_eq!([bank.cents("a0").await, bank.cents("a1").await], [CENTS, CENTS]);
    assert_eq!([bank.logged().await, bank.recorded().await], [0, 0]);
    hub.shutdown().await.unwrap();
}

/// Fails or panics after its work, before the third attempt.
#[activity(transactional, retry(max_number_of_attempts = 3, first_retry_interval = "1ms"))]
async fn third_time(ctx: &ActivityContext, tx: &mut Transaction<'_>) -> Result<i64> {
    let left = move_cents(tx, &ctx.idempotency_key(), ["a0", "a1"], 100).await?;
    match ctx.attempt() {
        1 => Err(Error::msg("the first attempt")),
        2 => panic!("the second attempt"),
        _ => Ok(left),
    }
}

#[orchestrator]
async fn keep_trying(ctx: &OrchestrationContext) -> Result<i64> {
    Ok(third_time().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_or_panics_leaves_nothing_to_the_next_one() {
    let bank = Bank::new().await;
    let hub = bank.open().await;
    let left = hub.start(keep_trying()).await.unwrap().result().await.unwrap();
    assert_eq!(left, CENTS - 100);
    assert_eq!([bank.cents("a0").await, bank.logged().await], [CENTS - 100, 1]);
    hub.shutdown().await.unwrap();
}

/// Never ends: it waits outside of the database, or in it.
#[activity(transactional, attempt_timeout = "300ms")]
async fn never_ends(ctx: &ActivityContext, tx: &mut Transaction<'_>, in_sql: bool) -> Result<()> {
    move_cents(tx, &ctx.idempotency_key(), ["a0", "a1"], 100).await?;
    if in_sql {
        tx.batch_execute("SELECT pg_sleep(3600)").await?;
    }
    std::future::pending().await
}

#[orchestrator]
async fn pay_after_timeouts(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let mut types = Vec::new();
    for in_sql in [false, true] {
        let failed = never_ends(in_sql).await.err();
        types.extend(failed.map(|failed| failed.details().error_type.clone()));
    }
    // It needs the rows that the others have locked.
    transfer("a0".into(), "a1".into(), 1).await?;
    Ok(types)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_times_out_is_rolled_back() {
    let bank = Bank::new().await;
    let hub = bank.open().await;
    let types = hub.start(pay_after_timeouts()).await.unwrap().result().await.unwrap();
    assert_eq!(types, [FailureDetails::TIMEOUT, FailureDetails::TIMEOUT]);
    assert_eq!([bank.cents("a0").await, bank.logged().await], [CENTS - 1, 1]);
    hub.shutdown().await.unwrap();
}

#[activity(transactional)]
async fn ignores_an_error(ctx: &ActivityContext, tx: &mut Transaction<'_>) -> Result<i64> {
    let left = move_cents(tx, &ctx.idempotency_key(), ["a0", "a1"], 100).await?;
    drop(tx.batch_execute("SELECT 1 / 0").await);
    Ok(left)
}

#[activity(transactional)]
async fn commits_itself(tx: &mut Transaction<'_>) -> Result<i64> {
    tx.batch_execute("COMMIT").await?;
    Ok(1)
}

#[orchestrator]
async fn break_rules(ctx: &OrchestrationContext) -> Result<Vec<(String, bool)>> {
    let failures = [ignores_an_error().await.err(), commits_itself().await.err()];
    let failures = failures.iter().flatten().map(TaskFailed::details);
    Ok(failures.map(|it| (it.message.clone(), it.non_retriable)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activity_cannot_succeed_without_its_transaction() {
    let bank = Bank::new().await;
    let hub = bank.open().await;
    let failures = hub.start(break_rules()).await.unwrap().result().await.unwrap();
    let [(ignored, may_retry), (ended, no_retry)] = &*failures else { panic!("{failures:?}") };
    assert!(ignored.contains("current transaction is aborted"), "{ignored}");
    assert!(ended.contains("has ended its transaction itself"), "{ended}");
    assert_eq!([*may_retry, *no_retry], [false, true]);
    assert_eq!([bank.logged().await, bank.recorded().await], [0, 0]);
    hub.shutdown().await.unwrap();
}

static RUNS: AtomicU32 = AtomicU32::new(0);

#[activity(transactional)]
async fn waits_for_its_end(ctx: &ActivityContext, tx: &mut Transaction<'_>) -> Result<i64> {
    let left = move_cents(tx, &ctx.idempotency_key(), ["a0", "a1"], 100).await?;
    RUNS.fetch_add(1, Ordering::Relaxed);
    ctx.cancellation_token().cancelled().await;
    // It continues, and succeeds.
    Ok(left)
}

#[orchestrator]
async fn gives_up(ctx: &OrchestrationContext) -> Result<()> {
    let first = durable::race((waits_for_its_end(), ctx.wait_for_external_event::<()>("Enough")));
    match first.await {
        Race2::First(done) => Err(Error::msg(format!("{done:?}"))),
        Race2::Second(event) => Ok(event?),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_activity_is_rolled_back() {
    let bank = Bank::new().await;
    let hub = bank.open().await;
    let run = hub.start(gives_up()).await.unwrap();
    while RUNS.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    run.raise_event("Enough", &()).await.unwrap();
    run.result().await.unwrap();
    // A shutdown waits for the end of the activity.
    hub.shutdown().await.unwrap();
    assert_eq!([bank.cents("a0").await, bank.logged().await], [CENTS, 0]);
}

#[tokio::test]
async fn a_hub_whose_store_has_no_such_transactions_is_not_opened() {
    let bank = Bank::new().await;
    let opened = TaskHub::builder().in_memory().state(bank).open().await;
    let Err(OpenError::MissingTransactions(missing)) = opened else { panic!("{opened:?}") };
    let wanted = "`durable_postgres::transactions::PostgresTransactions` for `transfer`";
    assert!(missing.iter().any(|missing| missing == wanted), "{missing:?}");
}

#[tokio::test]
async fn in_a_test_without_a_database_the_activity_is_mocked() {
    let hub = TestHub::builder().mock::<transfer>(|(_, _, cents)| Ok(cents)).open().await.unwrap();
    assert_eq!(hub.start(pay(5)).await.unwrap().result().await.unwrap(), 5);
    let failed = hub.start(keep_trying()).await.unwrap().result().await.unwrap_err();
    assert!(failed.to_string().contains("the store of the hub has no transactions"), "{failed}");
}
