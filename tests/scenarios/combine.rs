//! Combinators: races, selections, nested timeouts, dropped tasks, tasks that are awaited again.

use durable::RuntimeStatus;
use durable::prelude::*;
use durable::task::{Race2, Race8};

use crate::common::{DAY, HOUR, MINUTE, SECOND, act, act_if, on_every_hub};

#[orchestrator]
async fn race_of_eight(ctx: &OrchestrationContext, winner: u32) -> Result<u32> {
    let timer = |n: u32| ctx.create_timer(if n == winner { SECOND } else { HOUR });
    let won = durable::race((
        timer(1),
        timer(2),
        timer(3),
        timer(4),
        timer(5),
        timer(6),
        timer(7),
        act_after(8),
    ))
    .await;
    Ok(match won {
        Race8::First(()) => 1,
        Race8::Second(()) => 2,
        Race8::Third(()) => 3,
        Race8::Fourth(()) => 4,
        Race8::Fifth(()) => 5,
        Race8::Sixth(()) => 6,
        Race8::Seventh(()) => 7,
        Race8::Eighth(n) => n?,
    })
}

/// A child that takes a minute.
#[orchestrator]
async fn act_after(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    ctx.create_timer(MINUTE).await;
    act(format!("after {n}")).await?;
    Ok(n)
}

#[tokio::test]
async fn a_race_of_eight_has_one_winner_and_leaves_nothing_behind() -> Result<()> {
    on_every_hub(async |hub, world| {
        let began = hub.now();
        for winner in 1..=7 {
            let run = hub.start(race_of_eight(winner)).await?;
            assert_eq!(run.result().await?, winner);
            assert_eq!(run.status().await?.next_due, None);
        }
        assert_eq!(hub.now(), began + 7 * SECOND);
        assert_eq!(hub.start(race_of_eight(8)).await?.result().await?, 8);
        hub.advance(DAY).await;
        assert_eq!(world.lines(), ["after 8"]);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn by_selection(ctx: &OrchestrationContext, count: u32) -> Result<Vec<u32>> {
    let part = |n: u32| async move {
        ctx.create_timer(SECOND * (count - n)).await;
        act(format!("part {n}")).await?;
        Ok::<_, Error>(n)
    };
    let mut parts: Vec<_> = (0..count).map(part).collect();
    let mut order = Vec::new();
    while let Some((n, _, others)) = durable::select_all(parts).await {
        order.push(n?);
        parts = others;
    }
    Ok(order)
}

#[orchestrator]
async fn by_completion(ctx: &OrchestrationContext, count: u32) -> Result<Vec<u32>> {
    let timers = (0..count).map(|n| ctx.create_timer(SECOND * (count - n)));
    let (mut timers, mut order) = (durable::as_completed(timers), Vec::new());
    while let Some((n, ())) = timers.next().await {
        act(format!("{n}")).await?;
        order.push(u32::try_from(n)?);
    }
    Ok(order)
}

#[tokio::test]
async fn select_all_and_as_completed_yield_in_completion_order() -> Result<()> {
    on_every_hub(async |hub, _| {
        let backwards: Vec<_> = (0..20).rev().collect();
        assert_eq!(hub.start(by_selection(20)).await?.result().await?, backwards);
        assert_eq!(hub.start(by_completion(20)).await?.result().await?, backwards);
        assert!(hub.start(by_completion(0)).await?.result().await?.is_empty());
        assert!(hub.start(by_selection(0)).await?.result().await?.is_empty());
        Ok(())
    })
    .await
}

#[orchestrator]
async fn nested_timeouts(ctx: &OrchestrationContext, outer: u64, inner: u64) -> Result<String> {
    let never = ctx.wait_for_external_event::<()>("never");
    let within = durable::timeout(MINUTE * u32::try_from(inner)?, never);
    Ok(match durable::timeout(MINUTE * u32::try_from(outer)?, within).await {
        Ok(Ok(_)) => "event",
        Ok(Err(_)) => "inner",
        Err(_) => "outer",
    }
    .into())
}

#[tokio::test]
async fn the_shorter_of_nested_timeouts_applies() -> Result<()> {
    on_every_hub(async |hub, _| {
        let began = hub.now();
        assert_eq!(hub.start(nested_timeouts(5, 2)).await?.result().await?, "inner");
        assert_eq!(hub.start(nested_timeouts(2, 5)).await?.result().await?, "outer");
        assert_eq!(hub.start(nested_timeouts(3, 3)).await?.result().await?, "inner");
        assert_eq!(hub.now(), began + 7 * MINUTE);
        let run = hub.start(nested_timeouts(3, 3)).await?;
        run.raise_event("never", &()).await?;
        assert_eq!(run.result().await?, "event");
        Ok(())
    })
    .await
}

#[orchestrator]
async fn a_century(ctx: &OrchestrationContext) -> Result<i64> {
    let began = ctx.current_utc_datetime();
    ctx.create_timer(36_525 * DAY).await;
    Ok((ctx.current_utc_datetime() - began).num_days())
}

#[tokio::test]
async fn a_timer_of_a_hundred_years_fires_in_a_hundred_years() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(a_century()).await?;
        hub.advance(36_524 * DAY).await;
        assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Running);
        assert_eq!(run.result().await?, 36_525);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn fails_fast(ctx: &OrchestrationContext) -> Result<String> {
    let slow = act_after(1).instance_id("slow-one");
    let hour = async {
        ctx.create_timer(HOUR).await;
        act("an hour later".into()).await?;
        Ok(())
    };
    let failing = async {
        act_if("never".into(), "fails".into()).await?;
        Ok(())
    };
    let slow = async { slow.await.map(|_| ()).map_err(Error::from) };
    let failed = durable::try_join((slow, hour, failing)).await.unwrap_err();
    Ok(failed.to_string())
}

#[tokio::test]
async fn the_first_failure_of_a_try_join_cancels_the_rest() -> Result<()> {
    on_every_hub(async |hub, world| {
        let began = hub.now();
        let run = hub.start(fails_fast()).await?;
        assert!(run.result().await?.contains("fails needs never"));
        assert_eq!(hub.now(), began);
        hub.settle().await;
        let slow = hub.instance("slow-one")?.status().await?;
        assert_eq!(slow.runtime_status, RuntimeStatus::Terminated);
        hub.advance(DAY).await;
        assert!(world.lines().is_empty());
        Ok(())
    })
    .await
}

#[orchestrator]
async fn polls_one_task(ctx: &OrchestrationContext) -> Result<(u32, u32)> {
    let mut slow = act_after(5).instance_id("slow-task").spawn();
    let mut ticks = 0;
    loop {
        match durable::race((&mut slow, ctx.create_timer(7 * SECOND))).await {
            Race2::First(n) => return Ok((n?, ticks)),
            Race2::Second(()) => {
                ticks += 1;
                ctx.set_custom_status(&ticks)?;
            }
        }
    }
}

#[tokio::test]
async fn one_task_is_awaited_by_reference_again_and_again() -> Result<()> {
    on_every_hub(async |hub, world| {
        let run = hub.start(polls_one_task()).await?;
        assert_eq!(run.result().await?, (5, 8));
        assert_eq!(run.status().await?.next_due, None);
        assert_eq!(world.count("after"), 1);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn drops_much(ctx: &OrchestrationContext, rounds: u32) -> Result<u32> {
    let mut kept = 0;
    for n in 0..rounds {
        let dropped = act_after(n).instance_id(format!("dropped-{n}")).spawn();
        let timer = ctx.create_timer(HOUR);
        let event = ctx.wait_for_external_event::<u32>("n");
        if n % 2 == 0 {
            ctx.create_timer(SECOND).await;
        }
        drop((dropped, timer, event));
        kept += u32::from(act(format!("{n}")).await.is_ok());
    }
    Ok(kept)
}

#[tokio::test]
async fn a_spawned_and_dropped_task_is_cancelled_in_each_round() -> Result<()> {
    on_every_hub(async |hub, world| {
        let run = hub.start(drops_much(20)).await?;
        run.raise_event("n", &1).await?;
        assert_eq!(run.result().await?, 20);
        hub.advance(DAY).await;
        assert_eq!(world.count("after"), 0);
        for n in (0..20).step_by(2) {
            let status = hub.instance(format!("dropped-{n}"))?.status().await?.runtime_status;
            assert_eq!(status, RuntimeStatus::Terminated);
        }
        Ok(())
    })
    .await
}

#[durable::helper]
async fn in_a_helper(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    ctx.create_timer(SECOND * n).await;
    act(format!("helped {n}")).await?;
    Ok(n)
}

#[orchestrator]
async fn uses_helpers(ctx: &OrchestrationContext) -> Result<u32> {
    let all = durable::try_join_all((0..10).map(|n| in_a_helper(ctx, n))).at_most(3).await?;
    let (one, two) = durable::join((in_a_helper(ctx, 1), act("beside".into()))).await;
    two?;
    Ok(all.into_iter().sum::<u32>() + one?)
}

#[tokio::test]
async fn helpers_are_joined_like_calls() -> Result<()> {
    on_every_hub(async |hub, _| {
        assert_eq!(hub.start(uses_helpers()).await?.result().await?, 46);
        Ok(())
    })
    .await
}
