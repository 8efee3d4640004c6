//! The last runs of one orchestration, task by task: one column per run, one row per name of a
//! task.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use crate::api::model::{Instance, Items};
use crate::api::registered::Functions;
use crate::api::{Failure, model};
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{empty, icon, status, text, time};
use crate::query::{Query, encode};

/// The number of runs that are shown: the default, and the maximum.
const RUNS: usize = 12;
const RUNS_MAX: usize = 50;

#[derive(Debug)]
pub(crate) struct Model {
    /// The registered orchestrations.
    pub(crate) names: Vec<String>,
    pub(crate) name: Option<String>,
    pub(crate) runs: Vec<Run>,
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) instance: Instance,
    pub(crate) lanes: Vec<Lane>,
}

/// A lane of a timeline.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lane {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) since: DateTime<Utc>,
    pub(crate) until: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(crate) fold: Option<Fold>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Fold {
    pub(crate) count: u64,
}

#[derive(Debug, Deserialize)]
struct Timeline {
    lanes: Vec<Lane>,
}

/// The outcome of all tasks of one name in one run.
struct Cell<'a> {
    first: &'a Lane,
    count: u64,
    state: &'a str,
    took: TimeDelta,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let functions: Functions = call.api.get("registered", &Query::default()).await?;
    let mut names: Vec<_> = functions.orchestrators.into_iter().map(|it| it.name).collect();
    names.dedup();
    let name = call.query.get("name").map(str::to_owned);
    let limit = call.number("limit", RUNS)?.clamp(1, RUNS_MAX);
    let mut runs = Vec::new();
    if let Some(name) = &name {
        let query = Query::default().with("name", name).with("sort", "-created");
        let query = query.with("limit", limit);
        let found: Items<model::Instance> = call.api.get("instances", &query).await?;
        for instance in found.items {
            let path = format!("instances/{}/timeline", encode(&instance.instance_id));
            // It may have been purged in the meantime.
            let timeline: Option<Timeline> = call.api.get(&path, &Query::default()).await.ok();
            let lanes = timeline.map(|it| it.lanes).unwrap_or_default();
            runs.push(Run { instance, lanes });
        }
    }
    let model = Model { names, name, runs };
    let page = Page::new("Grid", Place::Instances, screen(&call.view, &model));
    let Some(name) = &model.name else { return Ok(page) };
    let filter = Query::default().with("name", name);
    let command = format!("durable list --name {} --sort -created --limit {limit}", quoted(name));
    let list = Command::get(
        "These runs",
        command,
        format_args!("instances{filter}&sort=-created&limit={limit}"),
    );
    let mut commands = vec![list];
    if let Some(run) = model.runs.first() {
        let id = &run.instance.instance_id;
        commands.push(Command::get(
            "Tasks of one",
            format!("durable timeline {}", quoted(id)),
            format_args!("instances/{}/timeline", encode(id)),
        ));
    }
    Ok(page.follows_hub(&filter.to_string()).commands(commands))
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    html! {
        div.head {
            h1 { "Grid" }
            @if let Some(name) = &model.name { span.q2 { (text(name)) } }
            span.sp {}
            (choose(view, model))
        }
        section.sec #grid-s aria-label="Runs, task by task" data-part {
            @match (&model.name, model.runs.as_slice()) {
                (None, _) => {
                    (empty("No name is chosen", "It shows the runs of one orchestration.", &html! {}))
                }
                (Some(_), []) => (empty("No run", "No instance has this name.", &html! {})),
                (Some(_), runs) => (grid(view, runs)),
            }
        }
    }
}

fn choose(view: &View, model: &Model) -> Markup {
    html! {
        form.row method="get" action=(view.links.to("grid")) aria-label="Orchestration" {
            label.row for="g-name" { "Orchestration" }
            input.in #g-name name="name" value=[model.name.as_ref()] list="g-names"
                autocomplete="off" spellcheck="false";
            datalist #g-names { @for name in &model.names { option value=(name) {} } }
            button.b type="submit" { "Show" }
        }
    }
}

fn grid(view: &View, runs: &[Run]) -> Markup {
    let rows = rows(runs);
    html! {
        div.sc tabindex="0" role="group" aria-label="Grid" {
            table.t.grid {
                thead {
                    tr {
                        th scope="col" { "Task" }
                        @for run in runs { th scope="col" { (heading(view, run)) } }
                    }
                    tr {
                        th scope="row" { "Run" }
                        @for run in runs { td { (whole(view, &run.instance)) } }
                    }
                }
                tbody {
                    @for (kind, name) in &rows {
                        tr {
                            th scope="row" {
                                (icon(glyph(kind))) " "
                                (text(if name.is_empty() { kind } else { name }))
                            }
                            @for run in runs {
                                td {
                                    @if let Some(cell) = cell(view, run, kind, name) {
                                        (shown(view, run, &cell))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        p.foot.q2 { (format::counted(runs.len() as u64, "run")) }
    }
}

/// The kinds and names of tasks, in the order in which they first occur.
fn rows(runs: &[Run]) -> Vec<(&str, &str)> {
    let mut rows = Vec::new();
    for lane in runs.iter().flat_map(|run| &run.lanes) {
        let row = (lane.kind.as_str(), lane.name.as_str());
        if lane.kind != "instance" && !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

fn heading(view: &View, run: &Run) -> Markup {
    let id = &run.instance.instance_id;
    let tail: String = id.chars().skip(id.chars().count().saturating_sub(12)).collect();
    html! {
        a.m href=(view.links.instance(id)) title=(id) { (text(&tail)) }
        br;
        span.q { (time(view, run.instance.created_at)) }
    }
}

fn whole(view: &View, instance: &Instance) -> Markup {
    let is_finished = instance.runtime_status.is_finished();
    let end = if is_finished { instance.last_updated_at } else { view.now };
    html! {
        (status(instance.runtime_status)) br;
        span.q2 { (format::duration(end - instance.created_at)) }
    }
}

fn cell<'a>(view: &View, run: &'a Run, kind: &str, name: &str) -> Option<Cell<'a>> {
    let lanes = || run.lanes.iter().filter(|it| it.kind == kind && it.name == name);
    let end = lanes().map(|it| it.until.unwrap_or(view.now)).max()?;
    let begin = lanes().map(|it| it.since).min()?;
    // The state that wants attention most stands for all.
    let rank = |it: &&Lane| match it.state.as_str() {
        "failed" => 0,
        "retrying" => 1,
        "waiting" | "running" | "held" | "suspended" => 2,
        "terminated" | "abandoned" => 3,
        _ => 4,
    };
    let worst = lanes().min_by_key(rank)?;
    let count = lanes().map(|it| it.fold.as_ref().map_or(1, |fold| fold.count)).sum();
    Some(Cell { first: lanes().next()?, count, state: &worst.state, took: end - begin })
}

fn shown(view: &View, run: &Run, cell: &Cell<'_>) -> Markup {
    let link = format!("{}#{}", view.links.instance(&run.instance.instance_id), cell.first.id);
    let class = match cell.state {
        "failed" => "failed",
        "retrying" | "suspended" => "suspended",
        "running" | "held" => "running",
        "waiting" | "unread" => "pending",
        "terminated" | "abandoned" => "terminated",
        _ => "completed",
    };
    html! {
        a class=(format_args!("st st-{class}")) href=(link) title=(cell.state) {
            (icon(class)) span.vh { (cell.state) } " " (format::duration(cell.took))
        }
        @if cell.count > 1 { " " span.q { "\u{d7} " (format::count(cell.count)) } }
    }
}

fn glyph(kind: &str) -> &'static str {
    match kind {
        "child" => "child",
        "timer" => "timer",
        "event" | "sent" => "event",
        "entityCall" | "signal" => "entity",
        "lock" => "lock",
        _ => "activity",
    }
}
