//! The health of the hub: whether it works, or why it failed. Every wait that may have to be
//! abandoned checks it.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::error::HubError;
use crate::store::chain;

#[derive(Default)]
pub(crate) struct Health {
    failure: OnceLock<HubError>,
    shut_down: AtomicBool,
    /// Whether the failure was logged and the hub told to stop.
    is_told: AtomicBool,
    stop: OnceLock<Stop>,
}

/// Stops all threads and tasks of the hub.
type Stop = Box<dyn Fn() + Send + Sync>;

impl Health {
    /// Sets the action after a failure.
    pub(crate) fn stop_by(&self, stop: impl Fn() + Send + Sync + 'static) {
        self.stop.get_or_init(|| Box::new(stop));
    }

    /// Records a failure and stops the hub; only the first failure counts. Failures after a
    /// shutdown are ignored, because the hub is stopping anyway.
    pub(crate) fn fail(&self, failure: HubError) {
        self.note(failure);
        self.stop_if_failed();
    }

    /// A task of the async runtime was dropped before its end: the runtime has ended, unless the
    /// task panicked.
    pub(crate) fn lost(&self, task: &str) {
        self.fail(if thread::panicking() {
            let (thread, panic) = (task.to_owned(), "panicked".to_owned());
            HubError::Panicked { thread, panic }
        } else {
            HubError::RuntimeEnded
        });
    }

    /// Records a failure without stopping the hub, for a thread that is about to unwind. Waiters
    /// whose reply is dropped by then find the reason here.
    pub(crate) fn note(&self, failure: HubError) {
        if !self.is_shut_down() {
            self.failure.get_or_init(|| failure);
        }
    }

    /// Stops the hub if a failure was noted.
    pub(crate) fn stop_if_failed(&self) {
        let Some(failure) = self.failure.get() else { return };
        if self.is_told.swap(true, Ordering::AcqRel) {
            return;
        }
        tell!(error, error = chain(failure), "the task hub has failed and stops");
        if let Some(stop) = self.stop.get() {
            stop();
        }
    }

    pub(crate) fn shut_down(&self) {
        self.shut_down.store(true, Ordering::Release);
    }

    fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Acquire)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    pub(crate) fn failure(&self) -> Option<HubError> {
        self.failure.get().cloned()
    }

    pub(crate) fn check(&self) -> Result<(), HubError> {
        if self.has_failed() || self.is_shut_down() {
            return Err(self.error());
        }
        Ok(())
    }

    /// The reason why there is no reply.
    pub(crate) fn error(&self) -> HubError {
        self.failure().unwrap_or(HubError::ShutDown)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("failure", &self.failure)
            .field("shut_down", &self.shut_down)
            .finish_non_exhaustive()
    }
}
