//! What an instance waits for, in a sentence, and the chain of instances that it waits for in turn.
//! The cause is at the end of that chain.

use durable::EntityId;
use durable::RuntimeStatus;
use durable_http::client::{AwaitedEntity, PendingCause, PendingKind, PendingTask, PendingWork};
use maud::{Markup, html};

use crate::call::{Call, View};
use crate::format;
use crate::parts::{entity, icon, instance, since, text, time};
use crate::query::{Query, encode};

/// The maximum length of a chain. Longer ones are rare, and each instance costs a request or two.
const LINKS_MAX: usize = 5;

/// An instance that another one waits for.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) instance_id: String,
    /// The entity that it has locked; `None` for a child.
    pub(crate) holds: Option<EntityId>,
    /// What it waits for in turn; `None` if it has not begun, or was purged.
    pub(crate) pending: Option<PendingWork>,
}

/// What an instance waits for; `None` if it has been purged in the meantime.
pub(crate) async fn pending(call: &Call, id: &str) -> Option<PendingWork> {
    let path = format!("instances/{}/pending", encode(id));
    call.api.get(&path, &Query::default()).await.ok()
}

/// The chain of instances, from the one that waits to the one that is the cause.
pub(crate) async fn chain(call: &Call, pending: &PendingWork) -> Vec<Link> {
    let mut seen = vec![pending.status.instance_id.clone()];
    let mut links: Vec<Link> = Vec::new();
    while links.len() < LINKS_MAX {
        let current = match links.last() {
            Some(link) => link.pending.as_ref(),
            None => Some(pending),
        };
        let Some((id, holds)) = current.and_then(awaited) else { break };
        if seen.contains(&id) {
            break;
        }
        seen.push(id.clone());
        let pending = self::pending(call, &id).await;
        links.push(Link { instance_id: id, holds, pending });
    }
    links
}

/// The instance that another one waits for: a child, or the holder of a lock.
fn awaited(pending: &PendingWork) -> Option<(String, Option<EntityId>)> {
    let Some(PendingCause::Task(task)) = pending.cause() else { return None };
    match task.kind {
        PendingKind::SubOrchestration => Some((task.instance_id.clone()?, None)),
        PendingKind::Lock | PendingKind::EntityCall => {
            let (entity, holder) = pending.lock_holders().into_iter().next()?;
            Some((holder.to_owned(), Some(EntityId::try_from(entity.entity_id.clone()).ok()?)))
        }
        _ => None,
    }
}

/// The word and the name of what a task waits for, such as `activity` and `charge_card`.
pub(crate) fn what(task: &PendingTask) -> (&'static str, String) {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    match task.kind {
        PendingKind::Activity => ("activity", name(&task.name)),
        PendingKind::SubOrchestration => ("child", name(&task.instance_id)),
        PendingKind::Timer => ("timer", String::new()),
        PendingKind::EntityCall => {
            let entity = task.entity_id.as_deref().map(entity_text).unwrap_or_default();
            ("entity", format!("{entity} {}", name(&task.operation)))
        }
        PendingKind::Lock => {
            let entities: Vec<_> = task.entities.iter().map(|it| entity_text(it)).collect();
            ("lock", entities.join(", "))
        }
        _ => ("task", name(&task.name)),
    }
}

/// The id `@stock@mug` as `stock/mug`.
pub(crate) fn entity_text(id: &str) -> String {
    match EntityId::try_from(id.to_owned()) {
        Ok(id) => crate::parts::entity_name(&id),
        Err(_) => id.to_owned(),
    }
}

/// What is waited for, which attempt, and when. `None` if the runtime knows of nothing.
pub(crate) fn sentence(view: &View, pending: &PendingWork) -> Option<Markup> {
    Some(match pending.cause()? {
        PendingCause::Event(name) => html! {
            "It waits for event " b { (text(name)) } ", which has not arrived."
        },
        PendingCause::Task(task) => of_task(view, pending, task),
        _ => return None,
    })
}

/// Which instance has locked an awaited entity, for how long, and the place in the queue.
fn queued(view: &View, locked: &str, awaited: &AwaitedEntity<'_>) -> Markup {
    html! {
        @if let Some(holder) = awaited.locked_by {
            ", " (locked) " by " (instance(view, holder))
            @if let Some(from) = awaited.locked_since { " for " (since(view, from)) }
        }
        @if let Some(line) = awaited.in_line() { ", " b { (line) } }
    }
}

fn of_task(view: &View, pending: &PendingWork, task: &PendingTask) -> Markup {
    let (word, name) = what(task);
    let attempt = task.attempt.filter(|attempt| *attempt > 1 || task.retry_at.is_some());
    html! {
        @match task.kind {
            PendingKind::Activity => {
                "It waits for activity " b { (text(&name)) } ". "
                @match (attempt, task.retry_at) {
                    (Some(attempt), Some(at)) => {
                        "Attempt " (attempt) " begins " b { (format::ago(at, view.now)) } ", at " (time(view, at)) "."
                    }
                    (Some(attempt), None) => { "Attempt " (attempt) " runs, or waits for a free worker." }
                    (None, _) => { "It runs, or waits for a free worker, since " (time(view, task.since)) "." }
                }
            }
            PendingKind::Timer => {
                "It waits for a timer"
                @if let Some(due) = task.due_at {
                    ", which fires " b { (format::ago(due, view.now)) } ", at " (time(view, due))
                } "."
            }
            PendingKind::SubOrchestration => {
                "It waits for child " (instance(view, &name)) " " (orchestration(task)) "."
            }
            PendingKind::Lock => {
                "It waits for the lock of "
                @match pending.awaited_entity(task) {
                    Some(awaited) => {
                        b { (text(&entity_text(awaited.entity_id))) } (queued(view, "held", &awaited)) "."
                        @if task.entities.len() > 1 {
                            " It locks " (format::counted(task.entities.len() as u64, "entity")) " one after another."
                        }
                    }
                    None => { b { (text(&name)) } "." }
                }
            }
            PendingKind::EntityCall => {
                "It waits for entity call " b { (text(&name)) }
                @if let Some(awaited) = pending.awaited_entity(task) {
                    (queued(view, "locked", &awaited))
                } "."
            }
            _ => { "It waits for " (word) " " b { (text(&name)) } "." }
        }
    }
}

/// What is waited for in a few words, for a row of a list.
pub(crate) fn brief(view: &View, pending: &PendingWork) -> Markup {
    html! {
        @match pending.cause() {
            Some(PendingCause::Event(name)) => { "event " b { (text(name)) } }
            Some(PendingCause::Task(task)) => { (brief_task(view, pending, task)) }
            _ => {}
        }
        @for (received, _) in pending.misspelt_events() {
            " " span.wrn { (text(received)) " has arrived: misspelt?" }
        }
        @if !pending.locked_entities.is_empty() {
            @let held: Vec<_> = pending.locked_entities.iter().map(|it| entity_text(it)).collect();
            span.q2 { ", it has locked " (text(&format::cut(&held.join(", "), 80))) }
        }
    }
}

fn brief_task(view: &View, pending: &PendingWork, task: &PendingTask) -> Markup {
    let (word, name) = what(task);
    html! {
        (word) " "
        @if task.kind == PendingKind::SubOrchestration {
            (instance(view, &name)) " " (orchestration(task))
        }
        @else { b { (text(&name)) } }
        @match (task.attempt, task.retry_at, task.due_at) {
            (Some(attempt), Some(at), _) => { ", attempt " (attempt) " " (format::ago(at, view.now)) }
            (Some(attempt), None, _) if attempt > 1 => { ", attempt " (attempt) }
            (None, None, Some(due)) if word == "timer" => { (format::ago(due, view.now)) }
            _ => {}
        }
        @if let Some(awaited) = pending.awaited_entity(task) {
            (queued(view, if word == "lock" { "held" } else { "locked" }, &awaited))
        }
        @if let Some(failure) = &task.last_failure {
            " " span.err { (text(&format::cut(&failure.message, 80))) }
        }
    }
}

/// The orchestration of a child, whose id is often generated.
fn orchestration(task: &PendingTask) -> Markup {
    html! { "(" b { (text(task.name.as_deref().unwrap_or_default())) } ")" }
}

/// The chain, a line for each instance.
pub(crate) fn chained(view: &View, links: &[Link]) -> Markup {
    html! {
        @if !links.is_empty() {
            ol.chain { @for link in links { li { (icon("child")) " " (linked(view, link)) } } }
        }
    }
}

fn linked(view: &View, link: &Link) -> Markup {
    let id = instance(view, &link.instance_id);
    html! {
        @match &link.holds {
            Some(of) => { (id) " holds the lock of " (entity(view, of)) ". " }
            None => { "Child " (id) ". " }
        }
        @match &link.pending {
            None => "It has not begun.",
            Some(pending) => {
                @match (pending.status.runtime_status, sentence(view, pending)) {
                    (RuntimeStatus::Suspended, _) => {
                        b { "It is suspended" }
                        @if let Some(suspension) = &pending.status.suspension {
                            @if let Some(code) = &suspension.code { ", by the runtime: " (code) }
                        } "."
                    }
                    (_, Some(sentence)) => (sentence),
                    (RuntimeStatus::Running, None) => "It works.",
                    (status, None) => { "It is " (status.to_string().to_lowercase()) "." }
                }
                (failure(pending))
                (misspelt(pending))
            }
        }
    }
}

/// Why the last attempt failed.
pub(crate) fn failure(pending: &PendingWork) -> Markup {
    html! {
        @if let Some(failure) = pending.tasks.iter().find_map(|task| task.last_failure.as_ref()) {
            p.msg.err { (text(&causes(failure))) }
        }
    }
}

/// The messages of a failure and of its causes.
pub(crate) fn causes(failure: &durable_http::client::Failure) -> String {
    let mut message = failure.message.clone();
    let mut cause = failure.inner.as_deref();
    while let Some(failure) = cause {
        message.push_str(": ");
        message.push_str(&failure.message);
        cause = failure.inner.as_deref();
    }
    message
}

/// Events that arrived under names that the instance does not wait for; usually the name is
/// misspelled.
pub(crate) fn misspelt(pending: &PendingWork) -> Markup {
    let pairs = pending.misspelt_events();
    let mut others: Vec<_> = pending.unread_events.iter().map(String::as_str).collect();
    others.retain(|name| pairs.iter().all(|(received, _)| received != name));
    others.sort_unstable();
    others.dedup();
    html! {
        @for (received, awaited) in &pairs {
            p.wrn {
                "Event " b { (text(received)) } " has arrived and is not read. It waits for "
                b { (text(awaited)) } ": one of the two names is probably misspelt. If it is that of the \
                event, raise it again as " b { (text(awaited)) } "."
            }
        }
        @if !others.is_empty() {
            p.wrn {
                "Events have arrived that it does not read: " b { (text(&others.join(", "))) } "."
            }
        }
    }
}
