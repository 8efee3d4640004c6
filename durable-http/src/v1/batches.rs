//! Batches: one action on all instances that match a filter.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{InstanceQuery, InstanceStatus};
use durable::protocol::Json;
use durable::{InstanceHandle, InstanceId};
use serde::Deserialize;

use super::Refusal;
use super::list;
use crate::batch::{self, Action, Filter, IDS_MAX, Job, Progress, Report};
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::links::encode;
use crate::problem::{Code, Problem};

const PER_SECOND_MAX: u32 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    id: Option<String>,
    query: Filter,
    action: Action,
    #[serde(default)]
    dry_run: bool,
    per_second: Option<u32>,
}

pub(super) async fn start(call: Call) -> Result<Response, Refusal> {
    let Wanted { id, query, action, dry_run, per_second } = call.body_as()?;
    let per_second = per_second.unwrap_or(100);
    if !(1..=PER_SECOND_MAX).contains(&per_second) {
        let detail = format!("`perSecond` is {per_second}; give 1 to {PER_SECOND_MAX}");
        return Err(Problem::invalid(detail).into());
    }
    let has_others = Filter { ids: Vec::new(), ..query.clone() } != Filter::default();
    if !query.ids.is_empty() && has_others {
        let detail = "`ids` has instances, so there can be no other condition; remove one of them";
        return Err(Problem::invalid(detail).into());
    }
    if query.ids.len() > IDS_MAX {
        let count = query.ids.len();
        let detail = format!("`ids` has {count} instances; give at most {IDS_MAX}, or a filter");
        return Err(Problem::invalid(detail).into());
    }
    begin(&call, id, Job::new(query, action, dry_run, per_second)).await
}

async fn begin(call: &Call, id: Option<String>, job: Job) -> Result<Response, Refusal> {
    let id = id.unwrap_or_else(|| format!("batch-{}", InstanceId::generate()));
    let started = call.hub().start(batch::batch(job).instance_id(id)).await?;
    let location =
        call.place().below(&format!("batches/{}", encode(started.instance_id().as_str())));
    let body = shown(&started.status().await?);
    Ok(with_header(json::answer(StatusCode::ACCEPTED, &body), "location", &location))
}

pub(super) async fn list(call: Call) -> Result<Response, Refusal> {
    let mut find = InstanceQuery::new().name(batch::NAME).page_size(call.limit()?);
    if let Some(token) = call.after()? {
        find = find.after(token);
    }
    let page = call.hub().query(&find).await?;
    let items: Vec<_> = page.items.iter().map(shown).collect();
    Ok(list::shown(&call, &items, &page))
}

/// A batch with its request.
pub(super) async fn details(call: Call) -> Result<Response, Refusal> {
    let details = of_path(&call).await?.details().await?;
    let requested: Job = serde_json::from_str(details.input.as_str())
        .map_err(|error| Problem::invalid(error.to_string()))?;
    let body = shown(&details.status)
        .with("query", &requested.query)
        .with("action", &requested.action)
        .with("dryRun", &requested.dry_run)
        .with("perSecond", &requested.per_second)
        .with("failure", &details.failure.map(|failure| failure.to_string()));
    Ok(json::answer(StatusCode::OK, &body))
}

/// Stops a batch. Its effects so far remain.
pub(super) async fn cancel(call: Call) -> Result<Response, Refusal> {
    let instance = of_path(&call).await?;
    instance.terminate("cancelled").await?;
    Ok(json::answer(StatusCode::OK, &shown(&instance.status().await?)))
}

/// The same action on the instances that have failed, as a new batch.
pub(super) async fn retry(call: Call) -> Result<Response, Refusal> {
    let details = of_path(&call).await?.details().await?;
    let Job { action, dry_run, per_second, .. } = serde_json::from_str(details.input.as_str())
        .map_err(|error| Problem::invalid(error.to_string()))?;
    let id = &details.status.instance_id;
    if !details.status.runtime_status.is_finished() {
        let detail = format!("batch `{id}` has not ended; retry what has failed when it has");
        return Err(Problem::new(Code::NotFinished, detail).into());
    }
    // One that was stopped has no output.
    let ids = match (details.output_as::<Report>(), &details.status.custom_status) {
        (Ok(Some(report)), _) if !report.failed_ids.is_empty() => report.failed_ids,
        (_, Some(progress)) => serde_json::from_str::<Progress>(progress.as_str())
            .map_or_else(|_| Vec::new(), Progress::failed_ids),
        (_, None) => Vec::new(),
    };
    if ids.is_empty() || dry_run {
        return Err(Problem::invalid(format!("nothing has failed in batch `{id}`")).into());
    }
    let query = Filter { ids, ..Filter::default() };
    begin(&call, None, Job::new(query, action, false, per_second)).await
}

async fn of_path(call: &Call) -> Result<InstanceHandle, Problem> {
    let instance = call.instance()?;
    if instance.status().await?.name == batch::NAME {
        return Ok(instance);
    }
    let detail = format!("instance `{}` is not a batch", instance.instance_id());
    Err(Problem::new(Code::NoSuchInstance, detail))
}

fn shown(status: &InstanceStatus) -> Object {
    Object::new()
        .with("id", &status.instance_id)
        .with("runtimeStatus", &status.runtime_status)
        .with("createdAt", &status.created_at)
        .with("lastUpdatedAt", &status.last_updated_at)
        .with("progress", &status.custom_status.clone().unwrap_or_else(Json::null))
}
