//! Why the instance is stuck: one sentence, the error, and what it waits for.

use durable::RuntimeStatus;
use durable_http::client::{AwaitedEntity, PendingKind, PendingTask, PendingWork};
use maud::{Markup, html};

use super::model::Details;
use crate::call::View;
use crate::format;
use crate::parts::{Note, icon, instance, note, since, table, text, time};
use crate::screens::waits::{
    Link, causes, chained, entity_text, failure, misspelt, sentence, what,
};

/// The maximum number of rows about what the instance waits for.
const ROWS_MAX: usize = 8;

/// What a running instance waits for.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// `None` if the instance is not running.
    pub(super) pending: Option<PendingWork>,
    /// The instances that it waits for in turn.
    pub(super) chain: Vec<Link>,
}

impl Waits {
    /// The number of its tasks and of the events that it waits for.
    pub(super) fn count(&self) -> usize {
        self.pending.as_ref().map_or(0, |it| it.tasks.len() + it.awaited_events.len())
    }

    /// The names of the events that it waits for.
    pub(super) fn awaited_events(&self) -> &[String] {
        self.pending.as_ref().map_or(&[], |pending| &pending.awaited_events)
    }
}

pub(super) fn why(view: &View, details: &Details, waits: &Waits) -> Markup {
    let content = match details.runtime_status {
        RuntimeStatus::Running => running(view, details, waits),
        RuntimeStatus::Suspended => suspended(details),
        RuntimeStatus::Failed => failed(details),
        RuntimeStatus::Terminated => terminated(details),
        RuntimeStatus::Pending => note(
            Note::Wait,
            &html! {
                p.lead { "Has been accepted and has not begun." }
            },
        ),
        _ => html! {},
    };
    html! { section #why data-part aria-label="Why it is where it is" { (content) } }
}

fn suspended(details: &Details) -> Markup {
    let Some(suspension) = &details.suspension else { return html! {} };
    let content = match &suspension.code {
        Some(code) => html! {
            h2.q2 { "Why it is not moving" }
            p.lead { "Suspended by the runtime: " b { (code) } "." }
            pre.msg { (text(&suspension.reason)) }
            @match &**code {
                "DURABLE0101" => p.q2 {
                    "It continues by itself when the program runs with code that fits its history, such as the old \
                     code, or both ways with " code { "if ctx.patched(..)" } "."
                }
                // The report says what to do.
                "DURABLE0105" | "DURABLE0106" => {}
                _ => p.q2 { "It continues by itself when the program runs with code that fits its history." }
            }
        },
        None => html! {
            h2.q2 { "Why it is not moving" }
            p.lead { "A client suspended it. It takes no step until it is resumed." }
            @if !suspension.reason.is_empty() { p.msg { (text(&suspension.reason)) } }
        },
    };
    note(Note::Warning, &content)
}

fn failed(details: &Details) -> Markup {
    let Some(failure) = &details.failure else { return html! {} };
    note(
        Note::Bad,
        &html! {
            h2.q2 { "Why it failed" }
            p.msg.err { (text(&causes(failure))) }
            @if !failure.error_type.is_empty() { p.q2.m { (text(&failure.error_type)) } }
        },
    )
}

fn terminated(details: &Details) -> Markup {
    let reason = details.termination_reason.as_deref().filter(|reason| !reason.is_empty());
    note(
        Note::Warning,
        &html! {
            p.lead { "It was terminated." }
            @if let Some(reason) = reason { p.msg { (text(reason)) } }
        },
    )
}

fn running(view: &View, details: &Details, waits: &Waits) -> Markup {
    let Some(pending) = &waits.pending else { return html! {} };
    let misspelt = misspelt(pending);
    let Some(lead) = sentence(view, pending) else {
        return html! { @if !misspelt.0.is_empty() { (note(Note::Wait, &misspelt)) } };
    };
    note(
        Note::Wait,
        &html! {
            h2.q2 { "Why it is not moving" }
            p.lead { (lead) }
            (failure(pending))
            (misspelt)
            (chained(view, &waits.chain))
            (table_of(view, pending, ROWS_MAX))
            @let all = pending.tasks.len() + pending.awaited_events.len();
            @if all > ROWS_MAX {
                p { a href=(view.links.instance_tab(&details.instance_id, "pending")) {
                    "All " (format::count(all as u64))
                } }
            }
            @if !pending.locked_entities.is_empty() {
                @let names: Vec<_> = pending.locked_entities.iter().map(|it| entity_text(it)).collect();
                p.q2 {
                    "Meanwhile it holds " (format::counted(names.len() as u64, "lock")) ": "
                    span.m { (text(&names.join(", "))) } ". "
                    a href=(view.links.to("locks")) { "See the locks" }
                }
            }
        },
    )
}

/// A table of what it waits for; timers are last, because most are time limits.
pub(super) fn table_of(view: &View, pending: &PendingWork, max: usize) -> Markup {
    let head = html! { th { "Waits for" } th { "Kind" } th { "Since" } th.n { "For" } th { "Next" } th { "Source" } };
    let is_timer = |task: &&PendingTask| task.kind == PendingKind::Timer;
    let (timers, tasks): (Vec<_>, Vec<_>) = pending.tasks.iter().partition(is_timer);
    let events = max.saturating_sub(tasks.len());
    let rest = events.saturating_sub(pending.awaited_events.len());
    let rows = html! {
        @for task in tasks.into_iter().take(max) { (row(view, pending, task)) }
        @for (index, name) in pending.awaited_events.iter().enumerate().take(events) {
            @let wait = pending.event_waits.get(index);
            tr {
                td.a { b { (text(name)) } }
                td.h { (icon("event")) " event" }
                td.h { @if let Some(wait) = wait { (time(view, wait.since)) } }
                td.n.z { @if let Some(wait) = wait { (since(view, wait.since)) } }
                td.x { "when it arrives" }
                td { @if let Some(wait) = wait { span.m { (text(&wait.source)) } } }
            }
        }
        @for task in timers.into_iter().take(rest) { (row(view, pending, task)) }
    };
    table("stack", "What it waits for", &head, &rows)
}

/// The place in the queue of an entity, and which instance has locked it, since when.
fn place(view: &View, awaited: &AwaitedEntity<'_>) -> Markup {
    html! {
        @if let Some(line) = awaited.in_line() { (line) }
        @if let Some(holder) = awaited.locked_by {
            @if awaited.position.is_some() { ", " }
            (text(&entity_text(awaited.entity_id))) " is locked by " (instance(view, holder))
            @if let Some(from) = awaited.locked_since { " since " (time(view, from)) }
        }
    }
}

fn row(view: &View, pending: &PendingWork, task: &PendingTask) -> Markup {
    let (word, name) = what(task);
    html! {
        tr {
            td.a {
                @if word == "child" { (instance(view, &name)) }
                @else { b { (text(if name.is_empty() { word } else { &name })) } }
            }
            td.h { (icon(word)) " " (word) }
            td.h { (time(view, task.since)) }
            td.n.z { (since(view, task.since)) }
            td.x {
                @match (task.retry_at, task.due_at, task.attempt) {
                    (Some(at), _, Some(attempt)) => { "attempt " (attempt) " at " (time(view, at)) }
                    (_, Some(due), _) if word == "timer" => { "fires at " (time(view, due)) }
                    (_, Some(due), _) => { "gives up at " (time(view, due)) }
                    (_, _, Some(attempt)) if attempt > 1 => { "attempt " (attempt) }
                    _ => {}
                }
                @if let Some(awaited) = pending.awaited_entity(task) { (place(view, &awaited)) }
            }
            td { span.m { (text(&task.source)) } }
        }
    }
}
