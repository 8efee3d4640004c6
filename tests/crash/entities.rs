//! A process that is killed at random moments while its entities count, signal each other and are
//! locked: every signal is processed once and in order, no money is lost, and no lock is left.
//!
//! Each test runs this program again as a child, kills it after a random number of steps and a
//! random delay, and lets the next child continue. With `DURABLE_LONG=1`, it does so far more
//! often.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use durable::RuntimeStatus;
use durable::client::{EntityDetails, EntityQuery, ManageError};
use durable::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::instances;
use crate::seed::{self, Random};

/// The environment variable with the folder of the test.
const FOLDER: &str = "DURABLE_CRASH_ENTITIES_FOLDER";
const ROUND: &str = "DURABLE_CRASH_ENTITIES_ROUND";
/// The environment variable with the first number that may not have ended.
const FIRST: &str = "DURABLE_CRASH_ENTITIES_FIRST";
/// How long the messages that are still in flight at the end may take.
const SOON: Duration = Duration::from_mins(2);

/// How many senders there are, and to how many counters they send.
#[derive(Clone, Copy)]
struct Load {
    senders: u64,
    counters: u64,
    /// How many numbers each sender sends to each counter.
    each: u64,
    /// How many signals one execution sends.
    chunk: u64,
}

fn load() -> Load {
    if seed::is_long() {
        Load { senders: 10, counters: 1000, each: 100, chunk: 2000 }
    } else {
        Load { senders: 8, counters: 100, each: 25, chunk: 250 }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter {
    /// The next expected number of each sender.
    next: BTreeMap<u64, u64>,
    /// The numbers that arrived out of order, or twice.
    wrong: Vec<(u64, u64)>,
    passed_on: u64,
    scheduled: u64,
}

#[entity]
impl Counter {
    fn count(&mut self, sender: u64, number: u64) {
        let next = self.next.entry(sender).or_default();
        if *next != number {
            self.wrong.push((sender, number));
        }
        *next = number + 1;
    }

    fn pass_on(&mut self) {
        self.passed_on += 1;
    }

    fn later(&mut self) {
        self.scheduled += 1;
    }
}

/// Passes signals on to counters.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Relay {
    count: u64,
}

#[entity]
impl Relay {
    async fn relay(&mut self, ctx: &EntityContext, key: u64) -> Result<()> {
        self.count += 1;
        tokio::task::yield_now().await;
        ctx.signal(Counter::at(key.to_string()).pass_on())
    }
}

#[activity]
async fn step(n: u64) {
    println!("step {n}");
}

/// Sends to all counters in turn, from the `next`th signal on.
#[orchestrator]
async fn sender(ctx: &OrchestrationContext, number: u64, next: u64) -> Result<()> {
    let Load { counters, each, chunk, .. } = load();
    let until = (next + chunk).min(counters * each);
    for n in next..until {
        let key = (n + number) % counters;
        let counter = Counter::at(key.to_string());
        counter.count(number, n / counters).signal()?;
        match n % 10 {
            3 => Relay::at((n % 7).to_string()).relay(key).signal()?,
            6 => counter.later().signal_at(Duration::from_millis(n % 50))?,
            _ => {}
        }
    }
    step(until).await?;
    if until < counters * each {
        return ctx.continue_as_new(sender(number, until)).await;
    }
    Ok(())
}

async fn open(folder: &Path) -> Result<TaskHub> {
    Ok(instances::builder(folder)?.live_instances(50).open().await?)
}

#[tokio::main]
async fn child_counts(folder: &Path) -> Result<()> {
    let hub = open(folder).await?;
    let mut senders = Vec::new();
    for number in 0..load().senders {
        let sender = sender(number, 0).instance_id(format!("sender-{number}"));
        senders.push(hub.start_if_absent(sender).await?);
    }
    for run in senders {
        run.result().await?;
    }
    println!("done");
    std::future::pending().await
}

/// All entities, including those without a state.
async fn entities(hub: &TaskHub) -> Result<Vec<EntityDetails>> {
    let query = EntityQuery::new().include_transient().page_size(500);
    Ok(hub.stream(query).try_collect().await?)
}

/// Asks again until the condition holds, because messages in flight arrive eventually.
async fn becomes(what: &str, mut ask: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let asking = async {
        while !ask().await? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    tokio::time::timeout(SOON, asking).await.map_err(|_| Error::msg(format!("not: {what}")))?
}

#[tokio::main]
async fn check_counts(folder: &Path) -> Result<()> {
    let Load { senders, counters, each, .. } = load();
    let hub = open(folder).await?;
    let (mut passed_on, mut scheduled) = (BTreeMap::new(), BTreeMap::new());
    for number in 0..senders {
        for n in 0..counters * each {
            let counts = match n % 10 {
                3 => &mut passed_on,
                6 => &mut scheduled,
                _ => continue,
            };
            *counts.entry((n + number) % counters).or_insert(0) += 1;
        }
    }
    let is_all = async || {
        for key in 0..counters {
            let counter = hub.entity_state::<Counter>(key.to_string()).await?.unwrap_or_default();
            assert_eq!(counter.wrong, [], "sent to {key} in order, each once");
            let sent = (0..senders).all(|sender| counter.next.get(&sender) == Some(&each));
            let expected = (passed_on.get(&key), scheduled.get(&key));
            let (passed_on, scheduled) = (expected.0.unwrap_or(&0), expected.1.unwrap_or(&0));
            assert!(counter.passed_on <= *passed_on, "{counter:?} of {key} for {passed_on}");
            assert!(counter.scheduled <= *scheduled, "{counter:?} of {key} for {scheduled}");
            if !sent || (counter.passed_on, counter.scheduled) != (*passed_on, *scheduled) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    becomes("every signal arrives", is_all).await?;
    for entity in entities(&hub).await? {
        assert_eq!(entity.locked_by, None, "{}", entity.entity_id);
    }
    Ok(hub.shutdown().await?)
}

#[expect(clippy::disallowed_methods, reason = "nothing is waited for: it is killed at any moment")]
fn pass(time: Duration) {
    std::thread::sleep(time);
}

/// Runs this program again until it reports that it is done, or until it has printed this many
/// lines and some time has passed. Then kills it. Returns whether it was done.
fn run_child(
    test: &str,
    folder: &Path,
    (round, first): (u64, u64),
    kill: Option<(u64, Duration)>,
    follow: &mut dyn FnMut(&str),
) -> Result<bool> {
    let mut child = Command::new(std::env::current_exe()?)
        .args([&format!("entities::{test}"), "--exact", "--nocapture", "--test-threads", "1"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let (lines, more) = kill.unwrap_or((u64::MAX, Duration::ZERO));
    let mut is_done = false;
    for line in output.lines().take(usize::try_from(lines)?) {
        let line = line?;
        is_done = line.ends_with("done");
        if is_done {
            break;
        }
        follow(&line);
    }
    if !is_done {
        pass(more);
    }
    child.kill()?;
    child.wait()?;
    Ok(is_done)
}

fn number(name: &str) -> Result<u64> {
    Ok(std::env::var(name)?.parse()?)
}

fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

#[test]
fn every_signal_is_carried_out_once_and_in_order() -> Result<()> {
    if let Some(folder) = folder() {
        return child_counts(&folder);
    }
    let folder = tempfile::tempdir()?;
    let mut random = Random::new(seed::seed());
    let kills = if seed::is_long() { 100 } else { 12 };
    for round in 0..=kills {
        let kill = (1 + random.below(8), Duration::from_micros(random.below(30_000)));
        let kill = (round < kills).then_some(kill);
        let test = "every_signal_is_carried_out_once_and_in_order";
        if run_child(test, folder.path(), (round, 0), kill, &mut |_| {})? {
            println!("killed {round} times");
            break;
        }
    }
    check_counts(folder.path())?;
    let Load { senders, counters, each, .. } = load();
    println!("{} signals in order", senders * counters * each);
    Ok(())
}

const ACCOUNTS: u64 = 8;
const EACH_CENTS: u64 = 10_000;
/// One in this many transfers is terminated.
const TERMINATED: u64 = 5;

/// The number of transfers that are begun in each round.
fn transfers() -> u64 {
    if seed::is_long() { 200 } else { 40 }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Account {
    cents: u64,
    /// The amounts that were taken for transfers that may not be complete.
    taken: BTreeMap<u64, u64>,
    /// The complete transfers among those that may be terminated.
    arrived: BTreeSet<u64>,
}

#[entity]
impl Account {
    fn fund(&mut self) {
        self.cents = EACH_CENTS;
    }

    fn cents(&self) -> u64 {
        self.cents
    }

    fn take(&mut self, transfer: u64, cents: u64) -> Result<()> {
        let left = self.cents.checked_sub(cents).ok_or_else(|| Error::msg("too little"))?;
        self.cents = left;
        if self.taken.insert(transfer, cents).is_some() {
            return Err(Error::msg(format!("{transfer} takes twice")));
        }
        Ok(())
    }

    async fn put(&mut self, transfer: u64, cents: u64) -> Result<()> {
        tokio::task::yield_now().await;
        self.cents += cents;
        if transfer.is_multiple_of(TERMINATED) && !self.arrived.insert(transfer) {
            return Err(Error::msg(format!("{transfer} arrives twice")));
        }
        Ok(())
    }

    fn done(&mut self, transfer: u64) {
        self.taken.remove(&transfer);
    }
}

#[orchestrator]
async fn transfer(ctx: &OrchestrationContext, n: u64, from: u64, to: u64) -> Result<bool> {
    let cents = 1 + n * 31 % 2000;
    let accounts = (Account::at(from.to_string()), Account::at(to.to_string()));
    let mut accounts = ctx.lock_entities(accounts).await?;
    if accounts.0.cents().await? < cents {
        return Ok(false);
    }
    accounts.0.take(n, cents).await?;
    step(n).await?;
    accounts.1.put(n, cents).await?;
    accounts.0.done(n).await?;
    Ok(true)
}

/// Only locks three of them at once.
#[orchestrator]
async fn locks_three(ctx: &OrchestrationContext, n: u64) -> Result<bool> {
    let account = |n: u64| Account::at(((n * 5 + n / 3) % ACCOUNTS).to_string());
    let section = ctx.lock_entities([account(n), account(n + 1), account(n + 2)]).await?;
    if n.is_multiple_of(2) {
        drop(section);
        ctx.create_timer(Duration::from_millis(n % 5)).await;
    }
    Ok(true)
}

/// Begins a transfer and waits for it. Some transfers are terminated at a random moment.
async fn one(hub: TaskHub, n: u64, mut random: Random) -> Result<String> {
    let from = random.below(ACCOUNTS);
    let to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
    let id = format!("transfer-{n}");
    if n % 4 == 3 {
        hub.start_if_absent(locks_three(n).instance_id(&id)).await?;
    } else {
        hub.start_if_absent(transfer(n, from, to).instance_id(&id)).await?;
    }
    let run = hub.instance(&id)?;
    if n.is_multiple_of(TERMINATED) {
        tokio::time::sleep(Duration::from_micros(random.below(40_000))).await;
        match run.terminate("enough").await {
            Ok(()) | Err(ManageError::Finished { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(format!("ended {n} {}", run.wait_for_completion().await?.runtime_status))
}

#[tokio::main]
async fn child_transfers(folder: &Path, first: u64, round: u64, mut random: Random) -> Result<()> {
    let hub = open(folder).await?;
    if round == 0 {
        for key in 0..ACCOUNTS {
            hub.call_entity(Account::at(key.to_string()).fund()).await?;
        }
    }
    let mut all = JoinSet::new();
    for n in first..(round + 1) * transfers() {
        all.spawn(one(hub.clone(), n, Random::new(random.below(u64::MAX))));
    }
    while let Some(ended) = all.join_next().await {
        println!("{}", ended??);
    }
    println!("done");
    std::future::pending().await
}

#[tokio::main]
async fn check_transfers(folder: &Path, count: u64) -> Result<()> {
    let hub = open(folder).await?;
    for n in 0..count {
        let record = hub.instance(format!("transfer-{n}"))?.wait_for_completion().await?;
        let ended = record.runtime_status;
        let may_be_terminated = n.is_multiple_of(TERMINATED);
        assert!(
            ended == RuntimeStatus::Completed
                || (may_be_terminated && ended == RuntimeStatus::Terminated),
            "{n} is {ended}"
        );
    }
    let is_unlocked =
        async || Ok(entities(&hub).await?.iter().all(|entity| entity.locked_by.is_none()));
    becomes("no lock is left", is_unlocked).await?;
    // An orchestration that locks all entities gets the locks.
    hub.start(locks_three(1)).await?.result().await?;
    let (mut cents, mut taken, mut arrived) = (0, BTreeMap::new(), BTreeSet::new());
    for key in 0..ACCOUNTS {
        let account = hub.entity_state::<Account>(key.to_string()).await?.unwrap_or_default();
        cents += account.cents;
        taken.extend(account.taken);
        arrived.extend(account.arrived);
    }
    taken.retain(|transfer, _| !arrived.contains(transfer));
    assert!(taken.keys().all(|transfer| transfer.is_multiple_of(TERMINATED)), "{taken:?}");
    assert_eq!(cents + taken.values().sum::<u64>(), ACCOUNTS * EACH_CENTS, "{taken:?} on its way");
    Ok(hub.shutdown().await?)
}

#[test]
fn killed_transfers_lose_no_money_and_leave_no_lock() -> Result<()> {
    let seed = if folder().is_some() { 0 } else { seed::seed() };
    let mut random = Random::new(seed);
    if let Some(folder) = folder() {
        let round = number(ROUND)?;
        return child_transfers(&folder, number(FIRST)?, round, Random::new(round));
    }
    let folder = tempfile::tempdir()?;
    let rounds = if seed::is_long() { 100 } else { 8 };
    let mut ended = BTreeSet::new();
    for round in 0..rounds {
        let most = transfers() / 2;
        let kill = (1 + random.below(most * 6), Duration::from_micros(random.below(20_000)));
        let kill = (round + 1 < rounds).then_some(kill);
        let first = (0..round * transfers()).find(|n| !ended.contains(n));
        let first = first.unwrap_or(round * transfers());
        let mut follow = |line: &str| {
            if let ["ended", n, _] = *line.split(' ').collect::<Vec<_>>() {
                ended.extend(n.parse::<u64>());
            }
        };
        let test = "killed_transfers_lose_no_money_and_leave_no_lock";
        run_child(test, folder.path(), (round, first), kill, &mut follow)?;
    }
    check_transfers(folder.path(), rounds * transfers())?;
    println!("{} critical sections", rounds * transfers());
    Ok(())
}
