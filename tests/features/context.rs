//! The contexts of orchestrators and activities: names, versions, parents, ids, random numbers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::prelude::*;
use durable::protocol::TraceContext;
use durable::testing::TestHub;

const HOUR: Duration = Duration::from_hours(1);

#[orchestrator(name = "relative", version = "3")]
async fn relative(ctx: &OrchestrationContext, has_child: bool) -> Result<Vec<String>> {
    let mut lines = vec![describe_relative(ctx)];
    if has_child {
        lines.extend(relative(false).await?);
        lines.extend(relative(false).version("4").await?);
    }
    Ok(lines)
}

#[orchestrator(name = "relative", version = "4")]
async fn newer_relative(ctx: &OrchestrationContext, _has_child: bool) -> Result<Vec<String>> {
    Ok(vec![describe_relative(ctx)])
}

#[durable::deterministic]
fn describe_relative(ctx: &OrchestrationContext) -> String {
    let (version, region) = (ctx.version(), ctx.property("region"));
    let own = format!("{} {} in {}", ctx.name(), version.unwrap_or(""), region.unwrap_or(""));
    match ctx.parent() {
        None => own,
        Some(parent) => {
            let version = parent.version.as_deref().unwrap_or("");
            format!("{own}, task {} of {} {version}", parent.task_scheduled_id, parent.name)
        }
    }
}

#[tokio::test]
async fn a_context_has_name_version_properties_and_parent() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.property("region", "north")).open().await?;
    let run = hub.start(relative(true)).await?;
    assert_eq!(
        run.result().await?,
        [
            "relative 3 in north",
            "relative 3 in north, task 0 of relative 3",
            "relative 4 in north, task 1 of relative 3",
        ]
    );
    // The default id of a child is derived from the execution of its parent and the number of the
    // task.
    let child = format!("{}:1", run.status().await?.execution_id);
    let child = hub.instance(&child)?.status().await?;
    assert_eq!(child.version.as_deref(), Some("4"));
    assert_eq!(child.parent.unwrap().instance_id, *run.instance_id());
    Ok(())
}

#[orchestrator]
async fn makes_guids(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let mut guids = vec![ctx.new_guid().to_string(), ctx.new_guid().to_string()];
    ctx.create_timer(HOUR).await;
    guids.push(ctx.new_guid().to_string());
    Ok(guids)
}

#[tokio::test]
async fn guids_match_those_of_durable_functions() -> Result<()> {
    let beginning: DateTime<Utc> = "2026-01-01T00:00:00Z".parse()?;
    let hub = TestHub::builder().beginning(beginning).open().await?;
    let run = hub.start(makes_guids().instance_id("guids")).await?;
    // Version 5 of `guids_2026-01-01T00:00:00.0000000Z_0` and so on.
    assert_eq!(
        run.result().await?,
        [
            "1a3fdd4a-ebf3-5dc5-8dbb-69f9b49af39e",
            "73bbb198-825d-5d01-b562-aa3aa7fb1365",
            "523cef96-bc69-5c81-b0c6-47b977b973f3",
        ]
    );
    Ok(())
}

#[activity]
pub(super) async fn repeats_number(number: u64) -> u64 {
    number
}

#[orchestrator]
async fn draws(ctx: &OrchestrationContext) -> Result<(u64, u64, f64)> {
    Ok((repeats_number(ctx.random_u64()).await?, ctx.random_u64(), ctx.random_f64()))
}

#[tokio::test]
async fn random_numbers_are_the_same_in_every_replay() -> Result<()> {
    // The hub replays each episode and compares.
    let hub = TestHub::open().await?;
    let (first, second, fraction) = hub.start(draws()).await?.result().await?;
    assert_ne!(first, second);
    assert!((0.0..1.0).contains(&fraction), "{fraction}");
    Ok(())
}

/// How often `knows_replays` began for the first time, and again.
static BEGUN: AtomicU32 = AtomicU32::new(0);
static BEGUN_AGAIN: AtomicU32 = AtomicU32::new(0);

#[durable::allow(DURABLE0023, reason = "it counts what is no part of the orchestration")]
#[orchestrator]
async fn knows_replays(ctx: &OrchestrationContext) -> Result<()> {
    let counter = if ctx.is_replaying() { &BEGUN_AGAIN } else { &BEGUN };
    counter.fetch_add(1, Ordering::SeqCst);
    for _ in 0..3 {
        ctx.create_timer(HOUR).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_context_knows_whether_it_is_replaying() -> Result<()> {
    let configure =
        |hub: durable::client::TaskHubBuilder| hub.live_instances(0).verify_replay(false);
    let hub = TestHub::builder().configure(configure).open().await?;
    hub.start(knows_replays()).await?.result().await?;
    assert_eq!(BEGUN.load(Ordering::SeqCst), 1);
    assert!(BEGUN_AGAIN.load(Ordering::SeqCst) > 0);
    Ok(())
}

#[activity(version = "7")]
async fn sees_its_call(ctx: &ActivityContext) -> (i32, Option<String>, String, Option<String>) {
    let tag = ctx.tags().get("kind").cloned().unwrap_or_default();
    let trace = ctx.trace_context().map(|trace| trace.traceparent().to_owned());
    (ctx.task_id(), ctx.version().map(str::to_owned), tag, trace)
}

#[orchestrator]
async fn shows_its_calls(
    ctx: &OrchestrationContext,
    depth: u32,
) -> Result<Vec<(i32, Option<String>, String, Option<String>)>> {
    let mut seen = Vec::new();
    for kind in ["first", "second"] {
        seen.push(sees_its_call().tag("kind", kind).await?);
    }
    if depth > 0 {
        seen.extend(shows_its_calls(depth - 1).await?);
    }
    Ok(seen)
}

#[tokio::test]
async fn an_activity_context_has_task_id_version_tags_and_trace() -> Result<()> {
    let hub = TestHub::open().await?;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    let trace = TraceContext::parse(&traceparent)?;
    let seen = hub.start(shows_its_calls(1).trace_context(trace)).await?.result().await?;
    let numbers: Vec<_> = seen.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, [0, 1, 0, 1]);
    assert!(seen.iter().all(|(_, version, ..)| version.as_deref() == Some("7")));
    assert_eq!((seen[0].2.as_str(), seen[1].2.as_str()), ("first", "second"));
    let spans: BTreeSet<_> = seen.into_iter().filter_map(|(.., trace)| trace).collect();
    assert_eq!(spans.len(), 4, "each in a span of its own");
    assert!(spans.iter().all(|span| span.starts_with(&traceparent[..36])), "{spans:?}");
    assert!(!spans.contains(&traceparent));
    Ok(())
}

#[activity]
async fn refused() -> Result<()> {
    Err(Error::msg("no"))
}

#[orchestrator(version = "1.10")]
async fn compared(ctx: &OrchestrationContext) -> Result<String> {
    let first = refused().await.unwrap_err().task_id();
    let second = refused().await.unwrap_err().task_id();
    let order = ["1.9", "1.10", "2"].map(|other| ctx.compare_version_to(other));
    Ok(format!("{first:?} {second:?} {order:?}"))
}

#[tokio::test]
async fn versions_are_compared_as_numbers_and_calls_are_numbered() -> Result<()> {
    let hub = TestHub::open().await?;
    let said = hub.start(compared()).await?.result().await?;
    assert_eq!(said, "Some(0) Some(1) [Greater, Equal, Less]");
    Ok(())
}

struct Optional(&'static str);

#[activity]
async fn tell_time_and_state(ctx: &ActivityContext) -> (String, Option<String>) {
    let state = ctx.state::<Optional>().map(|state| state.0.to_owned());
    (ctx.current_utc_datetime().to_rfc3339(), state)
}

#[orchestrator]
async fn tells_time_and_state(ctx: &OrchestrationContext) -> Result<(String, Option<String>)> {
    ctx.create_timer(24 * HOUR).await;
    Ok(tell_time_and_state().await?)
}

#[tokio::test]
async fn an_activity_reads_the_time_of_the_hub_and_a_state_that_the_hub_may_lack() {
    let beginning = "2026-01-02T03:04:05Z".parse().unwrap();
    for given in [None, Some("given")] {
        let hub = TestHub::builder().beginning(beginning);
        let hub = hub.configure(|hub| match given {
            Some(given) => hub.state(Optional(given)),
            None => hub,
        });
        let hub = hub.open().await.unwrap();
        let told = hub.start(tells_time_and_state()).await.unwrap().result().await.unwrap();
        assert_eq!(told, ("2026-01-03T03:04:05+00:00".to_owned(), given.map(str::to_owned)));
        hub.shutdown().await.unwrap();
    }
    let (time, state) = tell_time_and_state::run(&ActivityContext::for_test("tell")).await;
    assert_eq!((&*time, state), ("1970-01-01T00:00:00+00:00", None));
}
