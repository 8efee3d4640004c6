//! What happens to instances, told to whoever embeds a hub.
//!
//! Rules:
//! 1. An event is sent when it is durable, and before those who wait for the instance are answered.
//! 2. The events of an instance come in the order in which they happened.
//! 3. Nobody waits for a slow subscriber: it misses events, and is told how many.
//! 4. Where nobody is subscribed, no event is made.

use std::sync::{Arc, OnceLock, Weak};

use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

use super::lines::Line;
use super::metrics;
use crate::hub::TaskHub;
use crate::hub::commit::committer::Effect;
use crate::protocol::{
    EventKind, ExecutionId, HistoryEvent, InstanceId, InstanceRecord, RuntimeStatus, Timestamp,
};

/// How many events are kept for a subscriber that is behind.
const EVENTS_KEPT: usize = 4096;

/// Something that has happened to an instance, and is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LifecycleEvent {
    /// The instance.
    pub instance_id: InstanceId,
    /// Name of its orchestration.
    pub name: String,
    /// Version of its orchestration.
    pub version: Option<String>,
    /// The instance that waits for its result, if it is a sub-orchestration.
    pub parent: Option<InstanceId>,
    /// What happened.
    pub kind: LifecycleKind,
    /// How far the instance was then.
    pub status: RuntimeStatus,
    /// When it happened.
    pub at: Timestamp,
    /// When the instance was started.
    pub created_at: Timestamp,
    /// Why it failed, was terminated, was suspended, goes on or was rewound: the message of its
    /// failure, the report of the runtime, or what the client said. `None` if there is no reason.
    pub reason: Option<String>,
}

/// What can happen to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LifecycleKind {
    /// It was started; its status is `Pending` if it begins at a later time. The first of its events.
    Started,
    /// Its orchestrator returned.
    Completed,
    /// Its orchestrator returned an error, or panicked.
    Failed,
    /// It was ended from outside, or another was started in its place before it had ended.
    Terminated,
    /// It was set aside: by a client, or since it needs other code.
    Suspended,
    /// It was suspended and goes on.
    Resumed,
    /// It began anew, once or, if it had not to wait for anything, several times.
    ContinuedAsNew,
    /// It had failed, and what made it fail is tried again.
    Rewound,
    /// It had ended, and is removed with its history.
    Purged,
}

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
    /// # use durable::LifecycleKind;
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

/// Where events come from. The hub's threads own it, so that subscribers see the end of them.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    /// None until somebody subscribes, since it sets aside room for all that it may keep.
    sender: OnceLock<broadcast::Sender<LifecycleEvent>>,
}

/// Where subscribers find it.
pub(crate) type LifecycleSource = Weak<Lifecycle>;

/// An instance as it was before a write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    is_new: bool,
    status: RuntimeStatus,
    execution_id: ExecutionId,
}

impl Before {
    pub(crate) fn of(record: &InstanceRecord) -> Self {
        let status = record.runtime_status;
        let is_new = record.history_len == 0 && status == RuntimeStatus::Pending;
        Self { is_new, status, execution_id: record.execution_id }
    }

    /// What has happened since, in order.
    fn until(self, record: &InstanceRecord) -> impl Iterator<Item = LifecycleKind> {
        let (before, after) = (self.status, record.runtime_status);
        let resumed = before == RuntimeStatus::Suspended
            && !matches!(after, RuntimeStatus::Suspended | RuntimeStatus::Terminated);
        let stopped = match after {
            RuntimeStatus::Completed => Some(LifecycleKind::Completed),
            RuntimeStatus::Failed => Some(LifecycleKind::Failed),
            RuntimeStatus::Terminated => Some(LifecycleKind::Terminated),
            RuntimeStatus::Suspended => {
                (before != RuntimeStatus::Suspended).then_some(LifecycleKind::Suspended)
            }
            RuntimeStatus::Running | RuntimeStatus::Pending => None,
        };
        let anew = self.execution_id != record.execution_id;
        [
            self.is_new.then_some(LifecycleKind::Started),
            resumed.then_some(LifecycleKind::Resumed),
            // Nothing else is ever written of what has ended.
            before.is_finished().then_some(LifecycleKind::Rewound),
            anew.then_some(LifecycleKind::ContinuedAsNew),
            stopped,
        ]
        .into_iter()
        .flatten()
    }
}

impl Lifecycle {
    fn subscribe(&self) -> broadcast::Receiver<LifecycleEvent> {
        self.sender.get_or_init(|| broadcast::channel(EVENTS_KEPT).0).subscribe()
    }

    fn is_wanted(&self) -> bool {
        let has_subscribers = |sender: &broadcast::Sender<_>| sender.receiver_count() > 0;
        metrics::COUNTS_LIFECYCLE || self.sender.get().is_some_and(has_subscribers)
    }

    /// What a write of an instance tells and logs, once it is durable.
    pub(crate) fn changes(
        &self,
        before: Before,
        record: &InstanceRecord,
        events: &[HistoryEvent],
    ) -> Vec<Effect> {
        let is_wanted = self.is_wanted();
        let mut effects = Vec::new();
        for kind in before.until(record).filter(|kind| is_wanted || Line::is_of(*kind)) {
            let reason = reason(kind, record, events);
            if is_wanted {
                effects.push(Effect::tell(record, kind, record.last_updated_at, reason));
            }
            effects.extend(Line::of_change(kind, record, reason));
        }
        effects.extend(Line::of_suspension(record, events));
        effects
    }

    /// What one thing that happens to an instance tells, once it is durable.
    pub(crate) fn change(
        &self,
        record: &InstanceRecord,
        kind: LifecycleKind,
        at: Timestamp,
        reason: Option<&str>,
    ) -> Option<Effect> {
        self.is_wanted().then(|| Effect::tell(record, kind, at, reason))
    }

    /// It is durable.
    pub(crate) fn tell(&self, event: LifecycleEvent) {
        metrics::lifecycle(&event);
        if let Some(sender) = self.sender.get() {
            // Nobody may be subscribed any more.
            let _ = sender.send(event);
        }
    }
}

impl Effect {
    fn tell(
        record: &InstanceRecord,
        kind: LifecycleKind,
        at: Timestamp,
        reason: Option<&str>,
    ) -> Self {
        Self::Tell(Box::new(LifecycleEvent {
            instance_id: record.instance_id.clone(),
            name: record.name.clone(),
            version: record.version.clone(),
            parent: record.parent.as_ref().map(|parent| parent.instance_id.clone()),
            kind,
            status: status(record, kind),
            at,
            created_at: record.created_at,
            reason: reason.filter(|reason| !reason.is_empty()).map(str::to_owned),
        }))
    }
}

/// Why this happened to an instance, as the events say that it was written with.
fn reason<'a>(
    kind: LifecycleKind,
    record: &'a InstanceRecord,
    events: &'a [HistoryEvent],
) -> Option<&'a str> {
    let of_event = |event: &'a EventKind| match (kind, event) {
        (LifecycleKind::Failed, EventKind::ExecutionCompleted { failure, .. }) => {
            failure.as_ref().map(|failure| failure.message.as_str())
        }
        (LifecycleKind::Terminated, EventKind::ExecutionTerminated { reason, .. })
        | (LifecycleKind::Resumed, EventKind::ExecutionResumed { reason })
        | (LifecycleKind::Rewound, EventKind::ExecutionRewound { reason, .. }) => {
            Some(reason.as_str())
        }
        _ => None,
    };
    match kind {
        LifecycleKind::Suspended => record.suspension.as_ref().map(|it| it.reason.as_str()),
        LifecycleKind::Failed
        | LifecycleKind::Terminated
        | LifecycleKind::Resumed
        | LifecycleKind::Rewound => events.iter().rev().find_map(|event| of_event(&event.kind)),
        LifecycleKind::Started
        | LifecycleKind::Completed
        | LifecycleKind::ContinuedAsNew
        | LifecycleKind::Purged => None,
    }
}

/// How far an instance was when this happened to it.
fn status(record: &InstanceRecord, kind: LifecycleKind) -> RuntimeStatus {
    match kind {
        LifecycleKind::Completed => RuntimeStatus::Completed,
        LifecycleKind::Failed => RuntimeStatus::Failed,
        LifecycleKind::Terminated => RuntimeStatus::Terminated,
        LifecycleKind::Suspended => RuntimeStatus::Suspended,
        LifecycleKind::Purged => record.runtime_status,
        LifecycleKind::Started
        | LifecycleKind::Resumed
        | LifecycleKind::ContinuedAsNew
        | LifecycleKind::Rewound => match record.runtime_status {
            RuntimeStatus::Pending => RuntimeStatus::Pending,
            _ => RuntimeStatus::Running,
        },
    }
}

/// Where events come from, and where subscribers find that.
pub(crate) fn lifecycle() -> (Arc<Lifecycle>, LifecycleSource) {
    let lifecycle = Arc::new(Lifecycle::default());
    let source = Arc::downgrade(&lifecycle);
    (lifecycle, source)
}
