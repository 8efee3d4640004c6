//! The channels that deliver custom statuses to their watchers.
//!
//! Rules:
//! 1. A status is delivered once it is durable, in commit order. If one commit contains several
//!    statuses of an instance, only the last is written and delivered.
//! 2. A watch begins with the current status and ends when the instance ends, across all its
//!    executions.
//! 3. A slow watch never blocks the partition. If it is [`STATUSES_KEPT`] behind, it continues with
//!    the oldest status that is kept.

use tokio::sync::{broadcast, oneshot};

use crate::protocol::{InstanceRecord, Json};

/// Number of statuses that a channel buffers for a slow watch.
const STATUSES_KEPT: usize = 64;

/// Sends custom statuses, and `None` when the instance has ended.
pub(crate) type StatusSender = broadcast::Sender<Option<Json>>;
/// Answers `None` if the instance does not exist.
pub(crate) type WatchReply = oneshot::Sender<Option<Subscription>>;

/// An instance whose custom status is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// The status delivered last.
    last: Option<Json>,
    has_ended: bool,
    sender: StatusSender,
}

/// The first status of a watch, and the channel of the next ones.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) first: Option<Json>,
    pub(crate) receiver: broadcast::Receiver<Option<Json>>,
}

impl Watched {
    pub(crate) fn new(status: Option<Json>) -> Self {
        let sender = broadcast::channel(STATUSES_KEPT).0;
        Self { last: status, has_ended: false, sender }
    }

    pub(crate) fn ended(status: Option<Json>) -> Self {
        Self { has_ended: true, sender: broadcast::channel(1).0, last: status }
    }

    /// What to send once a write of the instance is durable: its new status, and `None` at its end.
    pub(crate) fn changes(
        &mut self,
        record: &InstanceRecord,
    ) -> impl Iterator<Item = (StatusSender, Option<Json>)> {
        let mut changed = None;
        if self.last != record.custom_status {
            self.last.clone_from(&record.custom_status);
            changed = self.last.clone().map(Some);
        }
        let ended = record.runtime_status.is_finished().then_some(None);
        changed.into_iter().chain(ended).map(|status| (self.sender.clone(), status))
    }

    /// Tells the watchers that the instance has ended.
    pub(crate) fn end(&self) {
        // Without watchers, nobody needs to know.
        let _ = self.sender.send(None);
    }

    /// Whether the instance is still running and watched.
    pub(crate) fn continues(&self, record: &InstanceRecord) -> bool {
        // A task that is about to subscribe holds a clone of the sender until it has, so the clones are
        // counted first.
        let is_watched = self.sender.strong_count() > 1 || self.sender.receiver_count() > 0;
        is_watched && !record.runtime_status.is_finished()
    }

    /// Subscribes, after everything written before has been delivered.
    pub(crate) fn subscribe(self) -> Subscription {
        let receiver = self.sender.subscribe();
        if self.has_ended {
            // `receiver` is alive, so this cannot fail.
            let _ = self.sender.send(None);
        }
        Subscription { first: self.last, receiver }
    }
}
