//! An orchestrator that a macro generates is checked at the call of the macro.
#![allow(unused)]

use std::time::Instant as Stopwatch;

use durable::prelude::*;

static COUNT: u32 = 1;

fn now() -> Stopwatch {
    Stopwatch::now()
}

macro_rules! orchestration {
    ($name:ident) => {
        #[orchestrator]
        async fn $name(ctx: &OrchestrationContext) -> u32 {
            let elapsed = Stopwatch::now().elapsed();
            let behind = now();
            COUNT
        }
    };
}

orchestration!(count);

fn main() {}
