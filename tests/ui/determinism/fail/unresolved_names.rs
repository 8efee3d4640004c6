//! Names without a `use`: the message says how they were interpreted.
#![allow(unused)]

use durable::prelude::*;

#[orchestrator]
async fn ship(ctx: &OrchestrationContext) {
    Command::new("ship");
    Timestamp::now();
}

fn main() {}
