//! Timers, timeouts and delayed starts, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use durable::RuntimeStatus;
use durable::prelude::*;
use durable::protocol::EventKind;
use durable::store::{MemoryStore, Store};
use durable::task::Race2;
use durable::testing::TestHub;

const DAY: Duration = Duration::from_hours(24);

#[activity]
async fn note(what: &str) -> String {
    what.to_owned()
}

#[orchestrator]
async fn reminders(ctx: &OrchestrationContext, days: u32) -> Result<Vec<DateTime<Utc>>> {
    let mut times = Vec::new();
    for _ in 0..days {
        ctx.create_timer(DAY).await;
        times.push(ctx.current_utc_datetime());
    }
    Ok(times)
}

#[orchestrator]
async fn until(ctx: &OrchestrationContext, time: DateTime<Utc>) -> Result<DateTime<Utc>> {
    ctx.create_timer(time).await;
    Ok(ctx.current_utc_datetime())
}

#[orchestrator]
async fn quickest(ctx: &OrchestrationContext) -> Result<String> {
    let (slow, quick) = (ctx.create_timer(365 * 40 * DAY), ctx.create_timer(TimeDelta::hours(1)));
    match durable::race((slow, quick)).await {
        Race2::First(()) => Ok("slow".into()),
        Race2::Second(()) => Ok("quick".into()),
    }
}

#[orchestrator]
async fn impatient(ctx: &OrchestrationContext) -> Result<String> {
    let never = ctx.wait_for_external_event::<String>("never");
    let limited = durable::timeout(3 * DAY, never).await;
    let in_time = durable::timeout(DAY, note("in time")).await;
    Ok(format!("{}, {}", limited.is_err(), in_time??))
}

#[tokio::test]
async fn virtual_time_skips_days_and_the_orchestrator_sees_them() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    let run = hub.start(reminders(3)).await?;
    assert_eq!(run.result().await?, [began + DAY, began + 2 * DAY, began + 3 * DAY]);
    assert_eq!(hub.now(), began + 3 * DAY);
    Ok(())
}

#[tokio::test]
async fn advance_moves_virtual_time_by_the_given_duration() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(reminders(3)).await?;
    hub.advance(2 * DAY + DAY / 2).await;
    let fired = |event: &EventKind| matches!(event, EventKind::TimerFired { .. });
    let history = run.history().await?;
    assert_eq!(history.iter().filter(|event| fired(&event.kind)).count(), 2);
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Running);
    hub.advance(DAY).await;
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Completed);
    Ok(())
}

#[tokio::test]
async fn a_timer_in_the_past_is_due_immediately() -> Result<()> {
    let hub = TestHub::open().await?;
    let now = hub.now();
    assert_eq!(hub.start(until(now - 9 * DAY)).await?.result().await?, now);
    assert_eq!(hub.start(until(now + 9 * DAY)).await?.result().await?, now + 9 * DAY);
    Ok(())
}

#[tokio::test]
async fn a_timer_beyond_the_calendar_is_not_an_error() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(until(DateTime::<Utc>::MAX_UTC)).await?;
    hub.advance(100_000 * DAY).await;
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Running);
    run.terminate("enough").await?;
    Ok(())
}

#[tokio::test]
async fn a_timer_that_lost_a_race_is_cancelled() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(quickest()).await?;
    assert_eq!(run.result().await?, "quick");
    assert_eq!(run.status().await?.next_due, None);
    Ok(())
}

#[tokio::test]
async fn a_timeout_ends_the_wait_and_cancels_its_task() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    let run = hub.start(impatient()).await?;
    assert_eq!(run.result().await?, "true, in time");
    assert_eq!(hub.now(), began + 3 * DAY, "the second timeout's timer did not hold up the end");
    Ok(())
}

#[tokio::test]
async fn a_delayed_start_is_pending_until_its_time() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    let run = hub.start(reminders(1).start_at(2 * DAY)).await?;
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Pending);
    assert_eq!(run.status().await?.next_due.unwrap().to_datetime(), began + 2 * DAY);
    hub.advance(2 * DAY).await;
    run.wait_for_start().await?;
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Running);
    assert_eq!(run.result().await?, [began + 3 * DAY]);
    Ok(())
}

#[tokio::test]
async fn timers_and_delayed_starts_survive_a_restart() -> Result<()> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let again = |store: &Arc<dyn Store>, days: u32| {
        let store = Arc::clone(store);
        let beginning = DateTime::<Utc>::UNIX_EPOCH + days * DAY;
        TestHub::builder().configure(|hub| hub.store(store)).beginning(beginning).open()
    };
    let hub = again(&store, 0).await?;
    hub.start(reminders(4).instance_id("four")).await?;
    hub.start(reminders(1).instance_id("later").start_at(3 * DAY)).await?;
    hub.advance(DAY).await;
    (*hub).clone().shutdown().await?;

    // Two days later by the calendar: timers that became due in the meantime fire late.
    let hub = again(&store, 3).await?;
    let at = |days: u32| DateTime::<Utc>::UNIX_EPOCH + days * DAY;
    let four = hub.find_instance::<reminders>("four").await?.unwrap();
    let later = hub.find_instance::<reminders>("later").await?.unwrap();
    assert_eq!(four.result().await?, [at(1), at(3), at(4), at(5)]);
    assert_eq!(later.result().await?, [at(4)]);
    Ok(())
}

#[tokio::test]
async fn thousands_of_timers_fire_each_at_its_time() -> Result<()> {
    let hub = TestHub::builder()
        .configure(|hub| hub.live_instances(16).verify_replay(false))
        .open()
        .await?;
    let began = hub.now();
    let mut runs = Vec::new();
    for minutes in 0..3_000_u32 {
        // Not in the order of their times.
        let minutes = (minutes * 7919) % 3_000;
        let time = began + TimeDelta::minutes(i64::from(minutes) + 1);
        runs.push((time, hub.start(until(time)).await?));
    }
    for (time, run) in runs {
        assert_eq!(run.result().await?, time);
    }
    Ok(())
}

#[orchestrator]
async fn long_past(ctx: &OrchestrationContext) -> Result<()> {
    ctx.create_timer(TimeDelta::MIN).await;
    Ok(())
}

#[tokio::test]
async fn a_very_negative_delay_is_due_immediately() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    hub.start(long_past()).await?.result().await?;
    hub.start(long_past().start_at(TimeDelta::MIN)).await?.result().await?;
    hub.start(long_past().start_at(DateTime::<Utc>::MIN_UTC)).await?.result().await?;
    assert_eq!(hub.now(), began);
    Ok(())
}
