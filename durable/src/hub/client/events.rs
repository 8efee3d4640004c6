//! Subscribing to the lifecycle events of instances. `telemetry/lifecycle.rs` has the rules.

use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

use crate::hub::task_hub::TaskHub;
use crate::hub::telemetry::event::LifecycleEvent;

/// A subscription to lifecycle events; created by [`TaskHub::lifecycle`].
///
/// ```
/// use durable::client::{LifecycleError, LifecycleEvents};
///
/// async fn log(mut events: LifecycleEvents) {
///     loop {
///         match events.recv().await {
///             Ok(event) => println!("{} {:?}", event.instance_id, event.kind),
///             Err(LifecycleError::Stopped) => return,
///             Err(error) => eprintln!("{error}"), // some were missed: continue with later ones
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct LifecycleEvents {
    receiver: broadcast::Receiver<LifecycleEvent>,
}

/// The error returned when no event can be received.
///
/// ```
/// use durable::client::LifecycleError;
///
/// assert_eq!(
///     LifecycleError::Stopped.to_string(),
///     "the task hub has stopped, so no more lifecycle events will come",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LifecycleError {
    /// Events arrived faster than they were received, and the oldest were dropped. The next event
    /// is the oldest one still buffered.
    #[error(
        "{0} lifecycle events were missed, because they were not received fast enough; query the \
         hub for the status of the instances that matter"
    )]
    Missed(u64),
    /// The hub has stopped: no more events will arrive.
    #[error("the task hub has stopped, so no more lifecycle events will come")]
    Stopped,
}

impl TaskHub {
    /// Subscribes to the events of all instances of this hub. An event is delivered once it is
    /// durable.
    ///
    /// Use the subscription for a dashboard or for notifications. It is not a queue: events without
    /// a subscriber are dropped. For work that must not be lost, use
    /// [`on_lifecycle`](crate::client::TaskHubBuilder::on_lifecycle).
    ///
    /// ```
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
    /// # Ok(hub.shutdown().await?)
    /// # }
    /// ```
    pub fn lifecycle(&self) -> LifecycleEvents {
        let receiver = match self.inner.lifecycle.upgrade() {
            Some(lifecycle) => lifecycle.subscribe(),
            // A closed channel.
            None => broadcast::channel(1).1,
        };
        LifecycleEvents { receiver }
    }
}

impl LifecycleEvents {
    /// Waits for the next event.
    ///
    /// # Errors
    /// [`LifecycleError::Missed`], after which the oldest buffered event follows;
    /// [`LifecycleError::Stopped`] when the hub has stopped and no event is left.
    pub async fn recv(&mut self) -> Result<LifecycleEvent, LifecycleError> {
        self.receiver.recv().await.map_err(|error| match error {
            RecvError::Lagged(missed) => LifecycleError::Missed(missed),
            RecvError::Closed => LifecycleError::Stopped,
        })
    }

    /// Returns the next event, if one is buffered.
    ///
    /// # Errors
    /// The same as [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<LifecycleEvent>, LifecycleError> {
        match self.receiver.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Lagged(missed)) => Err(LifecycleError::Missed(missed)),
            Err(TryRecvError::Closed) => Err(LifecycleError::Stopped),
        }
    }
}
