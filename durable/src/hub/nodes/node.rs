//! What the threads and clients of a node share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::gained::NotStarted;
use crate::hub::commit::committer::Committer;
use crate::hub::commit::write::Write;
use crate::hub::drive::Drive;
use crate::hub::mailboxes::Mailboxes;
use crate::store::{ParkedPartition, RequestId};

/// What the threads and clients of a node share.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) mailboxes: Mailboxes,
    pub(crate) drive: Drive,
    pub(super) not_started: NotStarted,
    /// The requests of this node that are not answered yet.
    pub(super) waiting: Waiting,
    pub(super) bell: Bell,
    /// Rings when the inbox should end its pause.
    pub(super) pause: Bell,
    is_stopping: AtomicBool,
}

/// Where a node's own writes go.
pub(crate) trait Writer: Send + Sync {
    /// Takes these writes, to be committed by another thread.
    fn hand_over(&self, writes: &mut Vec<Write>);

    /// Takes these writes, and commits them on this thread unless another thread is committing.
    fn commit(&self, writes: &mut Vec<Write>);
}

impl Writer for Committer {
    fn hand_over(&self, writes: &mut Vec<Write>) {
        self.writes.add(writes);
    }

    fn commit(&self, writes: &mut Vec<Write>) {
        self.commit_at_once(writes);
    }
}

/// Wakes a thread of the node.
#[derive(Debug, Default)]
pub(super) struct Bell {
    has_rung: Mutex<bool>,
    rings: Condvar,
}

impl Nodes {
    pub(crate) fn new(mailboxes: Mailboxes, drive: Drive) -> Arc<Self> {
        Arc::new(Self {
            mailboxes,
            drive,
            not_started: NotStarted::default(),
            waiting: Waiting::default(),
            bell: Bell::default(),
            pause: Bell::default(),
            is_stopping: AtomicBool::new(false),
        })
    }

    /// Ends the supervisor and the inbox. If the inbox is waiting, the wait must also be
    /// interrupted.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.waiting.drop_all();
        self.bell.ring();
        self.pause.ring();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Whether partitions were gained and not yet started.
    pub(crate) fn has_gained(&self) -> bool {
        !self.not_started.is_empty()
    }

    /// Makes the supervisor check for changes at once.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// Whether the supervisor is to check for changes.
    #[cfg(feature = "testing")]
    pub(crate) fn has_rung(&self) -> bool {
        self.bell.has_rung()
    }

    /// Called when the supervisor checks for changes.
    #[cfg(feature = "testing")]
    pub(crate) fn take_ring(&self) {
        self.bell.wait(Duration::ZERO);
    }
}

impl Bell {
    fn ring(&self) {
        *self.has_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rings.notify_all();
    }

    /// Whether it has rung since it was last waited for.
    #[cfg(feature = "testing")]
    fn has_rung(&self) -> bool {
        *self.has_rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it rings, but at most this long.
    pub(super) fn wait(&self, at_most: Duration) {
        let has_rung = self.has_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rings.wait_timeout_while(has_rung, at_most, |has_rung| !*has_rung);
        let (mut has_rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *has_rung = false;
    }
}

/// The requests that were sent to other nodes and are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    clients: Mutex<HashMap<RequestId, oneshot::Sender<Answer>>>,
    /// Requests whose clients have gone, and that are not withdrawn from the store yet.
    abandoned: Mutex<Vec<RequestId>>,
}

/// The answer to a request, or why there is none.
pub(super) type Answer = Result<String, ParkedPartition>;

impl Waiting {
    /// Waits for the answer to a request.
    pub(super) fn answer_to(&self, request: RequestId) -> oneshot::Receiver<Answer> {
        let (sender, answer) = oneshot::channel();
        self.all().insert(request, sender);
        answer
    }

    /// Passes an answer on, if a client waits for it.
    pub(super) fn answered(&self, request: RequestId, answer: String) {
        self.end(request, Ok(answer));
    }

    /// Tells the client that its request was withdrawn because the partition is parked.
    pub(super) fn refused(&self, request: RequestId, parked: ParkedPartition) {
        self.end(request, Err(parked));
    }

    fn end(&self, request: RequestId, answer: Answer) {
        if let Some(client) = self.all().remove(&request) {
            let _ = client.send(answer);
        }
    }

    pub(super) fn forget(&self, request: RequestId) {
        self.all().remove(&request);
    }

    /// The client of a request that was sent has gone.
    pub(super) fn abandon(&self, request: RequestId) {
        self.forget(request);
        self.abandoned().push(request);
    }

    /// Takes the requests whose clients have gone.
    pub(super) fn take_abandoned(&self) -> Vec<RequestId> {
        std::mem::take(&mut *self.abandoned())
    }

    /// Keeps abandoned requests that could not be withdrawn.
    pub(super) fn put_back_abandoned(&self, requests: Vec<RequestId>) {
        self.abandoned().extend(requests);
    }

    /// The node stops: no more answers will arrive, so all requests are abandoned.
    fn drop_all(&self) {
        let requests = std::mem::take(&mut *self.all());
        self.abandoned().extend(requests.into_keys());
    }

    fn all(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<Answer>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn abandoned(&self) -> MutexGuard<'_, Vec<RequestId>> {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
