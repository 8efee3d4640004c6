//! Activities by name: which run now, since when, and for whom.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use crate::api::registered::{Function, Functions};
use crate::api::{Failure, model::Items};
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place};
use crate::parts::{empty, instance, section, since, table, text, time};
use crate::query::Query;

/// Running activities that are listed one by one.
const LISTED: usize = 200;

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) functions: Vec<Function>,
    /// Those that have run longest first.
    pub(crate) running: Vec<Running>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Running {
    pub(crate) instance_id: String,
    pub(crate) event_id: i32,
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) since: DateTime<Utc>,
}

/// A name with its registered versions and what runs of it.
#[derive(Debug, Default)]
struct Named<'a> {
    functions: Vec<&'a Function>,
    running: u64,
    longest: Option<&'a Running>,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let functions: Functions = call.api.get("registered", &Query::default()).await?;
    let running: Items<Running> = call.api.get("running", &Query::default()).await?;
    let model = Model { functions: functions.activities, running: running.items };
    let page = Page::new("Activities", Place::Activities, screen(&call.view, &model));
    Ok(page.follows_hub("").commands([
        Command::get("What runs", "durable activity list", "running"),
        Command::get("By name", "durable activity registered", "registered"),
    ]))
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    let running = format::count(model.running.len() as u64);
    html! {
        div.head { h1 { "Activities" } span.q2 { (running) " running in this process" } }
        (by_name(view, model))
        (running_now(view, &model.running))
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
    let head = html! {
        th { "Name" } th.n { "Running" } th.n { "Longest" } th { "Of" } th { "Parameters" }
        th { "Source" }
    };
    let rows = html! {
        @for (name, named) in &names {
            tr {
                td.a { b.m { (text(name)) } }
                td.n.z { (format::count(named.running)) }
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

fn running_now(view: &View, running: &[Running]) -> Markup {
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
