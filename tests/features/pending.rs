//! What an instance waits for, as its handle reports it.

use std::time::Duration;

use durable::client::{HubError, PendingWork};
use durable::prelude::*;
use durable::protocol::{PendingKind, PendingTask, Timestamp};
use durable::testing::TestHub;
use durable::{InstanceHandle, RetryPolicy};
use serde::{Deserialize, Serialize};

const HOUR: Duration = Duration::from_hours(1);

#[activity]
async fn pending_fails(ctx: &ActivityContext) -> Result<u32> {
    Err(Error::msg(format!("attempt {} failed", ctx.attempt())))
}

#[orchestrator]
async fn pending_retries(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(pending_fails().retry(RetryPolicy::new(9, HOUR)).timeout(100 * HOUR).await?)
}

#[orchestrator]
async fn pending_child(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(ctx.wait_for_external_event::<u32>("number").await?)
}

#[orchestrator]
async fn pending_everything(ctx: &OrchestrationContext) -> Result<()> {
    let first = ctx.wait_for_external_event::<u32>("Approval");
    let second = ctx.wait_for_external_event::<u32>("approval");
    let child = pending_child().instance_id("the-child");
    let (timer, first, second, child) =
        durable::join((ctx.create_timer(HOUR), first, second, child)).await;
    let () = timer;
    first?;
    second?;
    child?;
    Ok(())
}

/// Drops the timer when the event arrives, and then waits for another one.
#[orchestrator]
async fn pending_choice(ctx: &OrchestrationContext) -> Result<()> {
    let timer = ctx.create_timer(HOUR);
    let first = ctx.wait_for_external_event::<()>("first");
    let _ = durable::race((timer, first)).await;
    Ok(ctx.wait_for_external_event::<()>("second").await?)
}

#[orchestrator]
async fn pending_timeout(ctx: &OrchestrationContext) -> Result<()> {
    let call = ctx.wait_for_external_event::<()>("call");
    let _ = durable::timeout(HOUR, call).await;
    Ok(())
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct PendingDoor {}

#[entity]
impl PendingDoor {
    fn knock(&mut self) {}
}

#[orchestrator]
async fn pending_in_section(ctx: &OrchestrationContext) -> Result<()> {
    let _door = ctx.lock_entities(PendingDoor::at("front")).await?;
    Ok(ctx.wait_for_external_event::<()>("leave").await?)
}

#[orchestrator]
async fn pending_knocks(ctx: &OrchestrationContext) -> Result<()> {
    Ok(PendingDoor::at("front").knock().await?)
}

async fn settled(hub: &TestHub, run: &InstanceHandle) -> Result<PendingWork> {
    hub.settle().await;
    Ok(run.pending().await?)
}

#[track_caller]
fn only(pending: &PendingWork) -> &PendingTask {
    assert_eq!(pending.tasks.len(), 1, "{pending:?}");
    assert!(pending.tasks[0].source.contains("features/pending.rs:"), "{pending:?}");
    &pending.tasks[0]
}

#[tokio::test]
async fn a_retried_activity_names_its_attempt_the_last_failure_and_the_next_attempt() -> Result<()>
{
    let hub = TestHub::open().await?;
    let run = hub.start(pending_retries()).await?;
    for next in 2..4 {
        let began = hub.now();
        let pending = settled(&hub, &run).await?;
        let task = only(&pending);
        let PendingKind::Activity { name, attempt, retry_at, last_failure, .. } = &task.kind else {
            panic!("{task:?}");
        };
        assert_eq!((name.as_str(), *attempt), ("pending_fails", next));
        assert_eq!(retry_at.unwrap().to_datetime(), began + HOUR);
        let failed = last_failure.as_ref().unwrap().message.as_str();
        assert_eq!(failed, format!("attempt {} failed", next - 1));
        assert_eq!(task.due_at.unwrap().since(task.since), 100 * HOUR);
        hub.advance(HOUR).await;
    }
    Ok(())
}

#[tokio::test]
async fn the_timer_of_a_timeout_names_the_line_of_its_caller() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(pending_timeout()).await?;
    let pending = settled(&hub, &run).await?;
    assert!(matches!(only(&pending).kind, PendingKind::Timer), "{pending:?}");
    Ok(())
}

#[tokio::test]
async fn everything_awaited_is_listed_in_memory_replayed_and_suspended() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(pending_everything().instance_id("everything")).await?;
    run.raise_event("Aproval", &1).await?;
    let pending = settled(&hub, &run).await?;
    assert_eq!(pending.awaited_events, ["approval", "approval"]);
    let waits = pending.event_waits.iter().map(|wait| wait.name.as_str());
    assert!(waits.eq(["approval", "approval"]), "{pending:?}");
    for wait in &pending.event_waits {
        assert!(wait.source.contains("features/pending.rs:"), "{pending:?}");
        assert_eq!(wait.since, pending.tasks[0].since);
    }
    assert_eq!(pending.unread_events, ["Aproval"]);
    let json = serde_json::to_value(&pending)?;
    let kinds = json["tasks"].as_array().unwrap().iter().map(|task| task["kind"].clone());
    assert_eq!(kinds.collect::<Vec<_>>(), ["Timer", "SubOrchestration"]);
    assert_eq!(json["tasks"][1]["instance_id"], "the-child");
    assert_eq!(pending.tasks[0].due_at.unwrap().to_datetime(), hub.now() + HOUR);

    let hub = hub.reopen().await?;
    let run = hub.instance("everything")?;
    assert_eq!(settled(&hub, &run).await?, pending, "it is replayed");

    run.suspend("the shop is closed").await?;
    let suspended = settled(&hub, &run).await?;
    assert_eq!(suspended.tasks, pending.tasks);
    assert_eq!(suspended.awaited_events, pending.awaited_events);
    assert!(suspended.status.suspension.is_some());
    assert!(run.status().await?.suspension.is_some(), "it does not continue");
    Ok(())
}

#[tokio::test]
async fn dropped_tasks_are_not_listed_as_awaited() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(pending_choice()).await?;
    let pending = settled(&hub, &run).await?;
    assert_eq!((pending.tasks.len(), pending.awaited_events), (1, vec!["first".to_owned()]));
    run.raise_event("first", &()).await?;
    let pending = settled(&hub, &run).await?;
    assert_eq!((pending.tasks, pending.awaited_events), (vec![], vec!["second".to_owned()]));
    Ok(())
}

#[tokio::test]
async fn locks_and_entity_calls_name_their_entities() -> Result<()> {
    let hub = TestHub::open().await?;
    let holder = hub.start(pending_in_section()).await?;
    let front = settled(&hub, &holder).await?.locked_entities;
    assert_eq!(front.len(), 1);
    let waiter = hub.start(pending_in_section()).await?;
    let pending = settled(&hub, &waiter).await?;
    assert_eq!(pending.locked_entities, []);
    let PendingKind::Lock { entities, waits_for, position, .. } = &only(&pending).kind else {
        panic!("{pending:?}");
    };
    assert_eq!((entities, waits_for.as_ref(), *position), (&front, Some(&front[0]), Some(1)));
    let [door] = pending.awaited_entities.as_slice() else { panic!("{pending:?}") };
    let held_by = door.locked_by.as_ref().unwrap();
    assert_eq!((&door.entity_id, &held_by.instance_id), (&front[0], holder.instance_id()));
    assert_eq!(door.locked_since.map(Timestamp::to_datetime), Some(hub.now()));
    let caller = hub.start(pending_knocks()).await?;
    let pending = settled(&hub, &caller).await?;
    let PendingKind::EntityCall { entity_id, operation, position, .. } = &only(&pending).kind
    else {
        panic!("{pending:?}");
    };
    assert_eq!((entity_id, operation.as_str(), *position), (&front[0], "knock", Some(2)));
    let last = hub.start(pending_in_section()).await?;
    let position = async || -> Result<Option<u64>> {
        let pending = settled(&hub, &last).await?;
        let PendingKind::Lock { position, .. } = only(&pending).kind else { panic!("{pending:?}") };
        Ok(position)
    };
    assert_eq!(position().await?, Some(3));
    waiter.terminate("the door stays closed").await?;
    assert_eq!(position().await?, Some(2), "a request whose section has ended is not in line");
    Ok(())
}

#[tokio::test]
async fn an_instance_that_has_ended_or_does_not_exist_waits_for_nothing() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(pending_child()).await?;
    run.terminate("it is late").await?;
    let pending = run.pending().await?;
    assert_eq!((pending.tasks, pending.awaited_events), (vec![], vec![]));
    let error = hub.instance("nobody")?.pending().await.unwrap_err();
    assert!(matches!(error, HubError::NoSuchInstance(_)), "{error}");
    Ok(())
}
