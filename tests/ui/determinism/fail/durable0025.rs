#![allow(unused)]

use durable::prelude::*;

use tokio::{join as both, select};

// In place of the crate of this name.
extern crate self as futures;

pub mod future {
    pub fn join_all<T>(all: T) -> T {
        all
    }
}

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    use futures::future::join_all;
    use futures::future::join_all as every;

    let full = tokio::join!(double(1), double(2));
    let renamed = both!(double(1), double(2));
    let first = select! {
        one = double(1) => one,
        two = double(2) => two,
    };
    let used = join_all([double(1)]);
    let also = every([double(1)]);
    Ok(first?)
}

fn main() {}
