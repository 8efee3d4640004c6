//! An orchestrator stays on its thread.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::cell::RefCell;
use std::rc::Rc;

use durable::prelude::*;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn sum(ctx: &OrchestrationContext, upto: u32) -> Result<u32> {
    let sum = Rc::new(RefCell::new(0));
    for n in 0..upto {
        let twice = double(n).await?;
        *sum.borrow_mut() += twice;
    }
    Ok(sum.take())
}

fn main() {
    drop(sum(1));
}
