//! One function, changed in place while instances are running: without care, and with
//! `ctx.patched(..)`.

use std::path::Path;
use std::time::Duration;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

use crate::release;

#[durable::event]
#[derive(Serialize, Deserialize)]
struct Delivered;

#[activity]
async fn reserve(what: &str) -> Result<String> {
    Ok(format!("reserved {what}"))
}

#[activity]
async fn check_credit() -> Result<String> {
    Ok("checked the credit".to_owned())
}

/// The function of the first release.
mod release_1 {
    use super::{Delivered, reserve};
    use durable::prelude::*;

    #[orchestrator]
    pub(super) async fn purchase(ctx: &OrchestrationContext) -> Result<Vec<String>> {
        let done = vec![reserve("a sofa").await?];
        ctx.set_custom_status(&"waiting to be delivered")?;
        ctx.wait_for_event::<Delivered>().await?;
        Ok(done)
    }
}

/// A new step is inserted before one that running instances have passed: their history does not
/// fit.
mod careless {
    use super::{Delivered, check_credit, reserve};
    use durable::prelude::*;

    #[orchestrator]
    pub(super) async fn purchase(ctx: &OrchestrationContext) -> Result<Vec<String>> {
        let done = vec![check_credit().await?, reserve("a sofa").await?];
        ctx.set_custom_status(&"waiting to be delivered")?;
        ctx.wait_for_event::<Delivered>().await?;
        Ok(done)
    }
}

/// The same change, only for instances that reach this point for the first time.
mod careful {
    use super::{Delivered, check_credit, reserve};
    use durable::prelude::*;

    #[orchestrator]
    pub(super) async fn purchase(ctx: &OrchestrationContext) -> Result<Vec<String>> {
        let mut done = Vec::new();
        if ctx.patched("check-credit-first") {
            done.push(check_credit().await?);
        }
        done.push(reserve("a sofa").await?);
        ctx.set_custom_status(&"waiting to be delivered")?;
        ctx.wait_for_event::<Delivered>().await?;
        Ok(done)
    }
}

pub(crate) async fn show(path: &Path) -> Result<()> {
    println!("=== changed in place");

    let hub = release("release 1", path)
        .register::<release_1::purchase>()
        .register::<reserve>()
        .open()
        .await?;
    let run = hub.start(release_1::purchase().instance_id("old")).await?;
    while run.custom_status::<String>().await?.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("old has reserved, and waits to be delivered");
    hub.shutdown().await?;

    let careless = release("release 2, careless: does it go on?", path)
        .register::<careless::purchase>()
        .register::<reserve>()
        .register::<check_credit>()
        .verify_on_open(true);
    match careless.open().await {
        Err(error) => println!(
            "it does not open, and has changed nothing:\n  {}",
            error.to_string().replace('\n', "\n  ")
        ),
        Ok(hub) => hub.shutdown().await?,
    }

    let hub = release("release 2, careful", path)
        .register::<careful::purchase>()
        .register::<reserve>()
        .register::<check_credit>()
        .verify_on_open(true)
        .open()
        .await?;
    hub.start(careful::purchase().instance_id("new")).await?;
    for id in ["old", "new"] {
        hub.instance(id)?.raise(&Delivered).await?;
        if let Some(run) = hub.find_instance::<careful::purchase>(id).await? {
            println!("{id} {}", run.result().await?.join(", "));
        }
    }
    Ok(hub.shutdown().await?)
}
