//! An activity in a public module of the same name is imported with a glob.

#![deny(warnings)]

use durable::prelude::*;

pub mod charge {
    use durable::prelude::*;

    #[activity]
    pub async fn charge(cents: u32) -> u32 {
        cents
    }
}

pub use charge::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(charge(1).await? + crate::charge::charge(2).await?)
}

fn main() {
    let _: durable::Call<charge::charge> = charge(5);
    drop(order());
}
