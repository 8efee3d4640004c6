//! Log lines, spans, counts, lifecycle events, and the trace that connects them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::RuntimeStatus;
use durable::client::{
    LifecycleError, LifecycleEvents, LifecycleKind, ResultError, Retention, StartError,
};
use durable::prelude::*;
use durable::protocol::{EventKind, TraceContext};
use durable::store::MemoryStore;
use durable::testing::TestHub;

use super::listeners::{Fields, count, described, lines, listen, values};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

fn trace() -> TraceContext {
    TraceContext::parse(&format!("00-{TRACE_ID}-b7ad6b7169203331-01")).unwrap()
}

// The instance whose replays must not be logged.

static NOTED: AtomicUsize = AtomicUsize::new(0);

/// The attribute does not look inside this function.
fn note(what: &str) {
    NOTED.fetch_add(1, Ordering::Relaxed);
    tracing::info!("note: {what}");
    metrics::counter!("notes", "what" => what.to_owned()).increment(1);
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        tracing::info!("note: the guard is dropped");
    }
}

#[activity]
async fn noted_step(n: u32) -> u32 {
    n
}

#[orchestrator]
async fn notes(ctx: &OrchestrationContext) -> Result<u32> {
    let _guard = Guard;
    note("begin");
    tracing::info!("seen by the macro");
    for n in 0..5 {
        let n = noted_step(n).await?;
        note(&format!("step {n}"));
    }
    let go = ctx.wait_for_external_event("go").await?;
    note("end");
    Ok(go)
}

#[tokio::test]
async fn a_replay_logs_and_counts_nothing() -> Result<()> {
    listen();
    let store = Arc::new(MemoryStore::default());
    let open = || {
        let store = Arc::clone(&store);
        TestHub::builder()
            .configure(|hub| hub.store(store).live_instances(0).verify_on_open(true))
            .open()
    };
    let hub = open().await?;
    hub.start(notes().instance_id("notes")).await?;
    hub.settle().await;
    TaskHub::clone(&hub).shutdown().await?;
    assert_eq!(lines("note: the guard is dropped").len(), 0, "it only left the memory");
    // It is verified, then replayed, and then continues beyond its history in the same run.
    let hub = open().await?;
    let run = hub.find_instance::<notes>("notes").await?.unwrap();
    run.raise_event("go", &7_u32).await?;
    assert_eq!(run.result().await?, 7);
    assert!(NOTED.load(Ordering::Relaxed) > 3 * 7, "it was replayed");
    for what in ["begin", "step 0", "step 4", "end"] {
        assert_eq!(lines(&format!("note: {what}")).len(), 1, "{what}");
        assert_eq!(count(&format!("notes{{what={what}}}")), 1, "{what}");
    }
    assert_eq!(lines("seen by the macro").len(), 1);
    assert_eq!(lines("note: the guard is dropped").len(), 1);
    Ok(())
}

// Spans.

#[activity(version = "1.1")]
async fn fails_once(ctx: &ActivityContext) -> Result<()> {
    tracing::info!("fails_once runs");
    if ctx.attempt() == 1 { Err(Error::msg("once")) } else { Ok(()) }
}

#[activity]
fn blocks() {
    tracing::info!("blocks runs");
}

#[orchestrator(version = "3")]
async fn spanned(ctx: &OrchestrationContext, round: u32) -> Result<()> {
    tracing::info!("spanned runs");
    if round > 0 {
        return ctx.continue_as_new(spanned(round - 1)).await;
    }
    let policy = RetryPolicy::new(3, Duration::from_secs(1));
    fails_once().retry(policy).await?;
    blocks().await?;
    tracing::info!("spanned ends");
    Ok(())
}

#[track_caller]
fn has(span: &Fields, expected: &[(&str, &str)]) {
    for (field, value) in expected {
        assert_eq!(span.get(*field).map(String::as_str), Some(*value), "{field} of {span:?}");
    }
}

#[tokio::test]
async fn log_lines_carry_the_ids_of_their_instance() -> Result<()> {
    listen();
    let hub = TestHub::open().await?;
    let run = hub.start(spanned(1).instance_id("spanned").trace_context(trace())).await?;
    run.result().await?;
    let who = [("instance_id", "spanned"), ("name", "spanned"), ("version", "3")];

    let [first, second]: [_; 2] = lines("spanned runs").try_into().unwrap();
    assert_eq!((first.spans.len(), second.spans.len()), (1, 1));
    for (line, generation) in [(&first, "0"), (&second, "1")] {
        has(&line.spans[0], &who);
        has(&line.spans[0], &[("span", "orchestration"), ("generation", generation)]);
        has(&line.spans[0], &[("traceparent", trace().traceparent()), ("history_len", "0")]);
    }
    assert_ne!(first.spans[0]["execution_id"], second.spans[0]["execution_id"]);
    let [end]: [_; 1] = lines("spanned ends").try_into().unwrap();
    has(&end.spans[0], &who);
    assert_ne!(end.spans[0]["history_len"], "0");

    let attempts = lines("fails_once runs");
    assert_eq!(attempts.len(), 2);
    for (line, attempt) in attempts.iter().zip(["1", "2"]) {
        let [span] = &line.spans[..] else { panic!("{line:?}") };
        has(span, &[("span", "activity"), ("instance_id", "spanned"), ("name", "fails_once")]);
        has(span, &[("version", "1.1"), ("attempt", attempt), ("task_id", "0")]);
        has(span, &[("execution_id", &second.spans[0]["execution_id"])]);
    }
    let [blocking]: [_; 1] = lines("blocks runs").try_into().unwrap();
    has(&blocking.spans[0], &[("span", "activity"), ("name", "blocks"), ("attempt", "1")]);
    assert!(blocking.spans[0]["traceparent"].contains(TRACE_ID));
    Ok(())
}

// Traces.

#[activity]
async fn traced_place(ctx: &ActivityContext) -> Result<(u32, String)> {
    if ctx.attempt() == 1 {
        tracing::info!(traceparent = ctx.trace_context().unwrap().traceparent(), "first attempt");
        return Err(Error::msg("once more"));
    }
    Ok((ctx.attempt(), ctx.trace_context().unwrap().traceparent().to_owned()))
}

#[orchestrator]
async fn traced_places(ctx: &OrchestrationContext, depth: u32) -> Result<Vec<String>> {
    let policy = RetryPolicy::new(2, Duration::from_secs(1));
    let mut places = vec![ctx.trace_context().unwrap().traceparent().to_owned()];
    let (attempt, activity) = traced_place().retry(policy.clone()).await?;
    assert_eq!(attempt, 2);
    places.push(activity);
    places.push(traced_place().retry(policy).await?.1);
    if depth == 2 {
        places.extend(self::traced_places(0).await?);
        return ctx.continue_as_new(self::traced_places(1)).await;
    }
    if depth == 1 {
        places.extend(self::traced_places(0).await?);
    }
    Ok(places)
}

#[tokio::test]
async fn all_work_of_an_instance_is_part_of_its_trace() -> Result<()> {
    listen();
    let hub = TestHub::open().await?;
    let context = trace().with_tracestate("vendor=1");
    let run =
        hub.start(traced_places(2).instance_id("places").trace_context(context.clone())).await?;
    let places = run.result().await?;
    assert_eq!(places.len(), 6);
    assert_eq!(places[0], context.traceparent(), "after continue-as-new as before");
    let contexts = places.iter().map(|place| TraceContext::parse(place).unwrap());
    let contexts: Vec<_> = contexts.collect();
    assert!(contexts.iter().all(|context| context.trace_id() == TRACE_ID));
    let spans: BTreeSet<_> = contexts.iter().map(TraceContext::span_id).collect();
    assert_eq!(spans.len(), 6, "each call has its own: {places:?}");
    // An attempt has the span of its call.
    let first: BTreeSet<_> =
        lines("first attempt").into_iter().map(|line| line.fields["traceparent"].clone()).collect();
    assert!(first.contains(&places[1]) && first.contains(&places[2]), "{first:?}");
    assert_eq!(first.len(), 8, "four in each of the two executions");
    // The history has it.
    let history = run.history().await?;
    let started = history.iter().find_map(|event| match &event.kind {
        EventKind::ExecutionStarted(started) => started.trace_context.clone(),
        _ => None,
    });
    assert_eq!(started, Some(context));
    Ok(())
}

#[tokio::test]
async fn an_invalid_trace_context_is_rejected() -> Result<()> {
    let hub = TestHub::open().await?;
    let context: TraceContext = serde_json::from_str(r#"{"traceparent": "00-1-2-3"}"#)?;
    let refused = hub.start(notes().instance_id("untraced").trace_context(context)).await;
    let Err(error @ StartError::InvalidTraceContext(_)) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().starts_with("invalid traceparent `00-1-2-3`: "), "{error}");
    assert!(hub.find_instance::<notes>("untraced").await?.is_none());
    Ok(())
}

// Lifecycle.

#[orchestrator]
async fn watched(ctx: &OrchestrationContext) -> Result<bool> {
    let good = ctx.wait_for_external_event("good").await?;
    watched_decides(good).await?;
    Ok(true)
}

#[orchestrator]
async fn calls_watched(ctx: &OrchestrationContext) -> Result<bool> {
    Ok(watched().instance_id("child").await?)
}

#[orchestrator]
async fn watched_turns(ctx: &OrchestrationContext, left: u32) -> Result<()> {
    if left > 0 {
        ctx.create_timer(Duration::from_secs(1)).await;
        return ctx.continue_as_new(watched_turns(left - 1)).await;
    }
    Ok(())
}

static IS_MENDED: AtomicUsize = AtomicUsize::new(0);

#[activity]
async fn watched_decides(good: bool) -> Result<()> {
    if good || IS_MENDED.load(Ordering::Relaxed) > 0 { Ok(()) } else { Err(Error::msg("bad")) }
}

#[orchestrator]
async fn told_one(ctx: &OrchestrationContext) {}

#[orchestrator]
async fn told_many(ctx: &OrchestrationContext, count: usize) -> Result<()> {
    durable::try_join_all((0..count).map(|_| told_one())).await?;
    Ok(())
}

/// What has happened, as `instance kind status`.
fn told(events: &mut LifecycleEvents) -> Vec<String> {
    let next = || events.try_recv().unwrap();
    std::iter::from_fn(next)
        .map(|event| format!("{} {:?} {}", event.instance_id, event.kind, event.status))
        .collect()
}

#[tokio::test]
async fn lifecycle_events_of_an_instance_come_in_order() -> Result<()> {
    let hub = TestHub::open().await?;
    let mut events = hub.lifecycle();
    let run = hub.start(watched().instance_id("a")).await?;
    assert_eq!(told(&mut events), ["a Started Running"]);
    run.suspend("later").await?;
    run.suspend("later still").await?;
    run.resume("now").await?;
    run.raise_event("good", &false).await?;
    assert!(matches!(run.result().await, Err(ResultError::Failed(_))));
    assert_eq!(
        told(&mut events),
        ["a Suspended Suspended", "a Resumed Running", "a Failed Failed"],
        "each has been told when the result is there"
    );
    IS_MENDED.store(1, Ordering::Relaxed);
    run.rewind("mended").await?;
    assert!(run.result().await?);
    assert_eq!(told(&mut events), ["a Rewound Running", "a Completed Completed"]);
    run.purge().await?;
    assert_eq!(told(&mut events), ["a Purged Completed"]);
    hub.start(watched().instance_id("a")).await?;
    hub.instance("a")?.terminate("enough").await?;
    assert_eq!(told(&mut events), ["a Started Running", "a Terminated Terminated"]);
    Ok(())
}

#[tokio::test]
async fn lifecycle_events_cover_children_delayed_starts_and_replacements() -> Result<()> {
    let hub = TestHub::open().await?;
    let mut events = hub.lifecycle();
    hub.start(calls_watched().instance_id("parent")).await?;
    hub.settle().await;
    let [parent, child] =
        [events.recv().await?, events.recv().await?].map(|it| (it.instance_id, it.name, it.parent));
    assert_eq!((parent.0.as_str(), parent.1.as_str(), parent.2), ("parent", "calls_watched", None));
    assert_eq!((child.0.as_str(), child.1.as_str()), ("child", "watched"));
    assert_eq!(child.2.unwrap().as_str(), "parent");

    let at = hub.now() + chrono::TimeDelta::hours(1);
    let run = hub.start(watched_turns(2).instance_id("later").start_at(at)).await?;
    assert_eq!(told(&mut events), ["later Started Pending"]);
    run.result().await?;
    assert_eq!(
        told(&mut events),
        [
            "later ContinuedAsNew Running",
            "later ContinuedAsNew Running",
            "later Completed Completed"
        ]
    );

    hub.instance("child")?.suspend("").await?;
    let call = watched().instance_id("child").replace_if([RuntimeStatus::Suspended]);
    hub.start(call).await?;
    hub.settle().await;
    // The partitions of two instances do not wait for each other.
    let (child, parent): (Vec<_>, Vec<_>) =
        told(&mut events).into_iter().partition(|told| told.starts_with("child"));
    assert_eq!(
        child,
        ["child Suspended Suspended", "child Terminated Terminated", "child Started Running"]
    );
    assert_eq!(parent, ["parent Failed Failed"]);
    Ok(())
}

#[tokio::test]
async fn lifecycle_events_cover_retention() -> Result<()> {
    let retention = Retention::all(Duration::from_mins(1));
    let hub = TestHub::builder().configure(|hub| hub.retention(retention)).open().await?;
    let mut events = hub.lifecycle();
    hub.start(told_one().instance_id("short")).await?.result().await?;
    hub.advance(Duration::from_secs(61)).await;
    assert_eq!(
        told(&mut events),
        ["short Started Running", "short Completed Completed", "short Purged Completed"]
    );
    Ok(())
}

#[tokio::test]
async fn a_slow_listener_is_notified_of_missed_events_and_of_the_stop() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.verify_replay(false)).open().await?;
    let mut events = hub.lifecycle();
    hub.start(told_many(2100)).await?.result().await?;
    TaskHub::clone(&hub).shutdown().await?;
    assert_eq!(events.recv().await, Err(LifecycleError::Missed(2 * 2101 - 4096)));
    let mut rest = Vec::new();
    let end = loop {
        match events.recv().await {
            Ok(event) => rest.push(event.kind),
            Err(end) => break end,
        }
    };
    assert_eq!(end, LifecycleError::Stopped);
    assert_eq!((rest.len(), rest.last()), (4096, Some(&LifecycleKind::Completed)));
    assert_eq!(hub.lifecycle().recv().await, Err(LifecycleError::Stopped));
    Ok(())
}

// Counts.

#[activity]
async fn counted_activity(ctx: &ActivityContext, fails: bool) -> Result<()> {
    if fails || ctx.attempt() == 1 { Err(Error::msg("fails")) } else { Ok(()) }
}

#[orchestrator]
async fn counted(ctx: &OrchestrationContext, fails: bool) -> Result<()> {
    ctx.create_timer(Duration::from_mins(1)).await;
    counted_activity(fails).retry(RetryPolicy::new(3, Duration::from_secs(10))).await?;
    Ok(())
}

#[tokio::test]
async fn metrics_count_what_became_durable_once() -> Result<()> {
    listen();
    let hub = TestHub::open().await?;
    hub.start(counted(false)).await?.result().await?;
    hub.start(counted(false)).await?.result().await?;
    let failed = hub.start(counted(true)).await?;
    assert!(matches!(failed.result().await, Err(ResultError::Failed(_))));
    let stopped = hub.start(counted(false)).await?;
    stopped.terminate("").await?;
    failed.rewind("again").await?;
    assert!(matches!(failed.result().await, Err(ResultError::Failed(_))));
    hub.settle().await;
    assert_eq!(count("durable_instances_started_total{name=counted}"), 4);
    assert_eq!(count("durable_instances_completed_total{name=counted}"), 2);
    assert_eq!(count("durable_instances_failed_total{name=counted}"), 2);
    assert_eq!(count("durable_instances_rewound_total{name=counted}"), 1);
    assert_eq!(count("durable_instances_terminated_total{name=counted}"), 1);
    let activities = |outcome: &str| {
        count(&format!("durable_activities_total{{name=counted_activity,outcome={outcome}}}"))
    };
    assert_eq!((activities("completed"), activities("failed")), (2, 2 + 3 + 3));
    assert_eq!(count("durable_attempts_failed_total{name=counted}"), 2 + 2 + 2);
    // In the hub's time, which only timers advance: a minute, and ten seconds for the retry.
    let took = "durable_instance_seconds{name=counted,outcome=completed}";
    assert_eq!(values(took), [70.0, 70.0]);
    assert_eq!(values("durable_activity_seconds{name=counted_activity}").len(), 10);
    assert_eq!(values("durable_activity_wait_seconds{name=counted_activity}").len(), 10);
    assert!(!values("durable_episode_seconds{name=counted}").is_empty());
    for name in ["durable_commit_seconds", "durable_commit_writes", "durable_commit_events"] {
        assert!(!values(name).is_empty(), "{name}");
    }
    let now =
        ["durable_activities_waiting", "durable_activities_running", "durable_instances_active"];
    for name in now {
        assert!(!values(name).is_empty(), "{name}");
    }
    assert!(!values("durable_resident_instances{partition=0}").is_empty());
    Ok(())
}

#[tokio::test]
async fn every_metric_is_described_and_documented() -> Result<()> {
    listen();
    let _hub = TestHub::open().await?;
    let page = include_str!("../../durable/docs/observability.md");
    let described = described();
    assert_eq!(described.len(), 27);
    for (name, unit) in described {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}")));
        let row = row.unwrap_or_else(|| panic!("docs/observability.md does not name `{name}`"));
        assert!(unit != "seconds" || row.contains("seconds"), "{row}");
    }
    Ok(())
}
