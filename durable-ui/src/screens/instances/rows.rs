//! The rows of the list, and the text that replaces them if there are none.

use durable::RuntimeStatus;
use maud::{Markup, html};

use super::{COLUMNS, Filter, Model, Order, batch};
use crate::api::model;
use crate::call::View;
use crate::format;
use crate::parts::{custom_status, empty, id, since, status, tag, text, time};
use crate::screens::waits::brief;

/// The maximum number of tags in a row.
const TAGS: usize = 3;

pub(super) fn section(view: &View, model: &Model) -> Markup {
    let may_act = view.access.may_operate() && !model.page.items.is_empty();
    html! {
        section.sec aria-label="Instances" {
            @if may_act { (batch::bar(view, model)) }
            div #list data-part {
                @if model.page.items.is_empty() { (nothing(view, model)) }
                @else { (table(view, model, may_act)) (foot(view, model)) }
            }
        }
        @if may_act { (batch::dialogs(view, model)) }
    }
}

fn table(view: &View, model: &Model, may_act: bool) -> Markup {
    let order = model.filter.order;
    let other = if order == Order::Newest { Order::Oldest } else { Order::Newest };
    let sort = view.links.page(
        "instances",
        &model.query.without("after").without("fragment").with("sort", other.name()),
    );
    let (arrow, sorted) = match order {
        Order::Newest => ("\u{2193}", "descending"),
        Order::Oldest => ("\u{2191}", "ascending"),
        Order::Id => ("", "none"),
    };
    let shown = COLUMNS.into_iter().filter(|(name, _)| model.filter.shows(name));
    html! {
        div.sc tabindex="0" role="group" aria-label="Table of instances" {
            table class=(if may_act { "t pick stack" } else { "t stack" }) data-rows {
                thead {
                    tr {
                        @if may_act {
                            th {
                                input type="checkbox" name="pick-all"
                                    aria-label="Select all rows of this page";
                            }
                        }
                        th { "Status" } th.idc { "Id" }
                        @for (name, heading) in shown {
                            @match name {
                                "created" => {
                                    th.n aria-sort=(sorted) { a.q2 href=(sort) { (heading) " " (arrow) } }
                                }
                                "updated" | "duration" => th.n { (heading) },
                                "remark" if !model.waits.is_empty() => th { "Waits for" },
                                _ => th { (heading) },
                            }
                        }
                    }
                }
                tbody { @for item in &model.page.items { (row(view, model, item, may_act)) } }
            }
        }
    }
}

fn row(view: &View, model: &Model, item: &model::Instance, may_act: bool) -> Markup {
    let id_of_row = format!("r-{}", item.instance_id);
    html! {
        tr #(id_of_row) {
            @if may_act {
                td {
                    input type="checkbox" name="pick" value=(item.instance_id)
                        data-status=(item.runtime_status.to_string())
                        aria-label=(format_args!("Select {}", item.instance_id));
                }
            }
            td.a { (status(item.runtime_status)) }
            td.x2.idc {
                a href=(view.links.instance(&item.instance_id)) { (id(&item.instance_id)) }
                @if let Some(parent) = &item.parent {
                    " " a.q href=(view.links.instance(&parent.instance_id))
                        title=(format_args!("Child of {}", parent.instance_id)) { "child" }
                }
            }
            @for (name, _) in COLUMNS.into_iter().filter(|(name, _)| model.filter.shows(name)) {
                (cell(view, model, item, name))
            }
        }
    }
}

/// The cell of a column that can be left out.
fn cell(view: &View, model: &Model, item: &model::Instance, column: &str) -> Markup {
    html! {
        @match column {
            "name" => td.q2.h { (text(&item.name_and_version())) },
            "remark" => {
                td.x {
                    @if let Some(pending) = model.waits.get(&item.instance_id) {
                        (brief(view, pending)) " "
                    }
                    (remark(item))
                }
            }
            "created" => td.n.h { (time(view, item.created_at)) },
            "updated" => td.n.q2.h { (time(view, item.last_updated_at)) },
            "duration" => {
                td.n.z {
                    @if item.is_finished() {
                        (format::duration(item.last_updated_at - item.created_at))
                    } @else { (since(view, item.created_at)) }
                }
            }
            _ => {
                td.h {
                    @for (key, value) in item.tags.iter().take(TAGS) { (tag(view, key, value)) " " }
                    @if item.tags.len() > TAGS { span.q { "+" (item.tags.len() - TAGS) } }
                }
            }
        }
    }
}

/// The error, the reason of the suspension, or the custom status.
fn remark(item: &model::Instance) -> Markup {
    match (item.runtime_status, &item.failure, &item.suspension, &item.custom_status) {
        (RuntimeStatus::Failed, Some(cause), ..) => {
            html! { span.err { (text(&format::cut(&cause.message, 160))) } }
        }
        (RuntimeStatus::Suspended, _, Some(suspension), _) => html! {
            @if let Some(code) = &suspension.code { span.wrn { (code) } " " }
            span.q2 { (text(&format::cut(&suspension.summary(), 240))) }
        },
        (.., Some(status)) => custom_status(status),
        _ => html! {},
    }
}

fn foot(view: &View, model: &Model) -> Markup {
    let query = model.query.without("after").without("fragment");
    let order = match model.filter.order {
        Order::Newest => "newest first",
        Order::Oldest => "oldest first",
        Order::Id => "in the order of ids",
    };
    html! {
        div.foot {
            span { (format::counted(model.page.items.len() as u64, "row")) }
            span.q2 { (order) }
            span.sp {}
            @if model.query.get("after").is_some() {
                a.b.s rel="prev" href=(view.links.page("instances", &query)) { "First page" }
            }
            @if let Some(next) = &model.page.next {
                a.b.s rel="next" href=(view.links.page("instances", &query.with("after", next))) {
                    "Next"
                }
            }
        }
    }
}

fn nothing(view: &View, model: &Model) -> Markup {
    let query = model.query.without("fragment").without("sort").without("limit").without("columns");
    if let (Some(next), false) = (&model.page.next, query.is_empty()) {
        let more =
            view.links.page("instances", &model.query.with("after", next).without("fragment"));
        let more = html! { a.b rel="next" href=(more) { "Search on" } };
        return empty(
            "None so far",
            "The search has read as many instances as it may at once.",
            &more,
        );
    }
    if query.is_empty() {
        let why = "Start one here, or from code with hub.start(..).";
        return empty("No instances yet", why, &html! {});
    }
    let Filter { statuses, .. } = &model.filter;
    let conditions = model.filter.conditions(&query);
    let way_on = html! {
        @match conditions.last() {
            Some(last) => {
                a.b href=(view.links.page("instances", &last.without)) {
                    "Without " (last.subject) " " (last.relation) " " (text(&format::cut(&last.value, 40)))
                }
            }
            None => a.b href=(view.links.to("instances")) { "All instances" }
        }
    };
    let why = match statuses.as_slice() {
        [] => "No instance has all of these properties.",
        _ => "No instance with one of these statuses has all of these properties.",
    };
    empty("No instance matches", why, &way_on)
}
