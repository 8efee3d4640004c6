//! Subscribing to what happens to instances. `telemetry/lifecycle.rs` has the rules.

use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

use crate::hub::task_hub::TaskHub;
use crate::hub::telemetry::event::LifecycleEvent;

/// What happens to instances from now on; made by [`TaskHub::lifecycle`].
#[derive(Debug)]
pub struct LifecycleEvents {
    receiver: broadcast::Receiver<LifecycleEvent>,
}

/// There is no next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LifecycleError {
    /// Events came faster than they were taken. The next is the oldest that is kept.
    #[error(
        "{0} lifecycle events were missed, since they were not taken fast enough; ask the hub for \
         the status of the instances that matter"
    )]
    Missed(u64),
    /// The hub has stopped: no more events will come.
    #[error("the task hub has stopped, so no more lifecycle events will come")]
    Stopped,
}

impl TaskHub {
    /// What happens to all instances of this hub from now on, when it is durable.
    ///
    /// For a dashboard, or to notify somebody. It is no queue: what happens while nobody listens is
    /// told to nobody. What must not be lost is the work of an activity.
    ///
    /// ```standalone_crate
    /// # use durable::prelude::*;
    /// # use durable::client::LifecycleKind;
    /// # #[orchestrator]
    /// # async fn greet(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let hub = TaskHub::builder().in_memory().open().await?;
    /// let mut events = hub.lifecycle();
    /// hub.start(greet().instance_id("hello")).await?.result().await?;
    /// assert_eq!(events.recv().await?.kind, LifecycleKind::Started);
    /// let ended = events.recv().await?;
    /// assert_eq!((ended.instance_id.as_str(), ended.kind), ("hello", LifecycleKind::Completed));
    /// # hub.shutdown().await
    /// # }
    /// ```
    pub fn lifecycle(&self) -> LifecycleEvents {
        let receiver = match self.inner.lifecycle.upgrade() {
            Some(lifecycle) => lifecycle.subscribe(),
            // One whose sender is gone at once.
            None => broadcast::channel(1).1,
        };
        LifecycleEvents { receiver }
    }
}

impl LifecycleEvents {
    /// Waits for the next event.
    ///
    /// # Errors
    /// [`LifecycleError::Missed`], after which the oldest event that is kept comes next;
    /// [`LifecycleError::Stopped`] when the hub has stopped and nothing is left.
    pub async fn recv(&mut self) -> Result<LifecycleEvent, LifecycleError> {
        self.receiver.recv().await.map_err(|error| match error {
            RecvError::Lagged(missed) => LifecycleError::Missed(missed),
            RecvError::Closed => LifecycleError::Stopped,
        })
    }

    /// The next event, if it is there.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<LifecycleEvent>, LifecycleError> {
        match self.receiver.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Lagged(missed)) => Err(LifecycleError::Missed(missed)),
            Err(TryRecvError::Closed) => Err(LifecycleError::Stopped),
        }
    }
}
