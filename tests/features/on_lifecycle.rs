//! Orchestrations that are started for lifecycle events, exactly once, also across crashes.

use std::collections::BTreeMap;
use std::time::Duration;

use durable::client::{InstanceQuery, LifecycleEvent, LifecycleFilter, LifecycleKind, Retention};
use durable::prelude::*;
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

/// How often each event was reported: an entity counts each signal exactly once.
#[derive(Default, Serialize, Deserialize)]
struct Heard(BTreeMap<String, u32>);

#[entity]
impl Heard {
    fn note(&mut self, event: String) {
        *self.0.entry(event).or_default() += 1;
    }

    fn all(&self) -> BTreeMap<String, u32> {
        self.0.clone()
    }
}

#[activity]
async fn pass_on_event(event: &str) -> Result<String> {
    Ok(event.to_owned())
}

#[orchestrator]
async fn hear(ctx: &OrchestrationContext, event: LifecycleEvent) -> Result<()> {
    let reason = event.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let text = format!("{} {:?} {:?}{reason}", event.instance_id, event.kind, event.status);
    let text = pass_on_event(&text).await?;
    Heard::at("all").note(text).signal()?;
    Ok(())
}

#[orchestrator]
async fn hear_badly(ctx: &OrchestrationContext, event: LifecycleEvent) -> Result<()> {
    Err(Error::msg(format!("did not hear of {}", event.instance_id)))
}

#[orchestrator]
async fn noisy_job(ctx: &OrchestrationContext, works: bool) -> Result<()> {
    pass_on_event("work").await?;
    if works { Ok(()) } else { Err(Error::msg("no")) }
}

#[orchestrator]
async fn waits_for_ever(ctx: &OrchestrationContext) -> Result<()> {
    let () = ctx.wait_for_external_event("never").await?;
    Ok(())
}

#[orchestrator]
async fn hear_for(ctx: &OrchestrationContext, event: LifecycleEvent, label: String) -> Result<()> {
    let text = format!("{label}: {} {:?}", event.instance_id, event.kind);
    Heard::at("all").note(text).signal()?;
    Ok(())
}

async fn open(filter: LifecycleFilter) -> TestHub {
    let configure = |hub: durable::client::TaskHubBuilder| {
        hub.on_lifecycle::<hear>(filter).retention(Retention::all(Duration::from_hours(1)))
    };
    TestHub::builder().configure(configure).open().await.unwrap()
}

async fn heard(hub: &TestHub) -> Vec<String> {
    hub.settle().await;
    let heard = hub.call_entity(Heard::at("all").all()).await.unwrap();
    heard.into_iter().map(|(event, times)| format!("{event} x{times}")).collect()
}

#[tokio::test]
async fn every_change_starts_the_hook_once_and_the_hook_starts_nothing() {
    let hub = open(LifecycleFilter::new()).await;
    hub.start(noisy_job(true).instance_id("a")).await.unwrap().result().await.unwrap();
    hub.start(noisy_job(false).instance_id("b")).await.unwrap().result().await.unwrap_err();
    let run = hub.start(waits_for_ever().instance_id("c")).await.unwrap();
    run.suspend("for now").await.unwrap();
    run.resume("on it goes").await.unwrap();
    run.terminate("enough").await.unwrap();
    run.purge().await.unwrap();
    hub.settle().await;
    let all = InstanceQuery::new();
    assert_eq!(hub.count(&all).await.unwrap(), 2, "completed hooks are purged");
    hub.advance(Duration::from_hours(1)).await;
    let expected = [
        "a Completed Completed x1",
        "a Purged Completed x1",
        "a Started Running x1",
        "b Failed Failed: no x1",
        "b Purged Failed x1",
        "b Started Running x1",
        "c Purged Terminated x1",
        "c Resumed Running: on it goes x1",
        "c Started Running x1",
        "c Suspended Suspended: for now x1",
        "c Terminated Terminated: enough x1",
    ];
    assert_eq!(heard(&hub).await, expected);
    assert_eq!(hub.count(&all).await.unwrap(), 0);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_crash_at_any_moment_neither_loses_nor_repeats_an_event() {
    let mut hub = open(LifecycleFilter::new().kind(LifecycleKind::Completed)).await;
    let mut expected = Vec::new();
    for round in 0..30 {
        let id = format!("job-{round:02}");
        let _run = hub.start(noisy_job(true).instance_id(&id)).await.unwrap();
        // The progress of the instance and its hook at this moment is random.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        hub = hub.crash().await.unwrap();
        expected.push(format!("{id} Completed Completed x1"));
    }
    assert_eq!(heard(&hub).await, expected);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_filter_selects_by_kind_and_name_and_a_failed_hook_stays() {
    let configure = |hub: durable::client::TaskHubBuilder| {
        let failed = LifecycleFilter::new().kind(LifecycleKind::Failed).name("noisy_job");
        let others = LifecycleFilter::new().name("another").name("waits_for_ever");
        hub.on_lifecycle::<hear_badly>(failed).on_lifecycle::<hear>(others)
    };
    let hub = TestHub::builder().configure(configure).open().await.unwrap();
    hub.start(noisy_job(false).instance_id("b")).await.unwrap().result().await.unwrap_err();
    let _run = hub.start(waits_for_ever().instance_id("c")).await.unwrap();
    assert_eq!(heard(&hub).await, ["c Started Running x1"]);
    let failed = InstanceQuery::new().tag("durable.event", "b");
    let failed = hub.stream(failed).try_collect().await.unwrap();
    assert_eq!((failed.len(), failed[0].name.as_str()), (1, "hear_badly"));
    assert_eq!(failed[0].runtime_status, RuntimeStatus::Failed);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_orchestration_serves_several_destinations_by_their_labels() {
    let configure = |hub: durable::client::TaskHubBuilder| {
        let failed = LifecycleFilter::new().kind(LifecycleKind::Failed);
        let waits = LifecycleFilter::new().name("waits_for_ever");
        hub.on_lifecycle_with::<hear_for>(failed.clone(), "shop")
            .on_lifecycle_with::<hear_for>(failed, "stock")
            .on_lifecycle_with::<hear_for>(waits, "\"quoted\"")
    };
    let hub = TestHub::builder().configure(configure).open().await.unwrap();
    hub.start(noisy_job(false).instance_id("b")).await.unwrap().result().await.unwrap_err();
    let _run = hub.start(waits_for_ever().instance_id("c")).await.unwrap();
    let expected = ["\"quoted\": c Started x1", "shop: b Failed x1", "stock: b Failed x1"];
    assert_eq!(heard(&hub).await, expected);
    hub.shutdown().await.unwrap();
}
