//! Timers: after a delay, at a time, as a deadline, and periodic.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use durable::prelude::*;

#[activity]
async fn remind(whom: &str) -> Result<()> {
    println!("{whom}, your trial ends");
    Ok(())
}

#[activity]
async fn is_ready(job: &str) -> Result<bool> {
    Ok(job.is_empty())
}

#[orchestrator]
async fn trial(ctx: &OrchestrationContext, customer: String) -> Result<()> {
    for _week in 0..3 {
        ctx.create_timer(Duration::from_hours(7 * 24)).await;
        remind(&customer).await?;
    }
    Ok(())
}

#[orchestrator]
async fn publish_at(ctx: &OrchestrationContext, time: DateTime<Utc>) -> Result<DateTime<Utc>> {
    ctx.create_timer(time - TimeDelta::hours(1)).await;
    remind("editor").await?;
    ctx.create_timer(time).await;
    Ok(ctx.current_utc_datetime())
}

/// Looks less and less often, and gives up in the end.
#[orchestrator]
async fn monitor(ctx: &OrchestrationContext, job: String) -> Result<bool> {
    let end = ctx.current_utc_datetime() + TimeDelta::days(1);
    let mut pause = Duration::from_secs(10);
    while ctx.current_utc_datetime() < end {
        if is_ready(&job).await? {
            return Ok(true);
        }
        ctx.create_timer(pause).await;
        pause = (2 * pause).min(Duration::from_hours(1));
    }
    Ok(false)
}

#[orchestrator]
async fn with_pauses(ctx: &OrchestrationContext, mut count: u32) -> u32 {
    let pause = || ctx.create_timer(TimeDelta::milliseconds(5));
    while count > 0 {
        pause().await;
        count -= 1;
    }
    count
}

fn main() {}
