//! Functions that are `pub` in a private module, with types that are private to the crate.
#![deny(warnings)]

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order(u32);

#[derive(Debug, Serialize, Deserialize)]
struct Declined;

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("declined")
    }
}

mod flows {
    use durable::prelude::*;

    use super::{Declined, Order};

    #[activity]
    pub async fn pay(order: &Order, cents: u32) -> Result<Order, Declined> {
        if cents == 0 { Err(Declined) } else { Ok(Order(order.0)) }
    }

    #[activity]
    pub fn copy(orders: &[Order]) -> Vec<Order> {
        orders.iter().map(|order| Order(order.0)).collect()
    }

    #[orchestrator]
    pub async fn buy(ctx: &OrchestrationContext, order: Order) -> Result<Order> {
        let call: durable::Call<pay> = pay(&order, 1);
        Ok(call.await?)
    }

    #[orchestrator]
    pub async fn again(ctx: &OrchestrationContext, order: Order) -> Result<Order> {
        let order = buy(order).await?;
        copy(std::slice::from_ref(&order)).await?;
        ctx.continue_as_new(again(order)).await
    }

    #[derive(Default, serde::Serialize, serde::Deserialize)]
    pub struct Stock(u32);

    #[entity]
    impl Stock {
        pub fn take(&mut self, order: Order) -> Result<Order, Declined> {
            self.0 = self.0.checked_sub(order.0).ok_or(Declined)?;
            Ok(order)
        }

        pub fn last(&self) -> Order {
            Order(self.0)
        }
    }

    #[entity]
    pub fn shelf(ctx: &EntityContext) -> Result<Order> {
        ctx.input()
    }

    pub mod again_out {
        pub use super::buy;
    }
}

fn named<O: durable::Orchestrator>() {}

fn main() {
    named::<flows::buy>();
    drop(flows::pay::run(&Order(1), 2));
    let _ = (flows::again_out::buy(Order(1)), flows::again(Order(1)));
    let _ = (flows::Stock::at("a").take(Order(1)), flows::Stock::at("a").last());
    let _ = flows::shelf::at("a");
}
