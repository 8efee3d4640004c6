//! Hubs that share a store, as processes share a database: the owners of partitions, requests to
//! partitions of other hubs, and partitions that change hands.

mod abandoned;
mod contract;
#[path = "../support/delegate.rs"]
mod delegate;
mod moves;
mod parked;
mod placed;
mod requests;

use std::future::Future;
use std::time::Duration;

use durable::prelude::*;
use durable::testing::{MemoryCluster, MemoryNode};

/// Longer than any wait in these tests, so that a test that hangs fails.
const LIMIT: Duration = Duration::from_mins(1);

#[activity]
async fn double(n: u64) -> Result<u64> {
    Ok(2 * n)
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Account(i64);

#[entity]
impl Account {
    fn deposit(&mut self, cents: i64) -> i64 {
        self.0 += cents;
        self.0
    }
}

/// An activity, a child and an entity, which are spread over all partitions.
#[orchestrator]
async fn spread(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    let doubled = double(n).await?;
    let child = leaf(doubled).instance_id(format!("leaf-{n}")).await?;
    Account::at(format!("account-{}", n % 7)).deposit(1).signal()?;
    Account::at("total").deposit(1).await?;
    Ok(child)
}

#[orchestrator]
async fn leaf(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    ctx.set_custom_status(&"called")?;
    double(n).await.map_err(Into::into)
}

#[orchestrator]
async fn approval(ctx: &OrchestrationContext) -> Result<String> {
    ctx.set_custom_status(&"waiting")?;
    let first = ctx.wait_for_external_event::<String>("First").await?;
    ctx.set_custom_status(&"half")?;
    let second = ctx.wait_for_external_event::<String>("Second").await?;
    Ok(first + &second)
}

async fn open(node: &MemoryNode) -> TaskHub {
    TaskHub::builder().store(node.clone()).partitions(8).open().await.unwrap()
}

/// Two hubs on one store, each of which owns half of the partitions.
async fn two() -> ((MemoryNode, TaskHub), (MemoryNode, TaskHub)) {
    let cluster = MemoryCluster::default();
    let (a, b) = (cluster.node(), cluster.node());
    let (hub_a, hub_b) = (open(&a).await, open(&b).await);
    until(|| a.partitions().len() == 4 && b.partitions().len() == 4).await;
    ((a, hub_a), (b, hub_b))
}

/// Waits until the store meets a condition.
async fn until(mut is_so: impl FnMut() -> bool) {
    within(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it takes too long")
}
