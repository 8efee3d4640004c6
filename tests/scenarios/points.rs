//! An orchestration is suspended, terminated, restarted or crashed at each of its points.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use durable::client::{HubError, ManageError, ResultError, VersionMatch};
use durable::prelude::*;
use durable::store::{MemoryStore, Store};
use durable::testing::TestHub;
use durable::{OrchestrationHandle, RuntimeStatus};

use crate::common::{
    HOUR, MINUTE, World, act, act_until_cancelled, builder, on_every_hub, patiently,
};

/// How many minutes it takes.
const LENGTH: u32 = 6;

/// A minute for each step: activities, a timer, a child, an event, several at once.
#[orchestrator]
async fn small(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let mut done = vec![act("first".into()).await?];
    ctx.create_timer(MINUTE).await;
    done.push(small_child("child".into()).await?);
    let (one, two) = durable::try_join((act("a".into()), small_child("b".into()))).await?;
    done.extend([one, two]);
    ctx.create_timer(MINUTE).await;
    let event = ctx.wait_for_external_event::<String>("event");
    done.push(match durable::timeout(MINUTE, event).await {
        Ok(event) => event?,
        Err(_elapsed) => "no event".into(),
    });
    ctx.create_timer(MINUTE).await;
    done.push(act("last".into()).await?);
    Ok(done)
}

#[orchestrator]
async fn small_child(ctx: &OrchestrationContext, what: String) -> Result<String> {
    ctx.create_timer(MINUTE).await;
    Ok(act(what).await?)
}

const DONE: [&str; 6] = ["first", "child", "a", "b", "no event", "last"];

#[tokio::test]
async fn it_is_suspended_and_resumed_at_every_point() -> Result<()> {
    on_every_hub(async |hub, world| {
        for point in 0..LENGTH {
            let run = hub.start(small()).await?;
            hub.advance(MINUTE * point).await;
            run.suspend("wait").await?;
            hub.settle().await;
            let acted = world.lines();
            hub.advance(HOUR).await;
            assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Suspended);
            // The children are not suspended: one that sleeps continues and acts.
            let children = match point {
                1 => vec!["child"],
                2 => vec!["b"],
                _ => vec![],
            };
            let lines = world.lines();
            assert_eq!(lines[acted.len()..], children, "at {point}");
            run.resume("go on").await?;
            assert_eq!(run.result().await?, DONE, "at {point}");
        }
        assert_eq!(world.count("last"), LENGTH as usize);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn it_is_terminated_at_every_point_and_does_nothing_more() -> Result<()> {
    on_every_hub(async |hub, world| {
        for point in 0..LENGTH {
            let run = hub.start(small()).await?;
            hub.advance(MINUTE * point).await;
            run.terminate_recursively("enough").await?;
            hub.settle().await;
            let acted = world.lines();
            hub.advance(HOUR).await;
            assert_eq!(world.lines(), acted, "at {point}");
            assert!(matches!(run.result().await, Err(ResultError::Terminated(_))));
            run.restart().await?;
            assert_eq!(run.result().await?, DONE, "at {point}");
        }
        Ok(())
    })
    .await
}

async fn reopened(store: &Arc<dyn Store>, world: &World, now: DateTime<Utc>) -> Result<TestHub> {
    let store = Arc::clone(store);
    let hub = builder(world).configure(|hub| hub.store(store)).beginning(now);
    Ok(hub.open().await?)
}

async fn stopped_at_every_point(crash: bool) -> Result<()> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let world = World::default();
    for point in 0..LENGTH {
        let hub = reopened(&store, &world, DateTime::UNIX_EPOCH).await?;
        let id = format!("small-{crash}-{point}");
        hub.start(small().instance_id(id.as_str())).await?;
        hub.advance(MINUTE * point).await;
        let now = hub.now();
        if crash {
            drop(hub);
        } else {
            (*hub).clone().shutdown().await?;
        }
        // The hub is down for an hour, so timers fire late.
        let hub = reopened(&store, &world, now + HOUR).await?;
        let run = hub.find_instance::<small>(&id).await?.unwrap();
        let result = patiently(async { Ok(run.result().await?) }).await?;
        assert_eq!(result, DONE, "at {point}");
        (*hub).clone().shutdown().await?;
    }
    assert_eq!(world.count("last"), LENGTH as usize, "each once");
    Ok(())
}

#[tokio::test]
async fn its_hub_is_shut_down_at_every_point_and_opened_an_hour_later() -> Result<()> {
    stopped_at_every_point(false).await
}

#[tokio::test]
async fn its_hub_is_dropped_at_every_point_and_opened_an_hour_later() -> Result<()> {
    stopped_at_every_point(true).await
}

#[orchestrator]
async fn busy_one(ctx: &OrchestrationContext) -> Result<u32> {
    let mut sum = 0;
    for _ in 0..5 {
        let (event, _) = durable::join((
            ctx.wait_for_external_event::<u32>("n"),
            act("beside the event".into()),
        ))
        .await;
        sum += event?;
    }
    Ok(sum)
}

/// What a client does in between.
async fn disturb(run: OrchestrationHandle<busy_one>, what: u32, after: u32) -> Result<()> {
    for _ in 0..after {
        tokio::task::yield_now().await;
    }
    let done = match what {
        0 => run.terminate("now").await,
        1 => run.suspend("now").await,
        _ => run.purge().await,
    };
    match done {
        Ok(()) | Err(ManageError::Finished { .. } | ManageError::NotFinished { .. }) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_under_concurrent_management_comes_to_an_end() -> Result<()> {
    on_every_hub(async |hub, _| {
        for round in 0..60 {
            let run = hub.start(busy_one()).await?;
            let disturbing = tokio::spawn(disturb(run.clone(), round % 3, round));
            for n in 0..5_u32 {
                match run.raise_event("n", &n).await {
                    Ok(()) | Err(ManageError::Finished { .. }) => {}
                    Err(other) => return Err(other.into()),
                }
            }
            disturbing.await??;
            if let Err(error) = run.resume("go on").await {
                let gone = matches!(
                    error,
                    ManageError::Finished { .. } | ManageError::Hub(HubError::NoSuchInstance(_))
                );
                assert!(gone, "{error}");
            }
            match run.result().await {
                Ok(sum) => assert_eq!(sum, 10),
                Err(ResultError::Terminated(_)) => assert_eq!(round % 3, 0),
                Err(other) => assert_eq!(round % 3, 2, "{other}"),
            }
        }
        Ok(())
    })
    .await
}

#[orchestrator]
async fn works_long(ctx: &OrchestrationContext) -> Result<String> {
    Ok(act_until_cancelled("work".into()).await?)
}

#[tokio::test]
async fn an_activity_that_runs_at_the_shutdown_is_cancelled_and_runs_again() -> Result<()> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let world = World::default();
    for runs in 1..=3 {
        let hub = reopened(&store, &world, DateTime::UNIX_EPOCH).await?;
        hub.start_if_absent(works_long().instance_id("long")).await?;
        patiently(async {
            while world.count("began") < runs {
                tokio::task::yield_now().await;
            }
            Ok((*hub).clone().shutdown().await?)
        })
        .await?;
        assert_eq!(world.count("cancelled"), runs);
    }
    Ok(())
}

#[tokio::test]
async fn two_hubs_in_one_process_share_nothing_but_the_code() -> Result<()> {
    let worlds = [World::default(), World::default()];
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let open = |n: usize| TaskHub::builder().state(worlds[n].clone()).path(folders[n].path());
    let hubs = [open(0).open().await?, open(1).open().await?];
    let again = open(0).open().await.unwrap_err();
    assert!(again.to_string().contains("is already open"), "{again}");
    let run = hubs[0].start(one_act().instance_id("same")).await?;
    hubs[1].start(one_act().instance_id("same")).await?.result().await?;
    run.result().await?;
    assert_eq!((worlds[0].lines().len(), worlds[1].lines().len()), (1, 1));
    let [first, second] = hubs;
    first.shutdown().await?;
    assert!(run.status().await.unwrap_err().to_string().contains("was shut down"));
    assert!(second.find_instance::<one_act>("same").await?.is_some());
    second.shutdown().await?;
    let first = open(0).open().await?;
    first.find_instance::<one_act>("same").await?.unwrap().result().await?;
    Ok(first.shutdown().await?)
}

#[orchestrator]
async fn one_act(ctx: &OrchestrationContext) -> Result<String> {
    Ok(act("once".into()).await?)
}

#[orchestrator(name = "versioned", version = "1.9")]
async fn versioned_1(ctx: &OrchestrationContext) -> Result<String> {
    ctx.wait_for_external_event::<()>("go").await?;
    Ok(format!("code 1.9 for {}", ctx.version().unwrap_or_default()))
}

#[orchestrator(name = "versioned", version = "1.10")]
async fn versioned_2(ctx: &OrchestrationContext) -> Result<String> {
    ctx.wait_for_external_event::<()>("go").await?;
    Ok(format!("code 1.10 for {}", ctx.version().unwrap_or_default()))
}

#[tokio::test]
async fn an_instance_continues_with_the_version_that_the_strategy_gives_it() -> Result<()> {
    for (strategy, from_old, from_new) in [
        (VersionMatch::Strict, None, None),
        (VersionMatch::CurrentOrOlder, Some("code 1.10 for 1.9"), None),
        (VersionMatch::None, Some("code 1.10 for 1.9"), Some("code 1.9 for 1.10")),
    ] {
        for (is_old, expected) in [(true, from_old), (false, from_new)] {
            let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
            let open = |is_old: bool| {
                let store = Arc::clone(&store);
                TestHub::builder().configure(|hub| {
                    let hub = hub.store(store).only_registered().version_match(strategy);
                    if is_old {
                        hub.register::<versioned_1>()
                    } else {
                        hub.register::<versioned_2>()
                    }
                })
            };
            let hub = open(is_old).open().await?;
            if is_old {
                hub.start(versioned_1().instance_id("v")).await?;
            } else {
                hub.start(versioned_2().instance_id("v")).await?;
            }
            (*hub).clone().shutdown().await?;
            let hub = open(!is_old).open().await?;
            hub.instance("v")?.raise_event("go", &()).await?;
            let result = hub.find_instance::<versioned_1>("v").await?.unwrap().result().await;
            match (result, expected) {
                (Ok(said), Some(expected)) => assert_eq!(said, expected),
                (Err(ResultError::Suspended(why)), None) => {
                    assert_eq!(why.code.as_deref(), Some("DURABLE0103"), "{why}");
                }
                other => panic!("{strategy:?} {is_old}: {other:?}"),
            }
            (*hub).clone().shutdown().await?;
        }
    }
    Ok(())
}

#[orchestrator]
async fn patched_in_a_loop(ctx: &OrchestrationContext, rounds: u32) -> Result<Vec<bool>> {
    let mut patched = Vec::new();
    for n in 0..rounds {
        let is_new = ctx.patched(if n % 2 == 0 { "even" } else { "odd" });
        patched.push(is_new);
        act(format!("{n} {is_new}")).await?;
    }
    Ok(patched)
}

#[tokio::test]
async fn a_patch_in_a_loop_is_decided_once() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(patched_in_a_loop(6)).await?;
        assert_eq!(run.result().await?, [true; 6]);
        Ok(())
    })
    .await
}
