//! Orchestrations that call orchestrations: awaited, in parallel, and detached.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::time::Duration;

use durable::InstanceId;
use durable::prelude::*;

#[activity]
async fn pack(item: &str) -> Result<u64> {
    Ok(item.len() as u64)
}

#[orchestrator]
async fn parcel(ctx: &OrchestrationContext, items: Vec<String>) -> Result<u64> {
    let weights = durable::try_join_all(items.iter().map(|item| pack(item))).await?;
    Ok(weights.into_iter().sum())
}

#[orchestrator]
async fn survey(ctx: &OrchestrationContext, customer: String) -> Result<()> {
    if ctx.parent().is_none() {
        pack(&customer).await?;
    }
    Ok(())
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, customer: String, items: Vec<String>) -> Result<u64> {
    let id = format!("{}-parcel", ctx.instance_id());
    let weight = parcel(items).instance_id(id).tag("customer", customer.as_str()).await?;
    ctx.start(survey(customer).start_at(Duration::from_hours(24)))?;
    Ok(weight)
}

#[orchestrator]
async fn all_parcels(ctx: &OrchestrationContext, parcels: Vec<Vec<String>>) -> Result<u64> {
    let weights = durable::try_join_all(parcels.into_iter().map(parcel)).at_most(10).await?;
    Ok(weights.into_iter().sum())
}

#[orchestrator]
async fn meanwhile(ctx: &OrchestrationContext) -> Result<u64> {
    let running = parcel(vec!["lamp".to_owned()]).spawn();
    let own = pack("shade").await?;
    Ok(own + running.await?)
}

#[orchestrator]
async fn surveys(ctx: &OrchestrationContext, customers: Vec<String>) -> Result<Vec<InstanceId>> {
    customers.into_iter().map(|customer| ctx.start(survey(customer))).collect()
}

fn main() {}
