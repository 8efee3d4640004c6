//! The drawer: the command line and the API call for what is on screen.

use maud::{Markup, html};

use crate::call::View;
use crate::parts::{copy, icon};

/// A line of the drawer.
#[expect(clippy::struct_field_names, reason = "it is the command of a line")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// What it shows or does, such as `Counts`.
    pub(crate) task: String,
    /// Such as `durable count --by status`.
    pub(crate) command: String,
    /// Such as `GET /api/v1/instances:count?groupBy=status`.
    pub(crate) request: String,
}

impl Command {
    /// A command with the request that reads the same data; `path` is below `/api/v1/`.
    pub(crate) fn get(
        task: impl Into<String>,
        command: impl Into<String>,
        path: impl std::fmt::Display,
    ) -> Self {
        let request = format!("GET /api/v1/{path}");
        Self { task: task.into(), command: command.into(), request }
    }

    /// A command with the request that has the same effect.
    pub(crate) fn post(
        task: impl Into<String>,
        command: impl Into<String>,
        path: impl std::fmt::Display,
    ) -> Self {
        let request = format!("POST /api/v1/{path}");
        Self { task: task.into(), command: command.into(), request }
    }
}

/// A text as one word of a shell command.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./:@=,+%".contains(it);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

pub(super) fn drawer(view: &View, commands: &[Command]) -> Markup {
    if commands.is_empty() {
        return html! {};
    }
    html! {
        details.drawer {
            summary {
                (icon("term")) span { "CLI and API for this page" }
                span.sp {} kbd.deskonly { "c" }
            }
            div.cmd {
                @for Command { task, command, request } in commands {
                    @let request = below(view, request);
                    div.q2 { (task) }
                    div { code tabindex="0" { (command) } (copy("command", command)) }
                    div { code tabindex="0" { (request) } (copy("request", &request)) }
                }
            }
        }
    }
}

/// The request with the prefix at which the dashboard serves the API.
fn below(view: &View, request: &str) -> String {
    request.replacen(" /api/", &format!(" {}/api/", view.links.base()), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_command_is_quoted_if_a_shell_would_read_it_otherwise() {
        let words = ["order-17", "", "a b", "it's", "$(rm)"].map(quoted);
        assert_eq!(words, ["order-17", "''", "'a b'", r"'it'\''s'", "'$(rm)'"]);
    }
}
