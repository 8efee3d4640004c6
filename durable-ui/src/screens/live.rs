//! Live lifecycle events. The script adds them; they are not stored anywhere.

use maud::html;

use crate::api::Failure;
use crate::call::Call;
use crate::format;
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::icon;
use crate::query::Query;

const KINDS: [&str; 9] = [
    "Started",
    "Completed",
    "Failed",
    "Terminated",
    "Suspended",
    "Resumed",
    "ContinuedAsNew",
    "Rewound",
    "Purged",
];

#[expect(clippy::unused_async, reason = "the table of pages awaits every screen")]
pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let kinds = call.query.list("kinds");
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(kind)) {
        let unknown = format::cut(unknown, 40);
        return Err(Failure::invalid(format!("There is no kind of event `{unknown}`.")));
    }
    let (mut query, mut options) = (Query::default(), String::new());
    if !kinds.is_empty() {
        query = query.and("kinds", kinds.join(","));
        options.extend([" --kind ", &kinds.join(",")]);
    }
    for name in ["name", "prefix"] {
        if let Some(value) = call.query.get(name) {
            query = query.and(name, value);
            options.extend([" --", name, " ", &quoted(value)]);
        }
    }
    let body = html! {
        div.head { h1 { "Events" } span.q2 { "Since this page was opened" } }
        form.flt method="get" action=(call.view.links.to("live")) aria-label="Filter" data-filter {
            div.row.scr {
                @for kind in KINDS {
                    label.chip {
                        input.vh type="checkbox" name="kinds" value=(kind) checked[kinds.contains(&kind)];
                        (kind)
                    }
                }
            }
            div.row.filters {
                label.find {
                    span.vh { "Start of an id" }
                    (icon("search"))
                    input.in name="prefix" value=[call.query.get("prefix")] data-find
                        placeholder="Start of an id" autocomplete="off" spellcheck="false";
                    kbd.deskonly { "/" }
                }
                input.in name="name" value=[call.query.get("name")] placeholder="Name"
                    aria-label="Name" autocomplete="off" spellcheck="false";
                button.b type="submit" { "Apply" }
            }
        }
        section.sec aria-label="Events" data-script="events" {
            div.sc tabindex="0" role="group" aria-label="Table of events" {
                table.t.stack data-rows {
                    thead {
                        tr {
                            th { "Time" } th { "Event" } th.idc { "Instance" } th { "Name" }
                            th { "Reason" }
                        }
                    }
                    tbody #stream aria-live="off" {}
                }
            }
            div.empty #stream-none {
                p.eh { "No event yet" }
                p { "Events appear here as they happen. The page needs its script for that." }
            }
        }
    };
    let page = Page::new("Events", Place::Live, body);
    let command = format!("durable watch{options}");
    let request = format_args!("events{query}").to_string();
    Ok(page.follows_hub(&query.to_string()).commands([Command::get(
        "These events",
        command,
        request,
    )]))
}
