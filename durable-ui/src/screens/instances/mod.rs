//! The list of instances: filter, histogram, rows, and actions on the selected ones.

mod batch;
mod export;
mod filter;
mod histogram;
mod rows;

use std::collections::BTreeMap;

use durable::RuntimeStatus;
use durable_http::client::{Histogram, PendingWork};
use maud::{Markup, html};

use crate::api::{Failure, model};
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{Tab, copy, icon, status, tabs, text, word};
use crate::query::Query;
use crate::screens::waits;
pub(crate) use export::answer as export;
pub(crate) use filter::{COLUMNS, Condition, Filter, Order, STATUSES};

/// The fields that a row shows.
const FIELDS: &str = "instanceId,name,version,runtimeStatus,createdAt,lastUpdatedAt,suspension,parent,\
                      tags,customStatus,failure";

/// The maximum number of rows that show what their instance waits for; each costs a request.
const WAITS_MAX: usize = 50;
/// The time between two fetches of such rows, in milliseconds.
const WAITS_EVERY: u32 = 2_000;

/// The label of the view of the oldest running instances.
const OLDEST: &str = "Running longest";

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) query: Query,
    pub(crate) filter: Filter,
    pub(crate) page: model::Items<model::Instance>,
    /// What the instances of the view `Running longest` wait for, by id.
    pub(crate) waits: BTreeMap<String, PendingWork>,
    /// `None` in a fragment that replaces only rows.
    pub(crate) histogram: Option<Histogram>,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let filter = Filter::read(&call.query, call.view.now)?;
    let find = filter.api();
    let mut rows = filter.list().and("fields", FIELDS).and("limit", filter.limit);
    if let Some(after) = call.query.get("after") {
        rows = rows.and("after", after);
    }
    let page: model::Items<model::Instance> = call.api.get("instances", &rows).await?;
    let mut waits = BTreeMap::new();
    if filter.is_longest_running() {
        for item in page.items.iter().take(WAITS_MAX) {
            let id = &item.instance_id;
            waits.extend(Some(id.clone()).zip(waits::pending(call, id).await));
        }
    }
    let histogram = match call.fragment() {
        None => Some(call.api.get("instances:histogram", &histogram::query(&find)).await?),
        Some(_) => None,
    };
    let model = Model { query: call.query.clone(), filter, page, waits, histogram };
    let events = Query::default();
    let events = [("name", &model.filter.name), ("prefix", &model.filter.prefix)].into_iter().fold(
        events,
        |events, (name, value)| match value {
            Some(value) => events.and(name, value),
            None => events,
        },
    );
    let page = Page::new("Instances", Place::Instances, screen(&call.view, &model));
    let page = page.follows_hub(&events.to_string()).commands(commands(&model));
    Ok(if model.waits.is_empty() { page } else { page.refreshes_every(WAITS_EVERY) })
}

fn commands(model: &Model) -> Vec<Command> {
    let Model { filter, query, .. } = model;
    let (options, order) = (filter.options(), filter.order.name());
    let mut list = format!("durable list{options} --sort {order} --limit {}", filter.limit);
    let mut request = filter.list().and("limit", filter.limit);
    if let Some(after) = query.get("after") {
        list.extend([" --after ", &quoted(after)]);
        request = request.and("after", after);
    }
    let counted = filter.api().and("groupBy", "status");
    let batch = |verb: &str| {
        let command = format!("durable {verb}{options} --dry-run");
        Command::post("Act on all of them", command, "batches")
    };
    let mut commands = vec![Command::get("This list", list, format_args!("instances{request}"))];
    if filter.is_longest_running() {
        commands.push(Command::get(
            "What they wait for",
            format!("durable pending{options} --limit {}", filter.limit),
            format_args!("instances{request}"),
        ));
    }
    commands.push(Command::get(
        "Counts",
        format!("durable count{options} --by status"),
        format_args!("instances:count{counted}"),
    ));
    if !options.is_empty() {
        commands.push(batch("suspend"));
    }
    commands
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    html! {
        div.head {
            h1 { "Instances" }
            span.sp {}
            div.row.scr {
                @if let Some(name) = &model.filter.name {
                    a.b href=(view.links.page("grid", &Query::default().with("name", name))) { "Grid" }
                }
                (columns(view, model))
                (exports(view, &model.query))
                @if view.access.may_operate() { a.b.p href=(view.links.to("start")) { "Start an instance" } }
            }
        }
        (views(view, model))
        (filters(view, model))
        (address(view, &model.query))
        @if let Some(histogram) = &model.histogram { (histogram::section(view, model, histogram)) }
        (rows::section(view, model))
    }
}

/// The choice of columns.
fn columns(view: &View, model: &Model) -> Markup {
    let others = model.query.without("columns").without("fragment");
    html! {
        details.menu.form {
            summary.b { "Columns" (icon("down")) }
            form.pop method="get" action=(view.links.to("instances")) aria-label="Columns" {
                @for (name, value) in others.pairs() { input type="hidden" name=(name) value=(value); }
                @for (name, heading) in COLUMNS {
                    label.nw {
                        input type="checkbox" name="columns" value=(name)
                            checked[model.filter.shows(name)];
                        " " (heading)
                    }
                }
                div.acts { button.b.p type="submit" { "Show" } }
            }
        }
    }
}

fn exports(view: &View, query: &Query) -> Markup {
    let query = query.without("after").without("fragment");
    html! {
        details.menu {
            summary.b { "Export" (icon("down")) }
            ul {
                @for (format, label) in [("csv", "CSV"), ("jsonl", "JSON lines")] {
                    li {
                        a href=(view.links.page("instances.export", &query.with("format", format)))
                            download=(format_args!("instances.{format}")) { (label) }
                    }
                }
            }
        }
    }
}

/// The predefined views, and those that the script stores in the browser.
fn views(view: &View, model: &Model) -> Markup {
    let own = model.query.without("after").without("fragment").without("limit");
    let all = [("All", "")]
        .into_iter()
        .chain(STATUSES[..4].iter().map(|status| (word(*status), word(*status))))
        .chain([(OLDEST, word(RuntimeStatus::Running))]);
    let tab = |(label, status): (&str, &str)| {
        let query = match (label, status) {
            (_, "") => Query::default(),
            // Those that are stuck are among them.
            (OLDEST, status) => Query::default().with("status", status).with("sort", "created"),
            (_, status) => Query::default().with("status", status),
        };
        let mut label = label.to_owned();
        label[..1].make_ascii_uppercase();
        Tab {
            label,
            count: None,
            is_current: own == query,
            link: view.links.page("instances", &query),
        }
    };
    let save = html! {
        span #views hidden {}
        button.b.g.s.save type="button" data-do="save-view" { (icon("plus")) "Save this view" }
    };
    tabs("Views", &all.map(tab).collect::<Vec<_>>(), &save)
}

fn filters(view: &View, model: &Model) -> Markup {
    let Model { query, filter, .. } = model;
    let conditions = filter.conditions(query);
    html! {
        form.flt method="get" action=(view.links.to("instances")) aria-label="Filter" data-filter {
            div.row.scr {
                @for of in STATUSES {
                    label.chip {
                        input.vh type="checkbox" name="status" value=(word(of)) checked[filter.has(of)];
                        (status(of))
                    }
                }
            }
            div.row.filters {
                label.find {
                    span.vh { "Start of an id" }
                    (icon("search"))
                    input.in name="prefix" value=[filter.prefix.as_ref()] data-find
                        placeholder="Start of an id" autocomplete="off" spellcheck="false";
                    kbd.deskonly { "/" }
                }
                @for condition in &conditions { (chip(view, condition)) }
                (more(filter))
                button.b type="submit" { "Apply" }
                @if !query.without("sort").without("limit").without("columns").is_empty() {
                    a.b.g href=(view.links.to("instances")) { "Clear all" }
                }
            }
            // What the chips show is sent along by the fields of the menu.
            @for name in ["sort", "columns"] {
                @for value in query.all(name) { input type="hidden" name=(name) value=(value); }
            }
        }
    }
}

fn chip(view: &View, condition: &Condition) -> Markup {
    let Condition { subject, relation, value, without } = condition;
    html! {
        span.chip.on {
            (subject) " " span.q2 { (relation) } " " b { (text(&format::cut(value, 40))) }
            a.x href=(view.links.page("instances", without))
                aria-label=(format_args!("Remove {subject} {value}")) { (icon("x")) }
        }
    }
}

/// The fields for the less common conditions.
fn more(filter: &Filter) -> Markup {
    let field = |id: &str, name: &str, label: &str, value: Option<&str>, hint: &str| {
        html! {
            label.fl for=(id) { (label) }
            input.in #(id) name=(name) value=[value] placeholder=(hint) autocomplete="off";
        }
    };
    let tag = |index: usize| filter.tags.get(index).map(String::as_str);
    html! {
        details.menu.form {
            summary.b.g { (icon("plus")) "Filter" }
            div.pop {
                (field("f-name", "name", "Name", filter.name.as_deref(), "checkout"))
                @for index in 0..=filter.tags.len() {
                    (field(&format!("f-tag-{index}"), "tag", "Tag", tag(index), "region:eu"))
                }
                (field("f-from", "from", "Created since", filter.from.as_deref(), "-1h, -7d, 2026-01-02T03:04:05Z"))
                (field("f-to", "to", "Created before", filter.to.as_deref(), "-1h, 2026-01-02T03:04:05Z"))
                (field("f-failed", "failedWith", "Failure contains", filter.failed_with.as_deref(), "timeout"))
                div.acts { button.b.p type="submit" { "Filter" } }
            }
        }
    }
}

fn address(view: &View, query: &Query) -> Markup {
    let link = view.links.page("instances", &query.without("fragment"));
    html! {
        div.url {
            span.vh { "This view as a link" }
            code tabindex="0" { (link) }
            (copy("link", &link))
        }
    }
}
