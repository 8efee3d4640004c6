//! Functions declared inside others.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

fn main() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Order {
        cents: u32,
    }

    #[activity]
    async fn charge(prices: State<u32>, order: Order) -> Result<u32> {
        Ok(order.cents * *prices)
    }

    #[orchestrator]
    async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
        Ok(charge(Order { cents }).await?)
    }

    drop(order(5));
    let in_a_closure = || {
        #[activity]
        fn double(n: u32) -> u32 {
            2 * n
        }
        double(2)
    };
    drop(in_a_closure());
}
