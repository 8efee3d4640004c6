//! The status of an instance, with its input, output and history.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{HubError, InstanceDetails};
use durable::protocol::{HistoryEvent, Json};
use durable::{InstanceHandle, RuntimeStatus};

use super::{Refusal, history};
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::problem::Problem;
use crate::time;

/// An instance as it was read.
pub(super) struct Seen {
    details: InstanceDetails,
    /// Empty if it is not shown.
    history: Vec<HistoryEvent>,
}

/// The parts of an instance that are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Show {
    pub(super) input: bool,
    pub(super) history: bool,
    pub(super) history_output: bool,
}

impl Default for Show {
    fn default() -> Self {
        Self { input: true, history: false, history_output: false }
    }
}

impl Show {
    pub(super) fn of(call: &Call) -> Self {
        let flag = |name| call.query.flag(name);
        Self {
            input: flag("showInput").unwrap_or(true),
            history: flag("showHistory").unwrap_or(false),
            history_output: flag("showHistoryOutput").unwrap_or(false),
        }
    }
}

impl Seen {
    pub(super) async fn read(instance: &InstanceHandle, show: Show) -> Result<Self, HubError> {
        loop {
            let details = instance.details().await?;
            if !show.history {
                return Ok(details.into());
            }
            let (status, history) = instance.status_and_history().await?;
            // Otherwise it has continued as new or was restarted in between.
            if status.execution_id == details.status.execution_id {
                return Ok(Self { details, history });
            }
        }
    }

    /// The output. For a failed or terminated instance, the reason.
    fn output(&self) -> Option<Json> {
        let InstanceDetails { status, output, failure, termination_reason, .. } = &self.details;
        let text =
            |text: &str| serde_json::to_string(text).ok().and_then(|it| Json::parse(&it).ok());
        match status.runtime_status {
            RuntimeStatus::Terminated => text(termination_reason.as_deref()?),
            RuntimeStatus::Failed => text(&failure.as_ref()?.message),
            status if status.is_finished() => output.clone(),
            _ => None,
        }
    }

    pub(super) fn body(&self, show: Show) -> Object {
        let InstanceDetails { status, input, .. } = &self.details;
        let body = Object::new()
            .with("name", &status.name)
            .with("instanceId", &status.instance_id)
            .with("runtimeStatus", &status.runtime_status)
            .with("input", &Some(input).filter(|_| show.input))
            .with("customStatus", &status.custom_status)
            .with("output", &self.output())
            .with("createdTime", &time::seconds(status.created_at))
            .with("lastUpdatedTime", &time::seconds(status.last_updated_at));
        if show.history { body.with("historyEvents", &self.folded(show)) } else { body }
    }

    fn folded(&self, show: Show) -> Vec<Object> {
        match self.details.status.runtime_status {
            RuntimeStatus::Pending => Vec::new(),
            _ => history::fold(&self.history, show),
        }
    }
}

/// Without its history.
impl From<InstanceDetails> for Seen {
    fn from(details: InstanceDetails) -> Self {
        Self { details, history: Vec::new() }
    }
}

pub(super) async fn status(call: Call) -> Result<Response, Refusal> {
    let show = Show::of(&call);
    let seen = Seen::read(&call.instance_or_404()?, show).await.map_err(Problem::from)?;
    let body = seen.body(show);
    let fails_with_500 = call.query.flag("returnInternalServerErrorOnFailure").unwrap_or(false);
    Ok(match seen.details.status.runtime_status {
        RuntimeStatus::Failed if fails_with_500 => {
            json::answer(StatusCode::INTERNAL_SERVER_ERROR, &body)
        }
        status if status.is_finished() => json::answer(StatusCode::OK, &body),
        _ => {
            let answer = json::answer(StatusCode::ACCEPTED, &body);
            let answer = with_header(answer, "location", &call.place().own());
            with_header(answer, "retry-after", "5")
        }
    })
}

impl Call {
    /// The instance of the path. No instance has an id that breaks a rule.
    pub(super) fn instance_or_404(&self) -> Result<InstanceHandle, Refusal> {
        self.instance().map_err(|_invalid| Refusal::Empty(StatusCode::NOT_FOUND))
    }
}
