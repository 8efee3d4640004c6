//! Macros of the user that are named like log macros, which a replay leaves out.

#[macro_use]
mod own;

use durable::prelude::*;
use durable::testing::TestHub;

#[activity]
async fn charge_for_log(cents: u32) -> Result<u32> {
    Ok(cents)
}

#[orchestrator]
async fn collects_charges(ctx: &OrchestrationContext) -> Result<Vec<u32>> {
    let mut paid = Vec::new();
    for cents in [1, 2, 3] {
        let charged = charge_for_log(cents).await?;
        event!(paid, charged);
    }
    ctx.wait_for_external_event::<()>("paid").await?;
    Ok(paid)
}

#[tokio::test]
async fn a_replay_runs_a_macro_of_another_file_that_is_named_like_a_log_macro() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(collects_charges().instance_id("collects_charges")).await?;
    hub.settle().await;
    let hub = hub.reopen().await?;
    let collecting = hub.find_instance::<collects_charges>("collects_charges").await?.unwrap();
    collecting.raise_event("paid", &()).await?;
    assert_eq!(collecting.result().await?, [1, 2, 3]);
    Ok(hub.shutdown().await?)
}
