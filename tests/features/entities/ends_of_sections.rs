//! Ends of critical sections: however an orchestration ends, it leaves no lock.

use std::time::Duration;

use durable::client::EntityQuery;
use durable::{InstanceHandle, RuntimeStatus};

use super::*;

/// An entity that is mostly only locked here.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Latch {
    noted: u32,
}

#[entity]
impl Latch {
    fn look(&self) -> u32 {
        self.noted
    }
}

const KEYS: [&str; 3] = ["k1", "k2", "k3"];

fn latches(keys: &[String]) -> Vec<<Latch as durable::Entity>::Handle> {
    keys.iter().map(Latch::at).collect()
}

fn keys(of: &[&str]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

/// An orchestration that does everything that can be done with locks. Each event lets it continue
/// by one episode.
#[orchestrator]
async fn lock_steps(ctx: &OrchestrationContext, keys: Vec<String>, again: bool) -> Result<()> {
    let go_on = || ctx.wait_for_external_event::<()>("go on");
    go_on().await?;
    let mut section = ctx.lock_entities(latches(&keys)).await?;
    go_on().await?;
    for latch in section.iter_mut() {
        assert_eq!(latch.look().await?, 0);
        go_on().await?;
    }
    drop(section);
    go_on().await?;
    // Without an episode in between.
    drop(ctx.lock_entities(latches(&keys)).await?);
    let section = ctx.lock_entities(latches(&keys[1..])).await?;
    go_on().await?;
    let task = Latch::at(&keys[1]).look().spawn();
    drop(section);
    assert_eq!(task.await?, 0);
    let race = durable::race((ctx.lock_entities(latches(&keys)), go_on()));
    drop(race.await);
    go_on().await?;
    let section = ctx.lock_entities(latches(&keys)).await?;
    std::mem::forget(section);
    go_on().await?;
    if again { ctx.continue_as_new(lock_steps(keys, false)).await } else { Ok(()) }
}

/// Longer than `lock_steps` waits: once, and twice.
const STEPS: [(bool, usize); 2] = [(false, 13), (true, 25)];

/// Takes the lock, and waits until it is told to continue.
#[orchestrator]
async fn blocks_others(ctx: &OrchestrationContext, keys: Vec<String>) -> Result<()> {
    let _section = ctx.lock_entities(latches(&keys)).await?;
    Ok(ctx.wait_for_external_event::<()>("go on").await?)
}

/// Releases the lock when it is told to or after a while, or continues as new instead.
#[orchestrator]
async fn wants_locks(ctx: &OrchestrationContext, keys: Vec<String>, anew: bool) -> Result<bool> {
    let told = ctx.wait_for_external_event::<()>("go on");
    let hours = ctx.create_timer(Duration::from_hours(5));
    match durable::race((ctx.lock_entities(latches(&keys)), told, hours)).await {
        durable::task::Race3::First(section) => drop(section?),
        _ if anew => return ctx.continue_as_new(wants_locks(keys, false)).await,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Locks all entities at once.
#[orchestrator]
async fn takes_all(ctx: &OrchestrationContext, keys: Vec<String>) -> Result<()> {
    drop(ctx.lock_entities(latches(&keys)).await?);
    Ok(())
}

#[orchestrator]
async fn does_nothing(ctx: &OrchestrationContext) -> Result<()> {
    Ok(())
}

/// What a client does to an orchestration.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Terminate,
    Suspend,
    SuspendAndResume,
    Replace,
    CrashBefore,
    CrashBehind,
    CrashSuspended,
    /// Like [`Way::Terminate`], but without waiting for the effects of the last step.
    AtOnce,
}

const WAYS: [Way; 8] = [
    Way::Terminate,
    Way::Suspend,
    Way::SuspendAndResume,
    Way::Replace,
    Way::CrashBefore,
    Way::CrashBehind,
    Way::CrashSuspended,
    Way::AtOnce,
];

/// Ends an instance in this way, if it has not ended.
async fn end(mut hub: TestHub, id: &str, way: Way) -> Result<TestHub> {
    let run = |hub: &TestHub| -> Result<InstanceHandle> { Ok(hub.instance(id)?) };
    if run(&hub)?.status().await?.runtime_status.is_finished() {
        return Ok(hub);
    }
    match way {
        Way::Suspend | Way::SuspendAndResume | Way::CrashSuspended => {
            run(&hub)?.suspend("a while").await?;
            if way == Way::CrashSuspended {
                hub = hub.crash().await?;
            }
            if way == Way::SuspendAndResume {
                hub.settle().await;
                run(&hub)?.resume("enough").await?;
            }
        }
        Way::CrashBefore => hub = hub.crash().await?,
        Way::Replace => {
            let other = does_nothing().instance_id(id).replace_if([RuntimeStatus::Running]);
            hub.start(other).await?.result().await?;
            return Ok(hub);
        }
        Way::Terminate | Way::CrashBehind | Way::AtOnce => {}
    }
    run(&hub)?.terminate("enough").await?;
    if way == Way::CrashBehind {
        hub = hub.crash().await?;
    }
    Ok(hub)
}

/// The entities with a record, each with whether it is locked.
async fn kept(hub: &TestHub) -> Result<Vec<(String, bool)>> {
    hub.settle().await;
    let query = EntityQuery::new().of::<Latch>().include_transient();
    let entities = hub.query(&query).await?.items;
    let kept = |entity: durable::client::EntityDetails| {
        (entity.entity_id.key().to_owned(), entity.locked_by.is_some())
    };
    Ok(entities.into_iter().map(kept).collect())
}

/// Nothing is left, and a critical section over all entities gets its locks immediately.
async fn check_free(hub: &TestHub, when: &str) -> Result<()> {
    assert_eq!(kept(hub).await?, [], "{when}");
    let run = hub.start(takes_all(keys(&KEYS))).await?;
    hub.settle().await;
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Completed, "{when}");
    assert_eq!(kept(hub).await?, [], "{when}");
    run.purge().await?;
    Ok(())
}

#[tokio::test]
async fn every_end_of_an_orchestration_ends_its_critical_section() -> Result<()> {
    let mut hub = TestHub::open().await?;
    for way in WAYS {
        for (again, steps) in STEPS.into_iter().take(if seed::is_long() { 2 } else { 1 }) {
            for step in 0..steps {
                let id = format!("{way:?}-{again}-{step}");
                let run = hub.start(lock_steps(keys(&KEYS), again).instance_id(&id)).await?;
                for _ in 0..step {
                    hub.settle().await;
                    run.raise_event_if_running("go on", &()).await?;
                }
                if way != Way::AtOnce {
                    hub.settle().await;
                }
                hub = end(hub, &id, way).await?;
                check_free(&hub, &id).await?;
                let record = hub.instance(&id)?.status().await?;
                assert_ne!(record.runtime_status, RuntimeStatus::Failed, "{id}");
                hub.instance(&id)?.purge().await?;
            }
        }
    }
    Ok(hub.shutdown().await?)
}

/// It has some of its locks, and waits for one that another instance holds.
#[tokio::test]
async fn a_lock_request_ends_with_its_orchestration() -> Result<()> {
    let mut hub = TestHub::open().await?;
    for way in WAYS {
        for place in 0..KEYS.len() {
            let when = format!("{way:?} at {place}");
            let held = keys(&KEYS[place..=place]);
            hub.start(blocks_others(held).instance_id("holder")).await?;
            hub.settle().await;
            hub.start(blocks_others(keys(&KEYS)).instance_id("first")).await?;
            hub.settle().await;
            hub.start(takes_all(keys(&KEYS)).instance_id("second")).await?;
            if way != Way::AtOnce {
                assert_eq!(kept(&hub).await?.len(), place + 1, "{when}");
            }
            hub = end(hub, "first", way).await?;
            // The next instance now has the same locks, and waits for the same one.
            let expected: Vec<_> =
                KEYS[..=place].iter().map(|key| (key.to_string(), true)).collect();
            assert_eq!(kept(&hub).await?, expected, "{when}");
            let second = hub.instance("second")?;
            assert_eq!(second.status().await?.runtime_status, RuntimeStatus::Running, "{when}");
            hub.instance("holder")?.raise_event("go on", &()).await?;
            hub.settle().await;
            assert_eq!(second.status().await?.runtime_status, RuntimeStatus::Completed, "{when}");
            check_free(&hub, &when).await?;
            for id in ["holder", "first", "second"] {
                hub.instance(id)?.purge().await?;
            }
        }
    }
    Ok(hub.shutdown().await?)
}

/// As before, but the instance abandons the lock itself: because it is told to, because of a
/// timeout, or by continuing as new.
#[tokio::test]
async fn an_abandoned_lock_request_leaves_no_lock() -> Result<()> {
    let mut hub = TestHub::open().await?;
    for anew in [false, true] {
        for crashes in [false, true] {
            for is_told in [false, true] {
                for place in 0..KEYS.len() {
                    let when = format!("{anew} {crashes} {is_told} at {place}");
                    hub.start(blocks_others(keys(&KEYS[place..=place])).instance_id("holder"))
                        .await?;
                    hub.settle().await;
                    hub.start(wants_locks(keys(&KEYS), anew).instance_id("wants")).await?;
                    if crashes {
                        hub = hub.crash().await?;
                    }
                    if is_told {
                        hub.settle().await;
                        hub.instance("wants")?.raise_event("go on", &()).await?;
                    } else {
                        hub.advance(Duration::from_hours(6)).await;
                    }
                    if crashes {
                        hub = hub.crash().await?;
                    }
                    let kept = kept(&hub).await?;
                    assert_eq!(kept.len(), if anew { place + 1 } else { 1 }, "{when}: {kept:?}");
                    hub.instance("holder")?.raise_event("go on", &()).await?;
                    hub.settle().await;
                    check_free(&hub, &when).await?;
                    for id in ["holder", "wants"] {
                        let record = hub.instance(id)?.status().await?;
                        assert_eq!(record.runtime_status, RuntimeStatus::Completed, "{when}");
                        hub.instance(id)?.purge().await?;
                    }
                }
            }
        }
    }
    Ok(hub.shutdown().await?)
}

/// Cleaning up while a critical section is about to end by itself does no harm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_entities_does_not_disturb_a_section_that_ends() -> Result<()> {
    let hub = TestHub::open().await?;
    for round in 0..if seed::is_long() { 1000 } else { 50 } {
        hub.start(blocks_others(keys(&KEYS[1..2])).instance_id("holder")).await?;
        hub.settle().await;
        hub.start(blocks_others(keys(&KEYS)).instance_id("first")).await?;
        hub.settle().await;
        let second = hub.start(takes_all(keys(&KEYS))).await?;
        let cleans = async || {
            for _ in 0..5 {
                hub.clean_entities().await?;
            }
            Ok::<_, Error>(())
        };
        let first = hub.instance("first")?;
        let (ended, one, other) = tokio::join!(first.terminate("enough"), cleans(), cleans());
        ended?;
        one?;
        other?;
        hub.instance("holder")?.raise_event("go on", &()).await?;
        hub.settle().await;
        let ended = second.status().await?.runtime_status;
        assert_eq!(ended, RuntimeStatus::Completed, "round {round}");
        check_free(&hub, &format!("round {round}")).await?;
        for id in ["holder", "first"] {
            hub.instance(id)?.purge().await?;
        }
    }
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn locked_entities_are_found_by_query() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(blocks_others(keys(&KEYS[..2]))).await?;
    hub.settle().await;
    let locked = EntityQuery::new().of::<Latch>().locked();
    let found = hub.query(&locked).await?.items;
    let found: Vec<_> = found.iter().map(|entity| entity.entity_id.key()).collect();
    let mut wanted = keys(&KEYS[..2]);
    wanted.sort();
    assert_eq!(found, wanted);
    run.raise_event("go on", &()).await?;
    run.result().await?;
    hub.settle().await;
    assert_eq!(hub.query(&locked).await?.items, []);
    Ok(())
}
