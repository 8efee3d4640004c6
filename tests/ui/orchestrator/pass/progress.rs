//! The custom status, and deterministic methods of the context.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;
use serde::Serialize;

#[activity]
async fn convert(page: u32) -> Result<u64> {
    Ok(u64::from(page))
}

#[derive(Serialize)]
struct Progress {
    done: u32,
    of: u32,
}

#[orchestrator]
async fn convert_all(ctx: &OrchestrationContext, pages: u32) -> Result<u64> {
    let mut size = 0;
    for page in 0..pages {
        ctx.set_custom_status(&Progress { done: page, of: pages })?;
        size += convert(page).await?;
    }
    ctx.clear_custom_status();
    Ok(size)
}

#[orchestrator]
async fn sampled(ctx: &OrchestrationContext, pages: Vec<u32>) -> Result<u64> {
    let mut size = 0;
    for page in pages {
        if ctx.random_f64() < 0.1 {
            size += convert(page).await?;
        }
    }
    Ok(size)
}

#[orchestrator]
async fn named(ctx: &OrchestrationContext) -> Result<String> {
    let id = ctx.new_guid();
    convert(1).tag("id", id.to_string()).await?;
    Ok(format!("{id} {}", ctx.random_u64()))
}

#[orchestrator]
async fn changed_under_way(ctx: &OrchestrationContext) -> Result<u64> {
    if ctx.patched("two-pages") {
        let (one, two) = durable::try_join((convert(1), convert(2))).await?;
        Ok(one + two)
    } else {
        Ok(convert(1).await?)
    }
}

#[orchestrator(name = "Describe", version = "2")]
async fn describe(ctx: &OrchestrationContext) -> Result<String> {
    convert(0).await?;
    let version = ctx.version().unwrap_or_default();
    let region = ctx.property("region").unwrap_or("everywhere");
    Ok(format!("{} {version} {} in {region}", ctx.name(), ctx.generation()))
}

fn main() {}
