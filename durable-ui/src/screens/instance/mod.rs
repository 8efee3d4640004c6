//! One instance: what it does, why it waits, and actions on it.
//!
//! The header, the actions and the reason why the instance is stuck are on every tab. Each
//! tab is a separate page, so that it can be linked to, and reads only what it shows.

mod actions;
mod head;
mod history;
mod model;
mod tabs;
mod why;

use durable::RuntimeStatus;
use durable_http::client::PendingWork;
use durable_http::timeline::Timeline;
use maud::{Markup, html};

use crate::api::Failure;
use crate::api::registered::Functions;
use crate::call::Call;
use crate::format::count;
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{Note, Tab, note, tabs as tab_bar};
use crate::query::{Query, encode};
use crate::screens::waits;
use why::Waits;

pub(crate) use model::Details;

/// The tabs: the last part of the address, and the label.
const TABS: [(&str, &str); 8] = [
    ("", "Timeline"),
    ("history", "History"),
    ("pending", "Pending"),
    ("source", "Source"),
    ("sequence", "Sequence"),
    ("children", "Children"),
    ("entities", "Entities"),
    ("io", "Input and output"),
];
/// The parameters that the page and the timeline of the API have in common.
const OF_TIMELINE: [&str; 7] = ["from", "to", "lane", "lanes", "failed", "critical", "children"];

/// The error code of the API for a history that is too long for a timeline.
const TOO_LONG: &str = "history-too-long";

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let id = call.path.get(1).map_or("", String::as_str);
    let tab = call.path.get(2).map_or("", String::as_str);
    if !TABS.iter().any(|(path, _)| *path == tab) {
        return Err(Failure::not_found("An instance has no such tab."));
    }
    let route = format!("instances/{}", encode(id));
    let mut details: Details = call.api.get(&route, &Query::default()).await?;
    let mut waits = Waits::default();
    if details.runtime_status == RuntimeStatus::Running {
        let path = format!("{route}/pending");
        let pending: PendingWork = call.api.get(&path, &Query::default()).await?;
        if pending.status.runtime_status == RuntimeStatus::Running {
            waits.chain = waits::chain(call, &pending).await;
            waits.pending = Some(pending);
        } else {
            // An evicted instance is replayed to find out what it waits for, which may suspend it.
            details = call.api.get(&route, &Query::default()).await?;
        }
    }
    let content = match content(call, &details, &waits, &route, tab).await {
        Err(failure) if failure.code == TOO_LONG => too_long(call, &details, &route).await?,
        content => content?,
    };
    let registered: Functions = call.api.get("registered", &Query::default()).await?;
    let body = html! {
        (head::head(&call.view, &details, &waits, &registered))
        (why::why(&call.view, &details, &waits))
        (bar(call, &details, &waits, tab))
        (content)
    };
    let page = Page::new(id, Place::Instances, body).commands(commands(call, id, &route, tab));
    let is_open = !details.runtime_status.is_finished();
    Ok(if is_open {
        page.follows(format!("{route}/events?from={}", details.history_len))
    } else {
        page
    })
}

async fn content(
    call: &Call,
    details: &Details,
    waits: &Waits,
    route: &str,
    tab: &str,
) -> Result<Markup, Failure> {
    Ok(match tab {
        "history" => history::answer(call, details, route).await?,
        "pending" => tabs::pending(&call.view, details, waits),
        "source" => tabs::source(&call.view, &timeline(call, route, &Query::default()).await?),
        "sequence" => {
            tabs::sequence(&call.view, &timeline(call, route, &asked(&call.query)).await?)
        }
        "children" => {
            let path = format!("{route}/children");
            let children = call.api.get(&path, &Query::default().with("limit", 1000)).await?;
            tabs::children(&call.view, details, &children)
        }
        "entities" => tabs::entities(&call.view, &timeline(call, route, &of_entities()).await?),
        "io" => tabs::values(&call.view, details, route),
        _ => {
            let query = asked(&call.query);
            let timeline = timeline(call, route, &query).await?;
            tabs::timeline(call, details, &timeline, &query)
        }
    })
}

/// The content of a tab that needs the whole history, if the history is too long.
async fn too_long(call: &Call, details: &Details, route: &str) -> Result<Markup, Failure> {
    let why = html! {
        p {
            "The history has " (count(details.history_len)) " events, which are too many for this "
            "view. These are the newest ones."
        }
    };
    let events = history::newest(call, details, route).await?;
    Ok(html! { div #too-long { (note(Note::Warning, &why)) } (events) })
}

/// The parameters that the timeline of the API knows.
fn asked(query: &Query) -> Query {
    let known =
        query.pairs().filter(|(name, value)| OF_TIMELINE.contains(name) && !value.is_empty());
    known.fold(Query::default(), |query, (name, value)| query.and(name, value))
}

/// The lanes that are about entities.
fn of_entities() -> Query {
    Query::default().with("lanes", "lock,entityCall,signal")
}

async fn timeline(call: &Call, route: &str, query: &Query) -> Result<Timeline, Failure> {
    call.api.get(&format!("{route}/timeline"), query).await
}

fn bar(call: &Call, details: &Details, waits: &Waits, current: &str) -> Markup {
    let count_of = |path: &str| match path {
        "history" => Some(count(details.history_len)),
        "pending" => Some(count(waits.count() as u64)),
        _ => None,
    };
    let id = &details.instance_id;
    let tab = |(path, label): &(&str, &str)| Tab {
        label: (*label).to_owned(),
        count: count_of(path),
        link: match *path {
            "" => call.view.links.instance(id),
            path => call.view.links.instance_tab(id, path),
        },
        is_current: *path == current,
    };
    let bar: Vec<_> = TABS.iter().map(tab).collect();
    html! { div #tabs data-part { (tab_bar("Views of this instance", &bar, &html! {})) } }
}

fn commands(call: &Call, id: &str, route: &str, tab: &str) -> Vec<Command> {
    let (word, query) = (quoted(id), &call.query);
    let timeline = |task: &str, asked: &Query| {
        let command = format!("durable timeline {word}{}", timeline_options(asked));
        Command::get(task, command, format_args!("{route}/timeline{asked}"))
    };
    let of_tab = match tab {
        "history" if history::is_full(query) => history::command(query, &word, route),
        "history" => timeline("This table, as a timeline", &history::as_timeline(query)),
        "entities" => timeline("The requests to entities", &of_entities()),
        "source" => timeline("The lines of code", &Query::default()),
        "children" => Command::get(
            "The children, with theirs",
            format!("durable tree {word}"),
            format_args!("{route}/children?limit=1000"),
        ),
        "io" => Command::get(
            "Input and output",
            format!("durable get {word} --fields input,output -o json"),
            route,
        ),
        // The command below is that of the tab.
        "pending" => Command::get(
            "What it is",
            format!("durable tree {word}"),
            format_args!("{route}/children?limit=1000"),
        ),
        _ => timeline("This timeline", &asked(query)),
    };
    let pending = format!("durable pending {word}");
    let mut commands = vec![
        of_tab,
        Command::get("Header", format!("durable get {word}"), route),
        Command::get("What it waits for", pending, format_args!("{route}/pending")),
        Command::get(
            "Follow the history",
            format!("durable history {word} --follow"),
            format_args!("{route}/events"),
        ),
    ];
    if call.view.access.may_operate() {
        commands.extend([
            Command::post(
                "Raise an event",
                format!("durable raise {word} EVENT -i JSON"),
                format_args!("{route}:raise/EVENT"),
            ),
            Command::post(
                "Suspend",
                format!("durable suspend {word} --reason TEXT"),
                format_args!("{route}:suspend"),
            ),
        ]);
    }
    commands
}

/// The parameters of a timeline as options of the command.
fn timeline_options(asked: &Query) -> String {
    let option = |(name, value): (&str, &str)| match name {
        "failed" | "critical" | "children" if value == "true" => format!(" --{name}"),
        "failed" | "critical" | "children" => String::new(),
        name => format!(" --{name} {}", quoted(value)),
    };
    asked.pairs().map(option).collect()
}
