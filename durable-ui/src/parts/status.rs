//! Statuses: glyph, word and color.

use durable::RuntimeStatus;
use durable::protocol::Json;
use maud::{Markup, html};
use serde::Deserialize;

use super::{icon, markdown, preview, progress, text};
use crate::format;

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
pub(crate) fn status_link(of: RuntimeStatus, count: &str, link: &str) -> Markup {
    html! { a.stat href=(link) { (status(of)) b { (count) } } }
}

/// A custom status on the page of its instance: text is Markdown.
pub(crate) fn full_custom_status(json: &Json) -> Markup {
    match json.read::<String>() {
        Ok(text) => markdown(&text),
        Err(_) => html! { span.row { (custom_status(json)) } },
    }
}

/// A custom status on one line. An object with `done` and `of` (or `total`) is shown as progress.
pub(crate) fn custom_status(json: &Json) -> Markup {
    #[derive(Deserialize)]
    struct Steps {
        done: f64,
        #[serde(alias = "total")]
        of: f64,
        #[serde(default, alias = "step", alias = "text")]
        message: Option<String>,
    }

    if let Ok(string) = json.read::<String>() {
        return html! { span.q2 { (text(&format::cut(&string, 160))) } };
    }
    match json.read::<Steps>() {
        Ok(Steps { done, of, message }) if of > 0.0 && done >= 0.0 => {
            let message = message.map(|it| format!(", {}", format::cut(&it, 120)));
            progress(done, of, &format!("{done} of {of}{}", message.unwrap_or_default()))
        }
        _ if json.as_str() == "null" => html! {},
        _ => preview(json.as_str()),
    }
}
