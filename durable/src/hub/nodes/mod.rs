//! Several processes on one hub: the partitions that this one owns, and requests to the others.
//!
//! ```text
//!  supervisor: assign, about once a second --> starts and stops partitions
//!  inbox:      receive --> messages: a write of the target, which commits them as its own
//!                      --> requests: mail to the owner; the reply is part of a commit
//!                      --> answers:  to the client that waits here
//!  client:     a request to an owned partition is mail; to another one, it is sent by the store
//! ```
//! Only a store with a [`Cluster`](crate::store::Cluster) has this. If a partition is lost while a
//! client's request is in its hands, the request is sent to the next owner. That is safe because the
//! writes of a lost partition are void as a whole.
//!
//! Read next: `supervisor.rs`, `inbox.rs`, `asking.rs` (requests of clients), `wire.rs` (what is sent).

pub(crate) mod asking;
mod inbox;
pub(crate) mod supervisor;
mod watching;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use self::asking::Waiting;
use super::drive::Drive;
use super::mailboxes::Mailboxes;

/// What the threads and clients of a node share.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) mailboxes: Mailboxes,
    pub(crate) drive: Drive,
    /// The requests of this node that are not answered.
    waiting: Waiting,
    bell: Bell,
    /// Rings when the inbox need not pause any longer.
    pause: Bell,
    is_stopping: AtomicBool,
}

/// Wakes a thread of the node.
#[derive(Debug, Default)]
struct Bell {
    has_rung: Mutex<bool>,
    rings: Condvar,
}

impl Nodes {
    pub(crate) fn new(mailboxes: Mailboxes, drive: Drive) -> Arc<Self> {
        Arc::new(Self {
            mailboxes,
            drive,
            waiting: Waiting::default(),
            bell: Bell::default(),
            pause: Bell::default(),
            is_stopping: AtomicBool::new(false),
        })
    }

    /// Ends the supervisor and the inbox, which must be interrupted if it waits.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.waiting.drop_all();
        self.bell.ring();
        self.pause.ring();
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Lets the supervisor look again at once.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }
}

impl Bell {
    fn ring(&self) {
        *self.has_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rings.notify_all();
    }

    /// Waits until it rings, but at most this long.
    fn wait(&self, at_most: Duration) {
        let has_rung = self.has_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rings.wait_timeout_while(has_rung, at_most, |has_rung| !*has_rung);
        let (mut has_rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *has_rung = false;
    }
}
