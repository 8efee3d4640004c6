//! The tables of the overview.

use std::collections::BTreeMap;

use durable_http::client::{PendingWork, RunningActivity};
use maud::{Markup, html};

use super::until;
use crate::api::model;
use crate::call::View;
use crate::format;
use crate::parts::{ago, empty, instance, section, since, table, text, time};
use crate::query::{Query, encode};
use crate::screens::waits;

const ROWS: usize = 5;

fn all(view: &View, status: &str) -> Markup {
    html! { a href=(view.links.instances("status", status)) { "All" } }
}

/// The placeholder for rows that a search has not found yet.
fn none_so_far() -> Markup {
    empty("None so far", "Not all instances have been read yet.", &html! {})
}

pub(super) fn oldest(
    view: &View,
    items: &[(model::Instance, Option<PendingWork>)],
    is_cut: bool,
) -> Markup {
    let head = html! {
        th { "Instance" } th { "Name" } th { "Waits for" } th.n { "Started" } th.n { "For" }
    };
    let rows = html! {
        @for (item, pending) in items {
            tr {
                td.a { (instance(view, &item.instance_id)) }
                td.q2.h { (text(&item.name_and_version())) }
                td.x { @if let Some(pending) = pending { (waits::brief(view, pending)) } }
                td.n.h { (time(view, item.created_at)) }
                td.n.z { (since(view, item.created_at)) }
            }
        }
    };
    let content = match items {
        [] if is_cut => none_so_far(),
        [] => empty("Nothing runs", "No orchestration has work or waits now.", &html! {}),
        _ => table("stack", "Running longest", &head, &rows),
    };
    let query = Query::default().with("status", "running").with("sort", "created");
    let all = html! { a href=(view.links.page("instances", &query)) { "All" } };
    section("running", "Running longest", &all, &content)
}

pub(super) fn activities(items: &[RunningActivity], view: &View) -> Markup {
    let mut names = BTreeMap::<&str, Vec<&RunningActivity>>::new();
    for item in items {
        names.entry(&item.name).or_default().push(item);
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|(_, running)| std::cmp::Reverse(running.len()));
    let head = html! { th { "Activity" } th.n { "Now" } th { "Longest" } th.n { "For" } };
    let rows = html! {
        @for (name, running) in names.iter().take(ROWS) {
            // The API lists those first that have run longest.
            @if let Some(longest) = running.first() {
                tr {
                    td.a { (text(name)) }
                    td.n { (format::count(running.len() as u64)) }
                    td.x.h { (instance(view, &longest.instance_id)) }
                    td.n.z { (since(view, longest.since)) }
                }
            }
        }
    };
    let content = match items {
        [] => empty(
            "No activity runs",
            "What waits for a retry or a free place is not counted.",
            &html! {},
        ),
        _ => table("stack", "Activities that run now", &head, &rows),
    };
    let all = html! { a href=(view.links.to("activities")) { "All" } };
    section("busy", "Activities that run now", &all, &content)
}

pub(super) fn suspended(view: &View, items: &[model::Instance]) -> Markup {
    if items.is_empty() {
        return html! { div #suspended-s data-part {} };
    }
    let head = html! { th { "Instance" } th { "Name" } th { "Reason" } th.n { "Since" } };
    let rows = html! {
        @for item in items {
            tr {
                td.a { (instance(view, &item.instance_id)) }
                td.q2.h { (text(&item.name_and_version())) }
                td.x {
                    @if let Some(suspension) = &item.suspension {
                        @if let Some(code) = &suspension.code { span.wrn { (code) } " " }
                        span.q2 { (text(&format::cut(&suspension.summary(), 240))) }
                    }
                }
                td.n.z { (ago(view, item.last_updated_at)) }
            }
        }
    };
    let content = table("stack", "Suspended instances", &head, &rows);
    section("suspended", "Suspended", &all(view, "suspended"), &content)
}

pub(super) fn failed(view: &View, items: &[model::Instance], is_cut: bool) -> Markup {
    let head = html! { th { "Instance" } th { "Name" } th { "Message" } th.n { "Failed" } };
    let rows = html! {
        @for item in items {
            tr {
                td.a { (instance(view, &item.instance_id)) }
                td.q2.h { (text(&item.name_and_version())) }
                td.x.err {
                    @if let Some(cause) = &item.failure { (text(&format::cut(&cause.message, 160))) }
                }
                td.n.z { (ago(view, item.last_updated_at)) }
            }
        }
    };
    let content = match items {
        [] if is_cut => none_so_far(),
        [] => empty("Nothing has failed", "No instance has the status failed.", &html! {}),
        _ => table("stack rows", "Last failures", &head, &rows),
    };
    section("failed", "Last failures", &all(view, "failed"), &content)
}

pub(super) fn schedules(view: &View, items: &[model::Schedule]) -> Markup {
    let mut due: Vec<_> = items.iter().filter_map(|it| Some((it.next_run_at?, it))).collect();
    due.sort_by_key(|(at, _)| *at);
    if due.is_empty() {
        return html! { div #due-s data-part {} };
    }
    let head = html! {
        th { "Schedule" } th { "Starts" } th.n { "Last" } th.n { "Next" } th.n { "In" }
    };
    let rows = html! {
        @for (at, schedule) in due.iter().take(ROWS) {
            tr {
                td.a {
                    a href=(view.links.to(format_args!("schedules/{}", encode(&schedule.id)))) {
                        (text(&schedule.id))
                    }
                }
                td.x.q2.h { (text(&schedule.orchestration)) }
                td.n.h {
                    @match schedule.last_run_at {
                        Some(last) => (time(view, last)),
                        None => span.q { "never" }
                    }
                }
                td.n.h { (time(view, *at)) }
                td.n.z { (until(view, *at)) }
            }
        }
    };
    let content = table("stack", "Schedules due next", &head, &rows);
    let all = html! { a href=(view.links.to("schedules")) { "All" } };
    section("due", "Schedules due next", &all, &content)
}
