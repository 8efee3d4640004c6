//! Operations on an instance that answer without a body.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::ManageError;

use super::Refusal;
use crate::call::Call;
use crate::json;
use crate::problem::{Code, Problem};

pub(super) async fn terminate(call: Call) -> Result<Response, Refusal> {
    accepted(call.instance_or_404()?.terminate(reason(&call)).await)
}

/// Suspending a suspended instance changes nothing, and so does resuming a running one.
pub(super) async fn suspend(call: Call) -> Result<Response, Refusal> {
    accepted(call.instance_or_404()?.suspend(reason(&call)).await)
}

pub(super) async fn resume(call: Call) -> Result<Response, Refusal> {
    accepted(call.instance_or_404()?.resume(reason(&call)).await)
}

/// The clients show the body of an error as it is.
pub(super) async fn rewind(call: Call) -> Result<Response, Refusal> {
    let no_such_instance = || {
        let text = format!("there is no instance `{}`", call.params.get("id").escape_debug());
        Refusal::Text(StatusCode::NOT_FOUND, text)
    };
    let Ok(instance) = call.instance() else { return Err(no_such_instance()) };
    match instance.rewind(reason(&call)).await {
        Err(
            ManageError::NotFailed { instance_id, status }
            | ManageError::NotFinished { instance_id, status },
        ) => Err(Refusal::Text(
            StatusCode::PRECONDITION_FAILED,
            format!("instance `{instance_id}` is {status}; only a Failed instance can be rewound"),
        )),
        Err(error) => match Problem::from(error) {
            Problem { code: Code::NoSuchInstance, .. } => Err(no_such_instance()),
            problem => Err(problem.into()),
        },
        Ok(()) => Ok(json::empty(StatusCode::ACCEPTED)),
    }
}

fn reason(call: &Call) -> &str {
    call.query.get("reason").unwrap_or_default()
}

pub(super) fn accepted(managed: Result<(), ManageError>) -> Result<Response, Refusal> {
    match managed {
        Ok(()) => Ok(json::empty(StatusCode::ACCEPTED)),
        Err(ManageError::Finished { .. }) => Err(Refusal::Empty(StatusCode::GONE)),
        Err(error) => Err(Problem::from(error).into()),
    }
}
