//! The lanes as a table: the compact history, and the text form of the drawing.

use durable_http::timeline::{Lane, Timeline};
use maud::{Markup, html};

use super::{icon_of, kind_word, name_of, source, state_word, took, utc};
use crate::call::View;
use crate::format;
use crate::parts::{self, icon, preview, text, time};

/// One row for each lane: the request and its answer together.
pub(crate) fn table(view: &View, timeline: &Timeline) -> Markup {
    let head = html! {
        th.n { "#" } th { "Time" } th { "Kind" } th { "Name" } th.n { "Task" } th.n { "Took" }
        th { "State" } th { "Result" } th { "Source" }
    };
    let rows = html! {
        @for lane in &timeline.lanes {
            (row(view, timeline, lane))
            @for child in &lane.children { (row(view, timeline, child)) }
        }
    };
    parts::table("stack rows", "Tasks and events", &head, &rows)
}

fn row(view: &View, timeline: &Timeline, lane: &Lane) -> Markup {
    let (name, more) = name_of(lane);
    let tasks = match &*lane.tasks {
        [] => String::new(),
        [(first, last)] if first == last => first.to_string(),
        [(first, _), ..] => {
            let last = lane.tasks.last().map_or(*first, |(_, last)| *last);
            if lane.fold.is_some() { format!("{first}\u{2013}{last}") } else { first.to_string() }
        }
    };
    html! {
        tr {
            td.n.q.h { (lane.index) }
            td.q2 { (time(view, utc(lane.since))) }
            td.h { span.nw { (icon(icon_of(lane))) " " (kind_word(lane.kind)) } }
            td.a { b { (text(&name)) } " " span.q { (text(&format::cut(&more, 80))) } }
            td.n.q.h { (tasks) }
            td.n.z { (took(timeline, lane)) }
            td.nw { (state_word(lane.state)) }
            td.x {
                @match (&lane.error, &lane.output) {
                    (Some(error), _) => { span.m.err { (text(&format::cut(error, 160))) } }
                    (None, Some(output)) => { (preview(output)) }
                    (None, None) => {}
                }
            }
            td { @if let Some(at) = &lane.source { (source(at)) } }
        }
    }
}
