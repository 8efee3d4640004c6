//! Shutting a hub down: the order of the steps and their deadlines.
//!
//! Rules:
//! 1. A dedicated thread stops the hub, so the shutdown continues if its future is dropped, and
//!    does not depend on the runtime's threads or timers.
//! 2. All callers wait for the same shutdown. The earliest deadline counts.
//! 3. Afterwards no part of the hub holds the store, so the folder can be opened again.

use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use crate::hub::error::HubError;
use crate::hub::shutdown::{ShutdownReport, Stopping};
use crate::hub::task_hub::{Inner, TaskHub};
use crate::hub::telemetry::lines;
use crate::hub::time::clock;
use crate::panics;

/// The largest part of a time limit that is reserved for writing results.
const FOR_WRITING: Duration = Duration::from_secs(1);
/// The delay before another attempt to start a thread that the system refused.
const ASK_AGAIN: Duration = Duration::from_millis(50);

impl TaskHub {
    /// Shuts the hub down and waits until all its work has ended.
    ///
    /// No more activities begin. Running ones are notified through their [cancellation
    /// token](crate::ActivityContext::cancellation_token) and waited for, however long they take;
    /// [`shutdown_within`](Self::shutdown_within) sets a limit. Their results are recorded, except
    /// for errors: activities that fail, and those that did not begin, run again when the hub is
    /// next opened. From now on all handles of the hub return [`HubError::ShutDown`].
    ///
    /// Dropping the future after its first poll does not stop the shutdown, which runs on a thread
    /// of its own. A second call on a clone waits for the same shutdown. When `shutdown` returns,
    /// the folder can be opened again.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// # async fn run() -> durable::Result<()> {
    /// let hub = TaskHub::open("./hub").await?;
    /// // ... until the service is asked to stop:
    /// hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub had failed before, for example because of its store.
    pub async fn shutdown(self) -> Result<(), HubError> {
        let failure = self.inner.health.failure();
        let _report = self.stop(true).await;
        failure.map_or(Ok(()), Err)
    }

    /// Shuts the hub down like [`shutdown`](Self::shutdown), but returns when `limit` has passed,
    /// and reports what was still running.
    ///
    /// Running activities and operations may continue until shortly before the limit (a quarter of
    /// it, at most one second, is reserved for writing results). Then those that are async are
    /// dropped at their next `.await`. A blocking activity cannot be stopped: it occupies its
    /// thread of the runtime, and its result is discarded. (A tokio runtime that is dropped waits
    /// for such threads; `Runtime::shutdown_timeout` and [`std::process::exit`] do not.) Whatever
    /// was given up runs again when the hub is next opened.
    ///
    /// ```
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
    /// The same as [`shutdown`](Self::shutdown).
    pub async fn shutdown_within(self, limit: Duration) -> Result<ShutdownReport, HubError> {
        let failure = self.inner.health.failure();
        let now = clock::stopwatch();
        // A time that does not fit the clock means no limit.
        if let Some(end) = now.checked_add(limit) {
            let stopping = &self.inner.stopping;
            stopping.draining.limit(now + limit.saturating_sub(FOR_WRITING.min(limit / 4)));
            stopping.writing.limit(end);
            self.inner.recheck_deadline();
        }
        let report = self.stop(true).await;
        failure.map_or(Ok(report), Err)
    }

    /// Stops the hub; `drains` says whether to wait for running activities and operations.
    pub(crate) async fn stop(self, drains: bool) -> ShutdownReport {
        let inner = &self.inner;
        // Immediately, so that nothing begins before the thread runs.
        inner.close();
        loop {
            if let Some(mut ended) = inner.begin_to_stop(drains) {
                // The sender always reports before it is dropped.
                let ended = ended.wait_for(Option::is_some).await;
                return ended.ok().and_then(|report| report.clone()).unwrap_or_default();
            }
            inner.activities.timer.sleep(ASK_AGAIN).await;
        }
    }
}

impl Inner {
    /// Begins the shutdown, unless it has begun; returns the receiver of its report. `None` if the
    /// system refuses a thread for now.
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
        self.stop_nodes();
        self.mailboxes.stop_all();
        self.for_clients.close();
        self.activities.timer.close();
        let store = self.store.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(store) = &store {
            // The committer may be waiting for disk space.
            store.give_up();
        }
        report.threads = self.threads.running().wait(writing);
        // A hub whose last handle is dropped stops as in a crash.
        if let (true, false, Some(store)) = (drains, self.health.has_failed(), &store) {
            // If it fails, the next opening counts this end as one of the process.
            let (notes, takeovers) = &self.notes;
            if let Some(notes) = notes {
                drop(notes.remove_all(&**store));
            }
            if let Some(takeovers) = takeovers {
                takeovers.leave_all(&**store);
            }
        }
        if let Some(cluster) = store.as_ref().and_then(|store| store.cluster()) {
            // If it fails, the leases expire.
            drop(cluster.leave());
        }
        // Dropping the store closes it, which may write.
        drop(store);
        if drains || !report.is_complete() {
            lines::stopped(&self.kept, running, &report);
        }
        report
    }

    /// Wakes the shutdown's thread to check the deadlines again.
    fn recheck_deadline(&self) {
        self.activities.recheck_deadline();
        self.batches.under_way.recheck_deadline();
        self.threads.running().recheck_deadline();
    }
}
