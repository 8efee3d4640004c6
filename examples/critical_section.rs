//! Critical section: transfers between bank accounts, many at once, while auditors count the money.
//!
//! ```text
//! cargo run -p examples --bin critical_section -- --hub /tmp/bank --transfers 300 --seed 1
//! ```
//! An account is an entity, a transfer an orchestration. Between reading the balance and making the
//! deposit, a transfer calls a slow activity. A critical section locks both accounts meanwhile. All
//! transfers take locks in the same order, so they never deadlock. An audit is a critical section
//! over all accounts.
//!
//! Kill it in the middle (`kill -9`) and run the same command again: every transfer continues where
//! it stopped, with its accounts still locked. In the end the accounts are checked against the
//! recorded transfers; if a cent is missing, the example fails. Another `--seed` makes different
//! transfers between the same accounts. Without `--hub` it runs in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use comfy_table::{Table, presets};
use durable::OrchestrationHandle;
use durable::client::{EntityQuery, InstanceQuery};
use durable::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

/// Moves money between accounts, durably.
#[derive(Parser)]
struct Arguments {
    /// The folder of the task hub; in memory if not given.
    #[arg(long)]
    hub: Option<PathBuf>,
    /// How many transfers are made.
    #[arg(long, default_value_t = 300)]
    transfers: u32,
    /// Selects the transfers: the same seed makes the same transfers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const ACCOUNTS: u64 = 12;
const OPENING_CENTS: i64 = 100_000;
/// The number of transfers between two audits.
const AUDIT_AFTER: usize = 50;
/// How long the final check waits for a lock that should have been released.
const PATIENCE: Duration = Duration::from_secs(20);

/// An account does not check its balance. The transfer does, because the critical section lets
/// nobody else change the account between the check and the withdrawal.
#[derive(Serialize, Deserialize)]
struct Account {
    cents: i64,
}

/// An account before its first operation. No account has to be opened, so no crash can leave only
/// half of them open.
fn opened() -> Account {
    Account { cents: OPENING_CENTS }
}

#[entity(initial = opened)]
impl Account {
    fn balance(&self) -> i64 {
        self.cents
    }

    fn withdraw(&mut self, cents: i64) {
        self.cents -= cents;
    }

    fn deposit(&mut self, cents: i64) {
        self.cents += cents;
    }
}

/// The request of a customer.
#[derive(Clone, Serialize, Deserialize)]
struct Order {
    from: String,
    to: String,
    cents: i64,
}

/// The outcome of a transfer.
#[derive(Serialize, Deserialize)]
struct Receipt {
    order: Order,
    outcome: Outcome,
}

#[derive(Serialize, Deserialize)]
enum Outcome {
    Done,
    NotEnough { balance: i64 },
    Suspicious,
}

/// Moves the money, or leaves it where it is.
///
/// The critical section ends with the function. It is not a transaction: if something failed
/// between withdrawal and deposit, this function would have to undo it, as in the example `saga`. A
/// crash is not a failure: the function continues.
#[orchestrator]
async fn transfer(ctx: &OrchestrationContext, order: Order) -> Result<Receipt> {
    let both = (Account::at(&order.from), Account::at(&order.to));
    let mut accounts = ctx.lock_entities(both).await?;
    let (from, to) = &mut *accounts;
    let balance = from.balance().await?;
    if balance < order.cents {
        return Ok(Receipt { order, outcome: Outcome::NotEnough { balance } });
    }
    if !looks_honest(&order).await? {
        return Ok(Receipt { order, outcome: Outcome::Suspicious });
    }
    from.withdraw(order.cents).await?;
    // The money is in neither account now. Other callers wait for the lock, so nobody sees that.
    to.deposit(order.cents).await?;
    Ok(Receipt { order, outcome: Outcome::Done })
}

/// The bank's fraud desk is a slow remote service. It watches the last account.
#[activity]
async fn looks_honest(order: &Order) -> Result<bool> {
    tokio::time::sleep(Duration::from_millis(2)).await;
    Ok(order.cents < 40_000 || order.to != account(ACCOUNTS))
}

/// Counts all money, while transfers are running.
///
/// Without the locks, money that is moved meanwhile would be counted twice or not at all.
#[orchestrator]
async fn audit(ctx: &OrchestrationContext) -> Result<i64> {
    let all: Vec<_> = (1..=ACCOUNTS).map(|number| Account::at(account(number))).collect();
    let mut accounts = ctx.lock_entities(all).await?;
    let balances = accounts.iter_mut().map(|account| account.balance());
    Ok(durable::try_join_all(balances).await?.into_iter().sum())
}

#[durable::deterministic]
fn account(number: u64) -> String {
    format!("account-{number:02}")
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let hub = match &arguments.hub {
        Some(folder) => TaskHub::open(folder).await?,
        None => TaskHub::builder().in_memory().open().await?,
    };
    let audits = start_or_go_on(&hub, arguments.seed, arguments.transfers).await?;
    for (number, audit) in (1..).zip(audits) {
        let sum = audit.result().await?;
        println!("audit {number}: all accounts together hold {}", money(sum));
        check_sum(sum)?;
    }
    let expected = tell_transfers(&hub).await?;
    check_accounts(&hub, &expected).await?;
    Ok(hub.shutdown().await?)
}

/// Starts the transfers, with audits among them, and returns the audits. Those that an earlier run
/// has started already exist, and continue.
async fn start_or_go_on(
    hub: &TaskHub,
    seed: u64,
    transfers: u32,
) -> Result<Vec<OrchestrationHandle<audit>>> {
    let all = InstanceQuery::new().of::<transfer>();
    let there = hub.count(&all).await?;
    let done = hub.count(&all.status(RuntimeStatus::Completed)).await?;
    println!("{there} transfers are there already, {done} of them done");
    let mut random = Random(seed);
    let orders: Vec<_> = (1..=transfers).map(|number| (number, random.order())).collect();
    let mut audits = Vec::new();
    for orders in orders.chunks(AUDIT_AFTER) {
        let mut starts = JoinSet::new();
        for (number, order) in orders {
            let id = format!("transfer-{seed}-{number:05}");
            starts.spawn(hub.start_if_absent(transfer(order.clone()).instance_id(id)));
        }
        for started in starts.join_all().await {
            started?;
        }
        let id = format!("audit-{seed}-{:05}", audits.len() + 1);
        audits.push(hub.start_if_absent(audit().instance_id(id)).await?);
    }
    Ok(audits)
}

/// Waits for all transfers of the hub, prints their outcomes, and returns the resulting balances.
async fn tell_transfers(hub: &TaskHub) -> Result<BTreeMap<String, i64>> {
    let (mut done, mut not_enough, mut suspicious, mut missing) = (0, 0, 0, 0);
    let mut expected: BTreeMap<_, _> =
        (1..=ACCOUNTS).map(|number| (account(number), OPENING_CENTS)).collect();
    let mut transfers = hub.stream(InstanceQuery::new().of::<transfer>());
    while let Some(instance) = transfers.try_next().await? {
        let run = hub.find_instance::<transfer>(instance.instance_id.as_str()).await?;
        let Some(run) = run else { continue };
        let Receipt { order, outcome } = run.result().await?;
        match outcome {
            Outcome::Done => {
                done += 1;
                *expected.entry(order.from).or_default() -= order.cents;
                *expected.entry(order.to).or_default() += order.cents;
            }
            Outcome::NotEnough { balance } => {
                not_enough += 1;
                missing += order.cents - balance;
            }
            Outcome::Suspicious => suspicious += 1,
        }
    }
    println!("{done} transfers are done, {suspicious} were stopped as suspicious,");
    println!("{not_enough} were refused, {} short in all", money(missing));
    Ok(expected)
}

/// Checks that the balances follow from the transfers, that the total is unchanged, and that no
/// account is overdrawn or locked.
async fn check_accounts(hub: &TaskHub, expected: &BTreeMap<String, i64>) -> Result<()> {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["account", "balance"]);
    let mut sum = 0;
    for (account, expected) in expected {
        // A client's call is answered only when the account is unlocked, so it is unlocked now.
        let call = hub.call_entity(Account::at(account).balance());
        let Ok(balance) = tokio::time::timeout(PATIENCE, call).await else {
            return Err(Error::msg(format!("{account} is still locked")));
        };
        let balance = balance?;
        table.add_row([account.clone(), money(balance)]);
        if balance != *expected || balance < 0 {
            let expected = money(*expected);
            return Err(Error::msg(format!("{account} has {}, not {expected}", money(balance))));
        }
        sum += balance;
    }
    println!("{table}");
    check_sum(sum)?;
    let all = EntityQuery::new().of::<Account>().include_transient();
    for entity in hub.query(&all).await?.items {
        if let Some(owner) = entity.locked_by {
            let (account, owner) = (entity.entity_id, owner.instance_id);
            return Err(Error::msg(format!("{account} is locked by {owner}")));
        }
    }
    println!("the sum is right, no account is overdrawn, none is locked");
    Ok(())
}

fn check_sum(sum: i64) -> Result<()> {
    let all = OPENING_CENTS * i64::try_from(ACCOUNTS)?;
    if sum == all {
        return Ok(());
    }
    Err(Error::msg(format!("the accounts hold {}, not {}", money(sum), money(all))))
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents.abs() % 100)
}

/// Pseudo-random numbers from a seed: `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn order(&mut self) -> Order {
        let from = self.below(ACCOUNTS);
        // Any other account.
        let to = (from + 1 + self.below(ACCOUNTS - 1)) % ACCOUNTS;
        let cents = i64::try_from(1 + self.below(60_000)).unwrap_or(1);
        Order { from: account(from + 1), to: account(to + 1), cents }
    }
}
