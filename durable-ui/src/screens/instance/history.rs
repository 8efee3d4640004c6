//! The history as a paged table: compact (one row per task) or full (one row per event).

use durable_http::client::{Event, HistoryPage};
use maud::{Markup, html};

use super::model::Details;
use super::{asked, timeline};
use crate::api::Failure;
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, quoted};
use crate::parts::{empty, icon, preview, section, table, text, time};
use crate::query::Query;
use crate::timeline as drawn;

/// The number of rows in a page.
const ROWS: u64 = 200;
/// The number of newest events that are shown instead of a timeline. A browser lays out a row in
/// 0.2 ms.
const NEWEST: u64 = 50;
/// The maximum number of events that one request searches.
const SEARCHED: u64 = 20_000;
/// The maximum number of events in an answer of the API.
const READ: u64 = 1000;
/// The kinds of events that record a failure.
const FAILURES: &str = "TaskFailed,TaskAttemptFailed,SubOrchestrationInstanceFailed,\
                        EntityOperationFailed,ExecutionTerminated,ExecutionSuspended";

pub(super) async fn answer(call: &Call, details: &Details, route: &str) -> Result<Markup, Failure> {
    if is_full(&call.query) {
        return events(call, &call.query, details, route).await;
    }
    let timeline = timeline(call, route, &as_timeline(&call.query)).await?;
    let content = drawn::table(&call.view, &timeline);
    Ok(section("history", "History", &beside(call, &call.query), &content))
}

/// The newest events of a history that is too long for a timeline.
pub(super) async fn newest(call: &Call, details: &Details, route: &str) -> Result<Markup, Failure> {
    let from = details.history_len.saturating_sub(NEWEST);
    let query = Query::default().with("rows", "full").with("from", from);
    events(call, &query, details, route).await
}

async fn events(
    call: &Call,
    query: &Query,
    details: &Details,
    route: &str,
) -> Result<Markup, Failure> {
    let found = find(call, query, route).await?;
    let content = full(call, query, details, &found);
    Ok(section("history", "History", &beside(call, query), &content))
}

/// Whether there is a row for each event.
pub(super) fn is_full(query: &Query) -> bool {
    query.get("rows") == Some("full") || query.get("e").is_some()
}

/// The parameters of the timeline that has a lane for each row of the compact table.
pub(super) fn as_timeline(query: &Query) -> Query {
    let asked = asked(query).without("from").without("to");
    match query.get("q") {
        Some(words) => asked.with("lane", words),
        None => asked,
    }
}

/// The index of the first event of the page.
fn first(query: &Query) -> u64 {
    let number = |name| query.get(name).and_then(|index: &str| index.parse::<u64>().ok());
    match number("e") {
        Some(index) => index.saturating_sub(ROWS / 10),
        None => number("from").unwrap_or(0),
    }
}

/// The command that shows the events of the page.
pub(super) fn command(query: &Query, word: &str, route: &str) -> Command {
    let from = first(query);
    let mut command = format!("durable history {word} --from {from} --limit {ROWS}");
    let mut request = Query::default().with("from", from).with("limit", ROWS);
    if query.get("failed").is_some() {
        command.push_str(" --failed");
        request = request.with("kinds", FAILURES);
    }
    if let Some(words) = query.get("q") {
        command.extend([" --search ", &quoted(words)]);
        request = request.with("limit", READ);
    }
    Command::get("These events", command, format_args!("{route}/history{request}"))
}

/// The filter, and the switch between compact and full.
fn beside(call: &Call, query: &Query) -> Markup {
    let (is_full, view) = (is_full(query), &call.view);
    let to = |query: &Query| {
        let id = call.path.get(1).map_or("", String::as_str);
        view.links.instance_tab(id, "history") + &query.to_string()
    };
    let plain = query.without("e").without("from").without("fragment");
    html! {
        form.row method="get" {
            @if is_full { input type="hidden" name="rows" value="full"; }
            label.find {
                span.vh { "Name, kind or text" } (icon("search"))
                input.in name="q" value=(query.get("q").unwrap_or_default())
                    placeholder="Name, kind or text" data-find;
            }
            @if is_full {
                label.nw { span.vh { "Jump to index" } input.in.num name="e" inputmode="numeric" placeholder="# index" size="7"; }
            }
            label.nw { input type="checkbox" name="failed" value="true" checked[query.get("failed").is_some()]; " Failed only" }
            button.b type="submit" { "Filter" }
        }
        div.seg role="group" aria-label="Rows" {
            a href=(to(&plain.without("rows"))) aria-current=[(!is_full).then_some("true")] { "Compact" }
            a href=(to(&plain.with("rows", "full"))) aria-current=[is_full.then_some("true")] { "Full" }
        }
    }
}

/// The events of a page, and the position of the next page.
#[derive(Debug)]
struct Found {
    events: Vec<Event>,
    from: u64,
    next: Option<u64>,
    length: u64,
}

/// Reads pages of the API until there are enough rows, or enough events were searched.
async fn find(call: &Call, query: &Query, route: &str) -> Result<Found, Failure> {
    let from = match (query.get("e"), query.get("from")) {
        (None, Some(text)) => text.parse().map_err(|_| {
            Failure::invalid(format!("`from` is `{text}`; give the index of an event"))
        })?,
        _ => first(query),
    };
    let words = query.get("q").map(str::to_lowercase);
    let is_failed = query.get("failed").is_some();
    let path = format!("{route}/history");
    let mut found = Found { events: Vec::new(), from, next: Some(from), length: 0 };
    while let Some(next) = found.next {
        let room = ROWS.saturating_sub(found.events.len() as u64);
        if room == 0 || next >= from.saturating_add(SEARCHED) {
            break;
        }
        let limit = if words.is_some() { READ } else { room };
        let mut asked = Query::default().with("from", next).with("limit", limit);
        if is_failed {
            asked = asked.with("kinds", FAILURES);
        }
        let page: HistoryPage = call.api.get(&path, &asked).await?;
        found.length = page.length;
        found.next = page.next;
        for event in page.items {
            if words.as_ref().is_none_or(|words| has(&event, words)) {
                if found.events.len() as u64 == ROWS {
                    found.next = Some(event.index);
                    break;
                }
                found.events.push(event);
            }
        }
    }
    Ok(found)
}

fn has(event: &Event, words: &str) -> bool {
    event.kind.to_lowercase().contains(words) || event.data.as_str().to_lowercase().contains(words)
}

fn full(call: &Call, query: &Query, details: &Details, found: &Found) -> Markup {
    let view = &call.view;
    let jump = query.get("e").and_then(|index| index.parse::<u64>().ok());
    let head = html! { th.n { "#" } th { "Time" } th.n { "After" } th { "Kind" } th.n { "Task" } th.n { "Size" } th { "Data" } };
    let mut before = None;
    let rows = html! {
        @for event in &found.events {
            (row(view, event, before.replace(event.timestamp), jump == Some(event.index)))
        }
    };
    let to = |from: u64| {
        let query = query.without("e").without("fragment").with("from", from);
        view.links.instance_tab(&details.instance_id, "history") + &query.to_string()
    };
    let last = found.length.saturating_sub(ROWS);
    html! {
        @if found.events.is_empty() {
            (empty("No event matches.", "Nothing in this part of the history has that text.", &html! {
                @if let Some(next) = found.next { a.b href=(to(next)) { "Search on from " (format::count(next)) } }
            }))
        } @else {
            (table("stack rows", "Events", &head, &rows))
        }
        div.foot {
            @if found.from > 0 {
                a.b.s href=(to(0)) { "First" }
                a.b.s rel="prev" href=(to(found.from.saturating_sub(ROWS))) { "Earlier" }
            }
            span { "of " (format::counted(found.length, "event")) }
            @if let Some(next) = found.next {
                a.b.s rel="next" href=(to(next)) { "Later" }
                a.b.s href=(to(last)) { "Last" }
            }
        }
    }
}

fn row(
    view: &View,
    event: &Event,
    before: Option<chrono::DateTime<chrono::Utc>>,
    is_wanted: bool,
) -> Markup {
    let is_failure = event.kind.ends_with("Failed");
    let task = event.event_id.map(|id| id.to_string()).unwrap_or_default();
    html! {
        tr #(format_args!("e{}", event.index)) .cur[is_wanted] {
            td.n.q.h { (event.index) }
            td.q2 { (time(view, event.timestamp)) }
            td.n.q.h { @if let Some(before) = before { "+" (format::duration(event.timestamp - before)) } }
            td.a { b class=(if is_failure { "err" } else { "" }) { (text(&event.kind)) } }
            td.n.q.h { (task) }
            td.n.q.z { (format::bytes(event.data.as_str().len() as u64)) }
            td.x { @if event.data.as_str() != "null" { (preview(event.data.as_str())) } }
        }
    }
}
