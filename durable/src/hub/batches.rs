//! Running batches of entities' operations: each is a task of the async runtime, so many at a time.
//!
//! A batch comes in when its entity has nothing else running, and what has become of it goes to the
//! entity's partition as mail. Nothing here is written down: a batch that a crash cuts off left its
//! messages in the store, and they are there again.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tracing::Instrument;

use super::mail::{Mail, Mailboxes};
use super::metrics::{self, Stopwatch};
use super::spans;
use crate::entity::{Around, Batch, BatchDone, Requested};
use crate::panics;
use crate::protocol::{EntityId, Json, Timestamp};
use crate::registry::RunEntity;

#[derive(Debug)]
pub(super) struct Batches {
    /// What every batch is given.
    around: Around,
    mailboxes: Mailboxes,
    runtime: Handle,
    /// One for each batch that may run at once.
    places: Arc<Semaphore>,
    /// How many batches are under way.
    under_way: watch::Sender<usize>,
}

/// A batch to be run.
#[derive(Debug)]
pub(super) struct BatchJob {
    pub(super) entity_id: EntityId,
    pub(super) run: RunEntity,
    pub(super) state: Option<Json>,
    pub(super) operations: Vec<Requested>,
    pub(super) now: Timestamp,
}

/// A batch is under way as long as this is held.
struct UnderWay(Arc<Batches>);

impl UnderWay {
    fn new(batches: Arc<Batches>) -> Self {
        batches.under_way.send_modify(|count| *count += 1);
        Self(batches)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|count| *count -= 1);
    }
}

impl Batches {
    pub(super) fn new(
        around: Around,
        mailboxes: Mailboxes,
        runtime: Handle,
        concurrency: usize,
    ) -> Self {
        let places = Arc::new(Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS)));
        let (under_way, _) = watch::channel(0);
        Self { around, mailboxes, runtime, places, under_way }
    }

    /// Runs a batch, now or when others have ended.
    pub(super) fn submit(self: &Arc<Self>, job: BatchJob) {
        let (batches, busy) = (UnderWay::new(Arc::clone(self)), self.mailboxes.busy());
        self.runtime.spawn(async move {
            batches.0.run(job).await;
            drop((batches, busy));
        });
    }

    async fn run(&self, job: BatchJob) {
        // With none the hub is being shut down: what the batch consists of is in the store.
        let Ok(_place) = self.places.acquire().await else { return };
        let BatchJob { entity_id, run, state, operations, now } = job;
        let (span, watch) = (spans::batch(&entity_id, operations.len()), Stopwatch::start());
        let around = Around { now, ..self.around.clone() };
        let (count, before) = (operations.len(), state.clone());
        let name = entity_id.name().to_owned();
        let id = entity_id.instance_id().clone();
        let batch = Batch { entity_id, state, operations, around };
        let running = Box::pin(async move { Ok(run(batch).await) });
        let done = panics::catch_async(running).instrument(span).await;
        // Only what an operation leaves behind when it is dropped can panic here.
        let done = done.unwrap_or_else(|panic| BatchDone {
            state: before,
            outcomes: vec![Some(Err(panic)); count],
            outgoing: Vec::new(),
        });
        // What was cut off by a shutdown is carried out again when the hub is next opened.
        let has_failed = |outcome: &Option<_>| matches!(outcome, Some(Err(_)));
        if self.places.is_closed() && done.outcomes.iter().any(has_failed) {
            return;
        }
        metrics::batch_ended(&name, &done.outcomes, watch);
        self.mailboxes.send(&id.clone(), Mail::BatchEnded { entity: id, done: Box::new(done) });
    }

    /// Begins no more batches, and tells the running ones to come to an end.
    pub(super) fn close(&self) {
        self.places.close();
        self.around.cancellation.cancel();
    }

    /// Waits until no batch is under way.
    pub(super) async fn drained(&self) {
        // The sender lives as long as `self`, so there is no other end than that.
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }
}
