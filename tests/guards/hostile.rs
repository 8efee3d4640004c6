//! Hostile input and environments: the hub returns a named error or keeps within a bound, and
//! continues.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use durable::RuntimeStatus;
use durable::client::{InstanceQuery, OpenError, StartError};
use durable::prelude::*;
use durable::store::MemoryStore;
use durable::testing::TestHub;
use tokio::runtime::{Builder, Runtime};

#[activity]
async fn same(text: String) -> String {
    text
}

#[orchestrator]
async fn passes_on(ctx: &OrchestrationContext, text: String) -> Result<usize> {
    let event: String = ctx.wait_for_external_event("text").await?;
    Ok(same(text).await?.len() + event.len())
}

#[tokio::test]
async fn payloads_of_every_size_up_to_the_limit_arrive() -> Result<()> {
    const LIMIT: usize = 4096;
    let hub = TestHub::builder().configure(|hub| hub.max_payload(LIMIT)).open().await?;
    // A text has quotes.
    let longest = LIMIT - 2;
    for len in [0, 1, 2, 1000, longest - 1, longest] {
        let run = hub.start(passes_on("x".repeat(len))).await?;
        run.raise_event("text", &"y".repeat(len)).await?;
        assert_eq!(run.result().await?, 2 * len);
    }
    let error = hub.start(passes_on("x".repeat(longest + 1))).await.unwrap_err();
    let text = format!("{:?}", Error::from(error));
    assert!(text.contains("4097 bytes"), "{text}");
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn has_a_child_for_ever(ctx: &OrchestrationContext, depth: u32) -> Result<u32> {
    Ok(has_a_child_for_ever(depth + 1).await?)
}

/// Only the disk bounds such a chain, and terminating its root ends it.
#[tokio::test]
async fn a_chain_of_children_without_end_ends_with_its_root() -> Result<()> {
    let hub = TaskHub::builder().in_memory().open().await?;
    let root = hub.start(has_a_child_for_ever(0)).await?;
    let all = InstanceQuery::new();
    while hub.count(&all).await? < 200 {
        tokio::task::yield_now().await;
    }
    root.terminate_recursively("enough").await?;
    let running = InstanceQuery::new().status(RuntimeStatus::Running);
    while hub.count(&running).await? > 0 {
        tokio::task::yield_now().await;
    }
    Ok(hub.shutdown().await?)
}

/// The last round of `never_yields` that has begun, and the last one that may return.
static BEGUN: AtomicU32 = AtomicU32::new(0);
static MAY_RETURN: AtomicU32 = AtomicU32::new(0);

#[orchestrator]
#[durable::allow(DURABLE0023, reason = "it does what no orchestrator should")]
async fn never_yields(ctx: &OrchestrationContext, round: u32) -> Result<()> {
    BEGUN.store(round, Ordering::Release);
    while MAY_RETURN.load(Ordering::Acquire) < round {
        std::hint::spin_loop();
    }
    Ok(())
}

#[orchestrator]
async fn is_quick(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(1)
}

/// Blocks one of two partitions; returns the threads that a shutdown then names after `limit`.
async fn threads_named_after(limit: Duration, round: u32) -> Result<Vec<String>> {
    let hub = TaskHub::builder().in_memory().partitions(2).open().await?;
    let blocked = tokio::spawn({
        let hub = hub.clone();
        async move { hub.start(never_yields(round).instance_id("a")).await.map(drop) }
    });
    while BEGUN.load(Ordering::Acquire) < round {
        tokio::task::yield_now().await;
    }
    // One of these ids belongs to the other partition.
    let mut others = tokio::task::JoinSet::new();
    for number in 0..16 {
        let hub = hub.clone();
        others.spawn(async move {
            let run = hub.start(is_quick().instance_id(format!("quick-{number}"))).await?;
            Ok::<u32, Error>(run.result().await?)
        });
    }
    let first = others.join_next().await.expect("there are some");
    assert_eq!(first.expect("no panic")?, 1);
    let report = hub.shutdown_within(limit).await?;
    MAY_RETURN.store(round, Ordering::Release);
    drop(blocked.await);
    Ok(report.threads)
}

/// It occupies the thread of its partition: the others continue, and a shutdown names the thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orchestrator_that_never_yields_blocks_its_partition_only() -> Result<()> {
    let mut threads = Vec::new();
    // On a busy machine, the other threads may not end within a short limit.
    for round in 1..=8 {
        threads = threads_named_after(Duration::from_millis(50) * 2_u32.pow(round), round).await?;
        if threads.len() <= 2 {
            break;
        }
    }
    // The committer waits for the partition, which may still write.
    let [partition, committer] = &*threads else { panic!("{threads:?}") };
    assert!(matches!(&**partition, "durable-0" | "durable-1"), "{threads:?}");
    assert_eq!(committer, "durable-commit");
    Ok(())
}

#[test]
fn a_hub_runs_on_every_kind_of_runtime() -> Result<()> {
    let runtimes = [
        Builder::new_current_thread().enable_all().build()?,
        Builder::new_multi_thread().worker_threads(1).enable_all().build()?,
        Builder::new_multi_thread().worker_threads(4).enable_all().build()?,
    ];
    for runtime in runtimes {
        runtime.block_on(async {
            let hub = TaskHub::builder().in_memory().open().await?;
            let run = hub.start(passes_on("abc".to_owned())).await?;
            run.raise_event("text", &"de").await?;
            assert_eq!(run.result().await?, 5);
            Ok::<_, Error>(hub.shutdown().await?)
        })?;
    }
    Ok(())
}

/// The pattern for a hub that outlives the runtimes of its users: it has a runtime of its own.
static SHARED: OnceLock<(Runtime, TaskHub)> = OnceLock::new();

fn shared() -> &'static TaskHub {
    let (_, hub) = SHARED.get_or_init(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let hub = runtime.block_on(TaskHub::builder().in_memory().open()).unwrap();
        (runtime, hub)
    });
    hub
}

#[test]
fn a_hub_in_a_static_serves_runtimes_that_end() -> Result<()> {
    let hub = shared();
    for _ in 0..3 {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let result: Result<u32> = runtime.block_on(async {
            // Abandoned when the runtime ends.
            tokio::spawn(hub.start(passes_on("x".to_owned())));
            Ok(hub.start(is_quick()).await?.result().await?)
        });
        assert_eq!(result?, 1);
    }
    Ok(())
}

#[tokio::test]
async fn two_hubs_in_one_process_share_nothing_and_no_folder() -> Result<()> {
    let (one, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (first, second) = (TaskHub::open(one.path()).await?, TaskHub::open(other.path()).await?);
    first.start(is_quick().instance_id("q")).await?.result().await?;
    let started = second.start(is_quick().instance_id("q")).await;
    assert!(!matches!(started, Err(StartError::AlreadyExists { .. })));
    assert_eq!(started?.result().await?, 1);
    let refused = TaskHub::open(one.path()).await.unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    first.shutdown().await?;
    Ok(second.shutdown().await?)
}

#[activity]
async fn goes_nowhere() {
    std::future::pending::<()>().await;
}

#[orchestrator]
async fn makes_no_progress(ctx: &OrchestrationContext) -> Result<()> {
    goes_nowhere().await?;
    Ok(())
}

/// Opens a hub and waits until it runs the activity.
async fn open_and_run(store: &Arc<MemoryStore>) -> Result<TaskHub> {
    let hub = TaskHub::builder().store(Arc::clone(store)).open().await?;
    match hub.start(makes_no_progress().instance_id("slow")).await {
        Ok(_) | Err(StartError::AlreadyExists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    while hub.running().is_empty() {
        tokio::task::yield_now().await;
    }
    Ok(hub)
}

async fn suspensions(hub: &TaskHub) -> Result<usize> {
    let history = hub.instance("slow")?.history().await?;
    Ok(history.iter().filter(|it| it.kind.type_name() == "ExecutionSuspended").count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_without_progress_is_held_back_after_crashes_only_and_runs_again() -> Result<()>
{
    let store = Arc::default();
    for _ in 0..25 {
        let hub = open_and_run(&store).await?;
        assert_eq!(suspensions(&hub).await?, 0, "an orderly shutdown is no attempt");
        hub.shutdown_within(Duration::from_millis(20)).await?;
    }
    let mut crashes = 0;
    let hub = loop {
        let hub = open_and_run(&store).await?;
        if suspensions(&hub).await? == 1 {
            break hub;
        }
        crashes += 1;
        assert!(crashes <= 20, "it is never held back");
        // Stops as in a crash.
        drop(hub);
    };
    assert!(crashes >= 3, "{crashes}");
    assert_eq!(hub.instance("slow")?.status().await?.runtime_status, RuntimeStatus::Running);
    hub.shutdown_within(Duration::from_millis(20)).await?;
    Ok(())
}

/// An instance that happens to run when the process is killed from outside is not taken for the
/// cause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_again_and_again_sets_nothing_aside() -> Result<()> {
    let store = Arc::default();
    drop(open_and_run(&store).await?);
    for _ in 0..100 {
        drop(TaskHub::builder().store(Arc::clone(&store)).open().await?);
    }
    let hub = open_and_run(&store).await?;
    let status = hub.instance("slow")?.status().await?;
    assert_eq!((status.runtime_status, status.suspension), (RuntimeStatus::Running, None));
    hub.shutdown_within(Duration::from_millis(20)).await?;
    Ok(())
}
