//! Events as they happen: the lifecycle events of the hub.

use axum::response::Response;
use bytes::Bytes;
use durable::client::{LifecycleError, LifecycleEvent, LifecycleEvents, LifecycleKind};

use super::{Refusal, show};
use crate::call::Call;
use crate::json::Object;
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
