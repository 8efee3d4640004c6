//! Sub-orchestrations: called, started, many at once, failing, cancelled.

use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use durable::client::ResultError;
use durable::prelude::*;
use durable::protocol::{FailureDetails, InstanceId};
use durable::testing::TestHub;

const HOUR: Duration = Duration::from_hours(1);

#[activity]
async fn double(n: u64) -> u64 {
    2 * n
}

#[orchestrator]
async fn doubled(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    if n == 13 {
        return Err(Error::msg("thirteen"));
    }
    Ok(double(n).await?)
}

#[orchestrator]
async fn sum(ctx: &OrchestrationContext, upto: u64) -> Result<u64> {
    Ok(durable::try_join_all((0..upto).map(doubled)).await?.into_iter().sum())
}

#[orchestrator]
async fn lineage(ctx: &OrchestrationContext, depth: u32) -> Result<Vec<String>> {
    let parent = ctx.parent().map_or("nobody", |parent| parent.instance_id.as_str());
    let tag = ctx.tags().get("who").cloned().unwrap_or_default();
    let mut lines = vec![format!("{} of {parent}, {tag}", ctx.instance_id())];
    if depth > 0 {
        let child = lineage(depth - 1).instance_id(format!("depth-{}", depth - 1));
        lines.extend(child.tag("depth", depth.to_string()).await?);
    }
    Ok(lines)
}

#[orchestrator]
async fn waits(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(ctx.wait_for_external_event("go").await?)
}

#[orchestrator]
async fn calls_waits(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(waits().instance_id("child").await?)
}

#[orchestrator]
async fn gives_up(ctx: &OrchestrationContext) -> Result<bool> {
    let child = waits().instance_id("child");
    Ok(durable::timeout(Duration::from_mins(1), child).await.is_err())
}

#[orchestrator]
async fn leaves(ctx: &OrchestrationContext) -> Result<InstanceId> {
    ctx.start(waits().instance_id("left"))?;
    ctx.start(doubled(4))
}

#[orchestrator]
async fn takes_an_id(ctx: &OrchestrationContext, id: String) -> Result<u64> {
    Ok(doubled(1).instance_id(id).await?)
}

#[tokio::test]
async fn ten_thousand_children_run_at_once() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.verify_replay(false)).open().await?;
    let run = hub.start(sum(13)).await?;
    assert_eq!(run.result().await?, 2 * (0..13).sum::<u64>());
    let many = hub.start(many(10_000)).await?;
    assert_eq!(many.result().await?, 10_000);
    Ok(())
}

#[orchestrator]
async fn one(ctx: &OrchestrationContext) -> Result<u64> {
    Ok(1)
}

#[orchestrator]
async fn many(ctx: &OrchestrationContext, count: usize) -> Result<u64> {
    Ok(durable::try_join_all((0..count).map(|_| one())).await?.into_iter().sum())
}

#[tokio::test]
async fn a_failed_child_fails_the_call_with_its_reason() -> Result<()> {
    let hub = TestHub::open().await?;
    let failed = hub.start(sum(14)).await?.result().await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "orchestration `sum` failed: orchestration `doubled` failed: thirteen"
    );
    Ok(())
}

#[tokio::test]
async fn a_child_knows_its_parent_and_inherits_its_tags() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(lineage(2).instance_id("root").tag("who", "ada")).await?;
    assert_eq!(
        run.result().await?,
        ["root of nobody, ada", "depth-1 of root, ada", "depth-0 of depth-1, ada"]
    );
    let child = hub.instance("depth-0")?.status().await?;
    let tags: Vec<_> = child.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(tags, ["depth=1", "who=ada"]);
    Ok(())
}

#[tokio::test]
async fn a_child_whose_task_was_dropped_is_terminated() -> Result<()> {
    let hub = TestHub::open().await?;
    assert!(hub.start(gives_up()).await?.result().await?);
    hub.settle().await;
    let child = hub.instance("child")?.details().await?;
    assert_eq!(child.status.runtime_status, RuntimeStatus::Terminated);
    assert_eq!(child.failure.unwrap().message, "it was terminated: its result is no longer needed");
    Ok(())
}

#[tokio::test]
async fn a_detached_orchestration_outlives_its_starter() -> Result<()> {
    let hub = TestHub::open().await?;
    let id = hub.start(leaves()).await?.result().await?;
    assert_eq!(hub.instance(id.as_str())?.wait_for_completion().await?.parent, None);
    let left = hub.find_instance::<waits>("left").await?.unwrap();
    left.raise_event("go", &5).await?;
    assert_eq!(left.result().await?, 5);
    Ok(())
}

#[tokio::test]
async fn a_terminated_child_fails_the_call() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(calls_waits()).await?;
    hub.settle().await;
    hub.instance("child")?.terminate("no more").await?;
    let Err(ResultError::Failed(failed)) = run.result().await else { panic!("it fails") };
    let types: Vec<_> = failed.details().chain().map(|it| it.error_type.as_str()).collect();
    assert!(types.contains(&FailureDetails::TERMINATED), "{types:?}");
    Ok(())
}

#[tokio::test]
async fn termination_is_recursive_only_on_request() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(calls_waits()).await?;
    hub.settle().await;
    run.terminate("parent only").await?;
    hub.settle().await;
    assert_eq!(hub.instance("child")?.status().await?.runtime_status, RuntimeStatus::Running);
    hub.instance("child")?.terminate("").await?;

    let run = hub.start(calls_waits()).await?;
    hub.settle().await;
    run.terminate_recursively("all").await?;
    hub.settle().await;
    assert_eq!(hub.instance("child")?.status().await?.runtime_status, RuntimeStatus::Terminated);
    Ok(())
}

#[tokio::test]
async fn a_child_whose_id_is_taken_fails_the_call_unless_its_owner_has_ended() -> Result<()> {
    let hub = TestHub::open().await?;
    let owner = hub.start(waits().instance_id("taken")).await?;
    let failed = hub.start(takes_an_id("taken".into())).await?.result().await.unwrap_err();
    assert!(failed.to_string().contains("instance `taken` exists already and is Running"));
    owner.terminate("").await?;
    assert_eq!(hub.start(takes_an_id("taken".into())).await?.result().await?, 2);
    let bad = hub.start(takes_an_id("a/b".into())).await?.result().await.unwrap_err();
    assert!(bad.to_string().contains("`a/b` cannot be an instance id"), "{bad}");
    Ok(())
}

#[orchestrator]
pub(super) async fn tells_the_time(ctx: &OrchestrationContext) -> Result<DateTime<Utc>> {
    Ok(ctx.current_utc_datetime())
}

#[orchestrator]
async fn calls_for_later(ctx: &OrchestrationContext) -> Result<DateTime<Utc>> {
    Ok(tells_the_time().start_at(5 * HOUR).await?)
}

#[tokio::test]
async fn a_child_starts_at_its_start_time() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    assert_eq!(hub.start(calls_for_later()).await?.result().await?, began + 5 * HOUR);
    Ok(())
}

#[orchestrator]
async fn starts_sleeper(ctx: &OrchestrationContext, id: String) -> Result<InstanceId> {
    ctx.start(sleeper().instance_id(id).tag("own", "1"))
}

#[orchestrator]
pub(super) async fn sleeper(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(ctx.wait_for_external_event("wake").await?)
}

#[tokio::test]
async fn a_detached_start_inherits_no_tags_and_replaces_no_instance() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(starts_sleeper("s".into()).tag("of-parent", "1")).await?.result().await?;
    hub.settle().await;
    let first = hub.instance("s")?.status().await?;
    assert_eq!(first.tags.keys().collect::<Vec<_>>(), ["own"]);
    hub.start(starts_sleeper("s".into())).await?.result().await?;
    hub.settle().await;
    assert_eq!(hub.instance("s")?.status().await?.execution_id, first.execution_id);
    Ok(())
}
