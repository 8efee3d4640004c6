//! Starting and restarting instances, and waiting for their output.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{HubError, NamedCall, ResultError};
use durable::protocol::Json;
use durable::{InstanceHandle, InstanceId, RuntimeStatus};

use super::Refusal;
use super::payload::{self, Shape};
use super::status::{Seen, Show};
use crate::call::Call;
use crate::encoded;
use crate::json;
use crate::problem::{Code, Problem};

pub(super) async fn start(call: Call) -> Result<Response, Refusal> {
    let limit = wait_limit(&call)?;
    let name = call.params.get("name");
    let input = call.json()?.unwrap_or_else(Json::null);
    let mut start = NamedCall::new(name)
        // Those that Durable Functions replaces unless it is configured otherwise.
        .replace_if([RuntimeStatus::Completed, RuntimeStatus::Failed, RuntimeStatus::Terminated]);
    if let Some(version) = call.query.get("version") {
        start = start.version(version);
    }
    if let Some(id) = call.params.find("id") {
        start = start.instance_id(id);
    }
    if let Some(trace) = call.trace() {
        start = start.trace_context(trace);
    }
    let start = encoded::input(call.hub(), call.options(), start, input);
    let started = call.hub().start_named(start).await.map_err(Problem::from)?;
    finish(&call, &started, limit).await
}

pub(super) async fn restart(call: Call) -> Result<Response, Refusal> {
    let limit = wait_limit(&call)?;
    let unknown = || {
        let detail = format!("there is no instance `{}`", call.params.get("id").escape_debug());
        Refusal::object(StatusCode::BAD_REQUEST, Problem::new(Code::NoSuchInstance, detail))
    };
    let Ok(instance) = call.instance() else { return Err(unknown()) };
    let is_new = call.query.flag("restartWithNewInstanceId").unwrap_or(true);
    let restarted = if is_new {
        instance.restart_as(InstanceId::generate()).await
    } else {
        instance.restart().await.map(|()| instance)
    };
    match restarted.map_err(Problem::from) {
        Ok(instance) => finish(&call, &instance, limit).await,
        Err(Problem { code: Code::NoSuchInstance, .. }) => Err(unknown()),
        Err(problem) => Err(problem.into()),
    }
}

/// How long the client wants to wait for the output.
fn wait_limit(call: &Call) -> Result<Option<Duration>, Problem> {
    let seconds = |name: &str| {
        let seconds = call.query.get(name)?.trim().parse::<f64>().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    };
    let (limit, interval) = (seconds("timeout"), seconds("pollingInterval"));
    // There is no polling interval here; Durable Functions rejects it.
    if let (Some(limit), Some(interval)) = (limit, interval)
        && interval > limit
    {
        let (limit, interval) = (limit.as_secs_f64(), interval.as_secs_f64());
        let detail =
            format!("`pollingInterval` ({interval} s) is longer than `timeout` ({limit} s)");
        return Err(Problem::invalid(detail));
    }
    Ok(limit)
}

/// Answers with the output if the instance ends within the limit, and with 202 otherwise.
async fn finish(
    call: &Call,
    instance: &InstanceHandle,
    limit: Option<Duration>,
) -> Result<Response, Refusal> {
    let fails_with_500 = call.query.flag("returnInternalServerErrorOnFailure").unwrap_or(false);
    let shape = Shape { fails_with_500, ..Shape::default() };
    let accepted =
        || payload::accepted(call.options(), &call.place(), instance.instance_id(), shape);
    let Some(limit) = limit else { return Ok(accepted()) };
    match call.within(limit, instance.result_json()).await {
        Some(Ok(output)) => Ok(json::answer(StatusCode::OK, &output)),
        Some(Err(ResultError::Failed(_) | ResultError::Terminated(_))) => {
            match Seen::read(instance).await {
                Ok(seen) => Ok(json::answer(StatusCode::OK, &seen.body(Show::default()))),
                // The hub's retention has purged it already.
                Err(HubError::NoSuchInstance(_)) => Err(Refusal::Empty(StatusCode::NOT_FOUND)),
                Err(error) => Err(Problem::from(error).into()),
            }
        }
        None | Some(Err(_)) => Ok(accepted()),
    }
}
