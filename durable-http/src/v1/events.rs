//! Live events: the history of an instance, and the lifecycle events of the hub.

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use durable::client::{
    FollowedEvent, HistoryPosition, HistoryStream, HubError, InvalidHistoryPosition,
    LifecycleError, LifecycleEvent, LifecycleEvents, LifecycleKind,
};
use durable::protocol::Json;

use super::{Refusal, history, show};
use crate::call::Call;
use crate::json::{self, Object};
use crate::problem::Problem;
use crate::stream::{self, Source};

const KINDS: [LifecycleKind; 9] = [
    LifecycleKind::Started,
    LifecycleKind::Completed,
    LifecycleKind::Failed,
    LifecycleKind::Terminated,
    LifecycleKind::Suspended,
    LifecycleKind::Resumed,
    LifecycleKind::ContinuedAsNew,
    LifecycleKind::Rewound,
    LifecycleKind::Purged,
];

/// The history from a position on. The id of each event is the position after it.
struct OfInstance {
    events: HistoryStream,
    /// An event that was read before the stream began.
    first: Option<FollowedEvent>,
    has_ended: bool,
}

/// Events from `Last-Event-ID` or `from` on. The header takes precedence, because a client that
/// reconnects sends it along with its original URL.
pub(super) async fn of_instance(call: Call) -> Result<Response, Refusal> {
    let place = stream::place(&call.app)?;
    let instance = call.instance()?;
    let resumed = call.header("last-event-id").map(str::trim).filter(|id| !id.is_empty());
    let from: HistoryPosition = match resumed.or_else(|| call.query.get("from")) {
        Some(text) => text
            .parse()
            .map_err(|error: InvalidHistoryPosition| Problem::invalid(error.to_string()))?,
        None => 0.into(),
    };
    let status = instance.status().await?;
    let mut events = instance.follow_history(from);
    let mut first = None;
    if resumed.is_some() && status.runtime_status.is_finished() {
        first = events.try_next().await?;
        if first.is_none() {
            // An `EventSource` connects again after the end, and stops when it gets this.
            return Ok(json::empty(StatusCode::NO_CONTENT));
        }
    }
    Ok(stream::answer(&call.app, place, OfInstance { events, first, has_ended: false }))
}

impl Source for OfInstance {
    async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        let event = match self.first.take() {
            Some(event) => Ok(Some(event)),
            None => self.events.try_next().await,
        };
        let end = match event {
            Ok(Some(followed)) => {
                let id = followed.position().to_string();
                return Some(stream::event("history", Some(&id), &history::followed(&followed)));
            }
            Ok(None) => self.events.last_status().map(show::camel),
            // It was purged.
            Err(HubError::NoSuchInstance(_)) => None,
            // The hub stops. The client connects again.
            Err(_) => return None,
        };
        self.has_ended = true;
        Some(match end {
            Some(status) => stream::event("end", None, &status),
            None => stream::event("end", None, &Json::null()),
        })
    }
}

/// The lifecycle events from now on that match all conditions.
struct OfHub {
    events: LifecycleEvents,
    kinds: Vec<LifecycleKind>,
    name: Option<String>,
    prefix: Option<String>,
}

/// Events with `kinds`, `name` and `prefix`.
pub(super) async fn of_hub(call: Call) -> Result<Response, Refusal> {
    let place = stream::place(&call.app)?;
    let kinds = call.query.list("kinds").map(kind).collect::<Result<_, _>>()?;
    let text = |name| call.query.get(name).map(str::to_owned);
    let (name, prefix) = (text("name"), text("prefix"));
    let source = OfHub { events: call.hub().lifecycle(), kinds, name, prefix };
    Ok(stream::answer(&call.app, place, source))
}

fn kind(text: &str) -> Result<LifecycleKind, Problem> {
    let found = KINDS.into_iter().find(|kind| format!("{kind:?}") == text);
    found.ok_or_else(|| {
        let kinds: Vec<_> = KINDS.iter().map(|kind| format!("{kind:?}")).collect();
        Problem::invalid(format!(
            "`kinds` is `{}`; give any of {}",
            text.escape_debug(),
            kinds.join(", ")
        ))
    })
}

impl OfHub {
    fn is_wanted(&self, event: &LifecycleEvent) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.name.as_ref().is_none_or(|name| *name == event.name)
            && self.prefix.as_ref().is_none_or(|it| event.instance_id.as_str().starts_with(&**it))
    }
}

impl Source for OfHub {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.events.recv().await {
                Ok(event) if self.is_wanted(&event) => {
                    return Some(stream::event("lifecycle", None, &show::camel(&event)));
                }
                Ok(_) => {}
                Err(LifecycleError::Missed(count)) => {
                    return Some(stream::event(
                        "missed",
                        None,
                        &Object::new().with("count", &count),
                    ));
                }
                Err(_) => return None,
            }
        }
    }
}
