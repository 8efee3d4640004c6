//! The test kit: mocks, events at a chosen time, restarts and crashes of a hub.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use durable::client::{HubError, ManageError, ResultError};
use durable::prelude::*;
use durable::protocol::{EventKind, FailureDetails};
use durable::task::Definition;
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_hours(24);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Item {
    name: String,
    cents: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("short by {by}")]
pub(super) struct Declined {
    pub(super) by: u32,
}

#[activity]
pub(super) async fn charge(_account: &str, _items: &[Item]) -> Result<u32, Declined> {
    unreachable!("a test charges nobody")
}

#[activity]
async fn now_and_then() -> Result<String> {
    unreachable!("a test does not depend on luck")
}

#[activity]
pub(super) fn archive(_ctx: &ActivityContext, _file: &Path, _item: &Item) {
    unreachable!("a test archives nothing")
}

#[activity]
pub(super) async fn twice(n: u64) -> u64 {
    2 * n
}

#[orchestrator]
pub(super) async fn buy(ctx: &OrchestrationContext, account: String, cents: u32) -> Result<String> {
    let item = Item { name: "tea".into(), cents };
    archive(Path::new("orders/1"), &item).await?;
    match charge(&account, &[item]).await {
        Ok(paid) => Ok(format!("paid {paid}")),
        Err(failed) => match failed.error() {
            Some(Declined { by }) => Ok(format!("declined: {by}")),
            None => Err(failed.into()),
        },
    }
}

#[orchestrator]
async fn keeps_trying(ctx: &OrchestrationContext) -> Result<String> {
    let policy = RetryPolicy::new(3, Duration::from_hours(1));
    Ok(now_and_then().retry(policy).attempt_timeout(Duration::from_mins(5)).await?)
}

#[orchestrator]
async fn hasty(ctx: &OrchestrationContext) -> Result<bool> {
    Ok(durable::timeout(DAY, now_and_then()).await.is_err())
}

#[orchestrator]
pub(super) async fn four_times(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    Ok(twice(twice(n).await?).await?)
}

#[orchestrator]
async fn daily_sum(ctx: &OrchestrationContext, upto: u64) -> Result<u64> {
    let mut sum = 0;
    for n in 0..upto {
        sum += four_times(n).await?;
        ctx.create_timer(DAY).await;
    }
    Ok(sum)
}

#[orchestrator]
async fn sign_off(ctx: &OrchestrationContext) -> Result<Option<String>> {
    let answer = ctx.wait_for_external_event::<String>("Approval");
    match durable::timeout(3 * DAY, answer).await {
        Ok(by) => Ok(Some(by?)),
        Err(_elapsed) => Ok(None),
    }
}

#[tokio::test]
async fn a_mock_has_the_types_of_its_activity() -> Result<()> {
    let hub = TestHub::builder()
        .mock::<archive>(|(_, _)| Ok(()))
        .mock::<charge>(|(account, items)| match (&*account, &*items) {
            ("ada", [Item { cents, .. }]) => Ok(*cents),
            _ => Err(Declined { by: 7 }),
        })
        .open()
        .await?;
    assert_eq!(hub.start(buy("ada".into(), 5)).await?.result().await?, "paid 5");
    assert_eq!(hub.start(buy("bob".into(), 6)).await?.result().await?, "declined: 7");
    let tea = |cents| Item { name: "tea".into(), cents };
    assert_eq!(
        hub.calls::<charge>(),
        [("ada".to_owned(), vec![tea(5)]), ("bob".to_owned(), vec![tea(6)])]
    );
    let file = PathBuf::from("orders/1");
    assert_eq!(hub.calls::<archive>(), [(file.clone(), tea(5)), (file, tea(6))]);
    Ok(())
}

#[tokio::test]
async fn a_mock_sees_its_attempt_and_its_panic_fails_the_attempt() -> Result<()> {
    let hub = TestHub::builder()
        .mock_with_context::<now_and_then>(|ctx, ()| match ctx.attempt() {
            1 => panic!("out of luck"),
            2 => Err(Error::msg("nearly")),
            attempt => Ok(format!("at attempt {attempt}")),
        })
        .open()
        .await?;
    let run = hub.start(keeps_trying()).await?;
    assert_eq!(run.result().await?, "at attempt 3");
    assert_eq!(hub.calls::<now_and_then>().len(), 3);
    let failed: Vec<_> = run.history().await?.into_iter().filter_map(failed_attempt).collect();
    assert!(failed[0].ends_with(": out of luck"), "{failed:?}");
    assert_eq!(failed[1], "nearly");
    Ok(())
}

fn failed_attempt(event: durable::protocol::HistoryEvent) -> Option<String> {
    match event.kind {
        EventKind::TaskAttemptFailed { failure, .. } => Some(failure.message),
        _ => None,
    }
}

#[tokio::test]
async fn a_mock_that_never_returns_lets_virtual_time_pass_until_its_timeout() -> Result<()> {
    let hub = TestHub::builder().never::<now_and_then>().open().await?;
    let began = hub.now();
    assert!(hub.start(hasty()).await?.result().await?);
    assert_eq!(hub.now() - began, chrono::TimeDelta::days(1));

    let failed = hub.start(keeps_trying()).await?.result().await.unwrap_err();
    let ResultError::Failed(failed) = failed else { panic!("{failed}") };
    let types: Vec<_> = failed.details().chain().map(|it| it.error_type.as_str()).collect();
    assert!(types.contains(&FailureDetails::TIMEOUT), "{types:?}");
    // Three attempts of five minutes, with an hour before the second and the third.
    assert_eq!(hub.now() - began, chrono::TimeDelta::days(1) + chrono::TimeDelta::minutes(135));
    assert_eq!(hub.calls::<now_and_then>().len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_mock_may_take_virtual_time() -> Result<()> {
    let hours = Duration::from_hours(3);
    let hub = TestHub::builder().mock_after::<twice>(hours, |n| Ok(n + 1)).open().await?;
    let began = hub.now();
    let run = hub.start(four_times(5)).await?;
    hub.advance(hours.saturating_sub(Duration::from_micros(1))).await;
    assert_eq!(hub.calls::<twice>(), [5], "the first call is still running");
    assert_eq!(run.result().await?, 7);
    assert_eq!(hub.now() - began, chrono::TimeDelta::hours(6));
    Ok(())
}

#[tokio::test]
async fn the_virtual_time_of_a_mock_counts_towards_timeouts() -> Result<()> {
    let attempt = Duration::from_mins(5);
    for (time, passed) in [
        (attempt, Some(attempt)),
        // Three attempts of five minutes, and an hour before each but the first.
        (attempt + Duration::from_micros(1), None),
    ] {
        let mocked = TestHub::builder().mock_after::<now_and_then>(time, |()| Ok("done".into()));
        let hub = mocked.open().await?;
        let began = hub.now();
        let result = hub.start(keeps_trying()).await?.result().await;
        assert_eq!(result.is_ok(), passed.is_some(), "{result:?}");
        let passed = passed.unwrap_or(3 * attempt + 2 * Duration::from_hours(1));
        assert_eq!((hub.now() - began).to_std(), Ok(passed));
    }
    let mocked = TestHub::builder().mock_after::<now_and_then>(2 * DAY, |()| panic!("too late"));
    let hub = mocked.open().await?;
    let began = hub.now();
    assert!(hub.start(hasty()).await?.result().await?, "it is cancelled after a day");
    assert_eq!(hub.now() - began, chrono::TimeDelta::days(1));
    hub.advance(3 * DAY).await;
    Ok(())
}

#[tokio::test]
async fn an_error_or_panic_of_a_slow_mock_is_a_failed_attempt() -> Result<()> {
    let attempts = AtomicU32::new(0);
    let hub = TestHub::builder()
        .mock_after::<now_and_then>(Duration::from_mins(1), move |()| {
            match attempts.fetch_add(1, Ordering::Relaxed) {
                0 => panic!("out of luck"),
                1 => Err(Error::msg("nearly")),
                _ => Ok("done".into()),
            }
        })
        .open()
        .await?;
    let began = hub.now();
    assert_eq!(hub.start(keeps_trying()).await?.result().await?, "done");
    assert_eq!(hub.now() - began, chrono::TimeDelta::minutes(3 + 2 * 60));
    Ok(())
}

#[tokio::test]
async fn an_attempt_of_a_slow_mock_begins_again_after_a_restart() -> Result<()> {
    let hours = Duration::from_hours(3);
    let hub = TestHub::builder().mock_after::<twice>(hours, |n| Ok(2 * n)).open().await?;
    let began = hub.now();
    hub.start(four_times(1).instance_id("late")).await?;
    hub.advance(Duration::from_hours(2)).await;
    let hub = hub.reopen().await?;
    hub.advance(Duration::from_hours(2)).await;
    let hub = hub.crash().await?;
    let run = hub.find_instance::<four_times>("late").await?.unwrap();
    assert_eq!(run.result().await?, 4);
    assert_eq!(hub.now() - began, chrono::TimeDelta::hours(2 + 2 + 6));
    assert_eq!(hub.calls::<twice>(), [1, 1, 1, 2]);
    Ok(())
}

#[tokio::test]
async fn a_mock_that_never_returns_does_not_block_a_shutdown() -> Result<()> {
    let hub = TestHub::builder().never::<now_and_then>().open().await?;
    let run = hub.start(hasty().instance_id("hasty")).await?;
    hub.settle().await;
    assert_eq!(hub.calls::<now_and_then>().len(), 1);
    let hub = hub.reopen().await?;
    assert!(matches!(run.result().await, Err(ResultError::Hub(HubError::ShutDown))));
    assert!(hub.find_instance::<hasty>("hasty").await?.unwrap().result().await?);
    assert_eq!(hub.calls::<now_and_then>().len(), 2, "it ran again");
    Ok(())
}

#[tokio::test]
async fn a_mocked_orchestrator_is_called_once_across_replays() -> Result<()> {
    let hub = TestHub::builder().mock_orchestrator::<four_times>(|n| Ok(100 * n)).open().await?;
    assert_eq!(hub.start(daily_sum(3)).await?.result().await?, 300);
    assert_eq!(hub.start(four_times(7)).await?.result().await?, 700);
    assert_eq!(hub.calls::<four_times>(), [0, 1, 2, 7]);
    assert_eq!(hub.calls::<twice>(), [0_u64; 0]);

    let failing = TestHub::builder().mock_orchestrator::<four_times>(|_| Err(Error::msg("closed")));
    let hub = failing.open().await?;
    let failed = hub.start(daily_sum(1)).await?.result().await.unwrap_err();
    assert!(failed.to_string().ends_with("orchestration `four_times` failed: closed"), "{failed}");
    Ok(())
}

#[tokio::test]
async fn a_mock_registers_its_activity_and_calls_of_others_are_recorded_too() -> Result<()> {
    let hub = TestHub::builder()
        .configure(|hub| hub.only_registered().register::<four_times>())
        .mock::<twice>(|n| Ok(n + 1))
        .open()
        .await?;
    assert_eq!(hub.start(four_times(5)).await?.result().await?, 7);
    assert_eq!(hub.calls::<twice>(), [5, 6]);

    let hub = TestHub::open().await?;
    assert_eq!(hub.start(four_times(5)).await?.result().await?, 20);
    assert_eq!(hub.calls::<twice>(), [5, 10]);
    Ok(())
}

#[tokio::test]
async fn raise_event_after_delivers_at_its_time_while_a_result_is_awaited() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    let run = hub.start(sign_off().instance_id("in-time")).await?;
    hub.raise_event_after(2 * DAY, "in-time", "Approval", &"Ada")?;
    assert_eq!(run.result().await?.as_deref(), Some("Ada"));
    assert_eq!(hub.now() - began, chrono::TimeDelta::days(2));

    let run = hub.start(sign_off().instance_id("late")).await?;
    hub.raise_event_after(4 * DAY, "late", "Approval", &"Ada")?;
    assert_eq!(run.result().await?, None);
    // The instance has ended, so the event is dropped.
    hub.advance(2 * DAY).await;

    let refused = hub.raise_event_after(DAY, "a/b", "Approval", &"Ada");
    assert!(matches!(refused, Err(ManageError::InvalidInstanceId(_))), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn events_raised_after_delays_arrive_in_order_of_time() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(sign_off().instance_id("two")).await?;
    hub.raise_event_after(2 * DAY, "two", "Approval", &"second")?;
    hub.raise_event_after(DAY, "two", "Approval", &"first")?;
    assert_eq!(run.result().await?.as_deref(), Some("first"));
    Ok(())
}

#[tokio::test]
async fn a_concurrent_client_advances_an_awaited_instance() -> Result<()> {
    #[orchestrator]
    async fn told_to_sleep(ctx: &OrchestrationContext) -> Result<u32> {
        let days = ctx.wait_for_external_event::<u32>("sleep").await?;
        ctx.create_timer(days * DAY).await;
        Ok(days)
    }

    let hub = TestHub::open().await?;
    let run = hub.start(told_to_sleep()).await?;
    let tell = async {
        hub.settle().await;
        run.raise_event("sleep", &9).await
    };
    let (result, told) = tokio::join!(run.result(), tell);
    told?;
    assert_eq!(result?, 9);
    Ok(())
}

#[tokio::test]
async fn reopen_keeps_instances_time_mocks_and_pending_events() -> Result<()> {
    let hub = TestHub::builder().mock::<twice>(|n| Ok(3 * n)).open().await?;
    hub.start(daily_sum(4).instance_id("sum")).await?;
    hub.start(sign_off().instance_id("sign_off")).await?;
    hub.raise_event_after(2 * DAY, "sign_off", "Approval", &"Ada")?;
    hub.advance(DAY + DAY / 2).await;
    let before = hub.now();
    let hub = hub.reopen().await?;
    assert_eq!(hub.now(), before);
    let sign_off = hub.find_instance::<sign_off>("sign_off").await?.unwrap();
    assert_eq!(sign_off.result().await?.as_deref(), Some("Ada"));
    assert_eq!(hub.now() - before, chrono::TimeDelta::hours(12));
    let sum = hub.find_instance::<daily_sum>("sum").await?.unwrap();
    assert_eq!(sum.result().await?, 9 * (1 + 2 + 3));
    Ok(())
}

#[tokio::test]
async fn an_activity_that_a_crash_interrupts_runs_again() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(gated().instance_id("gated")).await?;
    while GATE_RUNS.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let hub = hub.crash().await?;
    let run = hub.find_instance::<gated>("gated").await?.unwrap();
    assert_eq!(run.result().await?, 2);
    Ok(())
}

static GATE_RUNS: AtomicU32 = AtomicU32::new(0);

/// Cannot be cancelled, and would never end by itself.
#[activity]
async fn gate() -> u32 {
    let run = GATE_RUNS.fetch_add(1, Ordering::SeqCst) + 1;
    if run == 1 {
        std::future::pending::<()>().await;
    }
    run
}

#[orchestrator]
async fn gated(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(gate().await?)
}

/// The input of a call as a type: nothing, the single parameter, or a tuple of all parameters,
/// owned.
#[test]
fn the_input_type_of_a_definition_is_its_parameters_owned() {
    fn is<F: Definition<Input = T>, T>() {}
    is::<now_and_then, ()>();
    is::<twice, u64>();
    is::<charge, (String, Vec<Item>)>();
    is::<archive, (PathBuf, Item)>();
    is::<daily_sum, u64>();
    is::<buy, (String, u32)>();
}
