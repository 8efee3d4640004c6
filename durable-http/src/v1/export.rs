//! The history of an instance as a file, which is sent by page.
//!
//! Rules:
//! 1. The file has the events that the history has when the request arrives. Later ones are left out.
//! 2. At most one page is in memory, and it is read when the client has taken the page before.
//! 3. If the history is replaced before the file is complete (the instance is rewound, purged,
//!    restarted or continues as new), the body ends with an error. The connection is then closed
//!    early, so the client does not mistake a part for the file.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use durable::InstanceHandle;
use durable::client::{HubError, InstanceStatus};
use durable::protocol::{ExecutionId, FORMAT_VERSION, HistoryEvent, Timestamp};
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{Refusal, show};
use crate::call::Call;
use crate::json::{self, with_header};
use crate::stream;

/// The events of a page.
const PAGE: usize = 256;

/// The form of `durable::testing::RecordedHistory`, which tests replay.
#[derive(Serialize)]
struct Recorded<'a> {
    format: u8,
    instance_id: &'a durable::InstanceId,
    execution_id: ExecutionId,
    name: &'a str,
    version: &'a Option<String>,
    created_at: Timestamp,
    events: [HistoryEvent; 0],
}

pub(super) async fn file(call: Call) -> Result<Response, Refusal> {
    let place = stream::place(&call.app)?;
    let instance = call.instance()?;
    let status = instance.status().await?;
    let tag = show::tag(&status);
    if show::is_known(&call.head.headers, &tag) {
        return Ok(with_header(json::empty(StatusCode::NOT_MODIFIED), "etag", &tag));
    }
    let InstanceStatus { instance_id, execution_id, name, version, created_at, .. } = &status;
    let recorded = Recorded {
        format: FORMAT_VERSION,
        instance_id,
        execution_id: *execution_id,
        name,
        version,
        created_at: *created_at,
        events: [],
    };
    let head = serde_json::to_string(&recorded).unwrap_or_default();
    let head = head.strip_suffix("]}").unwrap_or(&head).to_owned();
    let (execution, length) = (*execution_id, status.history_len);
    let export = Export { instance, execution, length, next: 0, last: None };
    let body = Pages { head: Some(head.into()), next: Some(step(export)), _place: place };
    let answer = json::with_body(StatusCode::OK, Body::new(body));
    let answer =
        with_header(answer, "content-disposition", "attachment; filename=\"history.json\"");
    Ok(with_header(answer, "etag", &tag))
}

/// What remains to be sent.
struct Export {
    instance: InstanceHandle,
    execution: ExecutionId,
    /// The number of events of the file.
    length: u64,
    next: u64,
    last: Option<HistoryEvent>,
}

/// The file cannot be completed.
#[derive(Debug, thiserror::Error)]
enum Incomplete {
    #[error("the history was replaced while it was sent")]
    Replaced,
    #[error("the history could not be read")]
    Unreadable(#[source] HubError),
}

impl Export {
    /// The text of the next events, and the end of the file after the last one.
    async fn next(&mut self) -> Result<String, Incomplete> {
        let mut text = String::new();
        if self.next < self.length {
            for event in self.events().await? {
                if self.next > 0 {
                    text.push(',');
                }
                text.push_str(&serde_json::to_string(&event).unwrap_or_default());
                self.next += 1;
                self.last = Some(event);
            }
        }
        if self.next == self.length {
            text.push_str("]}");
        }
        Ok(text)
    }

    /// The events of the next page. The last event of the page before is read once more: if it is
    /// another one now, the instance was rewound.
    async fn events(&self) -> Result<Vec<HistoryEvent>, Incomplete> {
        let overlap = u64::from(self.last.is_some());
        let page = self.instance.history_page(self.next - overlap, PAGE);
        let page = page.await.map_err(Incomplete::Unreadable)?;
        let is_same = page.status.execution_id == self.execution
            && page.status.history_len >= self.length
            && (self.last.is_none() || page.events.first() == self.last.as_ref());
        let left = usize::try_from(self.length - self.next).unwrap_or(usize::MAX);
        let new = page.events.into_iter().skip(usize::from(self.last.is_some())).take(left);
        let new: Vec<_> = new.collect();
        if is_same && !new.is_empty() { Ok(new) } else { Err(Incomplete::Replaced) }
    }
}

type Step = Pin<Box<dyn Future<Output = (Result<String, Incomplete>, Export)> + Send>>;

fn step(mut export: Export) -> Step {
    Box::pin(async move { (export.next().await, export) })
}

/// The body of the answer.
struct Pages {
    head: Option<Bytes>,
    /// `None` after the last page, and after an error.
    next: Option<Step>,
    /// An open download counts as a stream.
    _place: OwnedSemaphorePermit,
}

impl hyper::body::Body for Pages {
    type Data = Bytes;
    type Error = Incomplete;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let (text, export) = ready!(next.as_mut().poll(cx));
        let is_open = text.is_ok() && export.next < export.length;
        self.next = is_open.then(|| step(export));
        Poll::Ready(Some(text.map(|text| Frame::data(text.into()))))
    }
}
