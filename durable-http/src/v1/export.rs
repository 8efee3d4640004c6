//! The history of an instance as a file, which is sent page by page.
//!
//! Read next: `recorded.rs` (how a history is read while it may change).

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::InstanceStatus;
use durable::protocol::{ExecutionId, FORMAT_VERSION, HistoryEvent, Timestamp};
use serde::Serialize;

use super::{Refusal, show};
use crate::call::Call;
use crate::json::{self, with_header};
use crate::recorded::{self, Incomplete, Parts, Recorded};
use crate::stream;

/// The form of `durable::testing::RecordedHistory`, which tests replay.
#[derive(Serialize)]
struct Head<'a> {
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
    let head = Head {
        format: FORMAT_VERSION,
        instance_id,
        execution_id: *execution_id,
        name,
        version,
        created_at: *created_at,
        events: [],
    };
    let head = json::text(&head);
    let head = head.strip_suffix("]}").unwrap_or(&head).to_owned();
    let file = File { next: Next::Head(head), history: Recorded::new(instance, &status) };
    let answer = json::with_body(StatusCode::OK, recorded::body(file, place));
    let answer =
        with_header(answer, "content-disposition", "attachment; filename=\"history.json\"");
    Ok(with_header(answer, "etag", &tag))
}

/// What remains to be sent.
struct File {
    next: Next,
    history: Recorded,
}

enum Next {
    Head(String),
    FirstEvents,
    Events,
    Nothing,
}

impl Parts for File {
    async fn next(&mut self) -> Result<Option<String>, Incomplete> {
        let mut comma = match std::mem::replace(&mut self.next, Next::Events) {
            Next::Head(head) => {
                self.next = Next::FirstEvents;
                return Ok(Some(head));
            }
            Next::FirstEvents => "",
            Next::Events => ",",
            Next::Nothing => {
                self.next = Next::Nothing;
                return Ok(None);
            }
        };
        let Some(events) = self.history.page().await? else {
            self.next = Next::Nothing;
            return Ok(Some("]}".to_owned()));
        };
        let mut text = String::new();
        for event in events {
            text.extend([comma, &json::text(&event)]);
            comma = ",";
        }
        Ok(Some(text))
    }
}
