//! Attempts at the same effect, at once or one after the other, and connections that break.

use std::time::Duration;

use durable::InstanceId;
use durable::protocol::{ExecutionId, FailureDetails, Json};
use durable::store::{
    ActivityEffect, Store, StoreTransactions, TransactionBody, Transactions as _,
};
use durable_postgres::{PostgresStore, PostgresTransactions, Transaction};
use tokio::sync::oneshot;

use crate::bank::{Bank, CENTS};
use crate::cluster;
use crate::proxy::{Direction, End, Proxy};

/// The transactions of a store, without a hub.
struct Process {
    transactions: StoreTransactions,
    _store: PostgresStore,
}

impl Process {
    async fn of(bank: &Bank) -> Self {
        Self::on(bank.store().await)
    }

    fn on(store: PostgresStore) -> Self {
        let transactions = store.transactions().expect("a store with transactions");
        Self { transactions, _store: store }
    }

    async fn run<F>(&self, effect: &ActivityEffect, body: F) -> Result<Json, FailureDetails>
    where
        F: for<'b, 't> FnOnce(&'b mut Transaction<'t>) -> TransactionBody<'b> + Send + 'static,
    {
        let transactions = self.transactions.downcast_ref::<PostgresTransactions>();
        transactions.expect("those of PostgreSQL").run(effect, body).await
    }
}

/// The effects of an instance that is in the store.
async fn instance(bank: &Bank) -> impl Fn(i32) -> ActivityEffect + use<> {
    let execution = ExecutionId::from_u128(17);
    let insert = format!(
        "INSERT INTO hub.instance (id, execution, history_len, created_at, record, tail_first, tail)
         VALUES ('payer', '{execution}', 0, 0, '', 0, '')"
    );
    bank.execute(&insert).await;
    move |task| ActivityEffect::new(InstanceId::new("payer").expect("an id"), execution, task)
}

/// What a body does: it takes a cent, and returns which attempt it was.
async fn take(tx: &mut Transaction<'_>, key: &str) -> Result<(), tokio_postgres::Error> {
    tx.execute("INSERT INTO log VALUES ($1)", &[&key]).await?;
    tx.execute("UPDATE account SET cents = cents - 1 WHERE id = 'a0'", &[]).await?;
    Ok(())
}

fn json(text: &str) -> Json {
    Json::parse(text).expect("JSON")
}

fn failed(error: &tokio_postgres::Error) -> FailureDetails {
    FailureDetails::new("Sql", error.to_string())
}

/// Runs a body that reports when its work is done, and then ends as the test says.
fn slow(
    work: oneshot::Sender<()>,
    end: oneshot::Receiver<bool>,
) -> impl for<'b, 't> FnOnce(&'b mut Transaction<'t>) -> TransactionBody<'b> + Send + 'static {
    move |tx| {
        Box::pin(async move {
            take(tx, "slow").await.map_err(|error| failed(&error))?;
            work.send(()).expect("the test");
            let succeeds = end.await.expect("the test");
            if succeeds { Ok(json("\"slow\"")) } else { Err(FailureDetails::new("Test", "no")) }
        })
    }
}

fn quick(
    key: &'static str,
) -> impl for<'b, 't> FnOnce(&'b mut Transaction<'t>) -> TransactionBody<'b> + Send + 'static {
    move |tx| {
        Box::pin(async move {
            take(tx, key).await.map_err(|error| failed(&error))?;
            Ok(json(&format!("{key:?}")))
        })
    }
}

/// A process that has lost its partition still runs the body when the new owner begins.
async fn race(first_succeeds: bool) -> (Json, Bank) {
    let bank = Bank::new().await;
    let (zombie, owner) = (Process::of(&bank).await, Process::of(&bank).await);
    let effect = instance(&bank).await(1);
    let (work, has_worked) = oneshot::channel();
    let (end, ends) = oneshot::channel();
    let first = zombie.run(&effect, slow(work, ends));
    let second = async {
        has_worked.await.expect("the first attempt");
        owner.run(&effect, quick("quick")).await
    };
    let release = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bank.'
            AND wait_event = 'advisory'"
            .replace("bank.", &bank.schema);
        while bank.number(&waiting).await == 0 {
            tokio::task::yield_now().await;
        }
        end.send(first_succeeds).expect("the first attempt");
    };
    let (first, second, ()) = tokio::join!(first, second, release);
    assert_eq!(first.is_ok(), first_succeeds, "{first:?}");
    assert_eq!([bank.logged().await, bank.recorded().await], [1, 1]);
    assert_eq!(bank.cents("a0").await, CENTS - 1);
    (second.expect("a result"), bank)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_waits_and_returns_the_result_of_the_first() {
    let (result, bank) = Box::pin(race(true)).await;
    assert_eq!(result, json("\"slow\""));
    assert_eq!(bank.number("SELECT count(*) FROM bank.log WHERE key = 'slow'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_runs_if_the_first_one_fails() {
    let (result, bank) = Box::pin(race(false)).await;
    assert_eq!(result, json("\"quick\""));
    assert_eq!(bank.number("SELECT count(*) FROM bank.log WHERE key = 'quick'").await, 1);
}

/// The lock is out of the way, as if the database did not have such locks: the primary key decides.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_decides_between_attempts_that_do_not_wait() {
    let bank = Bank::new().await;
    let process = Process::of(&bank).await;
    let effect = instance(&bank).await(1);
    let (work, has_worked) = oneshot::channel();
    let (end, ends) = oneshot::channel();
    let first = process.run(&effect, slow(work, ends));
    let other = async {
        has_worked.await.expect("the first attempt");
        let insert = "INSERT INTO hub.effect SELECT id, execution, 1, '5' FROM hub.instance";
        bank.execute(insert).await;
        end.send(true).expect("the first attempt");
    };
    let (first, ()) = tokio::join!(first, other);
    assert_eq!(first.expect("the other result"), json("5"));
    assert_eq!([bank.logged().await, bank.recorded().await], [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_dropped_is_rolled_back() {
    let bank = Bank::new().await;
    let process = Process::of(&bank).await;
    let effect = instance(&bank).await(1);
    let (work, has_worked) = oneshot::channel();
    let (_end, ends) = oneshot::channel();
    {
        let run = std::pin::pin!(process.run(&effect, slow(work, ends)));
        let dropped = std::pin::pin!(has_worked);
        let first = futures_util::future::select(run, dropped).await;
        assert!(matches!(first, futures_util::future::Either::Right(_)));
    }
    assert_eq!(process.run(&effect, quick("quick")).await.expect("a result"), json("\"quick\""));
    assert_eq!([bank.logged().await, bank.recorded().await], [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_effect_of_an_instance_that_is_gone_is_rolled_back() {
    let bank = Bank::new().await;
    let process = Process::of(&bank).await;
    let effect = instance(&bank).await(1);
    bank.execute("DELETE FROM hub.instance").await;
    let failure = process.run(&effect, quick("quick")).await.expect_err("no instance");
    assert!(failure.message.contains("does not wait for it any more"), "{failure}");
    assert_eq!([bank.logged().await, bank.recorded().await], [0, 0]);
}

/// The connection is cut behind a byte of the transaction. A success is there once, and so is its effect;
/// of a failure there is nothing.
async fn cut(proxy: &Proxy, direction: Direction, end: End) {
    let bank = &Bank::new().await;
    // With the tables of the hub.
    drop(bank.store().await);
    let options = bank.options_through(proxy.port()).timeout(Duration::from_secs(2));
    let store = PostgresStore::connect_with(options).await.expect("a store");
    let process = Process::on(store);
    let effects = instance(bank).await;
    // Connections are open now, and statements are known.
    process.run(&effects(0), quick("first")).await.expect("a result");
    let before = proxy.passed(direction);
    process.run(&effects(-1), quick("second")).await.expect("a result");
    let length = proxy.passed(direction) - before;
    let (step, mut task) = (if end == End::Closed { 7 } else { length / 6 }, 0);
    let mut cuts = 0;
    for bytes in (0..length).step_by(usize::try_from(step).expect("a length")) {
        task += 1;
        proxy.cut(direction, bytes, end);
        // The body may wait for an answer that never comes, which the timeout of an attempt ends.
        let effect = effects(task);
        let run = process.run(&effect, quick("cut"));
        let result = tokio::time::timeout(Duration::from_secs(20), run).await;
        cuts += u64::from(proxy.has_cut());
        let count = bank.logged().await;
        let recorded = bank.recorded().await;
        assert_eq!(count, recorded, "{bytes} of {length} bytes, {direction:?}: {result:?}");
        let select = format!("SELECT count(*) FROM hub.effect WHERE task = {task}");
        let is_there = bank.number(&select).await == 1;
        let succeeded = matches!(result, Ok(Ok(_)));
        assert_eq!(succeeded, is_there, "{bytes} of {length} bytes, {direction:?}: {result:?}");
    }
    assert_eq!(bank.cents("a0").await, CENTS - bank.recorded().await);
    // Not every byte that is counted belongs to a transaction: sessions are reset in between.
    assert!(cuts > 2, "{cuts} cuts within {length} bytes");
}

/// On a runtime that does not drive the proxy.
fn cut_everywhere(direction: Direction, end: End) {
    let proxy = Proxy::start(cluster::shared().address());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(cut(&proxy, direction, end));
}

#[test]
fn a_transaction_that_is_cut_on_its_way_is_there_if_it_succeeded() {
    cut_everywhere(Direction::ToServer, End::Closed);
}

#[test]
fn a_transaction_whose_answers_are_cut_is_there_if_it_succeeded() {
    cut_everywhere(Direction::ToClient, End::Closed);
}

#[test]
fn a_transaction_that_gets_no_answer_is_there_if_it_succeeded() {
    cut_everywhere(Direction::ToClient, End::Silent);
}
