//! Saga: an order of several steps, each with one that undoes it. When a step fails, those before it
//! are undone in reverse order.
//!
//! ```text
//! cargo run -p examples --bin saga -- --hub /tmp/orders
//! ```
//! Three orders: one goes well, one is declined by the bank, one cannot be shipped. The error comes
//! back as the value that it was.
//!
//! Kill it in the middle (`kill -9`) and run the same command again: every order goes on where it
//! was, forwards or backwards. When all have ended, the same command shows what is recorded; with
//! another `--hub` it begins anew, and without one it works in memory.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use comfy_table::{Table, presets};
use durable::TaskFailed;
use durable::client::ResultError;
use durable::prelude::*;
use durable::protocol::{EventKind, HistoryEvent};
use serde::{Deserialize, Serialize};

/// Places three orders, durably.
#[derive(Parser)]
struct Arguments {
    /// Where the task hub remembers what is done; in memory, if not given.
    #[arg(long)]
    hub: Option<PathBuf>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: String,
    cents: u32,
    card: String,
    address: String,
}

/// Why an order came to nothing. Whoever started it gets this very value.
#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
enum OrderError {
    #[error("the bank declined: {balance} cents are left")]
    Declined { balance: u32 },
    #[error("nobody delivers to {address}")]
    NoCarrier { address: String },
    #[error("{why}; and this could not be undone, somebody has to look at it: {}", .left.join(", "))]
    NotUndone { why: String, left: Vec<String> },
    #[error("{0}")]
    Other(String),
}

/// What undoes a step. The steps to undo are a value, like everything else in an orchestrator.
#[derive(Clone, Copy, Debug)]
enum Undo {
    ReleaseStock,
    Refund,
}

/// Fulfils the order, or leaves nothing of it.
#[orchestrator]
async fn place_order(ctx: &OrchestrationContext, order: Order) -> Result<String, OrderError> {
    let mut undo = Vec::new();
    let error = match fulfil(&order, &mut undo).await {
        Ok(parcel) => return Ok(parcel),
        Err(error) => error,
    };
    let mut left = Vec::new();
    while let Some(step) = undo.pop() {
        let undone = match step {
            Undo::ReleaseStock => release_stock(&order).await,
            Undo::Refund => refund(&order).await,
        };
        // The others are undone all the same.
        left.extend(undone.err().map(|failed| failed.to_string()));
    }
    if left.is_empty() {
        return Err(error);
    }
    Err(OrderError::NotUndone { why: error.to_string(), left })
}

/// The way forwards. What undoes a step is noted *before* the step: one that failed, such as by a
/// timeout, may have been done all the same. So undoing has to bear that there is nothing to undo.
#[durable::helper]
async fn fulfil(order: &Order, undo: &mut Vec<Undo>) -> Result<String, OrderError> {
    undo.push(Undo::ReleaseStock);
    reserve_stock(order).await?;
    undo.push(Undo::Refund);
    charge(order).retry(unless_the_bank_says_no()).await?;
    Ok(ship(order).await?) // the last step is never undone
}

/// A bank that cannot be reached is asked again; one that has declined is not.
fn unless_the_bank_says_no() -> RetryPolicy {
    RetryPolicy::new(5, Duration::from_millis(200))
        .backoff_coefficient(2.0)
        .handle(|retry| !retry.failure().is_caused_by::<OrderError>())
}

/// So that `?` hands on what an activity said.
impl From<TaskFailed<OrderError>> for OrderError {
    fn from(failed: TaskFailed<OrderError>) -> Self {
        let other = Self::Other(failed.to_string());
        failed.into_error().unwrap_or(other)
    }
}

#[activity(retry(max_number_of_attempts = 3, first_retry_interval = "100ms"))]
async fn reserve_stock(order: &Order) -> Result<(), OrderError> {
    say(order, "reserving stock").await;
    Ok(())
}

#[activity(attempt_timeout = "5s")]
async fn charge(ctx: &ActivityContext, order: &Order) -> Result<(), OrderError> {
    // The bank knows a repetition by its key, and charges once.
    let _key = ctx.idempotency_key();
    say(order, "charging the card").await;
    if order.card == "empty" {
        return Err(OrderError::Declined { balance: 12 });
    }
    Ok(())
}

#[activity]
async fn ship(order: &Order) -> Result<String, OrderError> {
    say(order, "shipping").await;
    if order.address == "Atlantis" {
        return Err(OrderError::NoCarrier { address: order.address.clone() });
    }
    Ok(format!("parcel-of-{}", order.id))
}

/// What undoes has to happen, sooner or later: it is tried for a long time.
#[activity(retry(
    max_number_of_attempts = 100,
    first_retry_interval = "100ms",
    backoff_coefficient = 2.0,
    max_retry_interval = "10m"
))]
async fn release_stock(order: &Order) -> Result<(), OrderError> {
    say(order, "undo: releasing stock").await;
    Ok(())
}

/// The bank is away at first; and where nothing was charged, nothing is to do.
#[activity(retry(
    max_number_of_attempts = 100,
    first_retry_interval = "100ms",
    backoff_coefficient = 2.0,
    max_retry_interval = "10m"
))]
async fn refund(ctx: &ActivityContext, order: &Order) -> Result<(), OrderError> {
    if order.card == "empty" {
        say(order, "undo: nothing was charged, so nothing is refunded").await;
        return Ok(());
    }
    say(order, &format!("undo: refunding, attempt {}", ctx.attempt())).await;
    if ctx.attempt() < 3 {
        return Err(OrderError::Other("the bank does not answer".to_owned()));
    }
    Ok(())
}

/// Stands for work.
async fn say(order: &Order, what: &str) {
    println!("{}: {what}", order.id);
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::main]
async fn main() -> Result<()> {
    let hub = match Arguments::parse().hub {
        Some(folder) => TaskHub::open(folder).await?,
        None => TaskHub::builder().in_memory().open().await?,
    };
    let order = |id: &str, card: &str, address: &str| Order {
        id: id.to_owned(),
        cents: 4200,
        card: card.to_owned(),
        address: address.to_owned(),
    };
    let orders = [
        order("order-1", "good", "Rome"),
        order("order-2", "empty", "Rome"),
        order("order-3", "good", "Atlantis"),
    ];
    for order in orders {
        let id = order.id.clone();
        // After a crash the order is there already, and goes on.
        let run = hub.start_if_absent(place_order(order).instance_id(&id)).await?;
        match run.result().await {
            Ok(parcel) => println!("{id} is on its way as {parcel}"),
            Err(ResultError::Failed(failed)) => match failed.error() {
                Some(OrderError::Declined { balance }) => {
                    println!("{id}: please use another card, this one has {balance} cents");
                }
                Some(error) => println!("{id} failed: {error}"),
                None => println!("{id} failed: {}", failed.details()),
            },
            Err(error) => return Err(error.into()),
        }
        println!("{}\n", account(&run.history().await?));
    }
    hub.shutdown().await
}

/// Which steps were taken, and what became of them.
fn account(history: &[HistoryEvent]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["step", "what became of it"]);
    for step in history {
        let EventKind::TaskScheduled { name, .. } = &step.kind else { continue };
        for event in history {
            let what = match &event.kind {
                EventKind::TaskCompleted { task_scheduled_id, .. }
                    if *task_scheduled_id == step.event_id =>
                {
                    "done".to_owned()
                }
                EventKind::TaskFailed { task_scheduled_id, failure }
                    if *task_scheduled_id == step.event_id =>
                {
                    format!("failed: {failure}")
                }
                EventKind::TaskAttemptFailed { task_scheduled_id, attempt, failure, .. }
                    if *task_scheduled_id == step.event_id =>
                {
                    format!("attempt {attempt} failed: {failure}")
                }
                _ => continue,
            };
            table.add_row([name.as_str(), &what]);
        }
    }
    table
}
