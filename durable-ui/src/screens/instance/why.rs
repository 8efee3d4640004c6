//! Why the instance does not move: one sentence, the error, and what it waits for.

use durable::RuntimeStatus;
use maud::{Markup, html};

use super::model::{Details, Pending, Task};
use crate::call::View;
use crate::format;
use crate::parts::{Note, icon, instance, note, since, table, text, time};

/// The most rows of what it waits for.
const ROWS_MAX: usize = 8;

pub(super) fn why(view: &View, details: &Details, pending: &Pending) -> Markup {
    let content = match details.runtime_status {
        RuntimeStatus::Running => running(view, details, pending),
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
            p.q2 { "It continues by itself when the program runs with code that fits its history." }
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
            p.msg.err { (text(&failure.text())) }
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

fn running(view: &View, details: &Details, pending: &Pending) -> Markup {
    let Some(lead) = lead(view, pending) else {
        let unread = unread(pending);
        return html! { @if let Some(unread) = unread { (note(Note::Wait, &unread)) } };
    };
    let failure = pending.tasks.iter().find_map(|task| task.last_failure.as_ref());
    note(
        Note::Wait,
        &html! {
            h2.q2 { "Why it is not moving" }
            p.lead { (lead) }
            @if let Some(failure) = failure { p.msg.err { (text(&failure.text())) } }
            @if let Some(unread) = unread(pending) { (unread) }
            (waits(view, pending, ROWS_MAX))
            @let all = pending.tasks.len() + pending.awaited_events.len();
            @if all > ROWS_MAX {
                p { a href=(view.links.instance_tab(&details.instance_id, "pending")) {
                    "All " (format::count(all as u64))
                } }
            }
            @if !pending.locked_entities.is_empty() {
                p.q2 {
                    "Meanwhile it holds " (format::counted(pending.locked_entities.len() as u64, "lock")) ": "
                    span.m { (text(&pending.locked_entities.join(", "))) } ". "
                    a href=(view.links.to("locks")) { "See the locks" }
                }
            }
        },
    )
}

/// Events that arrived under names that it does not wait for: most often misspelt.
fn unread(pending: &Pending) -> Option<Markup> {
    let mut names = pending.unread_events.clone();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then(|| {
        html! {
            p.wrn {
                "Events have arrived that it does not read: " b { (text(&names.join(", "))) } "."
                @if !pending.awaited_events.is_empty() { " Is a name misspelt?" }
            }
        }
    })
}

/// The sentence: what is waited for, which attempt, and when. A timer beside other tasks is most
/// often their time limit.
fn lead(view: &View, pending: &Pending) -> Option<Markup> {
    let task = pending.tasks.iter().filter(|task| task.kind != "Timer").min_by_key(|it| it.since);
    if let Some(task) = task {
        return Some(sentence(view, task));
    }
    if let Some(event) = pending.awaited_events.first() {
        return Some(html! { "Waits for event " b { (text(event)) } ", which has not arrived." });
    }
    let timer = pending.tasks.iter().min_by_key(|it| it.due_at)?;
    let due = timer.due_at?;
    Some(html! {
        "Waits for a timer, which fires " b { (format::ago(due, view.now)) } ", at " (time(view, due)) "."
    })
}

fn sentence(view: &View, task: &Task) -> Markup {
    let (word, name) = task.what();
    let attempt = task.attempt.filter(|attempt| *attempt > 1 || task.retry_at.is_some());
    html! {
        "Waits for " (word) " " b { (text(&name)) } ". "
        @match (attempt, task.retry_at) {
            (Some(attempt), Some(at)) => {
                "Attempt " (attempt) " begins " b { (format::ago(at, view.now)) } ", at " (time(view, at)) "."
            }
            (Some(attempt), None) => { "Attempt " (attempt) " runs, or waits for a free worker." }
            (None, _) if word == "activity" => { "It runs, or waits for a free worker, since " (time(view, task.since)) "." }
            (None, _) if word == "lock" => { "Another instance holds it. " a href=(view.links.to("locks")) { "Who holds it" } }
            (None, _) if word == "child" => { "Look at " (instance(view, &name)) " for its reason." }
            _ => {}
        }
    }
}

/// A table of what it waits for.
pub(super) fn waits(view: &View, pending: &Pending, max: usize) -> Markup {
    let head = html! { th { "Waits for" } th { "Kind" } th { "Since" } th.n { "For" } th { "Next" } th { "Source" } };
    let events = max.saturating_sub(pending.tasks.len());
    let rows = html! {
        @for task in pending.tasks.iter().take(max) { (row(view, task)) }
        @for name in pending.awaited_events.iter().take(events) {
            tr {
                td.a { b { (text(name)) } }
                td.h { (icon("event")) " Event" }
                td.h {} td.n.z {} td.x { "when it arrives" } td {}
            }
        }
    };
    table("stack", "What it waits for", &head, &rows)
}

fn row(view: &View, task: &Task) -> Markup {
    let (word, name) = task.what();
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
            }
            td { span.m { (text(&task.source)) } }
        }
    }
}
