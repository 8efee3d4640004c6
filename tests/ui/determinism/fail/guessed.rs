//! Names that no `use` explains: the message says what they are taken for.
#![allow(unused)]

use durable::prelude::*;

#[orchestrator]
async fn ship(ctx: &OrchestrationContext) {
    Command::new("ship");
    Timestamp::now();
}

fn main() {}
