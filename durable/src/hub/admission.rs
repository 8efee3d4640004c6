//! Back-pressure: bounds the client requests that wait for their partitions.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::panics;

/// The default number of permits.
pub(crate) const REQUESTS: usize = 16_384;
/// A request takes one permit per this many bytes, and at least one.
pub(crate) const BYTES_PER_PLACE: usize = 16 << 10;

/// Admits requests while permits are free.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    free: Arc<Semaphore>,
    all: u32,
}

/// The permits of a request; `None` for other mail. Dropping it returns them.
#[derive(Debug, Default)]
pub(crate) struct Permit(Option<OwnedSemaphorePermit>);

impl Admission {
    pub(crate) fn new(count: usize) -> Self {
        let all = u32::try_from(count.min(Semaphore::MAX_PERMITS / 2)).unwrap_or(u32::MAX);
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// The number of permits for a request of this size: at most the total number.
    pub(crate) fn needed_for(&self, bytes: usize) -> u32 {
        u32::try_from(bytes / BYTES_PER_PLACE).unwrap_or(u32::MAX).clamp(1, self.all)
    }

    pub(crate) fn try_take(&self, count: u32) -> Result<Permit, TryAcquireError> {
        Arc::clone(&self.free).try_acquire_many_owned(count).map(|permit| Permit(Some(permit)))
    }

    /// Waits for permits, first come, first served.
    pub(crate) async fn take(&self, count: u32) -> Permit {
        // The semaphore is never closed.
        Permit(Arc::clone(&self.free).acquire_many_owned(count).await.ok())
    }

    /// The hub stops: lets all waiting requests through.
    pub(crate) fn release_all(&self) {
        // Called rarely. Closing the semaphore instead would call wakers while it is locked.
        panics::shield(|| self.free.add_permits(Semaphore::MAX_PERMITS / 16));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // Returning permits wakes a waiting client, whose waker may be user code.
        if let Some(permit) = self.0.take() {
            panics::shield(|| drop(permit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stopping_the_hub_releases_requests_that_wait_for_permits() {
        let places = Admission::new(1);
        let taken = places.try_take(1).unwrap();
        let waiting = places.take(1);
        places.release_all();
        drop(waiting.await);
        drop(taken);
    }
}
