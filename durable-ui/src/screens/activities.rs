//! Activities by name: which run now, since when, for which instance, and how recent attempts went.

use std::collections::BTreeMap;

use durable_http::client::{ActivityStatistics, RunningActivities, RunningActivity};
use maud::{Markup, html};

use crate::api::Failure;
use crate::api::registered::{Function, Functions};
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place};
use crate::parts::{ago, empty, instance, section, since, table, text, time};
use crate::query::Query;

/// The number of running activities that are listed one by one.
const LISTED: usize = 200;

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) functions: Vec<Function>,
    /// The running activities, longest-running first.
    pub(crate) running: Vec<RunningActivity>,
    /// The number of activities that wait for a free slot, by name.
    pub(crate) waiting: BTreeMap<String, u64>,
    /// The maximum number that run at once; 0 if it is not known.
    pub(crate) concurrency: u64,
    /// Statistics over the newest instances. `None` in a fragment, or if the hub did not answer.
    pub(crate) statistics: Option<ActivityStatistics>,
}

/// A name with its registered versions and its running calls.
#[derive(Debug, Default)]
struct Named<'a> {
    functions: Vec<&'a Function>,
    running: u64,
    waiting: u64,
    longest: Option<&'a RunningActivity>,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let functions: Functions = call.api.get("registered", &Query::default()).await?;
    let now: RunningActivities = call.api.get("running", &Query::default()).await?;
    // It reads many histories, so it is not refreshed with every event.
    let statistics = match call.fragment() {
        None => call.api.get("activities:statistics", &Query::default()).await.ok(),
        Some(_) => None,
    };
    let RunningActivities { items: running, waiting, concurrency, .. } = now;
    let model =
        Model { functions: functions.activities, running, waiting, concurrency, statistics };
    let page = Page::new("Activities", Place::Activities, screen(&call.view, &model));
    Ok(page.follows_hub("").commands([
        Command::get("What runs", "durable activity list", "running"),
        Command::get("By name", "durable activity registered", "registered"),
        Command::get("Recent attempts", "durable activity stats", "activities:statistics"),
    ]))
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    let running = format::count(model.running.len() as u64);
    html! {
        div.head {
            h1 { "Activities" }
            span.q2 {
                (running) " running in this process"
                @if model.concurrency > 0 { ", at most " (format::count(model.concurrency)) " at once" }
            }
        }
        (by_name(view, model))
        (running_now(view, &model.running))
        @if let Some(statistics) = &model.statistics { (recent(view, statistics)) }
    }
}

fn by_name(view: &View, model: &Model) -> Markup {
    let mut names: BTreeMap<&str, Named<'_>> = BTreeMap::new();
    for it in &model.functions {
        names.entry(&it.name).or_default().functions.push(it);
    }
    for it in &model.running {
        let entry = names.entry(&it.name).or_default();
        entry.running += 1;
        entry.longest = entry.longest.or(Some(it));
    }
    for (name, count) in &model.waiting {
        names.entry(name).or_default().waiting = *count;
    }
    let head = html! {
        th { "Name" } th.n { "Running" } th.n { "At most" } th.n { "Waiting" } th.n { "Longest" } th { "Of" } th { "Parameters" }
        th { "Source" }
    };
    let rows = html! {
        @for (name, named) in &names {
            tr {
                td.a { b.m { (text(name)) } }
                td.n.z { (format::count(named.running)) }
                td.n.h {
                    @if let Some(most) = named.functions.last().and_then(|it| it.max_concurrent) {
                        (format::count(most))
                    }
                }
                td.n.h { @if named.waiting > 0 { (format::count(named.waiting)) } }
                td.n.h { @if let Some(it) = named.longest { (since(view, it.since)) } }
                td { @if let Some(it) = named.longest { (instance(view, &it.instance_id)) } }
                @match named.functions.last() {
                    Some(it) => {
                        td.x.m.q2 { (text(&it.signature())) }
                        td.m.h { (text(&it.source())) }
                    }
                    None => { td.x.q2 { "not registered under this name" } td.h {} }
                }
            }
        }
    };
    let content = if names.is_empty() {
        empty("No activity is registered", "The hub can run none.", &html! {})
    } else {
        table("stack rows", "Activities by name", &head, &rows)
    };
    section("names", "By name", &html! {}, &content)
}

fn recent(view: &View, of: &ActivityStatistics) -> Markup {
    let head = html! {
        th { "Activity" } th.n { "Attempts" } th.n { "Failed" } th.n { "Median" } th.n { "95 %" }
        th.n { "Longest" } th { "Last failure" } th.n { "Of" }
    };
    let took = |micros: Option<u64>| micros.map(format::micros);
    let rows = html! {
        @for it in &of.items {
            tr {
                td.a { b.m { (text(&it.name)) } }
                td.n.h { (format::count(it.attempts)) }
                td.n.z {
                    @if it.failed_attempts > 0 {
                        span.err { (format::count(it.failed_attempts)) }
                        " " span.q { ((it.failed_attempts * 100).div_ceil(it.attempts.max(1))) " %" }
                    } @else { "0" }
                }
                td.n.h { @if let Some(took) = took(it.median_micros) { (took) } }
                td.n.h { @if let Some(took) = took(it.p95_micros) { (took) } }
                td.n.h { @if let Some(took) = took(it.max_micros) { (took) } }
                td.x {
                    @if let Some(last) = &it.last_failure {
                        (text(&format::cut(&last.message, 120))) " " span.q2 { (ago(view, last.at)) }
                    }
                }
                td.n { @if let Some(last) = &it.last_failure { (instance(view, &last.instance_id)) } }
            }
        }
    };
    let newest = if of.approximate { "the newest " } else { "" };
    let beside = html! {
        span.q { "in " (newest) (format::counted(of.instances, "instance")) ", when the page was loaded" }
    };
    let content = match of.items.as_slice() {
        [] => empty("No attempts", "No recent instance has called an activity.", &html! {}),
        _ => table("stack rows", "Recent attempts", &head, &rows),
    };
    html! {
        section.sec aria-labelledby="recent" {
            div.sh { h2 #recent { "Recent attempts" } (beside) }
            (content)
        }
    }
}

fn running_now(view: &View, running: &[RunningActivity]) -> Markup {
    let head = html! {
        th { "Activity" } th { "Instance" } th.n { "Attempt" } th.n { "Since" } th.n { "For" }
    };
    let rows = html! {
        @for it in running.iter().take(LISTED) {
            @let link = format!("{}#t{}", view.links.instance(&it.instance_id), it.event_id);
            tr {
                td.a { a.m href=(link) { (text(&it.name)) } }
                td.x { (instance(view, &it.instance_id)) }
                td.n.h { (it.attempt) }
                td.n.h { (time(view, it.since)) }
                td.n.z { (since(view, it.since)) }
            }
        }
    };
    let content = match running {
        [] => empty(
            "No activity runs",
            "Each that was called has ended, or waits for its next attempt.",
            &html! {},
        ),
        _ => table("stack rows", "Running activities", &head, &rows),
    };
    let beside = match running.len().checked_sub(LISTED) {
        Some(more) if more > 0 => html! { span.q { "and " (format::count(more as u64)) " more" } },
        _ => html! { span.q { "longest first" } },
    };
    section("running", "Running now", &beside, &content)
}
