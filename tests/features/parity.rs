//! What `durable/docs/parity.md` promises and no other test shows: small facts, one by one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::client::{InstanceQuery, ResultError};
use durable::prelude::*;
use durable::protocol::{FailureDetails, HistoryEvent, InstanceId, TraceContext};
use durable::task::Race3;
use durable::testing::TestHub;
use durable::{OrchestrationHandle, Orchestrator, RuntimeStatus};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

async fn status<O: Orchestrator>(run: &OrchestrationHandle<O>) -> Result<RuntimeStatus> {
    Ok(run.status().await?.runtime_status)
}

/// Why an instance failed: the types of the failure and of what caused it.
async fn failure_types<O: Orchestrator>(run: &OrchestrationHandle<O>) -> Result<Vec<String>> {
    let Err(ResultError::Failed(failed)) = run.result().await else { panic!("it fails") };
    Ok(failed.details().chain().map(|it| it.error_type.clone()).collect())
}

fn count(history: &[HistoryEvent], kind: &str) -> usize {
    history.iter().filter(|event| event.kind.type_name() == kind).count()
}

// What an orchestrator knows of itself.

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
async fn an_orchestrator_knows_name_version_properties_and_parent() -> Result<()> {
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
    // A child that is given no id has one that follows from who asks for it.
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
async fn guids_are_those_of_durable_functions() -> Result<()> {
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
async fn repeats_number(number: u64) -> u64 {
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
async fn an_orchestrator_knows_whether_it_is_replayed() -> Result<()> {
    let configure =
        |hub: durable::client::TaskHubBuilder| hub.live_instances(0).verify_replay(false);
    let hub = TestHub::builder().configure(configure).open().await?;
    hub.start(knows_replays()).await?.result().await?;
    assert_eq!(BEGUN.load(Ordering::SeqCst), 1);
    assert!(BEGUN_AGAIN.load(Ordering::SeqCst) > 0);
    Ok(())
}

#[orchestrator]
async fn says_too_much(ctx: &OrchestrationContext) -> Result<String> {
    ctx.set_custom_status(&"busy")?;
    let refused = ctx.set_custom_status(&"x".repeat(20_000)).unwrap_err();
    ctx.wait_for_external_event::<bool>("done").await?;
    ctx.clear_custom_status();
    Ok(refused.to_string())
}

#[tokio::test]
async fn a_custom_status_has_a_limit_is_found_and_can_be_taken_back() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(says_too_much()).await?;
    hub.settle().await;
    assert_eq!(run.custom_status::<String>().await?.as_deref(), Some("busy"));
    assert_eq!(hub.count(&InstanceQuery::new().custom_status(&"busy")).await?, 1);
    run.raise_event("done", &true).await?;
    let refused = run.result().await?;
    assert!(refused.starts_with("the custom status has 20002 bytes"), "{refused}");
    assert_eq!(run.custom_status::<String>().await?, None);
    assert_eq!(hub.count(&InstanceQuery::new().custom_status(&"busy")).await?, 0);
    Ok(())
}

#[orchestrator]
async fn tells_an_entity(ctx: &OrchestrationContext) -> Result<String> {
    let refused = ctx.send_event("@counter@a", "add", &1).unwrap_err();
    Ok(refused.to_string())
}

#[tokio::test]
async fn an_event_cannot_be_sent_to_the_id_of_an_entity() -> Result<()> {
    let hub = TestHub::open().await?;
    let refused = hub.start(tells_an_entity()).await?.result().await?;
    assert!(refused.contains("it begins with `@`, which is reserved for entities"), "{refused}");
    Ok(())
}

#[orchestrator]
async fn sets_timers(ctx: &OrchestrationContext, timers: u32) -> Result<()> {
    for _ in 0..timers {
        ctx.create_timer(SECOND).await;
    }
    Ok(())
}

#[tokio::test]
async fn what_asks_for_too_much_or_hears_too_little_fails() -> Result<()> {
    let limits = |hub: durable::client::TaskHubBuilder| hub.max_actions(10).max_unread_events(3);
    let hub = TestHub::builder().configure(limits).open().await?;
    hub.start(sets_timers(10)).await?.result().await?;
    let greedy = hub.start(sets_timers(11)).await?;
    assert_eq!(failure_types(&greedy).await?, [FailureDetails::TOO_MANY_ACTIONS]);
    let deaf = hub.start(sets_timers(1)).await?;
    for n in 0..4 {
        deaf.raise_event("number", &n).await?;
    }
    assert_eq!(failure_types(&deaf).await?, [FailureDetails::TOO_MANY_EVENTS]);
    Ok(())
}

// Activities.

#[activity(version = "7")]
async fn sees_its_call(ctx: &ActivityContext) -> (i32, Option<String>, String, Option<String>) {
    let tag = ctx.tags().get("kind").cloned().unwrap_or_default();
    let trace = ctx.trace_context().map(|trace| trace.traceparent.clone());
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
async fn an_activity_sees_number_version_tags_and_trace_of_its_call() -> Result<()> {
    let hub = TestHub::open().await?;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    let trace = TraceContext { traceparent: traceparent.clone(), tracestate: None };
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
async fn parses(text: &str) -> Result<u32> {
    Ok(text.parse::<u32>()?)
}

#[orchestrator]
async fn passes_on(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(parses("x").await?)
}

#[tokio::test]
async fn a_failure_says_of_what_type_the_cause_was() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(passes_on()).await?;
    let Err(ResultError::Failed(failed)) = run.result().await else { panic!("it fails") };
    assert!(failed.details().is_caused_by::<std::num::ParseIntError>());
    assert!(!failed.details().is_caused_by::<std::fmt::Error>());
    Ok(())
}

#[orchestrator]
async fn calls_the_missing(ctx: &OrchestrationContext, is_child: bool) -> Result<()> {
    let patient = RetryPolicy::new(10, SECOND);
    if is_child {
        sets_timers(1).retry(patient).await?;
    } else {
        repeats_number(1).retry(patient).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_registered_fails_its_call_and_is_not_tried_again() -> Result<()> {
    let only = |hub: durable::client::TaskHubBuilder| {
        hub.only_registered().register::<calls_the_missing>()
    };
    let hub = TestHub::builder().configure(only).open().await?;
    for is_child in [false, true] {
        let run = hub.start(calls_the_missing(is_child)).await?;
        let types = failure_types(&run).await?;
        assert!(types.iter().any(|it| it == FailureDetails::NOT_REGISTERED), "{types:?}");
        assert_eq!(count(&run.history().await?, "TaskAttemptFailed"), 0);
    }
    Ok(())
}

#[orchestrator]
async fn waits_longer_each_time(ctx: &OrchestrationContext) -> Result<u32> {
    let mut attempt = 1;
    loop {
        match parses(if attempt < 4 { "x" } else { "5" }).await {
            Ok(number) => return Ok(number),
            Err(failed) if failed.details().non_retriable => return Err(failed.into()),
            Err(_) => ctx.create_timer(attempt * HOUR).await,
        }
        attempt += 1;
    }
}

#[tokio::test]
async fn a_retry_of_ones_own_is_a_loop_that_may_await_timers() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    assert_eq!(hub.start(waits_longer_each_time()).await?.result().await?, 5);
    assert_eq!(hub.now(), began + 6 * HOUR);
    Ok(())
}

// Sub-orchestrations.

#[orchestrator]
async fn tells_the_time(ctx: &OrchestrationContext) -> Result<DateTime<Utc>> {
    Ok(ctx.current_utc_datetime())
}

#[orchestrator]
async fn calls_for_later(ctx: &OrchestrationContext) -> Result<DateTime<Utc>> {
    Ok(tells_the_time().start_at(5 * HOUR).await?)
}

#[tokio::test]
async fn a_child_can_begin_later() -> Result<()> {
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
async fn sleeper(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(ctx.wait_for_external_event("wake").await?)
}

#[tokio::test]
async fn what_is_started_and_left_has_tags_of_its_own_and_takes_no_ids_place() -> Result<()> {
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

// External events, beginning anew.

#[orchestrator]
async fn any_of_three(ctx: &OrchestrationContext) -> Result<String> {
    let wait = |name: &str| ctx.wait_for_external_event::<u32>(name);
    Ok(match durable::race((wait("a"), wait("b"), wait("c"))).await {
        Race3::First(n) => format!("a{}", n?),
        Race3::Second(n) => format!("b{}", n?),
        Race3::Third(n) => format!("c{}", n?),
    })
}

#[orchestrator]
async fn all_of_three(ctx: &OrchestrationContext) -> Result<(u32, String, bool)> {
    let (a, b, c) = durable::try_join((
        ctx.wait_for_external_event::<u32>("a"),
        ctx.wait_for_external_event::<String>("b"),
        ctx.wait_for_external_event::<bool>("c"),
    ))
    .await?;
    Ok((a, b, c))
}

#[orchestrator]
async fn has_a_default(ctx: &OrchestrationContext) -> Result<u32> {
    let number = ctx.wait_for_external_event::<u32>("n");
    Ok(durable::timeout(HOUR, number).await.unwrap_or(Ok(7))?)
}

#[tokio::test]
async fn events_are_waited_for_together_alternatively_and_with_a_default() -> Result<()> {
    let hub = TestHub::open().await?;
    let any = hub.start(any_of_three()).await?;
    any.raise_event("b", &2).await?;
    assert_eq!(any.result().await?, "b2");
    let all = hub.start(all_of_three()).await?;
    all.raise_event("c", &true).await?;
    all.raise_event("a", &1).await?;
    all.raise_event("b", &"two").await?;
    assert_eq!(all.result().await?, (1, "two".into(), true));
    assert_eq!(hub.start(has_a_default()).await?.result().await?, 7);
    Ok(())
}

#[orchestrator(name = "eternal", version = "1")]
async fn eternal(ctx: &OrchestrationContext) -> Result<String> {
    let execution = ctx.execution_id().to_string();
    ctx.continue_as_new(newer_eternal(execution)).await
}

#[orchestrator(name = "eternal", version = "2")]
async fn newer_eternal(ctx: &OrchestrationContext, before: String) -> Result<String> {
    let is_other = before != ctx.execution_id().to_string();
    let version = ctx.version().unwrap_or("");
    Err(Error::msg(format!("version {version}, {}, {is_other}", ctx.generation())))
}

#[tokio::test]
async fn an_instance_begins_anew_with_newer_code_and_ends_with_an_error() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(eternal()).await?;
    let failed = run.result().await.unwrap_err().to_string();
    assert!(failed.ends_with("failed: version 2, 1, true"), "{failed}");
    assert_eq!(status(&run).await?, RuntimeStatus::Failed);
    assert_eq!(run.status().await?.version.as_deref(), Some("2"));
    Ok(())
}

// What clients see and do.

#[tokio::test]
async fn all_that_is_known_of_an_instance_can_be_asked_for() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    let call = waits_longer_each_time().instance_id("asked").tag("team", "a");
    hub.start(call).await?.result().await?;
    let details = hub.instance("asked")?.details().await?;
    assert_eq!(details.status.name, "waits_longer_each_time");
    assert_eq!(details.status.tags["team"], "a");
    assert_eq!(details.status.created_at.to_datetime(), began);
    assert_eq!(details.status.last_updated_at.to_datetime(), began + 6 * HOUR);
    assert_eq!((details.input.as_str(), details.output.unwrap().as_str()), ("null", "5"));
    assert_eq!(details.failure, None);
    Ok(())
}

#[tokio::test]
async fn what_has_not_begun_can_be_suspended_and_terminated() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(tells_the_time().start_at(HOUR)).await?;
    assert_eq!(status(&run).await?, RuntimeStatus::Pending);
    run.suspend("not today").await?;
    hub.advance(2 * HOUR).await;
    assert_eq!(status(&run).await?, RuntimeStatus::Suspended);
    run.resume("today").await?;
    assert_eq!(run.result().await?, hub.now());
    let never = hub.start(tells_the_time().start_at(HOUR)).await?;
    never.terminate("not at all").await?;
    assert!(matches!(never.result().await, Err(ResultError::Terminated(_))));
    Ok(())
}

#[tokio::test]
async fn a_purge_takes_what_its_query_finds() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(tells_the_time()).await?.result().await?;
    hub.start(passes_on()).await?.result().await.unwrap_err();
    hub.advance(HOUR).await;
    let (late, failed) = (hub.now(), InstanceQuery::new().status(RuntimeStatus::Failed));
    hub.start(passes_on()).await?.result().await.unwrap_err();
    assert_eq!(hub.purge(&failed.clone().created_to(late)).await?, 1);
    assert_eq!(hub.count(&failed).await?, 1);
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 2);
    Ok(())
}

#[tokio::test]
async fn histories_can_be_written_as_json_and_read_back() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(waits_longer_each_time()).await?.result().await?;
    let ended = InstanceQuery::new().status(RuntimeStatus::Completed);
    let found = hub.query(&ended).await?.items;
    assert_eq!(found.len(), 1);
    for record in found {
        let history = hub.instance(record.instance_id.as_str())?.history().await?;
        let lines: Vec<_> = history.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let read = lines.iter().map(|line| serde_json::from_str(line));
        assert_eq!(read.collect::<Result<Vec<HistoryEvent>, _>>()?, history);
    }
    Ok(())
}

// The words and numbers of Durable Task.

#[test]
fn statuses_have_the_numbers_of_durable_task() {
    let numbers = [
        (RuntimeStatus::Running, 0),
        (RuntimeStatus::Completed, 1),
        (RuntimeStatus::Failed, 3),
        (RuntimeStatus::Terminated, 5),
        (RuntimeStatus::Pending, 6),
        (RuntimeStatus::Suspended, 7),
    ];
    for (status, number) in numbers {
        assert_eq!(status as i32, number, "{status}");
    }
}

#[orchestrator]
async fn everything(ctx: &OrchestrationContext) -> Result<()> {
    ctx.patched("a-patch");
    ctx.send_event("nobody", "number", &1)?;
    parses("x").retry(RetryPolicy::new(2, SECOND)).await.unwrap_err();
    parses("1").await?;
    tells_the_time().start_at(SECOND).await?;
    passes_on().await.unwrap_err();
    ctx.create_timer(SECOND).await;
    ctx.wait_for_external_event::<u32>("number").await?;
    Ok(())
}

#[tokio::test]
async fn a_history_is_told_in_the_words_of_durable_task() -> Result<()> {
    let hub = TestHub::open().await?;
    let all = hub.start(everything()).await?;
    hub.advance(HOUR).await;
    all.suspend("").await?;
    all.resume("").await?;
    all.raise_event("number", &1).await?;
    all.result().await?;
    let again = hub.start(passes_on()).await?;
    again.result().await.unwrap_err();
    again.rewind("").await?;
    again.result().await.unwrap_err();
    let ended = hub.start(sleeper()).await?;
    ended.terminate("").await?;

    let mut events = all.history().await?;
    events.extend(again.history().await?);
    events.extend(ended.history().await?);
    let kinds: BTreeSet<_> = events.iter().map(|event| event.kind.type_name()).collect();
    let expected = "EventRaised EventSent ExecutionCompleted ExecutionResumed ExecutionRewound \
        ExecutionStarted ExecutionSuspended ExecutionTerminated GenericEvent \
        OrchestratorCompleted OrchestratorStarted SubOrchestrationInstanceCompleted \
        SubOrchestrationInstanceCreated SubOrchestrationInstanceFailed TaskAttemptFailed \
        TaskCompleted TaskFailed TaskScheduled TimerCreated TimerFired";
    assert_eq!(kinds.into_iter().collect::<Vec<_>>().join(" "), expected);
    Ok(())
}

// Versions, numbers of calls, times of ends.

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
async fn versions_are_compared_and_calls_numbered() -> Result<()> {
    let hub = TestHub::open().await?;
    let said = hub.start(compared()).await?.result().await?;
    assert_eq!(said, "Some(0) Some(1) [Greater, Equal, Less]");
    Ok(())
}

#[orchestrator]
async fn ends_after(ctx: &OrchestrationContext, hours: u32) {
    ctx.create_timer(hours * HOUR).await;
}

#[tokio::test]
async fn instances_are_found_by_when_they_ended() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    for hours in 1..=6 {
        hub.start(ends_after(hours)).await?;
    }
    hub.advance(5 * HOUR).await;
    let all = InstanceQuery::new();
    assert_eq!(hub.count(&all.clone().ended_from(began + 3 * HOUR)).await?, 3);
    assert_eq!(hub.count(&all.clone().ended_to(began + 3 * HOUR)).await?, 2);
    assert_eq!(hub.count(&all.ended_from(began).ended_to(began + 9 * HOUR)).await?, 5);
    Ok(())
}
