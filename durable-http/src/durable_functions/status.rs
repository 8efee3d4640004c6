//! The status of an instance, with its input, output and history.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{HubError, InstanceDetails};
use durable::protocol::Json;
use durable::{InstanceHandle, RuntimeStatus};
use tokio::sync::OwnedSemaphorePermit;

use super::Refusal;
use super::history::Fold;
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::problem::{Code, Problem};
use crate::recorded::{self, Incomplete, PAGE, Parts, Recorded};
use crate::stream;
use crate::time;

/// The maximum number of times that an instance is read if its history is replaced during the read.
const READS_MAX: usize = 8;

/// An instance as it was read.
pub(super) struct Seen {
    details: InstanceDetails,
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
        Ok(instance.details().await?.into())
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
        Object::new()
            .with("name", &status.name)
            .with("instanceId", &status.instance_id)
            .with("runtimeStatus", &status.runtime_status)
            .with("input", &Some(input).filter(|_| show.input))
            .with("customStatus", &status.custom_status)
            .with("output", &self.output())
            .with("createdTime", &time::seconds(status.created_at))
            .with("lastUpdatedTime", &time::seconds(status.last_updated_at))
    }
}

/// Without its history.
impl From<InstanceDetails> for Seen {
    fn from(details: InstanceDetails) -> Self {
        Self { details }
    }
}

pub(super) async fn status(call: Call) -> Result<Response, Refusal> {
    let show = Show::of(&call);
    let instance = call.instance_or_404()?;
    let (seen, body) = if show.history {
        with_history(&call, &instance, show).await?
    } else {
        let seen = Seen::read(&instance).await.map_err(Problem::from)?;
        let body = json::text(&seen.body(show)).into();
        (seen, body)
    };
    let answer = |status| json::with_body(status, body);
    let fails_with_500 = call.query.flag("returnInternalServerErrorOnFailure").unwrap_or(false);
    Ok(match seen.details.status.runtime_status {
        RuntimeStatus::Failed if fails_with_500 => answer(StatusCode::INTERNAL_SERVER_ERROR),
        status if status.is_finished() => answer(StatusCode::OK),
        _ => {
            let answer = with_header(answer(StatusCode::ACCEPTED), "location", &call.place().own());
            with_header(answer, "retry-after", "5")
        }
    })
}

/// The status and its body with the history, which is sent by page if it is long.
async fn with_history(
    call: &Call,
    instance: &InstanceHandle,
    show: Show,
) -> Result<(Seen, Body), Refusal> {
    for _read in 0..READS_MAX {
        let seen = Seen::read(instance).await.map_err(Problem::from)?;
        let status = &seen.details.status;
        let head = json::text(&seen.body(show));
        let head = format!("{},\"historyEvents\":[", head.strip_suffix('}').unwrap_or(&head));
        if status.runtime_status == RuntimeStatus::Pending {
            return Ok((seen, format!("{head}]}}").into()));
        }
        let is_long = status.history_len > PAGE as u64;
        let place = if is_long { Some(stream::place(&call.app)?) } else { None };
        let history = Recorded::new(instance.clone(), status);
        match folded(head, history, show, place).await {
            Ok(body) => return Ok((seen, body)),
            Err(Incomplete::Replaced) => {}
            Err(Incomplete::Unreadable(error)) => return Err(Problem::from(error).into()),
        }
    }
    let detail = "the history was replaced each time it was read";
    Err(Problem::new(Code::Busy, detail).into())
}

/// A body that begins with this text and continues with the history. If it has a place among the
/// streams, the history is read while the body is sent.
async fn folded(
    head: String,
    history: Recorded,
    show: Show,
    place: Option<OwnedSemaphorePermit>,
) -> Result<Body, Incomplete> {
    let fold = Fold::new(history.again(), show).await?;
    let mut folded =
        Folded { head: Some(head), fold, history, has_events: false, has_ended: false };
    if let Some(place) = place {
        return Ok(recorded::body(folded, place));
    }
    let mut text = String::new();
    while let Some(part) = folded.next().await? {
        text.push_str(&part);
    }
    Ok(text.into())
}

/// What remains to be sent.
struct Folded {
    head: Option<String>,
    fold: Fold,
    history: Recorded,
    has_events: bool,
    has_ended: bool,
}

impl Parts for Folded {
    async fn next(&mut self) -> Result<Option<String>, Incomplete> {
        if self.has_ended {
            return Ok(None);
        }
        let mut text = self.head.take().unwrap_or_default();
        let Some(events) = self.history.page().await? else {
            self.has_ended = true;
            text.push_str("]}");
            return Ok(Some(text));
        };
        for event in events {
            let Some(event) = self.fold.folded(&event) else { continue };
            if self.has_events {
                text.push(',');
            }
            self.has_events = true;
            text.push_str(&json::text(&event));
        }
        Ok(Some(text))
    }
}

impl Call {
    /// The instance of the path. No instance has an id that breaks a rule.
    pub(super) fn instance_or_404(&self) -> Result<InstanceHandle, Refusal> {
        self.instance().map_err(|_invalid| Refusal::Empty(StatusCode::NOT_FOUND))
    }
}
