//! Each operation is a transaction, and a batch of them one commit.

use super::*;

#[orchestrator]
async fn fails_in_between(ctx: &OrchestrationContext, key: String) -> Result<i64> {
    let tally = Tally::at(&key);
    tally.add(1).signal()?;
    tally.add_and_fail(10).signal()?;
    tally.send_and_panic().signal()?;
    tally.add(2).signal()?;
    let failed = tally.add_and_fail(20).await.unwrap_err();
    assert_eq!(failed.details().message, "20 is too many");
    let panicked = tally.send_and_panic().await.unwrap_err();
    assert!(panicked.details().message.contains("no more"), "{panicked}");
    Ok(tally.get().await?)
}

#[tokio::test]
async fn a_failed_or_panicking_operation_is_rolled_back_and_the_batch_continues() -> Result<()> {
    let hub = TestHub::open().await?;
    assert_eq!(hub.start(fails_in_between("tx".into())).await?.result().await?, 3);
    hub.settle().await;
    assert_eq!(tally(&hub, "other").await?, 0);
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn asks_for_batch(ctx: &OrchestrationContext) -> Result<Vec<(usize, usize)>> {
    let tally = Tally::at("batch");
    Ok(durable::try_join_all((0..10).map(|_| tally.batch())).await?)
}

#[tokio::test]
async fn operations_that_arrive_together_form_one_batch() -> Result<()> {
    let hub = TestHub::open().await?;
    let places = hub.start(asks_for_batch()).await?.result().await?;
    // How many operations form a batch depends on the timing of threads, but the assertions do not.
    assert_eq!(places.len(), 10);
    assert!(places.iter().all(|(position, size)| position < size), "{places:?}");
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn reads_and_deletions_leave_no_entity_in_the_store() -> Result<()> {
    let store: std::sync::Arc<dyn Store> =
        std::sync::Arc::new(durable::store::MemoryStore::default());
    let shared = std::sync::Arc::clone(&store);
    let hub = TestHub::builder().configure(|hub| hub.store(shared)).open().await?;
    assert_eq!(hub.call_entity(Tally::at("gone").get()).await?, 0);
    assert_eq!(stored(&*store), 0, "a read makes nothing");
    hub.call_entity(Tally::at("gone").add(1)).await?;
    hub.call_entity(Tally::at("gone-too").add(1)).await?;
    assert_eq!(stored(&*store), 2);
    hub.delete_entity(Tally::at("gone")).await?;
    hub.call_entity(Tally::at("gone-too").clear()).await?;
    assert_eq!(stored(&*store), 0);
    assert_eq!(hub.call_entity(Tally::at("gone").add(5)).await?, 5, "it begins anew");
    hub.call_entity(Tally::at("gone").delete()).await?;
    hub.settle().await;
    assert_eq!(stored(&*store), 0);
    Ok(hub.shutdown().await?)
}

#[derive(Default, Serialize, Deserialize)]
struct Slow {
    begun: u32,
    done: u32,
}

#[entity]
impl Slow {
    /// Ends when the hub is shut down. The second time, it completes.
    async fn work(&mut self, ctx: &EntityContext, cut_off: bool) -> Result<u32> {
        self.begun += 1;
        if cut_off && SLOW_RUNS.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            ctx.cancellation_token().cancelled().await;
            return Err(Error::msg("cut off"));
        }
        self.done += 1;
        Ok(self.done)
    }
}

static SLOW_RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

#[orchestrator]
async fn works_slowly(ctx: &OrchestrationContext) -> Result<u32> {
    Slow::at("slow").work(false).signal()?;
    Ok(Slow::at("slow").work(true).await?)
}

#[tokio::test]
async fn operations_that_a_shutdown_interrupts_run_again() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(works_slowly().instance_id("works-slowly")).await?;
    while SLOW_RUNS.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let hub = hub.reopen().await?;
    let run = hub.find_instance::<works_slowly>("works-slowly").await?;
    assert_eq!(run.ok_or(Error::msg("it is there"))?.result().await?, 2);
    let slow = hub.entity_state::<Slow>("slow").await?;
    assert_eq!(slow.map(|slow| (slow.begun, slow.done)), Some((2, 2)));
    Ok(hub.shutdown().await?)
}
