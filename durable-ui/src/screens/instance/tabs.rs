//! The other tabs: timeline, pending, source, sequence, children, values.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use durable::EntityId;
use durable_http::client::{Child, IndexedPage};
use durable_http::timeline::{LaneKind, LaneState, Timeline};
use maud::{Markup, html};

use super::model::Details;
use super::why::{self, Waits};
use crate::call::{Call, View};
use crate::format;
use crate::parts::{Json, empty, entity, icon, instance, json, section, status, table, text};
use crate::query::Query;
use crate::source::{Excerpt, excerpt};
use crate::timeline as drawn;

/// The number of lines of code that are shown with their surroundings.
const EXCERPTS: usize = 5;

pub(super) fn timeline(call: &Call, details: &Details, of: &Timeline, query: &Query) -> Markup {
    let content = html! {
        (filter(call, details, of, query))
        (legend())
        @if of.is_folded {
            p.q2 { "Equal neighbors are one lane, because there are more than 2,000 bars. Zoom in to see each." }
        }
        (drawn::timeline(&call.view, of))
    };
    let history = call.view.links.instance_tab(&details.instance_id, "history");
    let twin = html! { span.sp {} a.nw href=(history) { "Same as a table" } };
    section("timeline", "Timeline", &twin, &content)
}

/// The filter of the timeline: names, kinds of lanes, and the range.
fn filter(call: &Call, details: &Details, of: &Timeline, query: &Query) -> Markup {
    let here = |query: &Query| call.view.links.instance(&details.instance_id) + &query.to_string();
    let check = |name: &str, label: &str| {
        html! {
            label.nw { input type="checkbox" name=(name) value="true" checked[query.get(name).is_some()]; " " (label) }
        }
    };
    html! {
        div.row {
            form.row method="get" {
                @for name in ["from", "to", "lanes"] {
                    @if let Some(value) = query.get(name) { input type="hidden" name=(name) value=(value); }
                }
                label.find {
                    span.vh { "Filter tasks" } (icon("search"))
                    input.in name="lane" value=(query.get("lane").unwrap_or_default()) placeholder="Filter tasks" data-find;
                }
                (check("failed", "Failed only"))
                (check("critical", "Critical path"))
                (check("children", "Children"))
                button.b type="submit" { "Show" }
            }
            span.sp {}
            div.seg role="group" aria-label="Range" {
                @for (label, range) in ranges(of) {
                    @let to = range.map_or_else(
                        || query.without("from").without("to"),
                        |(from, to)| query.with("from", format::rfc3339(from)).with("to", format::rfc3339(to)),
                    );
                    @let is_whole = range.is_none() && query.get("from").is_none();
                    a href=(here(&to)) aria-current=[is_whole.then_some("true")] { (label) }
                }
            }
        }
    }
}

/// A range of time.
type Range = (DateTime<Utc>, DateTime<Utc>);

/// The ranges that can be chosen; `None` is the whole timeline.
fn ranges(of: &Timeline) -> Vec<(&'static str, Option<Range>)> {
    let (from, to) = (of.from.to_datetime(), of.to.to_datetime());
    let width = to - from;
    let quarter = width / 4;
    let mut ranges = vec![
        ("All", None),
        ("Earlier", Some((from - width / 2, to - width / 2))),
        ("Zoom in", Some((from + quarter, to - quarter))),
        ("Later", Some((from + width / 2, to + width / 2))),
    ];
    if of.ended_at.is_none() {
        let now = of.now.to_datetime();
        ranges.push(("Around now", Some((now - quarter, now + quarter / 2))));
    }
    ranges
}

fn legend() -> Markup {
    html! {
        div.legend aria-hidden="true" {
            span { svg aria-hidden="true" { rect.h-wait y="1" width="20" height="10" {} } "waiting" }
            span { svg aria-hidden="true" { rect.h-run y="1" width="20" height="10" {} } "runs" }
            span { svg aria-hidden="true" { rect.h-ok y="1" width="20" height="10" {} } "ran, completed" }
            span { svg aria-hidden="true" { rect.h-fail y="1" width="20" height="10" {} } "ran, failed" }
            span { svg aria-hidden="true" { line.k-f x1="10" x2="10" y1="0" y2="12" {} } "failed attempt" }
            span { svg aria-hidden="true" { path.p-e transform="translate(10 6)" d="M-5 0L0-5 5 0 0 5z" {} } "event" }
            span { svg aria-hidden="true" { line.l-t x1="0" x2="20" y1="6" y2="6" {} } "timer" }
            span { svg aria-hidden="true" { rect.h-held x="1" y="1" width="18" height="10" {} } "lock held" }
        }
    }
}

pub(super) fn pending(view: &View, details: &Details, waits: &Waits) -> Markup {
    let content = if let Some(pending) = waits.pending.as_ref().filter(|_| waits.count() > 0) {
        why::table_of(view, pending, usize::MAX)
    } else {
        let why = if details.runtime_status.is_finished() {
            "The instance has ended."
        } else {
            "The runtime does not know of anything that it waits for now."
        };
        empty("It waits for nothing.", why, &html! {})
    };
    section("pending", "What it waits for", &html! {}, &content)
}

/// The awaits of the orchestrator by line.
pub(super) fn source(view: &View, of: &Timeline) -> Markup {
    #[derive(Default)]
    struct Line {
        names: Vec<String>,
        count: u64,
        open: u64,
        failed: u64,
    }
    let mut order = Vec::new();
    let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
    for lane in &of.lanes {
        let Some(source) = lane.source.as_deref() else { continue };
        let line = lines.entry(source).or_insert_with(|| {
            order.push(source);
            Line::default()
        });
        let count = lane.fold.map_or(1, |fold| fold.count);
        line.count += count;
        line.open += lane.fold.map_or(u64::from(lane.state.is_open()), |fold| fold.open);
        line.failed += lane.fold.map_or(u64::from(lane.state == LaneState::Failed), |it| it.failed);
        let name = format!("{} {}", drawn::kind_word(lane.kind).to_lowercase(), lane.title());
        if !line.names.contains(&name) && line.names.len() < 4 {
            line.names.push(name);
        }
    }
    let head =
        html! { th { "Line" } th { "Requests" } th.n { "Times" } th.n { "Failed" } th { "Now" } };
    let rows = html! {
        @for source in order {
            @if let Some(line) = lines.get(source) {
                tr .cur[line.open > 0] {
                    td.a { span.m { (text(source)) } }
                    td.x { (text(&line.names.join(", "))) }
                    td.n { (format::count(line.count)) }
                    td.n { @if line.failed > 0 { span.err { (format::count(line.failed)) } } }
                    td.z { @if line.open > 0 { b { "waits here" } } }
                }
            }
        }
    };
    let open = lines.iter().filter(|(_, line)| line.open > 0).map(|(source, _)| *source);
    let excerpts: Vec<_> = match &view.source_root {
        Some(root) => open.take(EXCERPTS).filter_map(|it| excerpt(root, it)).collect(),
        None => Vec::new(),
    };
    let content = if lines.is_empty() {
        empty("No line is known.", "The history records no request with a line of code.", &html! {})
    } else {
        html! {
            (table("stack", "Lines of code", &head, &rows))
            p.q2 { "As of " (crate::parts::time(view, of.now.to_datetime())) "." }
            @for excerpt in &excerpts { (code(excerpt)) }
        }
    };
    section("source", "Source", &html! {}, &content)
}

fn code(excerpt: &Excerpt) -> Markup {
    let Excerpt { path, line, lines } = excerpt;
    let (path, editor) = (path.display(), format!("vscode://file{}:{line}", path.display()));
    html! {
        h3.row { span.m { (text(&format!("{path}:{line}"))) } a href=(editor) { "Open in VS Code" } }
        pre.src tabindex="0" {
            @for (number, text) in lines {
                span .cur[number == line] { (format!("{number:>5}  {text}\n")) }
            }
        }
    }
}

pub(super) fn sequence(view: &View, of: &Timeline) -> Markup {
    section("sequence", "Sequence", &html! {}, &drawn::sequence(view, of))
}

pub(super) fn children(view: &View, details: &Details, children: &IndexedPage<Child>) -> Markup {
    let head =
        html! { th { "Instance" } th { "Name" } th { "Status" } th.n { "Task" } th { "Awaited" } };
    let rows = html! {
        @for child in &children.items {
            tr {
                td.a { (instance(view, &child.instance_id)) }
                td.x { (text(&child.name)) @if let Some(version) = &child.version { "@" (text(version)) } }
                td.z { @match child.runtime_status { Some(it) => (status(it)), None => span.q { "removed" } } }
                td.n.h { (child.event_id) }
                td.h { @if child.detached { span.q { "no, it was started apart" } } @else { "yes" } }
            }
        }
    };
    let content = html! {
        @if let Some(parent) = &details.parent { p { "Parent: " (instance(view, &parent.instance_id)) } }
        @if children.items.is_empty() {
            (empty("No children.", "It has not called or started another orchestration.", &html! {}))
        } @else {
            (table("stack rows", "Children", &head, &rows))
        }
        @if children.next.is_some() { p.q2 { "These are the first 1,000." } }
    };
    section("children", "Children", &html! {}, &content)
}

/// The entities that it has locked, called and signaled.
pub(super) fn entities(view: &View, of: &Timeline) -> Markup {
    #[derive(Default)]
    struct Touched<'a> {
        locks: u64,
        signals: u64,
        /// By operation.
        calls: BTreeMap<&'a str, u64>,
        failed: u64,
        is_open: bool,
    }
    let mut all: BTreeMap<&str, Touched<'_>> = BTreeMap::new();
    for lane in &of.lanes {
        let count = lane.fold.map_or(1, |fold| fold.count);
        // A lock may be of several.
        for id in lane.name.split(", ") {
            let touched = all.entry(id).or_default();
            match lane.kind {
                LaneKind::Lock => touched.locks += count,
                LaneKind::Signal => touched.signals += count,
                LaneKind::EntityCall => {
                    *touched
                        .calls
                        .entry(lane.detail.as_deref().unwrap_or_default())
                        .or_default() += count;
                }
                _ => continue,
            }
            touched.failed +=
                lane.fold.map_or(u64::from(lane.state == LaneState::Failed), |it| it.failed);
            touched.is_open |= lane.fold.map_or(lane.state.is_open(), |fold| fold.open > 0);
        }
    }
    all.retain(|_, it| it.locks + it.signals > 0 || !it.calls.is_empty());
    let head = html! {
        th { "Entity" } th { "Called" } th.n { "Signals" } th.n { "Locks" } th.n { "Failed" }
        th { "Now" }
    };
    let rows = html! {
        @for (id, touched) in &all {
            @let calls: Vec<_> = touched.calls.iter().map(|(name, count)| format!("{name} \u{d7} {count}")).collect();
            tr .cur[touched.is_open] {
                td.a {
                    @match EntityId::try_from((*id).to_owned()) {
                        Ok(id) => (entity(view, &id)),
                        Err(_) => (text(id)),
                    }
                }
                td.x { (text(&calls.join(", "))) }
                td.n.h { (format::count(touched.signals)) }
                td.n { span.mobonly.q { "locks " } (format::count(touched.locks)) }
                td.n.h { @if touched.failed > 0 { span.err { (format::count(touched.failed)) } } }
                td.z { @if touched.is_open { b { "waits or holds" } } }
            }
        }
    };
    let content = if all.is_empty() {
        empty("No entities.", "It has not locked, called or signaled an entity.", &html! {})
    } else {
        table("stack rows", "Entities", &head, &rows)
    };
    section("entities", "Entities", &html! {}, &content)
}

/// Input and output as trees.
pub(super) fn values(view: &View, details: &Details, route: &str) -> Markup {
    let raw = |part: &str| view.links.api(format_args!("{route}/{part}"));
    let (input, output) = (raw("input"), raw("output"));
    let shown = |text: &str, whole: &str| json(Json { text, whole: Some(whole) });
    html! {
        div.cols {
            (section("input", "Input", &size(details.input.as_str()), &shown(details.input.as_str(), &input)))
            @match &details.output {
                Some(value) => {
                    (section("output", "Output", &size(value.as_str()), &shown(value.as_str(), &output)))
                }
                None => {
                    (section("output", "Output", &html! {}, &empty("No output.", "The orchestrator has not returned a value.", &html! {})))
                }
            }
        }
    }
}

fn size(text: &str) -> Markup {
    html! { span.q { (format::bytes(text.len() as u64)) } }
}
