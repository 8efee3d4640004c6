//! Running batches of entities' operations as tasks of the async runtime, with bounded concurrency.
//!
//! A batch arrives when no other batch of its entity runs, and its outcome goes to the entity's
//! partition as mail. This state is not stored: the messages of a batch that a crash interrupts are
//! still in the store, and are delivered again.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::definition::RunEntity;
use crate::entity::{Batch, BatchContext, BatchDone, Requested};
use crate::hub::drive::Drive;
use crate::hub::health::Health;
use crate::hub::mail::Mail;
use crate::hub::mailboxes::Mailboxes;
use crate::hub::ownership::Ownership;
use crate::hub::telemetry::metrics::{self, Stopwatch};
use crate::hub::telemetry::spans;
use crate::hub::threads::{Counted, Tally};
use crate::hub::time::wait::first;
use crate::panics;
use crate::protocol::{EntityId, Json, Timestamp};

#[derive(Debug)]
pub(crate) struct Batches {
    /// The context that every batch gets.
    around: BatchContext,
    mailboxes: Mailboxes,
    drive: Drive,
    /// One permit for each batch that may run at once.
    places: Arc<Semaphore>,
    /// The running and waiting batches, by entity.
    pub(crate) under_way: Arc<Tally>,
    /// Cancelled when a shutdown stops waiting for batches.
    cut_off: CancellationToken,
    health: Arc<Health>,
}

/// A batch to be run.
#[derive(Debug)]
pub(crate) struct BatchJob {
    pub(crate) entity_id: EntityId,
    pub(crate) run: RunEntity,
    pub(crate) state: Option<Json>,
    pub(crate) operations: Vec<Requested>,
    pub(crate) now: Timestamp,
}

/// Counts a batch until it is dropped.
struct RunningBatch {
    batches: Arc<Batches>,
    is_done: bool,
    _counted: Counted,
}

impl Drop for RunningBatch {
    fn drop(&mut self) {
        if !self.is_done {
            self.batches.health.lost("a batch of an entity's operations");
        }
    }
}

impl Batches {
    pub(crate) fn new(
        around: BatchContext,
        mailboxes: Mailboxes,
        drive: Drive,
        concurrency: usize,
        health: Arc<Health>,
    ) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS)));
        let (under_way, cut_off) = (Arc::default(), CancellationToken::new());
        Arc::new(Self { around, mailboxes, drive, places, under_way, cut_off, health })
    }

    /// Runs a batch as soon as the limit of concurrent batches allows.
    pub(crate) fn submit(self: &Arc<Self>, job: BatchJob, owner: &Arc<Ownership>) {
        let owner = Arc::clone(owner);
        let counted = self.under_way.count(job.entity_id.to_string());
        let batches = Arc::clone(self);
        let mut under_way = RunningBatch { batches, is_done: false, _counted: counted };
        let busy = self.mailboxes.busy();
        self.drive.spawn(async move {
            let batches = &under_way.batches;
            // A batch that is cut off is dropped: its messages are in the store.
            first(pin!(batches.run(job, &owner)), pin!(batches.cut_off.cancelled())).await;
            under_way.is_done = true;
            drop((under_way, busy));
        });
    }

    async fn run(&self, job: BatchJob, owner: &Ownership) {
        // An error means that the hub shuts down. The messages of the batch are in the store.
        let Ok(_place) = self.places.acquire().await else { return };
        let BatchJob { entity_id, run, state, operations, now } = job;
        let (span, watch) = (spans::batch(&entity_id, operations.len()), Stopwatch::start());
        let around = BatchContext { now, ..self.around.clone() };
        let (count, before) = (operations.len(), state.clone());
        let name = entity_id.name().to_owned();
        let id = entity_id.instance_id().clone();
        let batch = Batch { entity_id, state, operations, around };
        let running = Box::pin(async move { Ok(run(batch).await) });
        let done = spans::in_span(span, pin!(panics::catch_async(running))).await;
        // Operations are guarded, so only the drop of what they leave behind can panic here.
        let done = done.unwrap_or_else(|panic| BatchDone {
            state: before,
            outcomes: vec![Some(Err(panic)); count],
            outgoing: Vec::new(),
        });
        // Failures may come from the shutdown: the batch runs again when the hub is next opened.
        let has_failed = |outcome: &Option<_>| matches!(outcome, Some(Err(_)));
        if self.places.is_closed() && done.outcomes.iter().any(has_failed) {
            return;
        }
        metrics::batch_ended(&name, &done.outcomes, watch);
        self.mailboxes.send_to(owner, Mail::BatchEnded { entity: id, done: Box::new(done) });
    }

    /// Starts no more batches, and cancels the tokens of running ones.
    pub(crate) fn close(&self) {
        self.places.close();
        panics::shield(|| self.around.cancellation.cancel());
    }

    /// Stops waiting for running batches.
    pub(crate) fn cut_off(&self) {
        self.cut_off.cancel();
    }
}
