//! Shutdown: with a limit, several at the same time, and with activities that never end.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use durable::client::ShutdownReport;
use durable::prelude::*;
use tokio::sync::Notify;

static STUBBORN: Notify = Notify::const_new();
static MAY_END: AtomicBool = AtomicBool::new(false);

/// Does not look at its token.
#[activity]
async fn stubborn() -> u32 {
    STUBBORN.notify_one();
    if MAY_END.load(Ordering::SeqCst) { 7 } else { std::future::pending().await }
}

#[orchestrator]
async fn calls_stubborn(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(stubborn().await?)
}

/// The report of a shutdown that interrupts `stubborn`.
async fn interrupted_within(limit: Duration, folder: &Path) -> Result<ShutdownReport> {
    let hub = TaskHub::open(folder).await?;
    hub.start(calls_stubborn().instance_id("stubborn")).await?;
    STUBBORN.notified().await;
    // A shutdown without a limit ends together with the others.
    let patient = tokio::spawn(hub.clone().shutdown());
    let report = hub.shutdown_within(limit).await?;
    patient.await.unwrap()?;
    Ok(report)
}

#[tokio::test]
async fn shutdown_within_reports_interrupted_activities_and_they_run_again() -> Result<()> {
    let mut limit = Duration::from_secs(1);
    // On a busy machine, the threads of the hub may not end within a short limit.
    let (folder, report) = loop {
        let folder = tempfile::tempdir()?;
        let report = interrupted_within(limit, folder.path()).await?;
        if report.threads.is_empty() || limit > Duration::from_mins(1) {
            break (folder, report);
        }
        limit *= 4;
    };
    assert!(!report.is_complete());
    assert_eq!(report.activities.len(), 1);
    let said = report.to_string();
    let expected = "given up while still running: activities: `stubborn` of instance `stubborn`";
    assert_eq!(said, expected);
    MAY_END.store(true, Ordering::SeqCst);
    // The folder is free.
    let hub = TaskHub::open(folder.path()).await?;
    let run = hub.find_instance::<calls_stubborn>("stubborn").await?.expect("it is there");
    assert_eq!(run.result().await?, 7);
    let report = hub.shutdown_within(Duration::from_hours(1)).await?;
    assert!(report.is_complete(), "{report}");
    Ok(())
}

static WAITS: Notify = Notify::const_new();
static LEAVE: Notify = Notify::const_new();

#[activity]
async fn waits_for_leave() -> u32 {
    WAITS.notify_one();
    LEAVE.notified().await;
    1
}

#[orchestrator]
async fn calls_waits_for_leave(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(waits_for_leave().await?)
}

#[tokio::test]
async fn a_shutdown_of_a_clone_waits_for_the_first_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hub = TaskHub::open(folder.path()).await?;
    hub.start(calls_waits_for_leave()).await?;
    WAITS.notified().await;
    let mut first = tokio::spawn(hub.clone().shutdown());
    let mut second = Box::pin(hub.clone().shutdown());
    // Neither is done while the activity runs.
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert!(!first.is_finished());
        assert!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx)))
                .await
                .is_pending()
        );
    }
    // Dropping one stops neither.
    first.abort();
    assert!((&mut first).await.unwrap_err().is_cancelled());
    LEAVE.notify_one();
    second.await?;
    Ok(TaskHub::open(folder.path()).await?.shutdown().await?)
}

#[tokio::test]
async fn a_folder_can_be_opened_as_soon_as_its_hub_is_dropped() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for _ in 0..20 {
        drop(TaskHub::open(folder.path()).await?);
    }
    Ok(())
}

static BEGUN: Notify = Notify::const_new();
static DROPPED: Notify = Notify::const_new();

#[activity]
async fn ignores_its_token() {
    let _told = Told;
    BEGUN.notify_one();
    std::future::pending::<()>().await;
}

#[activity]
async fn comes_next() -> u32 {
    2
}

struct Told;

impl Drop for Told {
    fn drop(&mut self) {
        DROPPED.notify_one();
    }
}

#[orchestrator]
async fn gives_up(ctx: &OrchestrationContext) -> Result<u32> {
    let abandoned = ignores_its_token().spawn();
    ctx.wait_for_external_event::<()>("begun").await?;
    drop(abandoned);
    Ok(comes_next().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_activity_frees_its_slot_after_a_grace_period() -> Result<()> {
    let hub = TaskHub::builder()
        .in_memory()
        .activity_concurrency(1)
        .activity_grace(Duration::from_millis(20))
        .open()
        .await?;
    let run = hub.start(gives_up()).await?;
    // An activity that is abandoned before it begins never does.
    BEGUN.notified().await;
    run.raise_event("begun", &()).await?;
    assert_eq!(run.result().await?, 2);
    DROPPED.notified().await;
    Ok(hub.shutdown().await?)
}
