//! External events: by name, by type, several at once, and sent to other instances.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::time::Duration;

use durable::prelude::*;
use durable::task::Race2;
use durable::InstanceId;
use serde::{Deserialize, Serialize};

#[durable::event]
#[derive(Serialize, Deserialize)]
struct Approval {
    by: String,
    granted: bool,
}

#[activity]
async fn ask(whom: &str, answer_to: &str) -> Result<()> {
    println!("{whom}: answer to {answer_to}");
    Ok(())
}

#[orchestrator]
async fn approval(ctx: &OrchestrationContext, manager: String) -> Result<bool> {
    ask(&manager, ctx.instance_id().as_str()).await?;
    Ok(ctx.wait_for_external_event("Approval").await?)
}

/// Asks the next one if the first does not answer.
#[orchestrator]
async fn escalated(ctx: &OrchestrationContext, managers: Vec<String>) -> Result<Option<String>> {
    for manager in &managers {
        ask(manager, ctx.instance_id().as_str()).await?;
        let answer = ctx.wait_for_event::<Approval>();
        let two_days = ctx.create_timer(Duration::from_hours(48));
        if let Race2::First(answer) = durable::race((answer, two_days)).await {
            let Approval { by, granted } = answer?;
            return Ok(granted.then_some(by));
        }
    }
    Ok(None)
}

#[orchestrator]
async fn gather(ctx: &OrchestrationContext, count: usize) -> Result<Vec<u32>> {
    let mut numbers = Vec::with_capacity(count);
    while numbers.len() < count {
        numbers.push(ctx.wait_for_external_event::<u32>("Number").await?);
    }
    Ok(numbers)
}

#[orchestrator]
async fn ping(ctx: &OrchestrationContext, other: InstanceId, rounds: u32) -> Result<u32> {
    let mut last = 0;
    for round in 0..rounds {
        ctx.send_event(&other, "ping", &round)?;
        last = ctx.wait_for_external_event("pong").await?;
    }
    Ok(last)
}

#[orchestrator]
async fn all_of_three(ctx: &OrchestrationContext) -> Result<u32> {
    let event = |name| ctx.wait_for_external_event::<u32>(name);
    let (a, b, c) = durable::try_join((event("a"), event("b"), event("c"))).await?;
    Ok(a + b + c)
}

fn main() {}
