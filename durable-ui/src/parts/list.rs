//! Sections, tables and tabs, and the texts that replace empty ones.

use maud::{Markup, html};

use super::icon;
use crate::call::View;
use crate::query::Query;

/// A section with a heading on a line. `id` is the id of the heading; that of the section, which
/// can be replaced by itself, is `{id}-s`.
pub(crate) fn section(id: &str, heading: &str, beside: &Markup, content: &Markup) -> Markup {
    html! {
        section.sec #(format_args!("{id}-s")) aria-labelledby=(id) data-part {
            div.sh { h2 #(id) { (heading) } (beside) }
            (content)
        }
    }
}

/// A table that scrolls sideways by itself. `head` and `rows` are the cells and rows.
pub(crate) fn table(class: &str, label: &str, head: &Markup, rows: &Markup) -> Markup {
    html! {
        div.sc tabindex="0" role="group" aria-label=(label) {
            table class=(format_args!("t {class}")) data-rows[class.contains("rows")] {
                thead { tr { (head) } }
                tbody { (rows) }
            }
        }
    }
}

/// The text of an empty list: what is missing, why, and what to do next.
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

/// The link to the next page of a list, if there is one. `query` is that of the page.
pub(crate) fn next_page(view: &View, path: &str, query: &Query, next: Option<&str>) -> Markup {
    html! {
        @if let Some(next) = next {
            a.b.s rel="next" href=(view.links.page(path, &query.with("after", next))) { "Next" }
        }
    }
}

/// The text that replaces an empty page that is not the last one.
pub(crate) fn none_so_far(view: &View, path: &str, query: &Query, next: &str) -> Markup {
    let link = view.links.page(path, &query.with("after", next));
    let more = html! { a.b rel="next" href=(link) { "Search on" } };
    empty("None so far", "The search has read as much as it may at once.", &more)
}

/// A form with one field, which keeps another parameter of the page.
pub(crate) fn find(
    view: &View,
    path: &str,
    query: &Query,
    (name, label): (&str, &str),
    kept: Option<&str>,
) -> Markup {
    let kept = kept.and_then(|kept| Some((kept, query.get(kept)?)));
    html! {
        form.row.flt method="get" action=(view.links.to(path)) aria-label="Filter" {
            @if let Some((name, value)) = kept { input type="hidden" name=(name) value=(value); }
            label.find {
                span.vh { (label) }
                (icon("search"))
                input.in name=(name) value=[query.get(name)] data-find placeholder=(label)
                    autocomplete="off" spellcheck="false";
                kbd.deskonly { "/" }
            }
            button.b type="submit" { "Apply" }
        }
    }
}
