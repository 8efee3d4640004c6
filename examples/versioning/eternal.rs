//! An orchestration that never ends moves to new code when it continues as new.

use std::path::Path;
use std::time::Duration;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

use crate::release;

#[durable::event]
#[derive(Serialize, Deserialize)]
struct Reading(u64);

/// The first release: adds up readings.
mod release_1 {
    use super::Reading;
    use durable::prelude::*;

    #[orchestrator(name = "meter", version = "1")]
    pub(super) async fn meter(ctx: &OrchestrationContext, sum: u64) -> Result<()> {
        let Reading(reading) = ctx.wait_for_event().await?;
        ctx.set_custom_status(&(sum + reading))?;
        ctx.continue_as_new(meter(sum + reading)).await
    }
}

/// The second release: also counts them, which needs a different input.
mod release_2 {
    use super::{Reading, Tally};
    use durable::prelude::*;

    /// The old code except for its end, where it continues as version 2: a call carries the version
    /// of its function. A running execution has not reached its end yet, so its history fits.
    #[orchestrator(name = "meter", version = "1")]
    pub(super) async fn old_meter(ctx: &OrchestrationContext, sum: u64) -> Result<()> {
        let Reading(reading) = ctx.wait_for_event().await?;
        let tally = Tally { sum: sum + reading, readings: 1 };
        ctx.set_custom_status(&tally)?;
        ctx.continue_as_new(meter(tally)).await
    }

    #[orchestrator(name = "meter", version = "2")]
    pub(super) async fn meter(ctx: &OrchestrationContext, mut tally: Tally) -> Result<()> {
        let Reading(reading) = ctx.wait_for_event().await?;
        tally.sum += reading;
        tally.readings += 1;
        ctx.set_custom_status(&tally)?;
        ctx.continue_as_new(meter(tally)).await
    }
}

#[derive(Serialize, Deserialize)]
struct Tally {
    sum: u64,
    readings: u64,
}

pub(crate) async fn show(path: &Path) -> Result<()> {
    println!("=== an eternal orchestration moves on to the new version");

    let hub =
        release("release 1 has version 1", path).register::<release_1::meter>().open().await?;
    hub.start(release_1::meter(0).instance_id("meter")).await?;
    read_meter(&hub, 5).await?;
    hub.shutdown().await?;

    let hub = release("release 2 has versions 1 and 2", path)
        .register::<release_2::old_meter>()
        .register::<release_2::meter>()
        .open()
        .await?;
    read_meter(&hub, 6).await?;
    read_meter(&hub, 7).await?;
    hub.instance("meter")?.terminate("the example ends").await?;
    println!();
    Ok(hub.shutdown().await?)
}

/// Raises a reading, and returns the state of the meter after it.
async fn read_meter(hub: &TaskHub, reading: u64) -> Result<()> {
    let meter = hub.instance("meter")?;
    let before = meter.status().await?.custom_status;
    meter.raise(&Reading(reading)).await?;
    loop {
        let now = meter.status().await?;
        if now.custom_status != before {
            let (version, status) = (now.version, now.custom_status.map(|json| json.to_string()));
            println!(
                "reading {reading}: the meter says {}, and goes on as version {}",
                status.unwrap_or_default(),
                version.unwrap_or_default()
            );
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
