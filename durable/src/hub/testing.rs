//! What a test can do to a hub and a program cannot: the one place where the feature `testing` adds to
//! it. `crate::testing` builds its `TestHub` on this.

use std::sync::Arc;
use std::time::Duration;

use super::builder::TaskHubBuilder;
use super::task_hub::TaskHub;
use super::time::virtual_time::VirtualTime;
use crate::error::Result;
use crate::protocol::Timestamp;
use crate::registry::Interceptor;

impl TaskHubBuilder {
    /// Makes time pass only when it is told to, from this time on.
    pub(crate) fn virtual_time(mut self, beginning: Timestamp) -> Self {
        let time = Arc::<VirtualTime>::default();
        time.advance_to(beginning);
        self.options.time = Some(time);
        self
    }

    /// Replaces functions.
    pub(crate) fn intercept(mut self, interceptor: Arc<dyn Interceptor>) -> Self {
        self.options.interceptor = Some(interceptor);
        self
    }
}

impl TaskHub {
    /// Stops the hub without a word to what is running: whatever that returns is lost.
    pub(crate) async fn crash(self) -> Result<()> {
        let failure = self.inner.health.failure();
        let _report = self.stop(false).await;
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Waits until nothing is under way, where time is made.
    pub(crate) async fn settle(&self) {
        if let Some(time) = &self.inner.time {
            time.idle().await;
        }
    }

    /// Does something when this much time has passed, if the hub is still there. Time stands still
    /// until that is done.
    pub(crate) fn later<F>(&self, time: Duration, then: impl FnOnce(Self) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let Some(made) = &self.inner.time else { return };
        let awake = made.sleep(time);
        let inner = Arc::downgrade(&self.inner);
        self.inner.activities.runtime.spawn(async move {
            let Ok(_busy) = awake.await else { return };
            if let Some(inner) = inner.upgrade() {
                then(Self { inner }).await;
            }
        });
    }

    /// Lets time pass, where it is made, from one thing that is due to the next.
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
