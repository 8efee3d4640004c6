//! The stream of lifecycle events of instances.
//!
//! Rules:
//! 1. An event is sent once it is durable, before the clients that wait for the instance are
//!    answered.
//! 2. The events of an instance are sent in the order in which they happened.
//! 3. A slow subscriber never blocks the hub: it misses events, and receives the number of missed
//!    events.
//! 4. Without subscribers no event is built.

use std::sync::{Arc, OnceLock, Weak};

use tokio::sync::broadcast;

use super::event::{LifecycleEvent, LifecycleKind};
use super::lines::Line;
use super::metrics;
use crate::engine::FailedAttempt;
use crate::protocol::{
    EventKind, ExecutionId, HistoryEvent, InstanceRecord, RuntimeStatus, Timestamp,
};

/// The number of events buffered for a slow subscriber.
const EVENTS_KEPT: usize = 4096;

/// The source of lifecycle events. The hub's threads own it, so subscribers see the channel close
/// when they end.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    /// Empty until the first subscription, because the channel allocates its whole buffer.
    sender: OnceLock<broadcast::Sender<LifecycleEvent>>,
}

/// What to send once the write that caused it is durable.
#[derive(Debug)]
pub(crate) enum Notice {
    Event(Box<LifecycleEvent>),
    Line(Box<Line>),
}

/// The handle through which clients subscribe.
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

    /// Whether a write of this instance has nothing to report, as is the case for most writes.
    fn is_as(self, record: &InstanceRecord) -> bool {
        let Self { is_new, status, execution_id } = self;
        !is_new
            && !status.is_finished()
            && status == record.runtime_status
            && execution_id == record.execution_id
            && record.suspension.is_none()
    }

    /// The changes since then, in order.
    pub(super) fn until(self, record: &InstanceRecord) -> impl Iterator<Item = LifecycleKind> {
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
            // An instance that has ended is only written again by a rewind.
            before.is_finished().then_some(LifecycleKind::Rewound),
            anew.then_some(LifecycleKind::ContinuedAsNew),
            stopped,
        ]
        .into_iter()
        .flatten()
    }
}

impl Lifecycle {
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<LifecycleEvent> {
        self.sender.get_or_init(|| broadcast::channel(EVENTS_KEPT).0).subscribe()
    }

    fn is_wanted(&self) -> bool {
        let has_subscribers = |sender: &broadcast::Sender<_>| sender.receiver_count() > 0;
        metrics::COUNTS_LIFECYCLE || self.sender.get().is_some_and(has_subscribers)
    }

    /// The reports and log lines of a write, which are published once it is durable. `failed` are
    /// its failed attempts that will be retried.
    pub(crate) fn changes(
        &self,
        before: Before,
        record: &InstanceRecord,
        events: &[HistoryEvent],
        failed: Vec<FailedAttempt>,
    ) -> Vec<Notice> {
        if failed.is_empty() && before.is_as(record) {
            return Vec::new();
        }
        let is_wanted = self.is_wanted();
        let mut notices: Vec<_> =
            Line::of_attempts(record, failed, events).map(Notice::line).collect();
        for kind in before.until(record).filter(|kind| is_wanted || Line::is_of(*kind)) {
            let reason = reason(kind, record, events);
            if is_wanted {
                notices.push(Notice::event(record, kind, record.last_updated_at, reason));
            }
            notices.extend(Line::of_change(kind, record, reason).map(Notice::line));
        }
        notices.extend(Line::of_suspension(record, events).map(Notice::line));
        notices
    }

    /// The report of a single change of an instance, which is published once it is durable.
    pub(crate) fn change(
        &self,
        record: &InstanceRecord,
        kind: LifecycleKind,
        at: Timestamp,
        reason: Option<&str>,
    ) -> Option<Notice> {
        self.is_wanted().then(|| Notice::event(record, kind, at, reason))
    }

    /// Sends the event: the write that caused it is durable.
    pub(crate) fn notify(&self, notice: Notice) {
        let event = match notice {
            Notice::Line(line) => return line.tell(),
            Notice::Event(event) => *event,
        };
        metrics::lifecycle(&event);
        if let Some(sender) = self.sender.get() {
            // The last subscriber may have gone.
            let _ = sender.send(event);
        }
    }
}

impl Notice {
    fn line(line: Line) -> Self {
        Self::Line(Box::new(line))
    }

    fn event(
        record: &InstanceRecord,
        kind: LifecycleKind,
        at: Timestamp,
        reason: Option<&str>,
    ) -> Self {
        Self::Event(Box::new(LifecycleEvent::new(record, kind, at, reason)))
    }
}

/// The reason for this change, from the events that were written with it.
pub(super) fn reason<'a>(
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

/// The source of events, and the handle for subscribers.
pub(crate) fn lifecycle() -> (Arc<Lifecycle>, LifecycleSource) {
    let lifecycle = Arc::new(Lifecycle::default());
    let source = Arc::downgrade(&lifecycle);
    (lifecycle, source)
}
