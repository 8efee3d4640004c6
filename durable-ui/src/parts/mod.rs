//! The components that screens are made of.
//!
//! Text of users is never markup: `maud` escapes it, and [`text`] isolates its writing direction, so
//! that right-to-left characters do not reorder what stands beside it.

mod chart;
mod confirm;
mod entity;
mod json;
mod list;
mod markdown;
mod status;

use chrono::{DateTime, Utc};
use durable_http::client::CommitLatency;
use maud::{Markup, html};

use crate::call::View;
use crate::format;

pub(crate) use chart::{Bar, Chart, Series, ticks};
pub(crate) use confirm::{Action, Field, Input, confirm, open};
pub(crate) use entity::{entity, entity_name};
pub(crate) use json::{Json, json, preview};
pub(crate) use list::{Tab, empty, find, next_page, none_so_far, section, table, tabs};
use markdown::markdown;
pub(crate) use status::{custom_status, full_custom_status, status, status_link, word};

/// A symbol of `assets/sprite.svg`.
pub(crate) fn icon(name: &str) -> Markup {
    html! { svg.i aria-hidden="true" { use href=(format_args!("#i-{name}")) {} } }
}

/// Text of a user, isolated from its surroundings.
pub(crate) fn text(text: &str) -> Markup {
    html! { bdi { (text) } }
}

/// The number of characters at the end of an id that always stay visible.
const TAIL: usize = 8;

/// An id. If there is too little room, its beginning is shortened and its end stays.
pub(crate) fn id(id: &str) -> Markup {
    let characters = id.chars().count();
    let tail = characters.saturating_sub(TAIL.min(characters / 2));
    let middle = id.char_indices().nth(tail).map_or(id.len(), |(at, _)| at);
    let (head, tail) = id.split_at(middle);
    html! { bdi.id title=(id) { span { (head) } span { (tail) } } }
}

/// The id of an instance, as a link to its page.
pub(crate) fn instance(view: &View, instance: &str) -> Markup {
    html! { a href=(view.links.instance(instance)) { (id(instance)) } }
}

/// A button that copies a text.
pub(crate) fn copy(what: &str, text: &str) -> Markup {
    let label = format!("Copy {what} {}", format::cut(text, 60));
    html! {
        button.b.s.g.ico type="button" data-copy=(text) aria-label=(label) { (icon("copy")) }
    }
}

/// A time of day, or a day. The script shows it in the time zone of the reader.
pub(crate) fn time(view: &View, time: DateTime<Utc>) -> Markup {
    html! {
        time datetime=(format::rfc3339(time)) title=(format::exact(time)) {
            (format::time(time, view.now))
        }
    }
}

/// A time, and how long ago it is.
pub(crate) fn time_and_ago(view: &View, at: DateTime<Utc>) -> Markup {
    html! { (time(view, at)) " " span.q { (ago(view, at)) } }
}

/// How long ago a time is, which the script keeps up to date.
pub(crate) fn ago(view: &View, at: DateTime<Utc>) -> Markup {
    html! { span data-ago=(at.timestamp_millis()) { (format::ago(at, view.now)) } }
}

/// The time since, which the script keeps up to date.
pub(crate) fn since(view: &View, at: DateTime<Utc>) -> Markup {
    html! { span data-since=(at.timestamp_millis()) { (format::duration(view.now - at)) } }
}

/// A bar that shows progress, and words beside it.
pub(crate) fn progress(value: f64, max: f64, words: &str) -> Markup {
    html! {
        progress value=(value) max=(max) aria-label=(words) {} " "
        span.q2 { (text(words)) }
    }
}

/// Facts as name and value.
pub(crate) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! { dl.kv { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } } }
}

/// How long the last commits took.
pub(crate) fn commit_latency(latency: &CommitLatency) -> Markup {
    let (p50, p99) = (format::micros(latency.p50_micros), format::micros(latency.p99_micros));
    let title = format!("Of the last {}", format::counted(latency.count, "commit"));
    html! { span title=(title) { "p50 " (p50) ", p99 " (p99) } }
}

/// A tag of an instance, as a link to the instances that have it.
pub(crate) fn tag(view: &View, key: &str, value: &str) -> Markup {
    let link = view.links.instances("tag", &format!("{key}:{value}"));
    html! { a.tag href=(link) { bdi { (key) "=" (format::cut(value, 40)) } } }
}

/// A notice with a colored edge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Note {
    /// What is waited for.
    Wait,
    Warning,
    Bad,
}

pub(crate) fn note(kind: Note, content: &Markup) -> Markup {
    match kind {
        Note::Wait => html! { div.note.wait { (content) } },
        Note::Warning => html! { div.note.warn { (content) } },
        Note::Bad => html! { div.note.bad { (content) } },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_split_between_characters_and_none_is_lost() {
        for given in ["", "a", "order-2026-11-28-004217", "\u{1f600}\u{1f600}\u{1f600}"] {
            let markup = id(given).into_string();
            let shown: String = markup.split(['<', '>']).skip(2).step_by(2).collect();
            assert_eq!(shown, given);
        }
    }
}
