//! The channels on which a custom status is told to those who watch it.
//!
//! Rules:
//! 1. A status is told when it is durable, in the order of the commits. Of several that one commit
//!    brings, only the last is written, and so only that is told.
//! 2. A watch begins with the status that the instance has, and ends when the instance ends, across
//!    all
//!    of its executions.
//! 3. Nobody waits for a slow watch: one that is [`STATUSES_KEPT`] behind goes on with the oldest
//!    status
//!    that is kept.

use tokio::sync::{broadcast, oneshot};

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

    /// What a write of the instance tells, and where, once it is durable: `None` is its end.
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

    /// Whether there is more to tell, and somebody to be told.
    pub(crate) fn goes_on(&self, record: &InstanceRecord) -> bool {
        // A task that is about to subscribe holds a sender until then.
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
