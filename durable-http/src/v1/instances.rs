//! One instance: its details, input, output, and what it waits for.

use axum::http::StatusCode;
use axum::response::Response;
use durable::RuntimeStatus;
use durable::client::InstanceDetails;

use super::{Refusal, show};
use crate::call::Call;
use crate::json::{self, with_header};
use crate::problem::{Code, Problem};

/// The details of an instance; with `Prefer: wait=..`, once it has ended or the time has elapsed.
pub(super) async fn details(call: Call) -> Result<Response, Refusal> {
    let details = waited_for(&call).await?;
    let tag = show::tag(&details.status);
    let answer = if show::is_known(&call.head.headers, &tag) {
        json::empty(StatusCode::NOT_MODIFIED)
    } else {
        show::answer(StatusCode::OK, &details)
    };
    Ok(with_header(answer, "etag", &tag))
}

pub(super) async fn input(call: Call) -> Result<Response, Refusal> {
    let details = call.instance()?.details().await?;
    Ok(json::answer(StatusCode::OK, &details.input))
}

pub(super) async fn pending(call: Call) -> Result<Response, Refusal> {
    let pending = call.instance()?.pending().await?;
    Ok(show::answer(StatusCode::OK, &pending))
}

/// The output itself. If the instance has no output, the answer is an error, whose `source` says
/// whether the state of the instance is the cause.
pub(super) async fn output(call: Call) -> Result<Response, Refusal> {
    let details = waited_for(&call).await?;
    let id = &details.status.instance_id;
    let problem = match (details.status.runtime_status, &details.output, &details.failure) {
        (RuntimeStatus::Completed, Some(output), _) => {
            return Ok(json::answer(StatusCode::OK, output));
        }
        (RuntimeStatus::Failed, _, Some(failure)) => {
            Problem::new(Code::Failed, failure.to_string())
        }
        (RuntimeStatus::Terminated, ..) => {
            Problem::new(Code::Terminated, format!("instance `{id}` was terminated"))
        }
        (RuntimeStatus::Suspended, ..) => {
            Problem::new(Code::Suspended, format!("instance `{id}` is suspended"))
        }
        (status, ..) => Problem::new(
            Code::NotFinished,
            format!("instance `{id}` is {status}; it has no output"),
        ),
    };
    Err(problem.into())
}

async fn waited_for(call: &Call) -> Result<InstanceDetails, Refusal> {
    let instance = call.instance()?;
    if let Some(limit) = call.preferred_wait() {
        call.within(limit, instance.wait_for_completion()).await.transpose()?;
    }
    Ok(instance.details().await?)
}
