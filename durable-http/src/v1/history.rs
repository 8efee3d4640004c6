//! The history of an instance by page, and the instances that it started.
//!
//! Read next: `export.rs` (the history as a file).

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{FollowedEvent, HubError, InstanceStatus};
use durable::protocol::{EventKind, HistoryEvent};
use serde_json::value::RawValue;

use super::{Refusal, show};
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::problem::Problem;

/// The number of events in memory at once while children, or events of some kinds, are listed.
const EVENTS_AT_ONCE: usize = 256;
/// The maximum number of events that such a request reads.
const EVENTS_MAX: u64 = 16 * 1024;

/// Events from an index on, in either direction, with `from`, `order`, `limit` and `kinds`. With
/// `kinds`, a request reads a limited part of the history, so a page can have fewer items than
/// `limit` although another page follows.
pub(super) async fn page(call: Call) -> Result<Response, Refusal> {
    match call.query.get("order") {
        None | Some("asc") => forwards(call).await,
        Some("desc") => backwards(call).await,
        Some(other) => {
            let other = other.escape_debug();
            Err(Problem::invalid(format!("`order` is `{other}`; give asc or desc")).into())
        }
    }
}

async fn backwards(call: Call) -> Result<Response, Refusal> {
    let limit = call.limit()?;
    let until = call.number("from")?.map_or(u64::MAX, |from| (from as u64).saturating_add(1));
    let kinds: Vec<_> = call.query.list("kinds").collect();
    let instance = call.instance()?;
    let size = if kinds.is_empty() { limit } else { EVENTS_AT_ONCE };
    let mut page = instance.history_page_before(until, size).await?;
    let end = (page.from + page.events.len() as u64).saturating_sub(EVENTS_MAX);
    let status = page.status.clone();
    let tag = show::tag(&status);
    if show::is_known(&call.head.headers, &tag) {
        return Ok(with_header(json::empty(StatusCode::NOT_MODIFIED), "etag", &tag));
    }
    let mut items = Vec::new();
    let next = 'pages: loop {
        let newest_first = (page.from..).zip(&page.events).collect::<Vec<_>>().into_iter().rev();
        for (index, event) in newest_first {
            if !kinds.is_empty() && !kinds.contains(&event.kind.type_name()) {
                continue;
            }
            if items.len() == limit {
                break 'pages Some(index);
            }
            items.push(shown(index, event));
        }
        let next = page.from.checked_sub(1);
        if page.from <= end || items.len() >= limit {
            break next;
        }
        page = instance.history_page_before(page.from, size).await?;
        if page.status.execution_id != status.execution_id {
            // The history has been replaced in the meantime; the next request says so.
            break next;
        }
    };
    Ok(answer(&status, &tag, &items, next))
}

async fn forwards(call: Call) -> Result<Response, Refusal> {
    let (from, limit) = (call.number("from")?.unwrap_or(0), call.limit()?);
    let kinds: Vec<_> = call.query.list("kinds").collect();
    let is_wanted =
        |event: &HistoryEvent| kinds.is_empty() || kinds.contains(&event.kind.type_name());
    let instance = call.instance()?;
    let size = if kinds.is_empty() { limit } else { EVENTS_AT_ONCE };
    let mut page = instance.history_page(from as u64, size).await?;
    let end = (from as u64).saturating_add(EVENTS_MAX);
    let status = page.status.clone();
    let tag = show::tag(&status);
    if show::is_known(&call.head.headers, &tag) {
        return Ok(with_header(json::empty(StatusCode::NOT_MODIFIED), "etag", &tag));
    }
    let mut items = Vec::new();
    let next = 'pages: loop {
        for (index, event) in (page.from..).zip(&page.events) {
            if !is_wanted(event) {
                continue;
            }
            if items.len() == limit {
                break 'pages Some(index);
            }
            items.push(shown(index, event));
        }
        let goes_on = |next: &u64| items.len() < limit && *next < end;
        let Some(next) = page.next.filter(goes_on) else { break page.next };
        page = instance.history_page(next, size).await?;
        if page.status.execution_id != status.execution_id {
            // The history has been replaced in the meantime; the next request says so.
            break Some(next);
        }
    };
    Ok(answer(&status, &tag, &items, next))
}

fn answer(status: &InstanceStatus, tag: &str, items: &[Object], next: Option<u64>) -> Response {
    let body = Object::new()
        .with("executionId", &status.execution_id)
        .with("items", &items)
        .with("next", &next)
        .with("length", &status.history_len);
    with_header(json::answer(StatusCode::OK, &body), "etag", tag)
}

/// An event with its index; what depends on its kind is in `data`.
fn shown(index: u64, event: &HistoryEvent) -> Object {
    let kind = event.kind.type_name();
    let event_id = (event.event_id >= 0).then_some(event.event_id);
    Object::new()
        .with("index", &index)
        .with("timestamp", &event.timestamp)
        .with("kind", kind)
        .with_some("eventId", event_id.as_ref())
        .with("data", &data(&event.kind))
}

/// An event of a history that is followed.
pub(super) fn followed(event: &FollowedEvent) -> Object {
    Object::new().with("executionId", &event.execution_id).and(shown(event.index, &event.event))
}

/// The fields of a kind, without its name.
fn data(kind: &EventKind) -> Box<RawValue> {
    let tagged = json::text(kind);
    let fields = tagged.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    // An event without fields is only its name.
    let fields = fields.and_then(|it| it.split_once(':')).map_or("null", |(_, fields)| fields);
    show::renamed(fields)
}

/// The instances that this one called or started, with `from` and `limit`. A request reads a
/// limited part of the history, so a page can have fewer items than `limit` although another page
/// follows.
pub(super) async fn children(call: Call) -> Result<Response, Refusal> {
    let (from, limit) = (call.number("from")?.unwrap_or(0) as u64, call.limit()?);
    let (instance, mut items) = (call.instance()?, Vec::new());
    let (mut position, end) = (from, from.saturating_add(EVENTS_MAX));
    let next = 'pages: loop {
        let page = instance.history_page(position, EVENTS_AT_ONCE).await?;
        for (index, event) in (page.from..).zip(&page.events) {
            if !matches!(event.kind, EventKind::SubOrchestrationInstanceCreated { .. }) {
                continue;
            }
            if items.len() == limit {
                break 'pages Some(index);
            }
            items.extend(child(&call, event).await?);
        }
        match page.next {
            Some(next) if next < end => position = next,
            next => break next,
        }
    };
    let body = Object::new().with("items", &items).with("next", &next);
    Ok(json::answer(StatusCode::OK, &body))
}

/// The instance that this event started, with its status if it still exists.
async fn child(call: &Call, event: &HistoryEvent) -> Result<Option<Object>, Refusal> {
    let EventKind::SubOrchestrationInstanceCreated { instance_id, name, version, detached, .. } =
        &event.kind
    else {
        return Ok(None);
    };
    let child = call.hub().instance(instance_id.as_str()).map_err(HubError::from)?;
    let status = match child.status().await {
        Ok(status) => Some(status.runtime_status),
        Err(HubError::NoSuchInstance(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let child = Object::new()
        .with("instanceId", instance_id)
        .with("name", name)
        .with("version", version)
        .with("eventId", &event.event_id)
        .with("detached", detached)
        .with("runtimeStatus", &status);
    Ok(Some(child))
}
