//! Frequent complaints of users of Durable Functions: cancellation, pending instances, lost events,
//! purges, rewinds.

use std::collections::BTreeSet;

use durable::RuntimeStatus;
use durable::client::{InstanceQuery, ManageError, StartError};
use durable::prelude::*;
use durable::protocol::EventKind;
use durable::task::Race2;

use crate::common::{
    DAY, HOUR, MINUTE, SECOND, World, act, act_if, act_until_cancelled, builder, on_every_hub,
    patiently,
};

#[orchestrator]
async fn long_work(ctx: &OrchestrationContext, what: String) -> Result<String> {
    Ok(act_until_cancelled(what).await?)
}

#[orchestrator]
async fn parent_of_long_work(ctx: &OrchestrationContext) -> Result<String> {
    Ok(long_work("the child's".into()).await?)
}

#[tokio::test]
async fn a_running_activity_sees_that_its_instance_was_terminated() -> Result<()> {
    for live in [10_000, 0] {
        let world = World::default();
        let hub = builder(&world).configure(|hub| hub.live_instances(live)).open().await?;
        let run = hub.start(long_work("mine".into())).await?;
        begun(&world, 1).await?;
        run.terminate("enough").await?;
        hub.settle().await;
        assert_eq!(world.lines(), ["began mine", "cancelled mine"]);
        let run = hub.start(parent_of_long_work()).await?;
        begun(&world, 2).await?;
        run.terminate_recursively("enough").await?;
        hub.settle().await;
        assert_eq!(world.count("cancelled"), 2);
    }
    Ok(())
}

/// Waits until this many activities are running.
async fn begun(world: &World, count: usize) -> Result<()> {
    patiently(async {
        while world.count("began") < count {
            tokio::task::yield_now().await;
        }
        Ok(())
    })
    .await
}

#[orchestrator]
async fn timed_out_work(ctx: &OrchestrationContext) -> Result<bool> {
    Ok(durable::timeout(MINUTE, act_until_cancelled("slow".into())).await.is_err())
}

#[tokio::test]
async fn a_timeout_fires_although_the_activity_never_ends() -> Result<()> {
    let world = World::default();
    let hub = builder(&world).never::<act_until_cancelled>().open().await?;
    assert!(hub.start(timed_out_work()).await?.result().await?);
    Ok(())
}

#[orchestrator]
async fn sums_until(ctx: &OrchestrationContext, wanted: u32) -> Result<u32> {
    let mut sum = 0;
    while sum < wanted {
        sum += ctx.wait_for_external_event::<u32>("n").await?;
    }
    Ok(sum)
}

#[tokio::test]
async fn events_before_the_start_are_kept_and_a_pending_one_can_be_managed() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(sums_until(10).start_at(DAY)).await?;
        for n in [1_u32, 2, 3] {
            run.raise_event("n", &n).await?;
        }
        assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Pending);
        run.suspend("hold").await?;
        run.resume("go").await?;
        assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Pending);
        run.raise_event("n", &4_u32).await?;
        let began = hub.now();
        assert_eq!(run.result().await?, 10);
        assert_eq!(hub.now(), began + DAY);

        let never = hub.start(sums_until(10).start_at(DAY)).await?;
        never.terminate("changed my mind").await?;
        assert_eq!(never.status().await?.runtime_status, RuntimeStatus::Terminated);
        assert!(matches!(never.raise_event("n", &1).await, Err(ManageError::Finished { .. })));
        never.purge().await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_start_in_the_past_is_a_start_now() -> Result<()> {
    on_every_hub(async |hub, _| {
        let began = hub.now();
        let run = hub.start(sums_until(0).start_at(began - 365 * DAY)).await?;
        assert_eq!(run.result().await?, 0);
        assert_eq!(hub.now(), began);
        Ok(())
    })
    .await
}

/// Reads one event in each execution. The remaining events wait for the next one.
#[orchestrator]
async fn turns(ctx: &OrchestrationContext, seen: Vec<u32>, left: u32) -> Result<Vec<u32>> {
    if left == 0 {
        return Ok(seen);
    }
    let mut seen = seen;
    seen.push(ctx.wait_for_external_event("n").await?);
    ctx.continue_as_new(turns(seen, left - 1)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_burst_of_events_during_continue_as_new_is_neither_lost_nor_doubled() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(turns(Vec::new(), 400)).await?;
        let mut raisers = Vec::new();
        for raiser in 0..4_u32 {
            let run = run.clone();
            raisers.push(tokio::spawn(async move {
                for n in 0..100 {
                    run.raise_event("n", &(raiser * 100 + n)).await?;
                }
                Ok::<_, Error>(())
            }));
        }
        for raiser in raisers {
            raiser.await??;
        }
        let seen = run.result().await?;
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 400, "each once");
        for raiser in 0..4 {
            let own: Vec<_> = seen.iter().filter(|n| **n / 100 == raiser).collect();
            assert!(own.is_sorted(), "in the order in which they were raised");
        }
        Ok(())
    })
    .await
}

/// Drops a wait each minute, and also one that has its event.
#[orchestrator]
async fn lets_go(ctx: &OrchestrationContext, want: usize) -> Result<(Vec<u32>, u32)> {
    let (mut got, mut let_go) = (Vec::new(), 0);
    while got.len() < want {
        let next = ctx.wait_for_external_event::<u32>("n");
        match durable::race((ctx.create_timer(MINUTE), next)).await {
            Race2::First(()) => let_go += 1,
            Race2::Second(n) => got.push(n?),
        }
    }
    Ok((got, let_go))
}

#[tokio::test]
async fn dropped_waits_lose_no_event() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(lets_go(20)).await?;
        for n in 0..20_u32 {
            // The odd ones arrive at exactly the moment at which the timer is due.
            hub.advance(if n % 2 == 0 { 90 * SECOND } else { MINUTE }).await;
            run.raise_event("n", &n).await?;
        }
        let (got, let_go) = run.result().await?;
        assert_eq!(got, (0..20).collect::<Vec<_>>());
        assert!(let_go >= 20, "{let_go}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_fifty_concurrent_starts_of_a_singleton_succeeds() -> Result<()> {
    on_every_hub(async |hub, _| {
        let mut clients = Vec::new();
        for n in 0..50 {
            let hub = (*hub).clone();
            clients.push(tokio::spawn(async move {
                let call = sums_until(1).instance_id("singleton");
                if n % 2 == 0 {
                    return hub.start(call).await.map(|run| (true, run));
                }
                hub.start_if_absent(call).await.map(|run| (false, run))
            }));
        }
        let (mut started, mut refused, mut found) = (0, 0, 0);
        for client in clients {
            match client.await? {
                Ok((true, _)) => started += 1,
                Ok((false, _)) => found += 1,
                Err(StartError::AlreadyExists { .. }) => refused += 1,
                Err(other) => return Err(other.into()),
            }
        }
        assert!(started <= 1, "{started} started");
        assert_eq!((started + refused, found), (25, 25));
        let run = hub.find_instance::<sums_until>("singleton").await?.unwrap();
        run.raise_event("n", &1).await?;
        assert_eq!(run.result().await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_of_many_replacing_starts_stays() -> Result<()> {
    on_every_hub(async |hub, _| {
        let any = [RuntimeStatus::Running, RuntimeStatus::Terminated, RuntimeStatus::Pending];
        let mut clients = Vec::new();
        for _ in 0..30 {
            let hub = (*hub).clone();
            let call = sums_until(1).instance_id("replaced").replace_if(any);
            clients.push(tokio::spawn(async move { hub.start(call).await }));
        }
        for client in clients {
            client.await??;
        }
        let run = hub.find_instance::<sums_until>("replaced").await?.unwrap();
        run.raise_event("n", &1).await?;
        assert_eq!(run.result().await?, 1);
        assert_eq!(hub.count(&InstanceQuery::new().id_prefix("replaced")).await?, 1);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn tree(ctx: &OrchestrationContext, depth: u32, name: String) -> Result<u32> {
    if depth == 0 {
        act_if("sun".into(), format!("leaf {name}")).await?;
        return Ok(1);
    }
    let child = |n: u32| {
        let name = format!("{name}{n}");
        tree(depth - 1, name.clone()).instance_id(format!("tree-{name}"))
    };
    Ok(durable::join_all((0..2).map(child)).await.into_iter().sum::<Result<u32, _>>()?)
}

#[tokio::test]
async fn a_deep_tree_is_rewound_to_its_leaves_and_purged_with_them() -> Result<()> {
    on_every_hub(async |hub, world| {
        let run = hub.start(tree(4, String::new()).instance_id("tree-")).await?;
        run.result().await.unwrap_err();
        hub.settle().await;
        assert_eq!(hub.count(&InstanceQuery::new().status(RuntimeStatus::Failed)).await?, 31);
        run.rewind("still dark").await?;
        run.result().await.unwrap_err();
        world.set("sun");
        hub.settle().await;
        run.rewind("the sun is up").await?;
        assert_eq!(run.result().await?, 16);
        assert_eq!(world.count("leaf"), 16, "each once");
        assert_eq!(run.purge_recursively().await?, 31);
        assert_eq!(hub.count(&InstanceQuery::new()).await?, 0);
        Ok(())
    })
    .await
}

/// Succeeds in the third attempt, and records its key in each.
#[activity]
async fn keyed(ctx: &ActivityContext, world: State<World>, n: u32) -> Result<u32> {
    world.log(format!("{n} {} {}", ctx.attempt(), ctx.idempotency_key()));
    if ctx.attempt() < 3 { Err(Error::msg("not yet")) } else { Ok(ctx.attempt()) }
}

#[orchestrator]
async fn calls_keyed(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    Ok(keyed(n).retry(RetryPolicy::new(4, MINUTE)).await?)
}

#[tokio::test]
async fn each_attempt_runs_once_and_has_its_number_and_the_same_key() -> Result<()> {
    on_every_hub(async |hub, world| {
        let runs = (hub.start(calls_keyed(1)).await?, hub.start(calls_keyed(2)).await?);
        let results = (runs.0.result().await, runs.1.result().await);
        let lines = world.lines();
        let of = |n: &str| lines.iter().filter(|line| line.starts_with(n)).collect::<Vec<_>>();
        for n in ["1", "2"] {
            let attempts: Vec<_> = of(n).iter().map(|line| line[2..3].to_owned()).collect();
            assert_eq!(attempts, ["1", "2", "3"], "{results:?}: {lines:#?}");
            let keys: BTreeSet<_> = of(n).iter().map(|line| line[4..].to_owned()).collect();
            assert_eq!(keys.len(), 1);
        }
        assert_ne!(of("1")[0][4..], of("2")[0][4..]);
        assert_eq!((results.0?, results.1?), (3, 3));
        Ok(())
    })
    .await
}

#[orchestrator]
async fn forgets(ctx: &OrchestrationContext) -> Result<()> {
    for n in 0..5_u32 {
        ctx.start(tardy(n).instance_id(format!("tardy-{n}")).start_at(HOUR).tag("n", "x"))?;
    }
    ctx.start(tardy(9).instance_id("tardy-0"))?; // taken: nothing is started
    let _ = act("dropped before it is asked for".into());
    drop(act("dropped at once".into()).spawn());
    Ok(())
}

#[orchestrator]
async fn tardy(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    act(format!("tardy {n} of {:?}", ctx.parent().map(|_| "a parent"))).await?;
    Ok(n)
}

#[tokio::test]
async fn fire_and_forget_starts_are_not_awaited() -> Result<()> {
    on_every_hub(async |hub, world| {
        let began = hub.now();
        hub.start(forgets()).await?.result().await?;
        assert_eq!(hub.now(), began, "an hour is not waited for");
        assert_eq!(hub.count(&InstanceQuery::new().status(RuntimeStatus::Pending)).await?, 5);
        hub.advance(HOUR).await;
        assert_eq!(world.count("tardy"), 5);
        assert_eq!(world.count("tardy 0 of None"), 1);
        assert_eq!(world.count("dropped"), 0);
        assert_eq!(hub.count(&InstanceQuery::new().tag("n", "x")).await?, 5);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pagination_is_stable_while_instances_start_and_end() -> Result<()> {
    on_every_hub(async |hub, _| {
        for n in 0..100 {
            hub.start(sums_until(0).instance_id(format!("stays-{n:03}")).tag("k", "v")).await?;
        }
        let busy = (*hub).clone();
        let coming_and_going = tokio::spawn(async move {
            for n in 0..200 {
                let call = sums_until(0).instance_id(format!("goes-{n:03}")).tag("k", "v");
                let run = busy.start(call).await?;
                run.wait_for_completion().await?;
                run.purge().await?;
            }
            Ok::<_, Error>(())
        });
        let query = InstanceQuery::new().tag("k", "v").page_size(7);
        while !coming_and_going.is_finished() {
            let found = hub.stream(query.clone()).try_collect().await?;
            let ids: Vec<_> = found.into_iter().map(|it| it.instance_id).collect();
            let stays = ids.iter().filter(|id| id.as_str().starts_with("stays")).count();
            assert_eq!(stays, 100);
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "none twice");
        }
        coming_and_going.await??;
        assert_eq!(hub.purge(&query).await?, 100);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn purge_and_restart_create_new_executions() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(sums_until(0).instance_id("again")).await?;
        run.result().await?;
        let first = run.status().await?.execution_id;
        run.restart().await?;
        run.result().await?;
        assert_ne!(run.status().await?.execution_id, first);
        let history = run.history().await?;
        let starts =
            history.iter().filter(|it| matches!(it.kind, EventKind::ExecutionStarted(_))).count();
        assert_eq!(starts, 1);
        run.purge().await?;
        assert!(hub.find_instance::<sums_until>("again").await?.is_none());
        Ok(())
    })
    .await
}
