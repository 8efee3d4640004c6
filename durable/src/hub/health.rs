//! Whether the hub still works, and if not, why: seen by everything that could wait for it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::HubError;
use crate::store::{StoreError, chain};

#[derive(Debug, Default)]
pub(super) struct Health {
    failure: OnceLock<StoreError>,
    shut_down: AtomicBool,
}

impl Health {
    /// The store failed; the first failure counts.
    pub(super) fn fail(&self, error: StoreError) {
        tracing::error!(error = chain(&error), "the store failed, so the task hub stops");
        self.failure.get_or_init(|| error);
    }

    pub(super) fn shut_down(&self) {
        self.shut_down.store(true, Ordering::Release);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failure.get().cloned()
    }

    pub(super) fn check(&self) -> Result<(), HubError> {
        if self.has_failed() || self.shut_down.load(Ordering::Acquire) {
            return Err(self.error());
        }
        Ok(())
    }

    /// Why there is no answer.
    pub(super) fn error(&self) -> HubError {
        self.failure.get().map_or(HubError::ShutDown, |error| HubError::Store(error.clone()))
    }
}
