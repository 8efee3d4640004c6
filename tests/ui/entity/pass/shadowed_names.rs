//! User items with names that generated code uses.
#![deny(warnings)]
#![allow(dead_code, non_upper_case_globals)]

use durable::prelude::*;
#[allow(unused_imports)]
use serde::Serialize as Clone;

mod diagnostic {}

const all: u32 = 1;
const context: u32 = 1;
const entity: u32 = 1;
const initial: u32 = 1;
const input: u32 = 1;
const key: u32 = 1;
const operation: u32 = 1;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Counter(i64);

#[durable::entity]
impl Counter {
    fn add(&mut self, n: i64) {
        self.0 += n;
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Limited(i64);

#[durable::entity(initial = limited)]
impl Limited {
    fn add(&mut self, n: i64) {
        self.0 += n;
    }
}

fn limited() -> Limited {
    Limited(1)
}

#[durable::entity]
fn dynamic(ctx: &EntityContext) -> Result<()> {
    ctx.set_state(&1)
}

/// Not the state that a hub shares.
#[derive(serde::Serialize, serde::Deserialize)]
struct State<T>(T);

#[activity]
async fn read(state: State<u32>) -> u32 {
    state.0
}

#[orchestrator]
async fn visit(ctx: &OrchestrationContext) -> Result<u32> {
    Counter::at("a").add(1).signal()?;
    Limited::at("a").add(1).signal()?;
    dynamic::at("a").operation::<()>("add", &1).await?;
    Ok(read(State(1)).await?)
}

fn main() {
    let _ = visit();
}
