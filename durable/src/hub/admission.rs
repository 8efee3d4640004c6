//! How many requests of clients may be on their way to the partitions.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::panics;

/// How many requests may be on their way.
pub(crate) const REQUESTS: usize = 16_384;
/// A request has one place for each so many bytes that it carries, and one at least.
pub(crate) const BYTES_PER_PLACE: usize = 16 << 10;

/// Admits requests while there are places for them.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    free: Arc<Semaphore>,
    all: u32,
}

/// The places of a request; none for other mail. Dropping it lets others have them.
#[derive(Debug, Default)]
pub(crate) struct Permit(Option<OwnedSemaphorePermit>);

impl Admission {
    pub(crate) fn new(count: usize) -> Self {
        let all = u32::try_from(count.min(Semaphore::MAX_PERMITS / 2)).unwrap_or(u32::MAX);
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// How many places a request of this size has. The largest has all, rather than none.
    pub(crate) fn needed_for(&self, bytes: usize) -> u32 {
        u32::try_from(bytes / BYTES_PER_PLACE).unwrap_or(u32::MAX).clamp(1, self.all)
    }

    pub(crate) fn try_take(&self, count: u32) -> Result<Permit, TryAcquireError> {
        Arc::clone(&self.free).try_acquire_many_owned(count).map(|permit| Permit(Some(permit)))
    }

    /// Those who wait longest are served first.
    pub(crate) async fn take(&self, count: u32) -> Permit {
        // The semaphore is never closed.
        Permit(Arc::clone(&self.free).acquire_many_owned(count).await.ok())
    }

    /// The hub stops: nobody waits for a place any more.
    pub(crate) fn open_up(&self) {
        // It is called few times. Closing the semaphore would call wakers under its lock.
        panics::shield(|| self.free.add_permits(Semaphore::MAX_PERMITS / 16));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // That wakes a waiting client, whose waker may be user code.
        if let Some(permit) = self.0.take() {
            panics::shield(|| drop(permit));
        }
    }
}
