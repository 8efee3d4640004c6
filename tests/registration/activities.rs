//! Activities: their context, concurrency, cancellation, and shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::client::{ResultError, TaskHubBuilder};
use durable::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::{Barrier, Notify, Semaphore};

fn builder() -> TaskHubBuilder {
    TaskHub::builder()
        .only_registered()
        .register::<order>()
        .register::<charge_card>()
        .register::<outlives>()
        .register::<panics>()
        .register::<panics_blocking>()
        .register::<describes>()
        .register::<describe>()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum Declined {
    #[error("only {balance} left")]
    NoMoney { balance: u32 },
}

#[activity]
async fn charge_card(cents: u32) -> Result<u32, Declined> {
    if cents > 100 { Err(Declined::NoMoney { balance: 100 }) } else { Ok(cents) }
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32, Declined> {
    charge_card(cents).await.map_err(|failed| failed.into_error().expect("it does not panic"))
}

#[tokio::test]
async fn a_typed_error_of_an_activity_comes_back_as_the_same_value() -> Result<()> {
    let hub = builder().in_memory().open().await?;
    assert_eq!(hub.start(order(7)).await?.result().await?, 7);
    let Err(ResultError::Failed(failed)) = hub.start(order(700)).await?.result().await else {
        panic!("it is declined")
    };
    assert_eq!(failed.error(), Some(&Declined::NoMoney { balance: 100 }));
    assert_eq!(failed.to_string(), "orchestration `order` failed: only 100 left");
    assert!(failed.details().is_caused_by::<Declined>());
    hub.shutdown().await?;
    Ok(())
}

#[activity]
async fn panics() {
    panic!("the roof is on fire");
}

#[activity]
fn panics_blocking() {
    panic!("the cellar, too");
}

#[orchestrator]
async fn outlives(ctx: &OrchestrationContext) -> Vec<String> {
    let (a, b) = durable::join((panics(), panics_blocking())).await;
    [a, b].into_iter().filter_map(Result::err).map(|failed| failed.to_string()).collect()
}

#[tokio::test]
async fn a_panic_fails_the_activity() -> Result<()> {
    let hub = builder().in_memory().open().await?;
    let failures = hub.start(outlives()).await?.result().await?;
    let [a, b] = &failures[..] else { panic!("{failures:?}") };
    assert!(
        a.starts_with("activity `panics` failed: panicked at tests/registration/activities.rs:"),
        "{a}"
    );
    assert!(a.ends_with("the roof is on fire"), "{a}");
    assert!(b.ends_with("the cellar, too"), "{b}");
    hub.shutdown().await?;
    Ok(())
}

#[activity]
async fn describe(ctx: &ActivityContext) -> (String, String, u32, String) {
    let key = ctx.idempotency_key();
    (ctx.instance_id().to_string(), ctx.name().to_owned(), ctx.attempt(), key)
}

#[orchestrator]
async fn describes(ctx: &OrchestrationContext) -> Result<Vec<(String, String, u32, String)>> {
    Ok(durable::try_join_all([describe(), describe()]).await?)
}

#[tokio::test]
async fn an_activity_context_has_its_instance_and_attempt() -> Result<()> {
    let hub = builder().in_memory().open().await?;
    let seen = hub.start(describes().instance_id("seen")).await?.result().await?;
    let (instance, name, attempt, key) = &seen[0];
    assert_eq!((instance.as_str(), name.as_str(), *attempt), ("seen", "describe", 1));
    assert_ne!(*key, seen[1].3, "every call has a key of its own");
    hub.shutdown().await?;
    Ok(())
}

/// Lets activities through once three of them have arrived, and counts them.
struct Turnstile {
    three: Barrier,
    inside: AtomicUsize,
    most: AtomicUsize,
}

#[activity]
async fn passes(turnstile: State<Arc<Turnstile>>) {
    let inside = turnstile.inside.fetch_add(1, Ordering::SeqCst) + 1;
    turnstile.most.fetch_max(inside, Ordering::SeqCst);
    turnstile.three.wait().await;
    turnstile.inside.fetch_sub(1, Ordering::SeqCst);
}

#[orchestrator]
async fn crowd(ctx: &OrchestrationContext) -> Result<usize> {
    Ok(durable::try_join_all((0..99).map(|_| passes())).await?.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_concurrency_is_bounded() -> Result<()> {
    let turnstile = Arc::new(Turnstile {
        three: Barrier::new(3),
        inside: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let hub = TaskHub::builder()
        .in_memory()
        .only_registered()
        .register::<crowd>()
        .register::<passes>()
        .activity_concurrency(3)
        .state(Arc::clone(&turnstile))
        .open()
        .await?;
    assert_eq!(hub.start(crowd()).await?.result().await?, 99);
    assert_eq!(turnstile.most.load(Ordering::SeqCst), 3);
    hub.shutdown().await?;
    Ok(())
}

/// Lets a test see that an activity has begun, and end it.
struct Gate {
    begun: Notify,
    opened: Semaphore,
    cancelled: Notify,
}

impl Gate {
    fn new() -> Arc<Self> {
        let opened = Semaphore::new(0);
        Arc::new(Self { begun: Notify::new(), opened, cancelled: Notify::new() })
    }
}

/// Waits for the gate. If it is cancelled before, it reports that and fails.
#[activity]
async fn gated(ctx: &ActivityContext, gate: State<Arc<Gate>>) -> Result<String> {
    gate.begun.notify_one();
    tokio::select! {
        _ = gate.opened.acquire() => Ok("through".to_owned()),
        () = ctx.cancellation_token().cancelled() => {
            gate.cancelled.notify_one();
            Err(Error::msg("cut off"))
        }
    }
}

#[activity]
async fn begins(gate: State<Arc<Gate>>) {
    gate.begun.notified().await;
}

#[orchestrator]
async fn impatient_caller(ctx: &OrchestrationContext) -> Result<String> {
    let slow = gated().spawn();
    begins().await?;
    drop(slow);
    Ok("not waited for".to_owned())
}

#[orchestrator]
async fn patient_caller(ctx: &OrchestrationContext) -> Result<String> {
    Ok(gated().await?)
}

fn gated_hub(gate: &Arc<Gate>) -> TaskHubBuilder {
    TaskHub::builder()
        .only_registered()
        .register::<impatient_caller>()
        .register::<patient_caller>()
        .register::<gated>()
        .register::<begins>()
        .state(Arc::clone(gate))
}

#[tokio::test]
async fn dropping_a_task_cancels_its_running_activity() -> Result<()> {
    let gate = Gate::new();
    let hub = gated_hub(&gate).in_memory().open().await?;
    assert_eq!(hub.start(impatient_caller()).await?.result().await?, "not waited for");
    gate.cancelled.notified().await;
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn an_activity_that_a_shutdown_interrupts_runs_again() -> Result<()> {
    let gate = Gate::new();
    let store: Arc<dyn durable::store::Store> = Arc::new(durable::store::MemoryStore::default());
    let hub = gated_hub(&gate).store(Arc::clone(&store)).open().await?;
    let run = hub.start(patient_caller().instance_id("patient_caller")).await?;
    gate.begun.notified().await;
    hub.shutdown().await?;
    gate.cancelled.notified().await;

    let hub = gated_hub(&gate).store(store).open().await?;
    gate.begun.notified().await;
    gate.opened.add_permits(1);
    let id = run.instance_id().as_str();
    let run = hub.find_instance::<patient_caller>(id).await?.expect("it was started");
    assert_eq!(run.result().await?, "through");
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn a_call_awaited_outside_an_orchestrator_suggests_a_remedy() {
    let failed = charge_card(5).await.unwrap_err();
    let said = failed.to_string();
    assert!(said.contains("awaited outside of an orchestrator"), "{said}");
    assert!(said.contains("`charge_card::run(..)`"), "{said}");
}

#[tokio::test]
async fn a_body_can_be_called_directly_in_a_unit_test() {
    assert_eq!(charge_card::run(5).await, Ok(5));
    let ctx = ActivityContext::for_test("describe");
    assert_eq!(describe::run(&ctx).await.1, "describe");
}
