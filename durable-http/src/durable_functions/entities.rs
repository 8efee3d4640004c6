//! Entities: signaling, deleting, reading and listing them.

use axum::http::StatusCode;
use axum::response::Response;
use durable::EntityId;
use durable::client::{EntityDetails, EntityError, EntityQuery};
use durable::protocol::Json;

use super::Refusal;
use super::filter::{self, CONTINUATION};
use crate::body;
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::problem::{Code, Problem};
use crate::time;

/// The entity of the path. A missing key is an empty one, and so is `$`, because a segment of a path
/// cannot be empty.
fn entity(call: &Call) -> Result<EntityId, Problem> {
    let key = call.params.find("key").filter(|key| *key != "$").unwrap_or_default();
    let id = EntityId::new(call.params.get("name"), key);
    id.map_err(|error| Problem::invalid(error.to_string()))
}

pub(super) async fn signal(call: Call) -> Result<Response, Refusal> {
    let entity = entity(&call)?;
    let operation = call.query.get("op").unwrap_or_default();
    let input = if body::is_json(&call.head.headers) { call.json()? } else { text(&call)? };
    let input = input.unwrap_or_else(Json::null);
    let signal = entity.handle().operation_json(operation, input);
    match call.hub().signal_entity(signal).await {
        Ok(()) => Ok(json::empty(StatusCode::ACCEPTED)),
        Err(error) => Err(refusal(error)),
    }
}

pub(super) async fn delete(call: Call) -> Result<Response, Refusal> {
    let entity = entity(&call)?;
    let signal = entity.handle().operation_json("delete", Json::null());
    match call.hub().signal_entity(signal).await {
        Ok(()) => Ok(json::empty(StatusCode::ACCEPTED)),
        Err(error) => Err(refusal(error)),
    }
}

/// An entity that is not registered is a resource that does not exist.
fn refusal(error: EntityError) -> Refusal {
    match Problem::from(error) {
        problem @ Problem { code: Code::NotRegistered, .. } => {
            Refusal::object(StatusCode::NOT_FOUND, problem)
        }
        problem => problem.into(),
    }
}

/// A body of another media type than JSON, as a JSON string.
fn text(call: &Call) -> Result<Option<Json>, Problem> {
    let text = call.text()?;
    if text.is_empty() {
        return Ok(None);
    }
    let json = serde_json::to_string(text).ok().and_then(|text| Json::parse(&text).ok());
    Ok(json)
}

pub(super) async fn read(call: Call) -> Result<Response, Refusal> {
    let not_found = Refusal::Empty(StatusCode::NOT_FOUND);
    let Ok(entity) = entity(&call) else { return Err(not_found) };
    let details = call.hub().entity(&entity).await.map_err(Problem::from)?;
    match details.and_then(|details| details.state) {
        Some(state) => Ok(json::answer(StatusCode::OK, &state)),
        None => Err(not_found),
    }
}

pub(super) async fn list(call: Call) -> Result<Response, Refusal> {
    let query = &call.query;
    let fetches_state = query.flag("fetchState").unwrap_or(false);
    let mut find = EntityQuery::new().page_size(filter::top(query));
    if let Some(name) = call.params.find("name") {
        find = find.name(name);
    }
    if let Some(time) = filter::from(query, "lastOperationTimeFrom") {
        find = find.modified_from(time);
    }
    if let Some(time) = filter::to(query, "lastOperationTimeTo") {
        find = find.modified_to(time);
    }
    if let Some(token) = filter::continuation(&call)? {
        find = find.after(token);
    }
    if !fetches_state {
        find = find.leave_out_state();
    }
    let page = call.hub().query(&find).await.map_err(Problem::from)?;
    let items: Vec<_> = page.items.iter().map(item).collect();
    let answer = json::answer(StatusCode::OK, &items);
    Ok(with_header(answer, CONTINUATION, &filter::token(page.next)))
}

fn item(details: &EntityDetails) -> Object {
    let id = &details.entity_id;
    Object::new()
        .with("entityId", &Object::new().with("name", id.name()).with("key", id.key()))
        .with("lastOperationTime", &time::dotnet(details.last_modified))
        .with("state", &details.state)
}
