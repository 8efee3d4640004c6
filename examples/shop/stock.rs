//! What is on the shelves: one entity for each product, and a schedule that refills them.

use durable::prelude::*;
use serde::{Deserialize, Serialize};

pub(crate) const PRODUCTS: [&str; 5] = ["teapot", "kettle", "mug", "tray", "samovar"];
const FULL: u32 = 40;

#[derive(Serialize, Deserialize)]
pub(crate) struct Stock {
    on_shelf: u32,
    sold: u64,
}

fn filled() -> Stock {
    Stock { on_shelf: FULL, sold: 0 }
}

#[entity(initial = filled)]
impl Stock {
    pub(crate) fn available(&self) -> u32 {
        self.on_shelf
    }

    pub(crate) fn take(&mut self, quantity: u32) {
        self.on_shelf = self.on_shelf.saturating_sub(quantity);
        self.sold += u64::from(quantity);
    }

    pub(crate) fn put_back(&mut self, quantity: u32) {
        self.on_shelf += quantity;
        self.sold = self.sold.saturating_sub(u64::from(quantity));
    }

    /// Fills the shelf; returns how many items were added.
    pub(crate) fn refill(&mut self) -> u32 {
        let added = FULL.saturating_sub(self.on_shelf);
        self.on_shelf += added;
        added
    }
}

/// Refills all shelves except those that are locked at the moment: they are refilled later.
#[orchestrator]
pub(crate) async fn restock(ctx: &OrchestrationContext) -> Result<()> {
    for product in PRODUCTS {
        Stock::at(product).refill().signal()?;
    }
    ctx.set_custom_status("ordered")?;
    Ok(())
}
