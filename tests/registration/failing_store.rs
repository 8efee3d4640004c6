//! A store that fails: nothing is acknowledged before it is durable, and every waiter gets the
//! error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use durable::client::{HubError, ResultError, StartError};
use durable::prelude::*;

use crate::breaking::Breaking;

/// A disk that the first run of [`breaks_down`] breaks.
struct Disk {
    store: Arc<Breaking>,
    has_broken: AtomicBool,
}

impl Disk {
    fn new(panics: bool) -> Arc<Self> {
        let (store, has_broken) = (Arc::new(Breaking::new(panics)), AtomicBool::new(false));
        Arc::new(Self { store, has_broken })
    }
}

#[activity]
async fn breaks_down(disk: State<Arc<Disk>>) -> u32 {
    if !disk.has_broken.swap(true, Ordering::SeqCst) {
        disk.store.break_after(0);
    }
    1
}

#[orchestrator]
async fn unlucky(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(breaks_down().await?)
}

#[tokio::test]
async fn when_the_store_fails_every_waiter_gets_the_error_and_reopening_continues() -> Result<()> {
    let disk = Disk::new(false);
    let builder = || {
        TaskHub::builder()
            .store(Arc::clone(&disk.store))
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

    disk.store.mend();
    let hub = builder().open().await?;
    let run = hub.find_instance::<unlucky>("unlucky").await?.expect("its start was acknowledged");
    assert_eq!(run.result().await?, 1);
    Ok(())
}

#[tokio::test]
async fn when_the_store_panics_every_waiter_gets_the_panic() -> Result<()> {
    let disk = Disk::new(true);
    let builder = TaskHub::builder().store(Arc::clone(&disk.store)).only_registered();
    let builder = builder.register::<unlucky>().register::<breaks_down>().state(Arc::clone(&disk));
    let hub = builder.open().await?;
    let result = hub.start(unlucky()).await?.result().await;
    assert!(matches!(result, Err(ResultError::Hub(HubError::Store(_)))), "{result:?}");
    let said = format!("{:?}", hub.shutdown().await.unwrap_err());
    assert!(said.contains("the disk is on fire"), "{said}");
    Ok(())
}
