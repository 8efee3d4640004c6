//! The work of a soak test: each orchestration increments the count of its round exactly once.

use std::time::Duration;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[activity]
async fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[orchestrator]
async fn child(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    ctx.create_timer(Duration::from_millis(20)).await;
    Ok(add(n, 1).await?)
}

/// Activities in sequence and in parallel, a timer, an event, a sub-orchestration and an entity.
#[orchestrator]
pub(crate) async fn job(ctx: &OrchestrationContext, round: u64, n: u64) -> Result<u64> {
    let sum = add(n, 1).await?;
    let parts = durable::try_join_all((0..3).map(|part| add(sum, part))).await?;
    let given: u64 = ctx.wait_for_external_event("go").await?;
    let more = child(given).await?;
    Count::at(round.to_string()).add(1).signal()?;
    Ok(parts.iter().sum::<u64>() + more)
}

/// The number of orchestrations of a round that have ended.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Count(u64);

#[entity]
impl Count {
    pub(crate) fn add(&mut self, n: u64) {
        self.0 += n;
    }

    pub(crate) fn get(&self) -> u64 {
        self.0
    }
}
