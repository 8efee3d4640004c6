//! Activities: cancellation, attempt timeouts, and bounded concurrency.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use durable::client::ResultError;
use durable::prelude::*;
use durable::protocol::{EventKind, FailureDetails, Timestamp};
use durable::task::Race2;
use durable::testing::TestHub;
use tokio::sync::Barrier;

/// The instances whose `holds` has begun, and those whose `holds` has seen its token.
static BEGUN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static CANCELLED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Works until it is cancelled.
#[activity]
async fn holds(ctx: &ActivityContext) -> Result<()> {
    BEGUN.lock().unwrap().insert(ctx.instance_id().to_string());
    ctx.cancellation_token().cancelled().await;
    CANCELLED.lock().unwrap().insert(ctx.instance_id().to_string());
    Err(Error::msg("cancelled"))
}

/// An activity that is cancelled before it begins never begins.
async fn has_begun(instance: &str) {
    while !BEGUN.lock().unwrap().contains(instance) {
        tokio::task::yield_now().await;
    }
}

fn saw_its_token(instance: &str) -> bool {
    CANCELLED.lock().unwrap().contains(instance)
}

#[orchestrator]
async fn held(ctx: &OrchestrationContext) -> Result<()> {
    Ok(holds().await?)
}

#[orchestrator]
async fn first_of_two(ctx: &OrchestrationContext) -> Result<bool> {
    let go = ctx.wait_for_external_event::<bool>("go");
    match durable::race((holds(), go)).await {
        Race2::First(_) => Ok(false),
        Race2::Second(go) => {
            // The activity is still running: its task was dropped, and the instance continues.
            let more = ctx.wait_for_external_event::<bool>("more").await?;
            Ok(go? && more)
        }
    }
}

#[orchestrator]
async fn anew(ctx: &OrchestrationContext, round: u32) -> Result<u32> {
    if round > 0 {
        return Ok(round);
    }
    let held = holds().spawn();
    ctx.wait_for_external_event::<bool>("go").await?;
    let next = ctx.continue_as_new(anew(round + 1)).await;
    drop(held);
    next
}

#[orchestrator]
async fn slow_attempts(ctx: &OrchestrationContext) -> Result<()> {
    let policy = RetryPolicy::new(3, Duration::from_millis(1));
    Ok(holds().retry(policy).attempt_timeout(Duration::from_millis(5)).await?)
}

#[activity]
async fn punch(card: u32) -> Result<u32> {
    Ok(card)
}

#[orchestrator]
async fn punches_two(ctx: &OrchestrationContext) -> Result<u32> {
    let policy = RetryPolicy::new(2, Duration::from_secs(1));
    let second = punch(2).await?;
    Ok(punch(1).retry(policy).await.unwrap_or(0) + second)
}

#[orchestrator]
async fn punches_in_time(ctx: &OrchestrationContext) -> Result<String> {
    let punched = punch(3).timeout(Duration::from_secs(1)).await;
    Ok(punched.map_or("timed out".to_owned(), |card| card.to_string()))
}

/// How many runs of `narrow` are in progress, and the maximum so far.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
static PAIR: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));

/// Runs until another run of it is in progress, too.
#[activity(max_concurrent = 2)]
async fn narrow(n: usize) -> usize {
    let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
    MOST.fetch_max(running, Ordering::SeqCst);
    let other = tokio::time::timeout(Duration::from_mins(1), PAIR.wait()).await;
    other.expect("two runs are in progress");
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    RUNNING.fetch_sub(1, Ordering::SeqCst);
    n
}

#[orchestrator]
async fn wide(ctx: &OrchestrationContext, count: usize) -> Result<usize> {
    Ok(durable::try_join_all((0..count).map(narrow)).await?.len())
}

#[tokio::test]
async fn a_terminated_instance_cancels_its_activities() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(held().instance_id("terminated")).await?;
    has_begun("terminated").await;
    run.terminate("enough").await?;
    hub.settle().await;
    assert!(saw_its_token("terminated"));
    Ok(())
}

#[tokio::test]
async fn an_activity_that_loses_a_race_is_cancelled_and_its_instance_continues() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(first_of_two().instance_id("raced")).await?;
    has_begun("raced").await;
    run.raise_event("go", &true).await?;
    hub.settle().await;
    assert!(saw_its_token("raced"));
    run.raise_event("more", &true).await?;
    assert!(run.result().await?);
    Ok(())
}

#[tokio::test]
async fn continue_as_new_cancels_running_activities() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(anew(0).instance_id("left")).await?;
    has_begun("left").await;
    run.raise_event("go", &true).await?;
    assert_eq!(run.result().await?, 1);
    hub.settle().await;
    assert!(saw_its_token("left"));
    Ok(())
}

/// Fails at first, and then works until it is cancelled.
#[activity]
async fn holds_at_last(ctx: &ActivityContext, attempts: u32) -> Result<()> {
    if ctx.attempt() < attempts {
        return Err(Error::msg("not yet"));
    }
    BEGUN.lock().unwrap().insert(ctx.instance_id().to_string());
    ctx.cancellation_token().cancelled().await;
    Ok(())
}

#[orchestrator]
async fn held_at_last(ctx: &OrchestrationContext) -> Result<()> {
    let policy = RetryPolicy::new(3, Duration::from_hours(1));
    Ok(holds_at_last(3).retry(policy).await?)
}

#[tokio::test]
async fn running_activities_are_listed_with_attempt_and_start() -> Result<()> {
    let hub = TestHub::open().await?;
    assert_eq!(hub.running(), []);
    let retried = hub.start(held_at_last().instance_id("retried")).await?;
    hub.advance(Duration::from_hours(1)).await;
    assert_eq!(hub.running(), [], "it waits for a retry");
    // Virtual time does not pass while an activity runs, so this does not end.
    tokio::select! {
        () = hub.advance(Duration::from_hours(1)) => unreachable!(),
        () = has_begun("retried") => {}
    }
    let held = hub.start(held().instance_id("held at once")).await?;
    has_begun("held at once").await;

    let running = hub.running();
    let shown = running.iter().map(|it| (it.instance_id.as_str(), it.name.as_str(), it.attempt));
    let wanted = [("retried", "holds_at_last", 3), ("held at once", "holds", 1)];
    assert_eq!(shown.collect::<Vec<_>>(), wanted);
    let waits = retried.pending().await?;
    assert_eq!(running[0].event_id, waits.tasks[0].event_id);
    assert!(running.iter().all(|it| it.since.to_datetime() == hub.now()), "{running:?}");

    retried.terminate("enough").await?;
    held.terminate("enough").await?;
    hub.settle().await;
    assert_eq!(hub.running(), [], "cancelled activities are not wanted any more");
    Ok(())
}

/// The attempt in the end event of an activity, and when it began.
fn attempt(kind: &EventKind) -> Option<(i32, Option<u32>, Option<Timestamp>)> {
    match kind {
        EventKind::TaskCompleted { task_scheduled_id: id, attempt, began, .. }
        | EventKind::TaskFailed { task_scheduled_id: id, attempt, began, .. } => {
            Some((*id, *attempt, *began))
        }
        EventKind::TaskAttemptFailed { task_scheduled_id: id, attempt, began, .. } => {
            Some((*id, Some(*attempt), *began))
        }
        _ => None,
    }
}

#[tokio::test]
async fn the_end_of_an_activity_records_its_attempt_and_when_that_began() -> Result<()> {
    let refused = |card: u32| if card == 1 { Err(Error::msg("refused")) } else { Ok(card) };
    let time = Duration::from_secs(5);
    let hub = TestHub::builder().mock_after::<punch>(time, refused).open().await?;
    let run = hub.start(punches_two()).await?;
    assert_eq!(run.result().await?, 2);
    let history = run.history().await?;
    let since = |time: Timestamp| time.since(history[0].timestamp).as_secs();
    let ends = history.iter().filter_map(|event| attempt(&event.kind));
    let ends: Vec<_> = ends.map(|(id, attempt, began)| (id, attempt, began.map(since))).collect();
    // Each takes 5 s, and the second attempt begins after 1 s.
    assert_eq!(ends, [(0, Some(1), Some(0)), (1, Some(1), Some(5)), (1, Some(2), Some(11))]);
    Ok(())
}

#[tokio::test]
async fn an_activity_whose_time_limit_ends_records_no_attempt() -> Result<()> {
    let hub = TestHub::builder().never::<punch>().open().await?;
    let run = hub.start(punches_in_time().instance_id("late")).await?;
    assert_eq!(run.result().await?, "timed out");
    let ends: Vec<_> = run.history().await?.iter().filter_map(|it| attempt(&it.kind)).collect();
    assert_eq!(ends, [(0, None, None)]);
    Ok(())
}

#[tokio::test]
async fn an_attempt_timeout_fails_the_attempt() -> Result<()> {
    // By the machine's clock: time does not pass by itself while an activity runs.
    let hub = TaskHub::builder().in_memory().open().await?;
    let run = hub.start(slow_attempts().instance_id("slow")).await?;
    let Err(ResultError::Failed(failed)) = run.result().await else { panic!("it fails") };
    let types: Vec<_> = failed.details().chain().map(|it| it.error_type.as_str()).collect();
    assert!(types.contains(&FailureDetails::TIMEOUT), "{types:?}");
    let history = run.history().await?;
    let failed = |kind| kind == "TaskAttemptFailed";
    assert_eq!(history.iter().filter(|event| failed(event.kind.type_name())).count(), 2);
    Ok(hub.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn max_concurrent_bounds_the_runs_of_an_activity() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.verify_replay(false)).open().await?;
    assert_eq!(hub.start(wide(200)).await?.result().await?, 200);
    assert_eq!(MOST.load(Ordering::SeqCst), 2);
    Ok(())
}

#[activity(max_concurrent = 1)]
async fn stamp(n: u32) -> u32 {
    n
}

#[activity]
async fn seal(n: u32) -> u32 {
    n
}

#[orchestrator]
async fn three_stamps(ctx: &OrchestrationContext, of_all: bool) -> Result<u32> {
    let stamps = (0..3).map(|n| if of_all { seal(n).spawn() } else { stamp(n).spawn() });
    Ok(durable::try_join_all(stamps).await?.into_iter().sum())
}

#[tokio::test]
async fn activities_that_wait_for_their_turn_let_virtual_time_pass() -> Result<()> {
    let (time, three) = (Duration::from_hours(1), chrono::TimeDelta::hours(3));
    let mocked = TestHub::builder().mock_after::<stamp>(time, Ok);
    let hub = mocked.open().await?;
    let began = hub.now();
    assert_eq!(hub.start(three_stamps(false)).await?.result().await?, 3);
    assert_eq!(hub.now() - began, three, "limited by the activity");
    let mocked = TestHub::builder().mock_after::<seal>(time, Ok);
    let hub = mocked.configure(|hub| hub.activity_concurrency(1)).open().await?;
    let began = hub.now();
    assert_eq!(hub.start(three_stamps(true)).await?.result().await?, 3);
    assert_eq!(hub.now() - began, three, "limited by the hub");
    Ok(())
}

#[activity(max_concurrent = 1)]
async fn booth(ctx: &ActivityContext, caller: u32) -> Result<()> {
    ctx.cancellation_token().cancelled().await;
    Err(Error::msg(format!("{caller} hung up")))
}

#[orchestrator]
async fn three_callers(ctx: &OrchestrationContext) -> Result<()> {
    durable::try_join_all((0..3).map(booth)).await?;
    Ok(())
}

#[tokio::test]
async fn activities_that_wait_for_a_free_slot_are_counted_by_name() -> Result<()> {
    let hub = TestHub::open().await?;
    assert_eq!(hub.waiting(), [].into());
    let run = hub.start(three_callers()).await?;
    let one_runs = [("booth".to_owned(), 2)].into();
    while hub.waiting() != one_runs || hub.running().len() != 1 {
        tokio::task::yield_now().await;
    }
    let registered = hub.registered().activities;
    let find = |name: &str| registered.iter().find(|it| it.name == name).unwrap().max_concurrent;
    assert_eq!((find("booth"), find("seal")), (Some(1), None));
    run.terminate("enough").await?;
    hub.settle().await;
    assert_eq!(hub.waiting(), [].into());
    Ok(())
}
