//! Log lines of the hub: one per fact, when the fact is durable, and without user values.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use durable::client::{ManageError, ResultError};
use durable::prelude::*;
use durable::store::MemoryStore;
use durable::testing::{TestHub, TestHubBuilder};
use tokio::sync::Semaphore;

use super::listeners::{Line, lines_with, listen};

const SECOND: Duration = Duration::from_secs(1);

#[activity]
async fn line_fails(ctx: &ActivityContext, fails: u32, _card: &str) -> Result<()> {
    if ctx.attempt() <= fails { Err(Error::msg("no connection")) } else { Ok(()) }
}

#[orchestrator]
async fn line_retries(ctx: &OrchestrationContext, fails: u32, card: String) -> Result<()> {
    line_fails(fails, &card).retry(RetryPolicy::new(3, 10 * SECOND)).await?;
    ctx.wait_for_external_event::<()>("go").await?;
    Ok(())
}

#[orchestrator]
async fn line_panics(ctx: &OrchestrationContext, text: String) -> Result<()> {
    assert!(text.is_empty(), "{text}");
    Ok(())
}

#[orchestrator]
async fn line_parent(ctx: &OrchestrationContext, id: String) -> Result<()> {
    let child = line_panics("the child".to_owned()).instance_id(&id);
    child.retry(RetryPolicy::new(2, SECOND)).await.unwrap_err();
    Ok(())
}

/// The lines of an instance as `LEVEL message`. Also checks that each has the target of the hub.
#[track_caller]
fn told(instance: &str) -> Vec<String> {
    let lines = lines_with("instance", instance);
    assert!(lines.iter().all(|line| line.target == "durable"), "{lines:?}");
    assert!(!format!("{lines:?}").contains("4111"), "a value is logged: {lines:?}");
    let head = |line: &Line| {
        let message = line.fields["message"].lines().next().unwrap_or_default().to_owned();
        format!("{} {message}", line.level)
    };
    lines.iter().map(head).collect()
}

/// Hubs on one store that keep no instance in memory.
fn evicting(store: &Arc<MemoryStore>) -> TestHubBuilder {
    let store = Arc::clone(store);
    TestHub::builder()
        .configure(|hub| hub.store(store).live_instances(0).partitions(1).verify_replay(false))
}

const RETRIED: &str = "WARN an attempt failed and will be retried";
const FAILED: &str = "WARN the instance has failed";
const SUSPENDED: &str = "INFO a client suspended the instance";
const GOES_ON: &str = "INFO the instance was resumed";

#[tokio::test]
async fn a_failed_attempt_is_logged_once_despite_replays() -> Result<()> {
    listen();
    let store = Arc::default();
    let hub = evicting(&store).open().await?;
    let begun = hub.now();
    hub.start(line_retries(2, "4111".to_owned()).instance_id("line-retried")).await?;
    hub.advance(20 * SECOND).await;
    hub.advance(20 * SECOND).await;
    assert_eq!(told("line-retried"), [RETRIED, RETRIED]);
    TaskHub::clone(&hub).shutdown().await?;
    // Another hub replays both failures, and continues.
    let hub = evicting(&store).configure(|hub| hub.verify_on_open(true)).open().await?;
    let run = hub.find_instance::<line_retries>("line-retried").await?.unwrap();
    run.raise_event("go", &()).await?;
    run.result().await?;
    assert_eq!(told("line-retried"), [RETRIED, RETRIED], "a success is not logged");
    let [first, second]: [_; 2] = lines_with("instance", "line-retried").try_into().unwrap();
    for (line, attempt, seconds) in [(first, "1", 10), (second, "2", 20)] {
        assert_eq!(line.fields["name"], "line_fails");
        assert_eq!(line.fields["task_id"], "0");
        assert_eq!(line.fields["attempt"], attempt);
        assert_eq!(line.fields["error"], "no connection");
        let at = line.fields["next_attempt_at"].parse::<chrono::DateTime<chrono::Utc>>()?;
        assert_eq!((at - begun).num_seconds(), seconds);
    }
    Ok(())
}

static LUNCH: Semaphore = Semaphore::const_new(0);

#[activity]
async fn line_gated(ctx: &ActivityContext) -> Result<()> {
    LUNCH.acquire().await?.forget();
    if ctx.attempt() == 1 { Err(Error::msg("too early")) } else { Ok(()) }
}

#[orchestrator]
async fn line_lunch(ctx: &OrchestrationContext) -> Result<()> {
    line_gated().retry(RetryPolicy::new(2, SECOND)).await?;
    ctx.wait_for_external_event::<()>("go").await?;
    Ok(())
}

#[tokio::test]
async fn a_failure_during_a_suspension_is_logged_when_it_is_handled() -> Result<()> {
    listen();
    let store = Arc::default();
    let hub = evicting(&store).open().await?;
    let run = hub.start(line_lunch().instance_id("line-lunch")).await?;
    run.suspend("lunch").await?;
    LUNCH.add_permits(2);
    hub.settle().await;
    assert_eq!(told("line-lunch"), [SUSPENDED]);
    run.resume("back").await?;
    hub.advance(10 * SECOND).await;
    run.suspend("again").await?;
    run.resume("back again").await?;
    assert_eq!(told("line-lunch"), [SUSPENDED, RETRIED, GOES_ON, SUSPENDED, GOES_ON]);
    TaskHub::clone(&hub).shutdown().await?;
    let hub = evicting(&store).open().await?;
    let run = hub.find_instance::<line_lunch>("line-lunch").await?.unwrap();
    run.raise_event("go", &()).await?;
    run.result().await?;
    assert_eq!(told("line-lunch").len(), 5);
    Ok(())
}

#[tokio::test]
async fn a_failed_or_panicking_instance_is_logged_once() -> Result<()> {
    listen();
    let store = Arc::default();
    let hub = evicting(&store).open().await?;
    let failed = hub.start(line_retries(9, "4111".to_owned()).instance_id("line-failed")).await?;
    assert!(matches!(failed.result().await, Err(ResultError::Failed(_))));
    let long = "long ".repeat(1000);
    for (id, text) in [("line-panics", "oh no".to_owned()), ("line-long", long)] {
        let run = hub.start(line_panics(text).instance_id(id)).await?;
        assert!(matches!(run.result().await, Err(ResultError::Failed(_))));
    }
    hub.start(line_parent("line-child".to_owned()).instance_id("line-parent"))
        .await?
        .result()
        .await?;
    TaskHub::clone(&hub).shutdown().await?;
    let hub = evicting(&store).open().await?;
    let failed = hub.find_instance::<line_retries>("line-failed").await?.unwrap();
    assert!(matches!(failed.result().await, Err(ResultError::Failed(_))));
    assert_eq!(told("line-failed"), [RETRIED, RETRIED, FAILED]);
    assert_eq!(told("line-panics"), [FAILED]);
    assert_eq!(told("line-long"), [FAILED]);
    assert_eq!(told("line-child"), [FAILED, FAILED], "each attempt is an execution that fails");
    assert_eq!(told("line-parent"), [RETRIED], "it has caught the failure");
    let error = |id: &str| lines_with("instance", id).pop().unwrap().fields["error"].clone();
    assert!(error("line-failed").ends_with("failed: no connection"));
    assert!(error("line-panics").ends_with("oh no"));
    assert!(error("line-long").len() < 1100 && error("line-long").ends_with(" bytes in all)"));
    assert_eq!(lines_with("instance", "line-parent")[0].fields["name"], "line_panics");
    Ok(())
}

static IS_CHANGED: AtomicBool = AtomicBool::new(false);

/// Stands for another release of the code. The attribute does not look inside this function.
fn is_changed() -> bool {
    IS_CHANGED.load(Ordering::Relaxed)
}

#[orchestrator]
async fn line_changed(ctx: &OrchestrationContext, card: String) -> Result<()> {
    if !is_changed() {
        line_fails(0, &card).await?;
    }
    for _ in 0..3 {
        ctx.wait_for_external_event::<String>("go").await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_instance_that_mismatches_its_history_is_logged_once() -> Result<()> {
    listen();
    let store = Arc::default();
    let id = "line-changed";
    let hub = evicting(&store).open().await?;
    hub.start(line_changed("4111".to_owned()).instance_id(id)).await?;
    hub.settle().await;
    TaskHub::clone(&hub).shutdown().await?;
    IS_CHANGED.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let hub = evicting(&store).open().await?;
        let run = hub.find_instance::<line_changed>(id).await?.unwrap();
        // The first failure suspends the instance, and is recorded after the suspension, like the
        // others.
        run.raise_event("go", &"4111".to_owned()).await?;
        hub.settle().await;
        let refused = run.resume("does it fit?").await.unwrap_err();
        assert!(matches!(refused, ManageError::StillSuspended(_)), "{refused}");
        TaskHub::clone(&hub).shutdown().await?;
        let lines = lines_with("instance", id);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(
            (lines[0].level, lines[0].fields["code"].as_str()),
            (tracing::Level::ERROR, "DURABLE0101")
        );
        assert!(lines[0].fields["message"].starts_with("the instance is suspended; DURABLE0101"));
    }
    IS_CHANGED.store(false, Ordering::Relaxed);
    let hub = evicting(&store).open().await?;
    let run = hub.find_instance::<line_changed>(id).await?.unwrap();
    run.raise_event("go", &"4111".to_owned()).await?;
    run.result().await?;
    assert_eq!(told(id)[1..], ["INFO the instance was resumed"]);
    assert_eq!(lines_with("instance", id)[1].fields["reason"], "the code fits again");
    Ok(())
}

#[tokio::test]
async fn opening_and_shutting_down_are_logged_with_counts() -> Result<()> {
    listen();
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("line-hub").display().to_string();
    for (unfinished, ids) in [("0", ["line-a", "line-b"]), ("2", ["line-c", "line-d"])] {
        let hub = TaskHub::builder().path(&path).partitions(2).open().await?;
        for id in ids {
            hub.start(line_changed(String::new()).instance_id(id)).await?;
        }
        hub.start(line_panics(String::new())).await?.result().await?;
        hub.shutdown().await?;
        let [.., open, stopped] = &lines_with("path", &path)[..] else { panic!("two lines") };
        assert_eq!((open.level, stopped.level), (tracing::Level::INFO, tracing::Level::INFO));
        assert_eq!(open.fields["message"], "the task hub is open");
        assert_eq!((&*open.fields["partitions"], &*open.fields["unfinished"]), ("2", unfinished));
        for registered in ["orchestrators", "activities", "entities"] {
            assert!(open.fields[registered].parse::<usize>()? > 0);
        }
        assert_eq!(stopped.fields["message"], "the task hub was shut down");
        assert_eq!((&*stopped.fields["activities"], &*stopped.fields["entities"]), ("0", "0"));
    }
    assert_eq!(lines_with("path", &path).len(), 4);
    let _hub = TestHub::open().await?;
    assert!(!lines_with("store", "MemoryStore").is_empty());
    Ok(())
}
