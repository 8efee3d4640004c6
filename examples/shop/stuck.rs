//! Five instances that are stuck, each for a different reason. The dashboard and the command line
//! show why.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

use crate::orders::{Order, fulfill};
use crate::stock::Stock;

/// What a stocktaker raises when a shelf has been counted.
#[durable::event]
#[derive(Serialize, Deserialize)]
struct Counted {
    items: u32,
}

/// Holds the lock of a shelf until it is counted.
#[orchestrator]
async fn stocktake(ctx: &OrchestrationContext, product: String) -> Result<u32> {
    let shelf = ctx.lock_entities(Stock::at(&product)).await?;
    let Counted { items } = ctx.wait_for_event().await?;
    drop(shelf);
    Ok(items)
}

/// Whether the new price list is in force: a global variable, which an orchestrator must not read.
static NEW_PRICES: AtomicBool = AtomicBool::new(false);

/// Computes a price. The bug is deliberate: on replay, it takes the other branch.
#[durable::allow(DURABLE0023, reason = "it shows what becomes of a non-deterministic orchestrator")]
#[orchestrator]
async fn price(ctx: &OrchestrationContext, product: String) -> Result<u32> {
    let price = if NEW_PRICES.load(Ordering::Relaxed) {
        new_price(&product).await?
    } else {
        old_price(&product).await?
    };
    ctx.wait_for_external_event::<bool>("Accepted").await?;
    Ok(price)
}

#[activity]
async fn old_price(product: &str) -> Result<u32> {
    Ok(if product == "samovar" { 300 } else { 20 })
}

#[activity]
async fn new_price(product: &str) -> Result<u32> {
    Ok(if product == "samovar" { 320 } else { 25 })
}

/// Runs before the shop opens: an instance whose history does not fit the code any more.
pub(crate) async fn before_opening(hub: &TaskHub) -> Result<()> {
    let instance = hub.instance("price-of-samovar")?;
    // An earlier run of the shop has left it, and the old prices would let it complete.
    let _absent_or_ended = instance.terminate("the shop opens again").await;
    let _absent = instance.purge().await;
    hub.start(price("samovar".to_owned()).instance_id("price-of-samovar")).await?;
    // It waits for the event when the activity has completed.
    while instance.history().await?.len() < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    NEW_PRICES.store(true, Ordering::Relaxed);
    Ok(())
}

pub(crate) async fn start(hub: &TaskHub) -> Result<()> {
    let order = |number: u32, product: &str| Order {
        number,
        customer: "Ada".to_owned(),
        product: product.to_owned(),
        quantity: 1,
        euros: 80,
        address: "London".to_owned(),
    };
    let fulfill = |order: Order| {
        let id = format!("order-{}", order.number);
        fulfill(order).tag("shop", "stuck").instance_id(id)
    };
    // The bank cannot be reached for this customer.
    hub.start_if_absent(fulfill(Order { customer: "Mallory".to_owned(), ..order(9001, "mug") }))
        .await?;
    // The name of the event is misspelt.
    hub.start_if_absent(fulfill(Order { euros: 900, ..order(9002, "mug") })).await?;
    let _timed_out = hub.instance("order-9002")?.raise_event("Aproval", &true).await;
    // Another instance has locked the shelf.
    hub.start_if_absent(stocktake("tray".to_owned()).instance_id("stocktake-tray")).await?;
    hub.start_if_absent(fulfill(order(9003, "tray"))).await?;
    // Its child waits for a timer.
    hub.start_if_absent(fulfill(Order { address: "Atlantis".to_owned(), ..order(9004, "mug") }))
        .await?;
    // Its history does not fit the code.
    hub.instance("price-of-samovar")?.raise_event("Accepted", &true).await?;
    Ok(())
}
