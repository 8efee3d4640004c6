//! Entities, their locks, and signals that are not due yet.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{EntityQuery, ScheduledSignalQuery};
use durable::protocol::Json;
use durable::{EntityId, InstanceId};

use super::list::page;
use super::{Refusal, show};
use crate::call::Call;
use crate::json::{self, Object};
use crate::problem::{Code, Problem};

/// `$` is an empty key, because a segment of a path cannot be empty.
fn entity(call: &Call) -> Result<EntityId, Problem> {
    let key = Some(call.params.get("key")).filter(|key| *key != "$").unwrap_or_default();
    let id = EntityId::new(call.params.get("name"), key);
    id.map_err(|error| Problem::invalid(error.to_string()))
}

pub(super) async fn list(call: Call) -> Result<Response, Refusal> {
    let find = filtered(&call)?;
    let find = if call.boolean("state")? { find } else { find.leave_out_state() };
    let find = if call.boolean("includeTransient")? { find.include_transient() } else { find };
    let find = if call.boolean("setAside")? { find.set_aside() } else { find };
    Ok(page(&call, &call.hub().query(&find).await?))
}

fn filtered(call: &Call) -> Result<EntityQuery, Problem> {
    let mut find = EntityQuery::new().page_size(call.limit()?);
    if let Some(name) = call.query.get("name") {
        find = find.name(name);
    }
    if let Some(prefix) = call.query.get("prefix") {
        find = find.key_prefix(prefix);
    }
    if let Some(time) = call.time("modifiedFrom")? {
        find = find.modified_from(time);
    }
    if let Some(time) = call.time("modifiedTo")? {
        find = find.modified_to(time);
    }
    if let Some(token) = call.after()? {
        find = find.after(token);
    }
    Ok(find)
}

/// Entities that a critical section has locked. A page may be empty although more pages follow.
pub(super) async fn locks(call: Call) -> Result<Response, Refusal> {
    let find = filtered(&call)?.locked().leave_out_state();
    Ok(page(&call, &call.hub().query(&find).await?))
}

pub(super) async fn details(call: Call) -> Result<Response, Refusal> {
    let id = entity(&call)?;
    match call.hub().entity(&id).await? {
        Some(details) => Ok(show::answer(StatusCode::OK, &details)),
        None => Err(Problem::new(Code::NoSuchEntity, format!("there is no entity `{id}`")).into()),
    }
}

/// The queue of the entity. The list has no pages: later requests appear once earlier ones are
/// handled.
pub(super) async fn queue(call: Call) -> Result<Response, Refusal> {
    let queue = call.hub().entity_queue(&entity(&call)?, call.limit()?).await?;
    let items: Vec<_> = queue.iter().map(show::camel).collect();
    Ok(json::answer(StatusCode::OK, &Object::new().with("items", &items)))
}

/// Resumes an entity that is set aside, beginning with the operation that crashed the process.
pub(super) async fn resume(call: Call) -> Result<Response, Refusal> {
    let was_held = call.hub().resume_entity(&entity(&call)?).await?;
    Ok(json::answer(StatusCode::OK, &Object::new().with("wasSetAside", &was_held)))
}

/// Like `resume`, but the operation that crashed the process fails.
pub(super) async fn skip(call: Call) -> Result<Response, Refusal> {
    let was_set_aside = call.hub().skip_operation(&entity(&call)?).await?;
    Ok(json::answer(StatusCode::OK, &Object::new().with("wasSetAside", &was_set_aside)))
}

/// Releases the locks of orchestrations that no longer exist.
pub(super) async fn clean(call: Call) -> Result<Response, Refusal> {
    let cleaned = call.hub().clean_entities().await?;
    Ok(show::answer(StatusCode::OK, &cleaned))
}

pub(super) async fn delete(call: Call) -> Result<Response, Refusal> {
    call.hub().delete_entity(entity(&call)?.handle()).await?;
    Ok(json::empty(StatusCode::NO_CONTENT))
}

/// The body is the input; `at` delays the signal.
pub(super) async fn signal(call: Call) -> Result<Response, Refusal> {
    let operation = operation(&call)?;
    match call.time("at")? {
        Some(time) => call.hub().signal_entity_at(time, operation).await?,
        None => call.hub().signal_entity(operation).await?,
    }
    Ok(json::empty(StatusCode::ACCEPTED))
}

/// The body is the input, the answer the output.
pub(super) async fn call(call: Call) -> Result<Response, Refusal> {
    let calling = call.hub().call_entity(operation(&call)?);
    match call.within(call.options().max_wait, calling).await {
        Some(output) => Ok(json::answer(StatusCode::OK, &output?)),
        None => Err(Problem::new(
            Code::Unavailable,
            "the entity has not answered in time; the operation may still be carried out",
        )
        .into()),
    }
}

fn operation(call: &Call) -> Result<durable::entity::Operation<Json>, Problem> {
    let input = call.json()?.unwrap_or_else(Json::null);
    Ok(entity(call)?.handle().operation_json(call.params.get("operation"), input))
}

pub(super) async fn signals(call: Call) -> Result<Response, Refusal> {
    let mut find = ScheduledSignalQuery::new().page_size(call.limit()?);
    match (call.query.get("name"), call.query.get("key")) {
        (Some(name), Some(key)) => {
            let id = EntityId::new(name, key);
            find = find.entity(&id.map_err(|error| Problem::invalid(error.to_string()))?);
        }
        (Some(name), None) => find = find.name(name),
        (None, Some(_)) => return Err(Problem::invalid("give `name` with `key`").into()),
        (None, None) => {}
    }
    if let Some(token) = call.after()? {
        find = find.after(token);
    }
    Ok(page(&call, &call.hub().query(&find).await?))
}

pub(super) async fn cancel_signal(call: Call) -> Result<Response, Refusal> {
    let text = call.params.get("id");
    let no_such_signal = || {
        let text = text.escape_debug();
        Problem::new(Code::NoSuchEntity, format!("there is no signal `{text}` that is not due"))
    };
    let id = InstanceId::try_from(text.to_owned()).map_err(|_| no_such_signal())?;
    if call.hub().cancel_scheduled_signal(&id).await? {
        Ok(json::empty(StatusCode::NO_CONTENT))
    } else {
        Err(no_such_signal().into())
    }
}
