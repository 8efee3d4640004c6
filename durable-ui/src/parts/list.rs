//! Sections, tables, tabs and what stands in their place if they are empty.

use maud::{Markup, html};

/// A section with a heading on a line. `id` is the id of the heading; the section can be replaced
/// alone under `{id}-s`.
pub(crate) fn section(id: &str, heading: &str, beside: &Markup, content: &Markup) -> Markup {
    html! {
        section.sec #(format_args!("{id}-s")) aria-labelledby=(id) data-part {
            div.sh { h2 #(id) { (heading) } (beside) }
            (content)
        }
    }
}

/// A table that scrolls sideways alone. `head` and `rows` are the cells and rows.
pub(crate) fn table(class: &str, label: &str, head: &Markup, rows: &Markup) -> Markup {
    html! {
        div.sc tabindex="0" role="region" aria-label=(label) {
            table class=(format_args!("t {class}")) data-rows[class.contains("rows")] {
                thead { tr { (head) } }
                tbody { (rows) }
            }
        }
    }
}

/// What an empty list says: what is not there, why, and one way on.
pub(crate) fn empty(heading: &str, why: &str, way_on: &Markup) -> Markup {
    html! { div.empty { p.eh { (heading) } p { (why) } (way_on) } }
}

/// A tab: a link.
#[derive(Debug)]
pub(crate) struct Tab {
    pub(crate) label: String,
    pub(crate) count: Option<String>,
    pub(crate) link: String,
    pub(crate) is_current: bool,
}

pub(crate) fn tabs(label: &str, tabs: &[Tab], more: &Markup) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            @for tab in tabs {
                a href=(tab.link) aria-current=[tab.is_current.then_some("page")] {
                    (tab.label)
                    @if let Some(count) = &tab.count { " " span.q { (count) } }
                }
            }
            (more)
        }
    }
}
