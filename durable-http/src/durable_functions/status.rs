//! The status of an instance, with its input, output and history.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{HubError, InstanceStatus};
use durable::protocol::{EventKind, HistoryEvent, Json};
use durable::{InstanceHandle, RuntimeStatus};

use super::{Refusal, history};
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::problem::Problem;
use crate::time;

/// An instance as it was read.
pub(super) struct Seen {
    status: InstanceStatus,
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
    pub(super) async fn read(instance: &InstanceHandle) -> Result<Self, HubError> {
        let (status, history) = instance.status_and_history().await?;
        Ok(Self { status, history })
    }

    fn input(&self) -> Option<&Json> {
        self.history.iter().find_map(|event| match &event.kind {
            EventKind::ExecutionStarted(started) => Some(&started.input),
            _ => None,
        })
    }

    /// The output. For a failed or terminated instance, the reason.
    fn output(&self) -> Option<Json> {
        let text =
            |text: &str| serde_json::to_string(text).ok().and_then(|it| Json::parse(&it).ok());
        if !self.status.runtime_status.is_finished() {
            return None;
        }
        let is_terminated = self.status.runtime_status == RuntimeStatus::Terminated;
        self.history.iter().rev().find_map(|event| match &event.kind {
            EventKind::ExecutionTerminated { reason, .. } if is_terminated => text(reason),
            EventKind::ExecutionCompleted { result: Some(result), .. } => Some(result.clone()),
            EventKind::ExecutionCompleted { failure: Some(failure), .. } if !is_terminated => {
                text(&failure.message)
            }
            _ => None,
        })
    }

    /// The size of its values, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let values = [self.input(), self.status.custom_status.as_ref()];
        let output = self.output().map_or(0, |output| output.as_str().len());
        output + values.into_iter().flatten().map(|value| value.as_str().len()).sum::<usize>()
    }

    pub(super) fn body(&self, show: Show) -> Object {
        let status = &self.status;
        let body = Object::new()
            .with("name", &status.name)
            .with("instanceId", &status.instance_id)
            .with("runtimeStatus", &status.runtime_status)
            .with("input", &self.input().filter(|_| show.input))
            .with("customStatus", &status.custom_status)
            .with("output", &self.output())
            .with("createdTime", &time::seconds(status.created_at))
            .with("lastUpdatedTime", &time::seconds(status.last_updated_at));
        if show.history { body.with("historyEvents", &self.folded(show)) } else { body }
    }

    fn folded(&self, show: Show) -> Vec<Object> {
        match self.status.runtime_status {
            RuntimeStatus::Pending => Vec::new(),
            _ => history::fold(&self.history, show),
        }
    }
}

pub(super) async fn status(call: Call) -> Result<Response, Refusal> {
    let seen = Seen::read(&call.instance_or_404()?).await.map_err(Problem::from)?;
    let body = seen.body(Show::of(&call));
    let fails_with_500 = call.query.flag("returnInternalServerErrorOnFailure").unwrap_or(false);
    Ok(match seen.status.runtime_status {
        RuntimeStatus::Failed if fails_with_500 => {
            json::answer(StatusCode::INTERNAL_SERVER_ERROR, &body)
        }
        status if status.is_finished() => json::answer(StatusCode::OK, &body),
        _ => {
            let answer = json::answer(StatusCode::ACCEPTED, &body);
            let answer = with_header(answer, "location", &call.place.own());
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
