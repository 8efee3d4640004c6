//! Rewind: tasks that were open when an instance failed run again, or get the result that has
//! arrived since.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use durable::client::ResultError;
use durable::prelude::*;
use durable::testing::{TestHub, TestHubBuilder};
use durable::{OrchestrationHandle, RetryPolicy, RuntimeStatus};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// The services that are available, one for each test.
static MENDED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn mend(service: &str) {
    MENDED.lock().unwrap().insert(service.to_owned());
}

#[activity]
async fn use_service(service: &str) -> Result<u32> {
    if MENDED.lock().unwrap().contains(service) { Ok(7) } else { Err(Error::msg("broken")) }
}

#[activity]
async fn never_ends() -> Result<u32> {
    Ok(0)
}

#[orchestrator]
async fn uses(ctx: &OrchestrationContext, service: String) -> Result<u32> {
    Ok(use_service(&service).await?)
}

#[orchestrator]
async fn waits_for_number(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(ctx.wait_for_external_event::<u32>("number").await?)
}

/// Waits for the event that its own child gets.
#[orchestrator]
async fn middle(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(waits_for_number().instance_id(format!("{}-below", ctx.instance_id())).await?)
}

/// Fails while its second child is still running.
#[orchestrator]
async fn both(ctx: &OrchestrationContext, service: String) -> Result<u32> {
    let second = waits_for_number().instance_id(format!("{service}-second"));
    let (a, b) = durable::try_join((uses(service), second)).await?;
    Ok(a + b)
}

#[orchestrator]
async fn three_deep(ctx: &OrchestrationContext, service: String) -> Result<u32> {
    let second = middle().instance_id(format!("{service}-middle"));
    let (a, b) = durable::try_join((use_service(&service), second)).await?;
    Ok(a + b)
}

#[orchestrator]
async fn one_child(ctx: &OrchestrationContext, service: String) -> Result<u32> {
    let id = format!("{service}-child");
    Ok(uses(service).instance_id(id).await?)
}

#[orchestrator]
async fn uses_and_waits(ctx: &OrchestrationContext, service: String) -> Result<u32> {
    use_service(&service).await?;
    Ok(ctx.wait_for_external_event::<u32>("number").await?)
}

#[orchestrator]
async fn slow_child(ctx: &OrchestrationContext, service: String) -> Result<u32> {
    let id = format!("{service}-child");
    Ok(uses_and_waits(service).instance_id(id).await?)
}

#[orchestrator]
async fn retried_child(ctx: &OrchestrationContext, service: String) -> Result<u32> {
    let id = format!("{service}-child");
    Ok(uses(service).instance_id(id).retry(RetryPolicy::new(2, SECOND)).await?)
}

#[orchestrator]
async fn limited_call(ctx: &OrchestrationContext, service: String) -> Result<u32> {
    let policy = RetryPolicy::new(3, 10 * SECOND).retry_timeout(60 * SECOND);
    Ok(use_service(&service).retry(policy).timeout(60 * SECOND).await?)
}

#[orchestrator]
async fn limited_by_function(ctx: &OrchestrationContext, service: String) -> Result<u32> {
    match durable::timeout(60 * SECOND, use_service(&service)).await {
        Ok(done) => Ok(done?),
        Err(_elapsed) => Ok(0),
    }
}

#[orchestrator]
async fn limited_child(ctx: &OrchestrationContext, id: String) -> Result<u32> {
    Ok(waits_for_number().instance_id(id).timeout(60 * SECOND).await?)
}

#[orchestrator]
async fn limited_hang(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(never_ends().timeout(60 * SECOND).await?)
}

async fn status(hub: &TestHub, id: &str) -> Result<RuntimeStatus> {
    Ok(hub.instance(id)?.status().await?.runtime_status)
}

/// Raises the event once the instance waits for it again.
async fn tell(hub: &TestHub, id: &str, number: u32) -> Result<()> {
    hub.settle().await;
    hub.instance(id)?.raise_event("number", &number).await?;
    Ok(())
}

async fn fail<O: durable::Orchestrator>(run: &OrchestrationHandle<O>) {
    let failed = run.result().await.err().expect("it fails");
    assert!(matches!(failed, ResultError::Failed(_)), "{failed}");
}

async fn restarts_a_child(service: &str, hub: TestHubBuilder, settles: bool) -> Result<()> {
    let hub = hub.open().await?;
    let second = format!("{service}-second");
    let run = hub.start(both(service.to_owned())).await?;
    fail(&run).await;
    if settles {
        hub.settle().await;
        assert_eq!(status(&hub, &second).await?, RuntimeStatus::Terminated);
    }
    mend(service);
    run.rewind("mended").await?;
    tell(&hub, &second, 5).await?;
    assert_eq!(run.result().await?, 12);
    assert_eq!(status(&hub, &second).await?, RuntimeStatus::Completed);
    Ok(())
}

#[tokio::test]
async fn rewind_restarts_a_child_that_its_parents_failure_had_terminated() -> Result<()> {
    restarts_a_child("sibling", TestHub::builder(), true).await?;
    for round in 0..20 {
        restarts_a_child(&format!("sibling-{round}"), TestHub::builder(), false).await?;
    }
    let evicted = TestHub::builder().configure(|hub| hub.live_instances(0));
    restarts_a_child("sibling-evicted", evicted, true).await
}

#[tokio::test]
async fn rewind_restarts_children_of_children() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(three_deep("deep".to_owned())).await?;
    fail(&run).await;
    hub.settle().await;
    assert_eq!(status(&hub, "deep-middle-below").await?, RuntimeStatus::Terminated);
    mend("deep");
    run.rewind("mended").await?;
    tell(&hub, "deep-middle-below", 5).await?;
    assert_eq!(run.result().await?, 12);
    Ok(())
}

#[tokio::test]
async fn rewind_restarts_a_child_after_a_restart_of_the_hub() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(both("reopened".to_owned()).instance_id("reopened")).await?;
    fail(&run).await;
    let hub = hub.reopen().await?;
    mend("reopened");
    hub.instance("reopened")?.rewind("mended").await?;
    let hub = hub.crash().await?;
    tell(&hub, "reopened-second", 5).await?;
    let run = hub.find_instance::<both>("reopened").await?.expect("it is kept");
    assert_eq!(run.result().await?, 12);
    Ok(())
}

#[tokio::test]
async fn rewind_takes_the_result_of_a_child_that_was_rewound_before() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(one_child("below".to_owned())).await?;
    fail(&run).await;
    mend("below");
    let child = hub.find_instance::<uses>("below-child").await?.expect("it has failed");
    child.rewind("mended").await?;
    assert_eq!(child.result().await?, 7);
    hub.settle().await;
    run.rewind("mended").await?;
    assert_eq!(run.result().await?, 7);
    Ok(())
}

#[tokio::test]
async fn rewind_waits_for_a_child_that_is_running() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(slow_child("running".to_owned())).await?;
    fail(&run).await;
    mend("running");
    hub.instance("running-child")?.rewind("mended").await?;
    hub.settle().await;
    run.rewind("mended").await?;
    hub.settle().await;
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Running);
    tell(&hub, "running-child", 5).await?;
    assert_eq!(run.result().await?, 5);
    Ok(())
}

#[tokio::test]
async fn rewind_restarts_a_child_that_was_purged() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(one_child("purged".to_owned())).await?;
    fail(&run).await;
    hub.instance("purged-child")?.purge().await?;
    mend("purged");
    run.rewind("mended").await?;
    assert_eq!(run.result().await?, 7);
    Ok(())
}

#[tokio::test]
async fn rewind_restarts_a_child_that_a_client_had_terminated() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(limited_child("by-client".to_owned())).await?;
    hub.settle().await;
    hub.instance("by-client")?.terminate("by mistake").await?;
    fail(&run).await;
    run.rewind("mended").await?;
    tell(&hub, "by-client", 5).await?;
    assert_eq!(run.result().await?, 5);
    Ok(())
}

#[tokio::test]
async fn rewind_spares_another_instance_under_the_childs_id() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(one_child("taken".to_owned())).await?;
    fail(&run).await;
    hub.instance("taken-child")?.purge().await?;
    let other = hub.start(waits_for_number().instance_id("taken-child")).await?;
    run.rewind("mended").await?;
    let failed = run.result().await.unwrap_err().to_string();
    assert!(failed.contains("instance `taken-child` exists already"), "{failed}");
    tell(&hub, "taken-child", 3).await?;
    assert_eq!(other.result().await?, 3);
    Ok(())
}

#[tokio::test]
async fn rewind_gives_a_child_all_its_attempts() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(retried_child("attempts".to_owned())).await?;
    fail(&run).await;
    run.rewind("too early").await?;
    fail(&run).await;
    mend("attempts");
    run.rewind("mended").await?;
    assert_eq!(run.result().await?, 7);
    Ok(())
}

#[tokio::test]
async fn rewind_gives_calls_their_whole_time() -> Result<()> {
    let hub = TestHub::open().await?;
    let call = hub.start(limited_call("limits".to_owned())).await?;
    let function = hub.start(limited_by_function("limits".to_owned())).await?;
    fail(&call).await;
    fail(&function).await;
    hub.advance(HOUR).await;
    let runs = hub.calls::<use_service>().len();
    call.rewind("too early").await?;
    fail(&call).await;
    assert_eq!(hub.calls::<use_service>().len() - runs, 3, "it has all its attempts");
    hub.advance(HOUR).await;
    mend("limits");
    call.rewind("mended").await?;
    function.rewind("mended").await?;
    assert_eq!((call.result().await?, function.result().await?), (7, 7));
    Ok(())
}

#[tokio::test]
async fn rewind_repeats_a_call_that_had_timed_out() -> Result<()> {
    let hub = TestHub::builder().never::<never_ends>().open().await?;
    let call = hub.start(limited_hang()).await?;
    let run = hub.start(limited_child("late".to_owned())).await?;
    fail(&run).await;
    fail(&call).await;
    hub.settle().await;
    assert_eq!(status(&hub, "late").await?, RuntimeStatus::Terminated);
    hub.advance(HOUR).await;
    run.rewind("again").await?;
    let rewound = hub.now();
    tell(&hub, "late", 5).await?;
    assert_eq!(run.result().await?, 5);
    call.rewind("again").await?;
    fail(&call).await;
    assert_eq!((hub.now() - rewound).num_seconds(), 60);
    Ok(())
}

/// The executions in which an orchestrator ran, each with the depth of its call.
static EXECUTIONS: Mutex<BTreeSet<(String, u32)>> = Mutex::new(BTreeSet::new());

#[orchestrator]
async fn notes_its_execution(ctx: &OrchestrationContext, depth: u32) -> Result<u32> {
    #[durable::allow(DURABLE0023, reason = "a replay notes the same")]
    EXECUTIONS.lock().unwrap().insert((ctx.execution_id().to_string(), depth));
    match depth {
        0 => Err(Error::msg("it always fails")),
        // Each has the first task of its caller.
        1 => Ok(notes_its_execution(0).await?),
        _ => {
            let retry = RetryPolicy::new(3, SECOND);
            Ok(notes_its_execution(1).retry(retry).await?)
        }
    }
}

#[tokio::test]
async fn attempts_after_a_rewind_have_executions_of_their_own() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(notes_its_execution(2)).await?;
    fail(&run).await;
    let before = EXECUTIONS.lock().unwrap().len();
    assert_eq!(before, 1 + 3 + 3, "one caller, three attempts, and what each of them calls");
    run.rewind("again").await?;
    fail(&run).await;
    let executions = EXECUTIONS.lock().unwrap().clone();
    let ids: BTreeSet<_> = executions.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), executions.len(), "an attempt has the id of what another one called");
    // The first attempt after the rewind has the execution of the last one before it, and so has
    // its child.
    assert_eq!(executions.len(), before + 2 + 2);
    hub.shutdown().await?;
    Ok(())
}
