//! Schedules: the list, and a single schedule.
//!
//! Read next: `one.rs` (the page of a schedule), `words.rs` (recurrences in words).

mod form;
pub(super) mod one;
mod words;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use durable::protocol::Json;
use maud::{Markup, html};
use serde::Deserialize;

use crate::api::Failure;
use crate::api::model::{Instance, Items};
use crate::api::registered::Functions;
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{
    Tab, ago, confirm, empty, find, icon, instance, next_page, none_so_far, open, status, table,
    tabs, text, time,
};
use crate::query::{Query, encode};

const LIMIT: usize = 50;
const STATUSES: [&str; 4] = ["Active", "Paused", "Suspended", "Ended"];

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) query: Query,
    pub(crate) page: Items<Schedule>,
    /// The registered orchestrations.
    pub(crate) names: Vec<String>,
    /// The last run of each schedule, if it is known.
    pub(crate) last: BTreeMap<String, Instance>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schedule {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) recurrence: Recurrence,
    pub(crate) start_at: Option<DateTime<Utc>>,
    pub(crate) end_at: Option<DateTime<Utc>>,
    pub(crate) start_immediately_if_late: bool,
    pub(crate) instance_id_prefix: Option<String>,
    pub(crate) orchestration: String,
    pub(crate) version: Option<String>,
    pub(crate) input: Json,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_run_at: Option<DateTime<Utc>>,
    pub(crate) next_run_at: Option<DateTime<Utc>>,
    pub(crate) runs: u64,
    /// Only in the details of a single schedule.
    #[serde(default)]
    pub(crate) next_runs: Vec<DateTime<Utc>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Recurrence {
    EverySeconds(f64),
    Cron(String),
}

impl Schedule {
    /// The beginning of the ids of its runs.
    fn prefix(&self) -> &str {
        self.instance_id_prefix.as_deref().unwrap_or(&self.id)
    }

    /// `cleanup@2`.
    fn starts(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.orchestration),
            None => self.orchestration.clone(),
        }
    }

    /// In words, or the pattern.
    fn rule(&self) -> String {
        words::in_words(&self.recurrence).unwrap_or_else(|| self.pattern())
    }

    fn pattern(&self) -> String {
        match &self.recurrence {
            Recurrence::EverySeconds(seconds) => format!("every {seconds} s"),
            Recurrence::Cron(pattern) => pattern.clone(),
        }
    }
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    if let [_, id] = call.path.as_slice() {
        return one::answer(call, id).await;
    }
    let mut query = Query::default().with("limit", LIMIT);
    for name in ["status", "prefix", "after"] {
        if let Some(value) = call.query.get(name) {
            query = query.with(name, value);
        }
    }
    let page: Items<Schedule> = call.api.get("schedules", &query).await?;
    let mut last = BTreeMap::new();
    for schedule in &page.items {
        if let Some(run) = last_run(call, schedule).await? {
            last.insert(schedule.id.clone(), run);
        }
    }
    let names = orchestrations(call).await?;
    let model = Model { query: call.query.without("fragment"), page, names, last };
    let option = |name| Some(format!(" --{name} {}", quoted(model.query.get(name)?)));
    let options: String = ["status", "prefix", "after"].into_iter().filter_map(option).collect();
    let page = Page::new("Schedules", Place::Schedules, screen(&call.view, &model));
    let command = format!("durable schedule list{options} --limit {LIMIT}");
    let request = format!("schedules{query}");
    Ok(page.follows_hub("").commands([Command::get("These schedules", command, request)]))
}

/// The names of the registered orchestrations, if the reader may start them.
async fn orchestrations(call: &Call) -> Result<Vec<String>, Failure> {
    if !call.view.access.may_operate() {
        return Ok(Vec::new());
    }
    let functions: Functions = call.api.get("registered", &Query::default()).await?;
    let mut names: Vec<_> = functions.orchestrators.into_iter().map(|it| it.name).collect();
    names.dedup();
    Ok(names)
}

/// The newest run, found by its id, which contains the time of its tick. A run that began more than
/// a minute late is not found.
async fn last_run(call: &Call, schedule: &Schedule) -> Result<Option<Instance>, Failure> {
    let Some(at) = schedule.last_run_at else { return Ok(None) };
    for minute in [at, at - chrono::TimeDelta::minutes(1)] {
        let prefix = format!("{}-{}", schedule.prefix(), minute.format("%Y%m%dT%H%M"));
        let query = Query::default().with("prefix", prefix).with("limit", 60);
        let runs: Items<Instance> = call.api.get("instances", &query).await?;
        let newest = runs.items.into_iter().max_by_key(|run| run.created_at);
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    html! {
        @let create = view.access.may_operate().then(|| form::create(view, &model.names));
        div.head {
            h1 { "Schedules" } span.q2 { "Ticks are in UTC; times are shown in yours" }
            span.sp {}
            @if let Some(create) = &create { (open(create, "p")) }
        }
        (statuses(view, model))
        (find(view, "schedules", &model.query, ("prefix", "Start of an id"), Some("status")))
        section.sec #list-s aria-label="Schedules" data-part {
            @if model.page.items.is_empty() { (nothing(view, model)) } @else { (rows(view, model)) }
        }
        @if let Some(create) = &create { (confirm(create)) }
    }
}

fn statuses(view: &View, model: &Model) -> Markup {
    let current = model.query.get("status");
    let tab = |status: Option<&str>| Tab {
        label: status.unwrap_or("All").to_owned(),
        count: None,
        link: match status {
            Some(status) => view.links.page("schedules", &Query::default().with("status", status)),
            None => view.links.to("schedules"),
        },
        is_current: current == status,
    };
    let all: Vec<_> =
        std::iter::once(None).chain(STATUSES.into_iter().map(Some)).map(tab).collect();
    tabs("Statuses", &all, &html! {})
}

fn rows(view: &View, model: &Model) -> Markup {
    let head = html! {
        th { "Schedule" } th { "Rule" } th { "Starts" } th.n { "Next" } th.n { "In" }
        th { "Last run" } th.n { "At" } th.n { "Runs" } th { "Status" }
    };
    let rows = html! {
        @for item in &model.page.items {
            tr {
                td.a {
                    a href=(view.links.to(format_args!("schedules/{}", encode(&item.id)))) {
                        b { (text(&item.id)) }
                    }
                }
                td.x { (text(&item.rule())) }
                td.q2.h { (text(&item.starts())) }
                td.n.h { @if let Some(next) = item.next_run_at { (time(view, next)) } }
                td.n.q2 {
                    @if let Some(next) = item.next_run_at {
                        span.mobonly.q { "next " } (ago(view, next))
                    }
                }
                td {
                    @if let Some(run) = model.last.get(&item.id) {
                        a href=(view.links.instance(&run.instance_id)) title=(run.instance_id) {
                            (status(run.runtime_status))
                        }
                    }
                }
                td.n.h { @if let Some(last) = item.last_run_at { (time(view, last)) } }
                td.n.h { (format::count(item.runs)) }
                td.z { (state(&item.status)) }
            }
        }
    };
    html! {
        (table("stack rows", "Schedules", &head, &rows))
        div.foot {
            span { (format::counted(model.page.items.len() as u64, "schedule")) }
            span.sp {}
            (next_page(view, "schedules", &model.query, model.page.next.as_deref()))
        }
    }
}

/// The status of a schedule: glyph, word and color.
fn state(status: &str) -> Markup {
    let class = match status {
        "Active" => "running",
        "Paused" | "Suspended" => "suspended",
        _ => "terminated",
    };
    html! { span class=(format_args!("st st-{class}")) { (icon(class)) (text(status)) } }
}

fn nothing(view: &View, model: &Model) -> Markup {
    if let Some(next) = &model.page.next {
        return none_so_far(view, "schedules", &model.query, next);
    }
    if model.query.without("after").is_empty() {
        let why = "Create one here, or from code with hub.create_schedule(..).";
        return empty("No schedules", why, &html! {});
    }
    let all = html! { a.b href=(view.links.to("schedules")) { "All schedules" } };
    empty("No schedule matches", "None has this status and start of its id.", &all)
}

/// A run as a line: id, status, duration.
fn run(view: &View, run: &Instance) -> Markup {
    html! { (instance(view, &run.instance_id)) " " (status(run.runtime_status)) }
}
