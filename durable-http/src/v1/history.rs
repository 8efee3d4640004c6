//! The history of an instance: by page, as a file, and the instances that it started.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{FollowedEvent, HubError, InstanceStatus};
use durable::protocol::{EventKind, FORMAT_VERSION, HistoryEvent};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Refusal, show};
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::problem::Problem;

/// Events from an index on, with `from`, `limit` and `kinds`.
pub(super) async fn page(call: Call) -> Result<Response, Refusal> {
    let (from, limit) = (call.number("from")?.unwrap_or(0), call.limit()?);
    let kinds: Vec<_> = call.query.list("kinds").collect();
    let is_wanted =
        |event: &HistoryEvent| kinds.is_empty() || kinds.contains(&event.kind.type_name());
    let instance = call.instance()?;
    let mut page = instance.history_page(from as u64, limit).await?;
    let status = page.status.clone();
    let tag = show::tag(&status);
    if show::is_known(&call.headers, &tag) {
        return Ok(with_header(json::empty(StatusCode::NOT_MODIFIED), "etag", &tag));
    }
    let mut items = Vec::new();
    let next = loop {
        let first = usize::try_from(page.from).unwrap_or(usize::MAX);
        for (index, event) in (first..).zip(&page.events) {
            if is_wanted(event) {
                items.push(shown(index, event));
            }
        }
        let Some(next) = page.next.filter(|_| items.len() < limit) else { break page.next };
        page = instance.history_page(next, limit - items.len()).await?;
        if page.status.execution_id != status.execution_id {
            // The history was replaced meanwhile; the next request says so.
            break Some(next);
        }
    };
    let body = Object::new()
        .with("executionId", &status.execution_id)
        .with("items", &items)
        .with("next", &next)
        .with("length", &status.history_len);
    Ok(with_header(json::answer(StatusCode::OK, &body), "etag", &tag))
}

/// An event with its index; what depends on its kind is in `data`.
fn shown(index: usize, event: &HistoryEvent) -> Object {
    let kind = event.kind.type_name();
    let event_id = (event.event_id >= 0).then_some(event.event_id);
    Object::new()
        .with("index", &index)
        .with("timestamp", &event.timestamp)
        .with("kind", kind)
        .with_some("eventId", event_id.as_ref())
        .with("data", &show::camel(&data(&event.kind)))
}

/// An event of a history that is followed.
pub(super) fn followed(event: &FollowedEvent) -> Object {
    let index = usize::try_from(event.index).unwrap_or(usize::MAX);
    Object::new().with("executionId", &event.execution_id).and(shown(index, &event.event))
}

/// The fields of a kind, without its name.
fn data(kind: &EventKind) -> Box<RawValue> {
    let tagged = serde_json::to_string(kind).unwrap_or_default();
    let fields = tagged.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    let fields = fields.and_then(|it| it.split_once(':')).map(|(_, fields)| fields.to_owned());
    let raw = fields.and_then(|fields| RawValue::from_string(fields).ok());
    raw.unwrap_or_else(|| RawValue::NULL.to_owned())
}

/// The form of `durable::testing::RecordedHistory`, whose replay shows whether code still fits.
#[derive(Serialize)]
struct Recorded<'a> {
    format: u8,
    #[serde(flatten)]
    head: Head<'a>,
    events: &'a [HistoryEvent],
}

#[derive(Serialize)]
struct Head<'a> {
    instance_id: &'a durable::InstanceId,
    execution_id: durable::protocol::ExecutionId,
    name: &'a str,
    version: &'a Option<String>,
    created_at: durable::protocol::Timestamp,
}

pub(super) async fn file(call: Call) -> Result<Response, Refusal> {
    let (status, history) = read(&call).await?;
    let tag = show::tag(&status);
    if show::is_known(&call.headers, &tag) {
        return Ok(with_header(json::empty(StatusCode::NOT_MODIFIED), "etag", &tag));
    }
    let InstanceStatus { instance_id, execution_id, name, version, created_at, .. } = &status;
    let (execution_id, created_at) = (*execution_id, *created_at);
    let recorded = Recorded {
        format: FORMAT_VERSION,
        head: Head { instance_id, execution_id, name, version, created_at },
        events: &history,
    };
    let answer = json::answer(StatusCode::OK, &recorded);
    let answer =
        with_header(answer, "content-disposition", "attachment; filename=\"history.json\"");
    Ok(with_header(answer, "etag", &tag))
}

/// The instances that this one called or started, with `from` and `limit`.
pub(super) async fn children(call: Call) -> Result<Response, Refusal> {
    let (from, limit) = (call.number("from")?.unwrap_or(0), call.limit()?);
    let (_, history) = read(&call).await?;
    let mut items = Vec::new();
    let mut next = None;
    for (index, event) in history.iter().enumerate().skip(from) {
        let EventKind::SubOrchestrationInstanceCreated {
            instance_id, name, version, detached, ..
        } = &event.kind
        else {
            continue;
        };
        if items.len() == limit {
            next = Some(index);
            break;
        }
        let child = call.hub().instance(instance_id.as_str()).map_err(HubError::from)?;
        let status = match child.status().await {
            Ok(status) => Some(status.runtime_status),
            Err(HubError::NoSuchInstance(_)) => None,
            Err(error) => return Err(error.into()),
        };
        items.push(
            Object::new()
                .with("instanceId", instance_id)
                .with("name", name)
                .with("version", version)
                .with("eventId", &event.event_id)
                .with("detached", detached)
                .with("runtimeStatus", &status),
        );
    }
    let body = Object::new().with("items", &items).with("next", &next);
    Ok(json::answer(StatusCode::OK, &body))
}

async fn read(call: &Call) -> Result<(InstanceStatus, Vec<HistoryEvent>), Problem> {
    Ok(call.instance()?.status_and_history().await?)
}
