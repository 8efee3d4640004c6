//! Two versions of one orchestration at once: each instance continues with the code with which it
//! was started.

use std::path::Path;

use durable::client::{ResultError, VersionMatch};
use durable::prelude::*;
use serde::{Deserialize, Serialize};

use crate::release;

#[durable::event]
#[derive(Serialize, Deserialize)]
struct Paid;

#[activity]
async fn step(what: &str) -> Result<String> {
    Ok(what.to_owned())
}

/// The code of the first release.
mod v1 {
    use super::{Paid, step};
    use durable::prelude::*;

    #[orchestrator(name = "order", version = "1")]
    pub(super) async fn order(ctx: &OrchestrationContext) -> Result<Vec<String>> {
        ctx.wait_for_event::<Paid>().await?;
        Ok(vec![step("ship").await?])
    }
}

/// The code of the second release: it checks for fraud before it ships.
mod v2 {
    use super::{Paid, step};
    use durable::prelude::*;

    #[orchestrator(name = "order", version = "2")]
    pub(super) async fn order(ctx: &OrchestrationContext) -> Result<Vec<String>> {
        ctx.wait_for_event::<Paid>().await?;
        Ok(vec![step("check for fraud").await?, step("ship").await?])
    }
}

pub(crate) async fn show(path: &Path) -> Result<()> {
    println!("=== side by side");

    let hub = release("release 1 has version 1", path)
        .register::<v1::order>()
        .register::<step>()
        .open()
        .await?;
    for id in ["order-1", "order-2"] {
        hub.start(v1::order().instance_id(id)).await?;
        println!("{id} is started and waits to be paid");
    }
    hub.shutdown().await?;

    let hub = release("release 2 has versions 1 and 2", path)
        .register::<v1::order>()
        .register::<v2::order>()
        .register::<step>()
        .open()
        .await?;
    hub.start(v2::order().instance_id("order-3")).await?;
    for id in ["order-1", "order-3"] {
        let run = hub.instance(id)?;
        run.raise(&Paid).await?;
        let record = run.wait_for_completion().await?;
        let output = run.details().await?.output.map(|json| json.to_string());
        let version = record.version.unwrap_or_default();
        println!("{id} has version {version} and did {}", output.unwrap_or_default());
    }
    hub.shutdown().await?;

    without_the_old_code(path).await
}

/// `order-2` still exists, but its code does not.
async fn without_the_old_code(path: &Path) -> Result<()> {
    let hub = release("release 3 has version 2 only", path)
        .register::<v2::order>()
        .register::<step>()
        .open()
        .await?;
    let run = hub.instance("order-2")?;
    run.raise(&Paid).await?;
    let record = run.wait_for_completion().await?;
    println!("order-2 is {}; nothing of it is lost", record.runtime_status);
    if let Some(suspension) = record.suspension {
        println!("  {}", suspension.reason.replace('\n', "\n  "));
    }
    hub.shutdown().await?;

    // For changes that do not affect the steps done so far; the replay verifies that.
    let hub = release("release 4 lets old instances go on with the newest version", path)
        .register::<v2::order>()
        .register::<step>()
        .version_match(VersionMatch::CurrentOrOlder)
        .open()
        .await?;
    let Some(run) = hub.find_instance::<v2::order>("order-2").await? else {
        return Err(Error::msg("order-2 is gone"));
    };
    match run.result().await {
        Ok(did) => println!("order-2 was started with version 1 and did {did:?}\n"),
        Err(ResultError::Suspended(suspension)) => println!("order-2 waits: {suspension}\n"),
        Err(error) => return Err(error.into()),
    }
    Ok(hub.shutdown().await?)
}
