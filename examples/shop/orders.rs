//! The life of an order: stock, approval, payment, delivery.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use durable::error::NonRetriable;
use durable::prelude::*;
use serde::{Deserialize, Serialize};

use crate::stock::Stock;

/// Orders above this amount need an approval.
const APPROVAL_ABOVE_EUROS: u32 = 500;
const APPROVAL_TIME: Duration = Duration::from_hours(48);

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) number: u32,
    pub(crate) customer: String,
    pub(crate) product: String,
    pub(crate) quantity: u32,
    pub(crate) euros: u32,
    pub(crate) address: String,
}

/// Raised by the person who approves or rejects a large order.
#[durable::event]
#[derive(Serialize, Deserialize)]
pub(crate) struct Approval {
    pub(crate) approved: bool,
    pub(crate) by: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("{product} is out of stock")]
    OutOfStock { product: String },
    #[error("{by} rejected the order")]
    Rejected { by: String },
    #[error("nobody approved the order in time")]
    NotApproved,
    #[error("the bank declined the payment")]
    Declined,
    #[error("{0}")]
    BankUnreachable(String),
}

impl NonRetriable for OrderError {
    fn is_non_retriable(&self) -> bool {
        matches!(self, Self::Declined)
    }
}

/// Takes an order from stock to door. The result is the number of the parcel.
#[orchestrator]
pub(crate) async fn fulfill(ctx: &OrchestrationContext, order: Order) -> Result<String> {
    check_address(order.number, &order.address).await?;
    ctx.set_custom_status("reserving stock")?;
    if !reserve(ctx, &order).await? {
        return Err(OrderError::OutOfStock { product: order.product }.into());
    }
    let outcome = pay_and_ship(ctx, &order).await;
    if outcome.is_err() {
        Stock::at(&order.product).put_back(order.quantity).await?;
    }
    outcome
}

/// Takes the items from the shelf. While the shelf is checked, no other order takes from it.
#[durable::helper]
async fn reserve(ctx: &OrchestrationContext, order: &Order) -> Result<bool> {
    let mut shelf = ctx.lock_entities(Stock::at(&order.product)).await?;
    if shelf.available().await? < order.quantity {
        return Ok(false);
    }
    inspect(&order.product).await?;
    shelf.take(order.quantity).await?;
    Ok(true)
}

#[durable::helper]
async fn pay_and_ship(ctx: &OrchestrationContext, order: &Order) -> Result<String> {
    if order.euros > APPROVAL_ABOVE_EUROS {
        ctx.set_custom_status("waiting for approval")?;
        let approval = durable::timeout(APPROVAL_TIME, ctx.wait_for_event::<Approval>()).await;
        let Ok(approval) = approval else { return Err(OrderError::NotApproved.into()) };
        let Approval { approved, by } = approval?;
        if !approved {
            return Err(OrderError::Rejected { by }.into());
        }
    }
    ctx.set_custom_status("charging the card")?;
    charge(order).await?;
    ctx.set_custom_status("on its way")?;
    let parcel = deliver(order.number, order.address.clone());
    Ok(parcel.instance_id(format!("parcel-{}", order.number)).await?)
}

/// Brings a parcel to its address: a child of the order.
#[orchestrator]
async fn deliver(ctx: &OrchestrationContext, number: u32, address: String) -> Result<String> {
    let parcel = hand_over(number, &address).await?;
    let on_the_road = if address == "Atlantis" {
        Duration::from_hours(8)
    } else {
        Duration::from_secs(2 + u64::from(number % 5))
    };
    ctx.create_timer(on_the_road).await;
    Ok(parcel)
}

/// The first check of some orders fails, so that their instances can be rewound.
#[activity]
async fn check_address(number: u32, address: &str) -> Result<()> {
    static CHECKED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
    take_time(20).await;
    let is_first = CHECKED.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
    if number.is_multiple_of(13) && is_first {
        return Err(durable::Error::msg(format!("the map of {address} does not load")));
    }
    Ok(())
}

#[activity]
async fn inspect(product: &str) -> Result<()> {
    take_time(u64::try_from(product.len()).unwrap_or_default() * 10).await;
    Ok(())
}

/// The bank is not always reachable, and its customers are not always solvent.
#[activity(retry(
    max_number_of_attempts = 30,
    first_retry_interval = "1s",
    backoff_coefficient = 1.3,
    max_retry_interval = "20s"
))]
async fn charge(ctx: &ActivityContext, order: &Order) -> Result<(), OrderError> {
    take_time(120).await;
    if order.customer == "Mallory" {
        return Err(OrderError::BankUnreachable("connection to bank.example refused".to_owned()));
    }
    if order.number.is_multiple_of(7) && ctx.attempt() < 3 {
        return Err(OrderError::BankUnreachable(
            "the bank did not answer within 100 ms".to_owned(),
        ));
    }
    if order.number.is_multiple_of(11) {
        return Err(OrderError::Declined);
    }
    Ok(())
}

#[activity]
async fn hand_over(number: u32, address: &str) -> Result<String> {
    take_time(80).await;
    if address.is_empty() {
        return Err(durable::Error::msg("the parcel has no address"));
    }
    Ok(format!("P-{number:05}"))
}

/// Stands for the time that a remote service takes.
async fn take_time(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
