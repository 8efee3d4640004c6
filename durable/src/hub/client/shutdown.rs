//! Stopping a hub: who waits for what, and how long.
//!
//! Rules:
//! 1. A thread of its own stops the hub. So it goes on when the future that asked for it is
//!    dropped,
//!    and needs neither the runtime's threads nor its timers.
//! 2. Everybody who stops a hub waits for the same stop. The earliest deadline counts.
//! 3. When it is over nothing of the hub holds the store any more: the folder can be opened again.

use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use crate::error::Result;
use crate::hub::error::HubError;
use crate::hub::shutdown::{ShutdownReport, Stopping};
use crate::hub::task_hub::{Inner, TaskHub};
use crate::hub::telemetry::lines;
use crate::hub::time::clock;
use crate::panics;

/// The part of a time limit that is kept for writing what was done, at most.
const FOR_WRITING: Duration = Duration::from_secs(1);
/// How long to wait before a thread is asked for again that the system refused.
const ASK_AGAIN: Duration = Duration::from_millis(50);

impl TaskHub {
    /// Stops the hub and leaves nothing running.
    ///
    /// No more activities begin, and running ones see their
    /// [cancellation token](crate::ActivityContext::cancellation_token) and are waited for, however
    /// long they take; [`shutdown_within`](Self::shutdown_within) sets a limit. What
    /// they return is recorded, unless it is an error: then they run again when the hub is next
    /// opened, and so does what did not begin. All handles of the hub answer with
    /// [`HubError::ShutDown`] from here on.
    ///
    /// Dropping the future after its first poll does not stop the shutdown, which runs on a thread
    /// of its own. A second call, on a clone, waits for the same shutdown. When it returns, the
    /// folder can be opened again.
    ///
    /// # Errors
    /// The hub had failed before, such as by its store.
    pub async fn shutdown(self) -> Result<()> {
        let failure = self.inner.health.failure();
        let _report = self.stop(true).await;
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Stops the hub as [`shutdown`](Self::shutdown) does, but returns when `limit` is over, and
    /// says what was still running then.
    ///
    /// Running activities and operations have until shortly before the limit (a quarter of it, at
    /// most one second, is kept for writing what was done). Then async ones are dropped at their
    /// next `.await`. A blocking activity cannot be stopped: it keeps its thread of the runtime,
    /// and what it returns counts for nothing. (A tokio runtime that is dropped waits for such
    /// threads; `Runtime::shutdown_timeout` and the end of `#[tokio::main]`'s process by
    /// [`std::process::exit`] do not.) What was given up runs again when the hub is next opened.
    ///
    /// ```standalone_crate
    /// # use std::time::Duration;
    /// # use durable::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let hub = TaskHub::builder().in_memory().open().await?;
    /// // Kubernetes kills a pod 30 seconds after it told it to stop.
    /// let report = hub.shutdown_within(Duration::from_secs(25)).await?;
    /// if !report.is_complete() {
    ///     eprintln!("{report}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`shutdown`](Self::shutdown).
    pub async fn shutdown_within(self, limit: Duration) -> Result<ShutdownReport, HubError> {
        let failure = self.inner.health.failure();
        let now = clock::stopwatch();
        // Later than any clock tells is without a limit.
        if let Some(end) = now.checked_add(limit) {
            let stopping = &self.inner.stopping;
            stopping.draining.limit(now + limit.saturating_sub(FOR_WRITING.min(limit / 4)));
            stopping.writing.limit(end);
            self.inner.look_again();
        }
        let report = self.stop(true).await;
        failure.map_or(Ok(report), Err)
    }

    /// Stops the hub; whether it waits for running activities and operations.
    pub(crate) async fn stop(self, drains: bool) -> ShutdownReport {
        let inner = &self.inner;
        // At once, so that nothing begins before the thread does.
        inner.close();
        loop {
            if let Some(mut ended) = inner.begin_to_stop(drains) {
                // A sender that is gone has told nothing, which does not happen.
                let ended = ended.wait_for(Option::is_some).await;
                return ended.ok().and_then(|report| report.clone()).unwrap_or_default();
            }
            inner.activities.timer.sleep(ASK_AGAIN).await;
        }
    }
}

impl Inner {
    /// Begins to stop, unless that was begun; gives who is told of the end. None if the system has
    /// no thread for it now.
    fn begin_to_stop(
        self: &Arc<Self>,
        drains: bool,
    ) -> Option<watch::Receiver<Option<ShutdownReport>>> {
        let mut ended = self.stopping.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = &*ended {
            return Some(ended.clone());
        }
        let (sender, receiver) = watch::channel(None);
        let inner = Arc::clone(self);
        let stop = move || {
            let report = panics::catch(|| inner.stop(drains)).unwrap_or_default();
            drop(inner);
            panics::shield(|| drop(sender.send_replace(Some(report))));
        };
        thread::Builder::new().name("durable-stop".to_owned()).spawn(stop).ok()?;
        *ended = Some(receiver.clone());
        Some(receiver)
    }

    fn stop(&self, drains: bool) -> ShutdownReport {
        let Stopping { draining, writing, .. } = &self.stopping;
        let mut report = ShutdownReport::default();
        let running = (self.activities.count_running(), self.batches.under_way.len());
        if drains {
            if !self.activities.drain(draining) {
                report.activities = self.activities.cut_off();
            }
            report.entities = self.batches.under_way.wait(draining);
            if !report.entities.is_empty() {
                self.batches.cut_off();
            }
        }
        self.mailboxes.stop_all();
        self.readers.close();
        self.activities.timer.close();
        let store = self.store.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(store) = &store {
            // It may wait for room on the disk until it is told not to.
            store.give_up();
        }
        report.threads = self.threads.running().wait(writing);
        // It writes when it is closed.
        drop(store);
        if drains || !report.is_complete() {
            lines::stopped(&self.kept, running, &report);
        }
        report
    }

    /// Lets who stops the hub look at the deadlines again.
    fn look_again(&self) {
        self.activities.look_again();
        self.batches.under_way.look_again();
        self.threads.running().look_again();
    }
}
