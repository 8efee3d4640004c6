//! Statuses: glyph, word and colour.

use durable::RuntimeStatus;
use maud::{Markup, html};

use super::icon;

/// The word of a status, in lower case, for classes, icons and queries.
pub(crate) fn word(status: RuntimeStatus) -> &'static str {
    match status {
        RuntimeStatus::Pending => "pending",
        RuntimeStatus::Running => "running",
        RuntimeStatus::Suspended => "suspended",
        RuntimeStatus::Completed => "completed",
        RuntimeStatus::Failed => "failed",
        RuntimeStatus::Terminated => "terminated",
        _ => "other",
    }
}

pub(crate) fn status(status: RuntimeStatus) -> Markup {
    let word = word(status);
    html! {
        span class=(format_args!("st st-{word}")) { (icon(word)) (status.to_string()) }
    }
}

/// A status with a count, as a link.
pub(crate) fn status_link(of: RuntimeStatus, count: &str, note: &str, link: &str) -> Markup {
    html! { a.stat href=(link) { (status(of)) b { (count) } span.q { (note) } } }
}
