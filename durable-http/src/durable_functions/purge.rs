//! Purging instances that have ended, and entities.

use axum::http::StatusCode;
use axum::response::Response;
use durable::EntityId;
use durable::client::{InstanceQuery, ManageError};

use super::Refusal;
use super::filter::{self, Statuses};
use crate::call::Call;
use crate::json::{self, Object};
use crate::problem::Problem;

pub(super) async fn purge_one(call: Call) -> Result<Response, Refusal> {
    let id = call.params.get("id");
    if id.starts_with('@') {
        return purge_entity(&call, id).await;
    }
    match call.instance_or_404()?.purge().await {
        Ok(()) => Ok(deleted(1)),
        Err(ManageError::NotFinished { instance_id, status }) => Err(Refusal::Text(
            StatusCode::PRECONDITION_FAILED,
            format!(
                "instance `{instance_id}` is {status}; only one that is Completed, Failed or \
                 Terminated can be purged"
            ),
        )),
        Err(error) => Err(Problem::from(error).into()),
    }
}

/// Purges an entity by its instance id, whatever its state.
async fn purge_entity(call: &Call, id: &str) -> Result<Response, Refusal> {
    let not_found = Refusal::Empty(StatusCode::NOT_FOUND);
    let Ok(id) = EntityId::try_from(id.to_owned()) else { return Err(not_found) };
    if call.hub().entity(&id).await.map_err(Problem::from)?.is_none() {
        return Err(not_found);
    }
    call.hub().delete_entity(id.handle()).await.map_err(Problem::from)?;
    Ok(deleted(1))
}

pub(super) async fn purge_many(call: Call) -> Result<Response, Refusal> {
    let query = &call.query;
    let Some(from) = filter::from(query, "createdTimeFrom") else {
        let text = "give `createdTimeFrom` as a date and time, such as 2026-01-02T03:04:05Z";
        return Err(Refusal::Text(StatusCode::BAD_REQUEST, text.to_owned()));
    };
    let statuses = Statuses::of(query);
    // Durable Functions ignores an unknown status, and so purges instances of every status.
    if let Some(unknown) = statuses.unknown.first() {
        let known = Statuses::names();
        let text = format!("`{unknown}` is not a status; statuses are {known}");
        return Err(Refusal::Text(StatusCode::BAD_REQUEST, text));
    }
    let mut find = InstanceQuery::new().created_from(from);
    if let Some(time) = filter::to(query, "createdTimeTo") {
        find = find.created_to(time);
    }
    let purged = match statuses.apply(find) {
        Some(find) => call.hub().purge(&find).await.map_err(Problem::from)?,
        None => 0,
    };
    match purged {
        0 => Err(Refusal::Empty(StatusCode::NOT_FOUND)),
        purged => Ok(deleted(purged)),
    }
}

fn deleted(instances: u64) -> Response {
    json::answer(StatusCode::OK, &Object::new().with("instancesDeleted", &instances))
}
