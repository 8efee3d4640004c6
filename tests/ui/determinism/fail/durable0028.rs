//! The body of an activity, called in an orchestrator.
#![allow(unused)]

use durable::prelude::*;

#[activity]
fn read_price(part: &str) -> Result<u32> {
    Ok(u32::try_from(part.len())?)
}

mod parts {
    use durable::prelude::*;

    #[activity]
    pub fn count(part: String) -> u32 {
        u32::from(part.is_empty())
    }
}

use parts::count as counted;

#[orchestrator]
async fn order(ctx: &OrchestrationContext, part: String) -> Result<u32> {
    let here = read_price::run(&part)?;
    let there = parts::count::run(part.clone());
    let renamed = counted::run(part.clone());
    Ok(here + there + renamed + read_price(&part).await?)
}

fn main() {}
