//! A store that fails: nothing is acknowledged that is not durable, and every waiter gets the
//! error.

use std::sync::Arc;

use durable::client::{HubError, ResultError, StartError};
use durable::prelude::*;

use crate::breaking::Breaking;

#[activity]
async fn breaks_down(disk: State<Arc<Breaking>>) -> u32 {
    disk.break_after(0);
    1
}

#[orchestrator]
async fn unlucky(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(breaks_down().await?)
}

#[tokio::test]
async fn when_the_store_fails_every_waiter_gets_the_error_and_reopening_continues() -> Result<()> {
    let disk = Arc::new(Breaking::new(false));
    let builder = || {
        TaskHub::builder()
            .store(disk.clone())
            .only_registered()
            .register::<unlucky>()
            .register::<breaks_down>()
            .state(Arc::clone(&disk))
    };
    let hub = builder().open().await?;
    let run = hub.start(unlucky().instance_id("unlucky")).await?;
    let result = run.result().await;
    assert!(matches!(result, Err(ResultError::Hub(HubError::Store(_)))), "{result:?}");
    let start = hub.start(unlucky()).await;
    assert!(matches!(start, Err(StartError::Hub(HubError::Store(_)))), "{start:?}");
    let said = format!("{:?}", hub.shutdown().await.unwrap_err());
    assert!(said.contains("the disk is gone"), "{said}");

    disk.mend();
    let hub = builder().open().await?;
    let run = hub.find_instance::<unlucky>("unlucky").await?.expect("its start was acknowledged");
    // It broke the disk again, before its result was recorded.
    let result = run.result().await;
    assert!(matches!(result, Err(ResultError::Hub(HubError::Store(_)))), "{result:?}");
    Ok(())
}

#[tokio::test]
async fn when_the_store_panics_every_waiter_gets_the_panic() -> Result<()> {
    let disk = Arc::new(Breaking::new(true));
    let builder = TaskHub::builder().store(disk.clone()).only_registered();
    let builder = builder.register::<unlucky>().register::<breaks_down>().state(Arc::clone(&disk));
    let hub = builder.open().await?;
    let result = hub.start(unlucky()).await?.result().await;
    assert!(matches!(result, Err(ResultError::Hub(HubError::Store(_)))), "{result:?}");
    let said = format!("{:?}", hub.shutdown().await.unwrap_err());
    assert!(said.contains("the disk is on fire"), "{said}");
    Ok(())
}
