//! Watching what an instance says of its progress: its custom status, from commit to commit.
//!
//! Rules:
//! 1. A status is told when it is durable, in the order of the commits. Of several that one commit
//!    brings, only the last is written, and so only that is told.
//! 2. A watch begins with the status that the instance has, and ends when the instance ends, across all
//!    of its executions.
//! 3. Nobody waits for a slow watch: one that is [`STATUSES_KEPT`] behind goes on with the oldest status
//!    that is kept.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::oneshot;

use super::instance::InstanceHandle;
use crate::hub::TaskHub;
use crate::hub::commit::committer::Effect;
use crate::hub::error::HubError;
use crate::hub::mail::Mail;
use crate::orchestration::Elapsed;
use crate::payload::Payload;
use crate::protocol::{InstanceRecord, Json};

/// How many statuses are kept for a watch that is behind.
const STATUSES_KEPT: usize = 64;

/// Tells custom statuses, and with `None` that the instance has ended.
pub(crate) type StatusSender = broadcast::Sender<Option<Json>>;
/// `None` if there is no such instance.
pub(crate) type WatchReply = oneshot::Sender<Option<Subscription>>;

/// An instance whose custom status is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// What was told last.
    last: Option<Json>,
    has_ended: bool,
    sender: StatusSender,
}

/// What a watch begins with.
#[derive(Debug)]
pub(crate) struct Subscription {
    first: Option<Json>,
    receiver: broadcast::Receiver<Option<Json>>,
}

impl Watched {
    pub(crate) fn new(status: Option<Json>) -> Self {
        let sender = broadcast::channel(STATUSES_KEPT).0;
        Self { last: status, has_ended: false, sender }
    }

    pub(crate) fn ended(status: Option<Json>) -> Self {
        Self { has_ended: true, sender: broadcast::channel(1).0, last: status }
    }

    /// What a write of the instance tells, once it is durable.
    pub(crate) fn changes(&mut self, record: &InstanceRecord) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.last != record.custom_status {
            self.last.clone_from(&record.custom_status);
            let said =
                self.last.clone().map(|status| Effect::Said(self.sender.clone(), Some(status)));
            effects.extend(said);
        }
        if record.runtime_status.is_finished() {
            effects.push(Effect::Said(self.sender.clone(), None));
        }
        effects
    }

    /// Whether there is more to tell, and somebody to be told.
    pub(crate) fn goes_on(&self, record: &InstanceRecord) -> bool {
        // Whoever is about to subscribe holds a sender until then.
        let is_watched = self.sender.receiver_count() > 0 || self.sender.strong_count() > 1;
        is_watched && !record.runtime_status.is_finished()
    }

    /// Begins a watch, now that all that was written before is told.
    pub(crate) fn subscribe(self) -> Subscription {
        let receiver = self.sender.subscribe();
        if self.has_ended {
            // There is a receiver, so this cannot fail.
            let _ = self.sender.send(None);
        }
        Subscription { first: self.last, receiver }
    }
}

/// What an instance says of its progress from now on: made by
/// [`InstanceHandle::watch_custom_status`].
pub struct CustomStatusWatch<T> {
    instance: InstanceHandle,
    first: Option<Json>,
    receiver: broadcast::Receiver<Option<Json>>,
    has_ended: bool,
    status: PhantomData<fn() -> T>,
}

impl InstanceHandle {
    /// Watches what the instance says of its progress
    /// ([`set_custom_status`](crate::OrchestrationContext::set_custom_status)): first what it has said
    /// last, if it has said anything, then whatever it says, when that is durable, until it ends. A
    /// commit wakes the watch; nothing polls.
    ///
    /// The watch goes on when the instance continues as new, is suspended or is resumed. An instance that
    /// is rewound has to be watched anew.
    ///
    /// ```standalone_crate
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
    /// # hub.shutdown().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// There is no such instance, or the hub has stopped.
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

    /// Waits until the instance says something of its progress that `is_wanted`, or has said it last;
    /// gives that. `None` if the instance ends before.
    ///
    /// Bound the wait with [`TaskHub::timeout`].
    ///
    /// ```standalone_crate
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
    /// # hub.shutdown().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// There is no such instance; [`HubError::Unreadable`] if it says what is not a `T`; or the hub stops
    /// before.
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
    /// Waits for the next custom status; `None` when the instance has ended and all was given. A status
    /// that is taken back is not given.
    ///
    /// Dropping the future that this returns loses no status. A watch that is not asked for a long time
    /// misses older statuses: the last 64 are kept.
    ///
    /// # Errors
    /// [`HubError::Unreadable`] if the status is not a `T`, after which the next one can be asked for; or
    /// the hub has stopped.
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
    /// Waits for something for at most this long, by the hub's time. In a
    /// [`TestHub`](crate::testing::TestHub) that is virtual, so no test waits for it.
    ///
    /// ```standalone_crate
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
    /// # hub.shutdown().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// The time is up. What was waited for is dropped then; an instance goes on.
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
