//! Saga: an order of several steps, each with a compensation. When a step fails, the compensations
//! of the earlier steps run in reverse order.
//!
//! ```text
//! cargo run -p examples --bin saga -- --hub /tmp/orders
//! ```
//! Three orders: one succeeds, one is declined by the bank, one cannot be shipped. The errors come
//! back as typed values.
//!
//! Kill it in the middle (`kill -9`) and run the same command again: every order continues where it
//! stopped, forwards or backwards. When all have ended, the same command shows the recorded
//! results. With another `--hub` it starts over, and without one it runs in memory.

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
    /// The folder of the task hub; in memory if not given.
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

/// Why an order failed. The caller of the order gets this value.
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

/// A compensation. The list of compensations is a value, like everything else in an orchestrator.
#[derive(Clone, Copy, Debug)]
enum Undo {
    ReleaseStock,
    Refund,
}

/// Fulfills the order, or undoes all of it.
#[orchestrator]
async fn place_order(ctx: &OrchestrationContext, order: Order) -> Result<String, OrderError> {
    let mut undo = Vec::new();
    let error = match fulfill(&order, &mut undo).await {
        Ok(parcel) => return Ok(parcel),
        Err(error) => error,
    };
    let mut left = Vec::new();
    while let Some(step) = undo.pop() {
        let undone = match step {
            Undo::ReleaseStock => release_stock(&order).await,
            Undo::Refund => refund(&order).await,
        };
        // A failed compensation does not stop the others.
        left.extend(undone.err().map(|failed| failed.to_string()));
    }
    if left.is_empty() {
        return Err(error);
    }
    Err(OrderError::NotUndone { why: error.to_string(), left })
}

/// The steps of the order. A compensation is added *before* its step, because a step that failed
/// (by a timeout, for example) may have taken effect. A compensation must therefore accept that
/// there may be nothing to undo.
#[durable::helper]
async fn fulfill(order: &Order, undo: &mut Vec<Undo>) -> Result<String, OrderError> {
    undo.push(Undo::ReleaseStock);
    reserve_stock(order).await?;
    undo.push(Undo::Refund);
    charge(order).retry(unless_the_bank_says_no()).await?;
    Ok(ship(order).await?) // the last step is never undone
}

/// An unreachable bank is asked again; a decline is final.
fn unless_the_bank_says_no() -> RetryPolicy {
    RetryPolicy::new(5, Duration::from_millis(200))
        .backoff_coefficient(2.0)
        .handle(|retry| !retry.failure().is_caused_by::<OrderError>())
}

/// So that `?` passes on the error of an activity.
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
    // The bank recognizes a repetition by its key, and charges once.
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

/// A compensation must succeed eventually, so it is retried for a long time.
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

/// The bank is unreachable at first. If nothing was charged, there is nothing to do.
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

/// Simulates work.
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
        // After a crash the order already exists, and continues.
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
    Ok(hub.shutdown().await?)
}

/// The steps that ran, and their results.
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
                EventKind::TaskFailed { task_scheduled_id, failure, .. }
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
