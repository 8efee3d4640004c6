//! Watching the custom status of an instance. `custom_status.rs` has the rules.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::oneshot;

use super::instance::InstanceHandle;
use crate::hub::custom_status::Subscription;
use crate::hub::error::HubError;
use crate::hub::mail::Mail;
use crate::hub::task_hub::TaskHub;
use crate::orchestration::Elapsed;
use crate::payload::Payload;
use crate::protocol::Json;

/// A subscription to the custom status of an instance; created by
/// [`InstanceHandle::watch_custom_status`].
///
/// ```
/// use durable::client::{HubError, InstanceHandle};
///
/// async fn show_progress(instance: &InstanceHandle) -> Result<(), HubError> {
///     let mut progress = instance.watch_custom_status::<u32>().await?;
///     while let Some(percent) = progress.next().await? {
///         println!("{percent} %");
///     }
///     Ok(())
/// }
/// ```
pub struct CustomStatusWatch<T> {
    instance: InstanceHandle,
    first: Option<Json>,
    receiver: broadcast::Receiver<Option<Json>>,
    has_ended: bool,
    status: PhantomData<fn() -> T>,
}

impl InstanceHandle {
    /// Subscribes to the [custom status](crate::OrchestrationContext::set_custom_status) of the
    /// instance: first the current one, if there is one, then each new one once it is durable,
    /// until the instance ends. Commits wake the watch; it does not poll the store, unless [several
    /// processes share the hub](crate::guide::scale_out).
    ///
    /// The watch continues when the instance continues as new, is suspended or is resumed. After a
    /// rewind, subscribe again.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn copy(file: u32) -> Result<()> { Ok(()) }
    /// #[orchestrator]
    /// async fn backup(ctx: &OrchestrationContext, files: u32) -> Result<()> {
    ///     for file in 1..=files {
    ///         copy(file).await?;
    ///         ctx.set_custom_status(&file)?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start(backup(3)).await?;
    /// let mut progress = run.watch_custom_status::<u32>().await?;
    /// let mut last = 0;
    /// while let Some(file) = progress.next().await? {
    ///     println!("{file} files copied");
    ///     last = file;
    /// }
    /// assert_eq!(last, 3);
    /// # Ok(hub.shutdown().await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the instance does not exist, or the hub has stopped.
    pub async fn watch_custom_status<T: Payload>(&self) -> Result<CustomStatusWatch<T>, HubError> {
        self.hub.check()?;
        let (reply, begun) = oneshot::channel();
        let instance_id = self.instance_id.clone();
        self.hub.request(&self.instance_id, Mail::WatchStatus { instance_id, reply }).await?;
        let found = begun.await.map_err(|_gone| self.hub.error())?;
        let Subscription { first, receiver } =
            found.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))?;
        let instance = self.clone();
        Ok(CustomStatusWatch { instance, first, receiver, has_ended: false, status: PhantomData })
    }

    /// Waits for a custom status for which `is_wanted` returns `true`, beginning with the current
    /// one. Returns that status, or `None` if the instance ends first.
    ///
    /// To limit the wait, use [`TaskHub::timeout`].
    ///
    /// ```
    /// # use durable::prelude::*;
    /// #[orchestrator]
    /// async fn approval(ctx: &OrchestrationContext) -> Result<bool> {
    ///     ctx.set_custom_status(&"asking")?;
    ///     Ok(ctx.wait_for_external_event::<bool>("Approval").await?)
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start(approval()).await?;
    /// let said = run.wait_for_custom_status(|status: &String| status == "asking").await?;
    /// assert!(said.is_some());
    /// run.raise_event("Approval", &true).await?;
    /// assert!(run.result().await?);
    /// assert!(run.wait_for_custom_status(|status: &String| status == "done").await?.is_none());
    /// # Ok(hub.shutdown().await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the instance does not exist; [`HubError::Unreadable`] if a status is not a `T`; or if the
    /// hub stops first.
    pub async fn wait_for_custom_status<T: Payload>(
        &self,
        mut is_wanted: impl FnMut(&T) -> bool,
    ) -> Result<Option<T>, HubError> {
        let mut watch = self.watch_custom_status().await?;
        while let Some(status) = watch.next().await? {
            if is_wanted(&status) {
                return Ok(Some(status));
            }
        }
        Ok(None)
    }
}

impl<T: Payload> CustomStatusWatch<T> {
    /// Waits for the next custom status; `None` when the instance has ended and all statuses were
    /// returned. Clearing the custom status is not reported.
    ///
    /// This is cancel-safe: dropping the future loses no status. The last 64 statuses are buffered;
    /// a slower watch misses older statuses.
    ///
    /// # Errors
    /// [`HubError::Unreadable`] if the status is not a `T`, after which the watch can still be
    /// used; another error if the hub has stopped.
    pub async fn next(&mut self) -> Result<Option<T>, HubError> {
        if let Some(first) = self.first.take() {
            return self.instance.read_custom_status(&first).map(Some);
        }
        while !self.has_ended {
            match self.instance.hub.passing(self.receiver.recv()).await {
                Ok(Some(status)) => return self.instance.read_custom_status(&status).map(Some),
                Ok(None) => self.has_ended = true,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(self.instance.hub.error()),
            }
        }
        Ok(None)
    }
}

impl TaskHub {
    /// Limits the time of a future, by the hub's clock. In a `TestHub` (feature `testing`)
    /// the time is virtual, so the test does not wait.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn approval(ctx: &OrchestrationContext) -> Result<bool> {
    /// #     Ok(ctx.wait_for_external_event::<bool>("Approval").await?)
    /// # }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start(approval()).await?;
    /// let result = hub.timeout(Duration::from_millis(20), run.result()).await;
    /// assert!(result.is_err(), "nobody approves");
    /// # Ok(hub.shutdown().await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the time is up. The future is then dropped; an instance that it waited for continues.
    pub async fn timeout<F: IntoFuture>(
        &self,
        limit: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        self.within(limit, future.into_future()).await
    }
}

impl<T> fmt::Debug for CustomStatusWatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomStatusWatch({})", self.instance.instance_id)
    }
}
