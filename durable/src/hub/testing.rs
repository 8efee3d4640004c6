//! Test-only operations on a hub: the one place where the feature `testing` extends it.
//! `crate::testing` builds `TestHub` on this.

use std::sync::Arc;
use std::time::Duration;

use super::builder::TaskHubBuilder;
use super::error::HubError;
use super::task_hub::TaskHub;
use super::time::virtual_time::VirtualTime;
use crate::protocol::Timestamp;
use crate::registry::Interceptor;

impl TaskHubBuilder {
    /// Uses virtual time, beginning at this time.
    pub(crate) fn virtual_time(mut self, beginning: Timestamp) -> Self {
        let time = Arc::<VirtualTime>::default();
        time.advance_to(beginning);
        self.options.time = Some(time);
        self
    }

    /// Replaces functions by mocks.
    pub(crate) fn intercept(mut self, interceptor: Arc<dyn Interceptor>) -> Self {
        self.options.interceptor = Some(interceptor);
        self
    }
}

impl TaskHub {
    /// Stops the hub without notifying running work, whose results are lost.
    pub(crate) async fn crash(self) -> Result<(), HubError> {
        let failure = self.inner.health.failure();
        let _report = self.stop(false).await;
        failure.map_or(Ok(()), Err)
    }

    /// Waits until no work is in flight, with virtual time.
    pub(crate) async fn settle(&self) {
        if let Some(time) = &self.inner.time {
            time.idle().await;
        }
    }

    /// Runs a closure after this time, if the hub still exists. Virtual time stands still until the
    /// closure returns.
    pub(crate) fn later<F>(&self, time: Duration, then: impl FnOnce(Self) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let Some(made) = &self.inner.time else { return };
        let awake = made.sleep(time);
        let inner = Arc::downgrade(&self.inner);
        self.inner.activities.drive.spawn(async move {
            let Ok(_busy) = awake.await else { return };
            if let Some(inner) = inner.upgrade() {
                then(Self { inner }).await;
            }
        });
    }

    /// Advances virtual time by this much, from one due time to the next.
    pub(crate) async fn pass_time(&self, passing: Duration) {
        let Some(time) = &self.inner.time else { return };
        time.idle().await;
        let end = time.now().after(passing);
        while let Some(due) = time.next_due()
            && due <= end
        {
            self.move_time_to(due);
            time.idle().await;
        }
        self.move_time_to(end);
        time.idle().await;
    }
}
