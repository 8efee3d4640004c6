//! Processes that are killed at random moments: no transfer is lost, and none happens twice.
//!
//! The test runs this very program again, twice at any time, as the processes of a hub. Each starts
//! payments and writes down which have ended. After a random number of them it is killed, and another one
//! takes its place.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use durable::prelude::*;
use durable_postgres::PostgresStore;

use crate::bank::{ACCOUNTS, Bank, CENTS, transfer};
use crate::seed::{self, Random};

/// Where a child finds the bank.
const BANK: &str = "DURABLE_TRANSACTIONS_BANK";
const NUMBER: &str = "DURABLE_TRANSACTIONS_NUMBER";
/// The transfers of a payment.
const TRANSFERS: i64 = 4;

fn kills() -> u32 {
    if seed::is_long() { 200 } else { 40 }
}

fn account(number: u32) -> String {
    format!("a{}", number % ACCOUNTS)
}

/// Two transfers one after the other, two at once. A transfer may find too little on its account.
#[orchestrator]
async fn payment(ctx: &OrchestrationContext, number: u32) -> Result<i64> {
    let mut done = 0;
    for step in 0..2 {
        done += i64::from(
            transfer(account(number + step), account(number + step + 1), 7).await.is_ok(),
        );
    }
    let back = (0..2).map(|step| transfer(account(number + 1 + step), account(number + step), 7));
    for transferred in durable::join_all(back).await {
        done += i64::from(transferred.is_ok());
    }
    Ok(done)
}

/// A process of the hub, until it is killed.
#[tokio::main]
async fn child(bank: Bank, number: &str) -> Result<()> {
    let store = bank.options().lease(Duration::from_secs(2));
    let store = PostgresStore::connect_with(store).await?;
    let hub = TaskHub::builder().store(store).partitions(8).state(bank).open().await?;
    let mut running = Vec::new();
    for payments in 0.. {
        let id = format!("payment-{number}-{payments}");
        let run = hub.start(payment(payments).instance_id(id)).await?;
        running.push(tokio::spawn(async move { run.result().await }));
        if running.len() == 6 {
            running.remove(0).await??;
            println!("ended");
        }
    }
    Ok(())
}

/// A child, and what it writes down.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    fn start(bank: &Bank, number: u32) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["no_transfer_is_lost_or_repeated", "--nocapture", "--test-threads", "1"])
            .env(BANK, serde_json::to_string(bank)?)
            .env(NUMBER, number.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Ok(Self { child, lines })
    }

    /// Waits until this many payments have ended.
    fn follow(&mut self, mut payments: u64) -> Result<()> {
        let mut line = String::new();
        while payments > 0 {
            line.clear();
            if self.lines.read_line(&mut line)? == 0 {
                return Err(Error::msg(format!("a child has ended: {:?}", self.child.wait())));
            }
            payments -= u64::from(line.trim_end().ends_with("ended"));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn no_transfer_is_lost_or_repeated() -> Result<()> {
    if let Ok(bank) = std::env::var(BANK) {
        return child(serde_json::from_str(&bank)?, &std::env::var(NUMBER)?);
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let bank = runtime.block_on(Bank::new());
    let mut random = Random::new(seed::seed());
    // The first makes the tables.
    let mut processes = vec![Process::start(&bank, 0)?];
    processes[0].follow(1)?;
    processes.push(Process::start(&bank, 1)?);
    for kill in 0..kills() {
        let index = usize::try_from(random.below(2))?;
        processes[index].follow(random.below(12))?;
        // Killed before the next one begins.
        drop(processes.remove(index));
        processes.push(Process::start(&bank, kill + 2)?);
    }
    drop(processes);
    runtime.block_on(check(&bank))
}

/// Lets all payments end, and compares their results with the database.
async fn check(bank: &Bank) -> Result<()> {
    let hub = bank.open().await;
    // A start that a killed process has sent to another one is still carried out.
    let open_requests = "SELECT count(*) FROM hub.request WHERE state < 2";
    while bank.number(open_requests).await > 0 {
        tokio::task::yield_now().await;
    }
    let ids = format!("SELECT id FROM {}.instance WHERE id LIKE 'payment-%'", bank.hub);
    let ids = bank.client().await.query(&ids, &[]).await?;
    let (mut transfers, payments) = (0, i64::try_from(ids.len())?);
    for id in ids {
        let run = hub.find_instance::<payment>(id.get::<_, &str>(0)).await?;
        let run = run.ok_or_else(|| Error::msg("a payment is gone"))?;
        transfers += run.result().await?;
    }
    assert!(payments > i64::from(kills()), "only {payments} payments");
    assert!(transfers > 2 * payments, "{transfers} of {} transfers", TRANSFERS * payments);
    let [logged, recorded] = [bank.logged().await, bank.recorded().await];
    assert_eq!([logged, recorded], [transfers, transfers]);
    let keys = bank.number("SELECT count(DISTINCT key) FROM bank.log").await;
    assert_eq!(keys, transfers, "a transfer happened twice");
    let cents = bank.number("SELECT sum(cents)::int8 FROM bank.account").await;
    assert_eq!(cents, i64::from(ACCOUNTS) * CENTS);
    println!("{payments} payments, {transfers} transfers, {} kills", kills());
    hub.shutdown().await?;
    Ok(())
}
