//! Options of calls: an option that would have no effect is refused where the call is used.

use std::time::Duration;

use durable::Call;
use durable::prelude::*;
use durable::protocol::TraceContext;
use durable::schedule::{InvalidSchedule, Schedule, ScheduleError};
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn trace() -> TraceContext {
    TraceContext::parse(TRACE).unwrap()
}

fn thrice() -> RetryPolicy {
    RetryPolicy::new(3, SECOND)
}

/// Every option that a call of an orchestration can have, by the name of its method.
fn with_each_option<O>(call: impl Fn() -> Call<O>) -> Vec<(&'static str, Call<O>)>
where
    O: durable::Orchestrator,
{
    vec![
        ("retry", call().retry(thrice())),
        ("timeout", call().timeout(SECOND)),
        ("tag", call().tag("team", "maths")),
        ("version", call().version("1")),
        ("instance_id", call().instance_id("mine")),
        ("start_at", call().start_at(SECOND)),
        ("replace_if", call().replace_if([RuntimeStatus::Failed])),
        ("trace_context", call().trace_context(trace())),
    ]
}

/// The options whose calls were refused; `said` is in the text of each of those errors.
fn refused<T, E: ToString>(
    results: impl IntoIterator<Item = (&'static str, Result<T, E>)>,
    said: &str,
) -> Vec<String> {
    let errors = results.into_iter().filter_map(|(option, result)| {
        let error = result.err()?.to_string();
        let expected = format!("with `{option}` cannot be {said}; ");
        assert!(error.contains(&expected), "`{error}` does not contain `{expected}`");
        Some(option.to_owned())
    });
    errors.collect()
}

#[orchestrator(version = "1")]
async fn adds_one(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    Ok(n + 1)
}

/// The options that are refused, before and after a wait in which the hub may crash.
#[orchestrator]
async fn awaits_with_each_option(ctx: &OrchestrationContext) -> Result<[Vec<String>; 2]> {
    let mut both = Vec::new();
    for _round in 0..2 {
        let mut results = Vec::new();
        for (option, call) in with_each_option(|| adds_one(1)) {
            results.push((option, call.await));
        }
        both.push(refused(results, "awaited"));
        ctx.create_timer(Duration::from_hours(1)).await;
    }
    Ok([both.remove(0), both.remove(0)])
}

#[tokio::test]
async fn an_awaited_call_refuses_options_of_clients_also_in_replays() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(awaits_with_each_option()).await?;
    hub.advance(Duration::from_mins(5)).await;
    let id = run.instance_id().clone();
    let hub = hub.crash().await?;
    let run = hub.find_instance::<awaits_with_each_option>(&id).await?.expect("it was started");
    let expected = ["replace_if", "trace_context"].map(str::to_owned);
    assert_eq!(run.result().await?, [expected.to_vec(), expected.to_vec()]);
    Ok(())
}

#[activity]
async fn halves(n: u32) -> u32 {
    n / 2
}

#[orchestrator]
async fn halves_with_each_option(ctx: &OrchestrationContext) -> Result<u32> {
    let one = halves(8).retry(thrice()).timeout(SECOND).attempt_timeout(SECOND);
    Ok(one.tag("team", "maths").await?)
}

#[tokio::test]
async fn all_options_of_an_activity_have_an_effect() -> Result<()> {
    let hub = TestHub::open().await?;
    assert_eq!(hub.start(halves_with_each_option()).await?.result().await?, 4);
    Ok(())
}

const OF_DETACHED: [&str; 4] = ["retry", "timeout", "replace_if", "trace_context"];

#[orchestrator]
async fn starts_with_each_option(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let each = with_each_option(|| adds_one(1)).into_iter();
    Ok(refused(each.map(|(option, call)| (option, ctx.start(call))), "started"))
}

#[derive(Default, Serialize, Deserialize)]
struct TriesOptions {}

#[entity]
impl TriesOptions {
    fn start_with_each_option(&mut self, ctx: &EntityContext) -> Vec<String> {
        let each = with_each_option(|| adds_one(1)).into_iter();
        refused(each.map(|(option, call)| (option, ctx.start(call))), "started")
    }
}

#[tokio::test]
async fn an_instance_starts_no_call_with_an_option_of_waiting_or_of_clients() -> Result<()> {
    let hub = TestHub::open().await?;
    assert_eq!(hub.start(starts_with_each_option()).await?.result().await?, OF_DETACHED);
    let refused = hub.call_entity(TriesOptions::at("a").start_with_each_option()).await?;
    assert_eq!(refused, OF_DETACHED);
    Ok(())
}

#[orchestrator(timeout = "10s")]
async fn takes_an_hour_of_10_s(ctx: &OrchestrationContext) -> Result<()> {
    ctx.create_timer(Duration::from_hours(1)).await;
    Ok(())
}

#[tokio::test]
async fn a_client_starts_no_call_with_an_option_of_waiting() -> Result<()> {
    let hub = TestHub::open().await?;
    let (mut typed, mut by_name) = (Vec::new(), Vec::new());
    for (option, call) in with_each_option(|| adds_one(1)) {
        typed.push((option, hub.start_if_absent(call.clone()).await));
        by_name.push((option, hub.start_named_if_absent(call).await));
    }
    assert_eq!(refused(typed, "started"), ["retry", "timeout"]);
    assert_eq!(refused(by_name, "started"), ["retry", "timeout"]);
    // The defaults that an attribute declares apply to calls that are awaited, and are not an error
    // elsewhere.
    hub.start(takes_an_hour_of_10_s()).await?.result().await?;
    Ok(())
}

#[tokio::test]
async fn a_schedule_refuses_options_of_a_single_instance() -> Result<()> {
    let hub = TestHub::open().await?;
    let of_runs = ["retry", "timeout", "instance_id", "start_at", "replace_if"];
    let hourly = || Schedule::every(Duration::from_hours(1));
    let existing = hub.create_schedule("existing", hourly().of(adds_one(1))).await?;
    let (mut created, mut updated) = (Vec::new(), Vec::new());
    for (option, call) in with_each_option(|| adds_one(1)) {
        created.push((option, hub.create_schedule(option, hourly().of(call.clone())).await));
        updated.push((option, existing.update(hourly().of(call)).await));
    }
    let option_of = |error: &ScheduleError| match error {
        ScheduleError::Invalid(InvalidSchedule::CallOption { call, .. }) => *call,
        other => panic!("{other}"),
    };
    let of = |error: Option<ScheduleError>| error.as_ref().map(option_of);
    let created: Vec<_> = created.into_iter().filter_map(|(_, it)| of(it.err())).collect();
    assert_eq!(created, of_runs);
    // The trace of a schedule is that of its creation.
    let updated: Vec<_> = updated.into_iter().filter_map(|(_, it)| of(it.err())).collect();
    assert_eq!(updated, [of_runs.as_slice(), &["trace_context"]].concat());
    Ok(())
}

#[orchestrator]
async fn shows_its_trace(ctx: &OrchestrationContext) -> Result<Option<String>> {
    Ok(ctx.trace_context().map(|trace| trace.trace_id().to_owned()))
}

#[tokio::test]
async fn the_runs_of_a_schedule_are_part_of_its_trace() -> Result<()> {
    let hub = TestHub::open().await?;
    let hourly = Schedule::every(Duration::from_hours(1));
    let traced = hourly.of(shows_its_trace().trace_context(trace()));
    let schedule = hub.create_schedule("traced", traced).await?;
    hub.advance(Duration::from_mins(61)).await;
    let found = hub.query(&schedule.runs()).await?.items;
    let run = hub.instance(&found[0].instance_id)?;
    let seen = run.result_json().await?;
    assert_eq!(seen.as_str(), format!("{:?}", trace().trace_id()));
    Ok(())
}

#[orchestrator]
async fn again_with_each_option(ctx: &OrchestrationContext, option: usize) -> Result<u32> {
    let mut each = with_each_option(|| again_with_each_option(100));
    if option >= each.len() {
        return Ok(7);
    }
    ctx.continue_as_new(each.remove(option).1).await
}

#[tokio::test]
async fn continue_as_new_refuses_every_option_except_the_version() -> Result<()> {
    let hub = TestHub::open().await?;
    let mut results = Vec::new();
    for (index, (option, _)) in with_each_option(|| adds_one(1)).into_iter().enumerate() {
        if option == "version" {
            continue; // There is no other version to continue with.
        }
        results.push((option, hub.start(again_with_each_option(index)).await?.result().await));
    }
    let all = results.len();
    assert_eq!(refused(results, "given to `continue_as_new`").len(), all);
    Ok(())
}
