//! The paged reading of an instance's history, and answers that are sent while it is read.
//!
//! Rules:
//! 1. The events are those in the history when the reading begins. Later events are left out.
//! 2. At most one page is in memory. The next page of an answer is read once the client has taken
//!    the page before it.
//! 3. If the history is replaced while it is read (the instance is rewound, purged, restarted or
//!    continues as new), the body of the answer ends with an error. The connection is then closed
//!    early, so the client does not mistake a part for the whole.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use durable::InstanceHandle;
use durable::client::{HubError, InstanceStatus};
use durable::protocol::{ExecutionId, HistoryEvent};
use hyper::body::Frame;
use tokio::sync::OwnedSemaphorePermit;

/// The events of a page.
pub(crate) const PAGE: usize = 256;

/// The history could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Incomplete {
    #[error("the history was replaced while it was sent")]
    Replaced,
    #[error("the history could not be read")]
    Unreadable(#[source] HubError),
}

/// Reads a history from its beginning.
pub(crate) struct Recorded {
    instance: InstanceHandle,
    execution: ExecutionId,
    length: u64,
    next: u64,
    last: Option<HistoryEvent>,
}

impl Recorded {
    /// The history that an instance with this status has.
    pub(crate) fn new(instance: InstanceHandle, status: &InstanceStatus) -> Self {
        let (execution, length) = (status.execution_id, status.history_len);
        Self { instance, execution, length, next: 0, last: None }
    }

    /// The same history, from its beginning.
    pub(crate) fn again(&self) -> Self {
        Self { instance: self.instance.clone(), next: 0, last: None, ..*self }
    }

    /// The next page; `None` after the last one.
    pub(crate) async fn page(&mut self) -> Result<Option<Vec<HistoryEvent>>, Incomplete> {
        if self.next == self.length {
            return Ok(None);
        }
        // The last event of the page before is read once more: if it is another one now, the instance
        // was rewound.
        let overlap = u64::from(self.last.is_some());
        let page = self.instance.history_page(self.next - overlap, PAGE);
        let page = page.await.map_err(Incomplete::Unreadable)?;
        let is_same = page.status.execution_id == self.execution
            && page.status.history_len >= self.length
            && (self.last.is_none() || page.events.first() == self.last.as_ref());
        let left = usize::try_from(self.length - self.next).unwrap_or(usize::MAX);
        let new = page.events.into_iter().skip(usize::from(self.last.is_some())).take(left);
        let new: Vec<_> = new.collect();
        if !is_same || new.is_empty() {
            return Err(Incomplete::Replaced);
        }
        self.next += new.len() as u64;
        self.last = new.last().cloned();
        Ok(Some(new))
    }
}

/// The text of an answer, in parts.
pub(crate) trait Parts: Sized + Send + 'static {
    /// The next part; `None` after the last one.
    fn next(&mut self) -> impl Future<Output = Result<Option<String>, Incomplete>> + Send;
}

/// The body that consists of these parts. It holds its place among the streams of the server.
pub(crate) fn body(parts: impl Parts, place: OwnedSemaphorePermit) -> Body {
    Body::new(Sent { next: Some(step(parts)), _place: place })
}

type Step<P> = Pin<Box<dyn Future<Output = (Result<Option<String>, Incomplete>, P)> + Send>>;

fn step<P: Parts>(mut parts: P) -> Step<P> {
    Box::pin(async move { (parts.next().await, parts) })
}

struct Sent<P> {
    /// `None` after the last part, and after an error.
    next: Option<Step<P>>,
    _place: OwnedSemaphorePermit,
}

impl<P: Parts> hyper::body::Body for Sent<P> {
    type Data = Bytes;
    type Error = Incomplete;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let (part, parts) = ready!(next.as_mut().poll(cx));
        self.next = matches!(part, Ok(Some(_))).then(|| step(parts));
        Poll::Ready(part.transpose().map(|part| part.map(|text| Frame::data(text.into()))))
    }
}
