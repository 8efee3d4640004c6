//! Raising an event for an instance.

use axum::http::StatusCode;
use axum::response::Response;

use super::{Refusal, manage};
use crate::body;
use crate::call::Call;
use crate::problem::Problem;

/// The instance is checked before the body, as in Durable Functions.
pub(super) async fn raise(call: Call) -> Result<Response, Refusal> {
    let instance = call.instance_or_404()?;
    let status = instance.status().await.map_err(Problem::from)?;
    if status.runtime_status.is_finished() {
        return Err(Refusal::Empty(StatusCode::GONE));
    }
    if !body::is_json(&call.head.headers) {
        return Err(Problem::invalid("an event is sent as `application/json`").into());
    }
    let Some(event) = call.json()? else {
        return Err(Problem::invalid("the body is empty; send the event as JSON").into());
    };
    manage::accepted(instance.raise_event_json(call.params.get("event"), event).await)
}
