//! The card of a lane: its details, shown when the lane is hovered over, focused or linked to.

use chrono::TimeDelta;
use durable_http::timeline::{Lane, LaneKind, Phase, PointKind, Start, Timeline};
use maud::{Markup, html};

use super::{kind_word, name_of, source, state_word, utc};
use crate::call::View;
use crate::format;
use crate::parts::{instance, preview, text, time};

/// The maximum number of failed attempts and marks in a card.
const POINTS_MAX: usize = 6;

pub(super) fn card(view: &View, timeline: &Timeline, lane: &Lane) -> Markup {
    let (name, more) = name_of(lane);
    let task = match (&*lane.tasks, lane.fold) {
        ([], _) | (_, Some(_)) => String::new(),
        ([(id, _), ..], None) => format!(", task {id}"),
    };
    html! {
        div.tip {
            h3 { (kind_word(lane.kind)) " " (text(&format::cut(&format!("{name} {more}"), 200))) (task) }
            dl.kv.v {
                (fact("State", &html! { (state_word(lane.state)) }))
                (times(view, timeline, lane))
                @if let Some(due) = lane.due_at.filter(|_| lane.state.is_open()) {
                    (fact(if lane.attempts > 0 { "Next attempt" } else { "Due" }, &html! {
                        (time(view, utc(due))) ", " (format::ago(utc(due), view.now))
                    }))
                }
                (fold(lane))
                @if let Some(id) = &lane.instance_id {
                    @if lane.kind != LaneKind::Instance {
                        (fact("Instance", &instance(view, id.as_str())))
                    }
                }
                (points(view, lane))
                @if let Some(error) = &lane.error { (fact("Error", &html! { span.msg.err { (text(error)) } })) }
                @if let Some(input) = &lane.input { (fact("Input", &preview(input))) }
                @if let Some(output) = &lane.output { (fact("Result", &preview(output))) }
                @if let Some(at) = &lane.source { (fact("Source", &source(at))) }
            }
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// When the lane began, and how long it waited and ran, as far as that is known.
fn times(view: &View, timeline: &Timeline, lane: &Lane) -> Markup {
    let took = lane.took(timeline.now).and_then(|took| TimeDelta::from_std(took).ok());
    let is_split =
        lane.bars.iter().any(|bar| bar.phase == Phase::Waiting && bar.start == Start::Known);
    let has = |start: Start| lane.bars.iter().any(|bar| bar.start == start);
    html! {
        (fact("Since", &time(view, utc(lane.since))))
        @if let Some(took) = took {
            (fact("Took", &html! {
                (format::duration(took))
                @if lane.attempts > 1 { ", " (format::counted(u64::from(lane.attempts), "attempt")) }
            }))
        }
        @if has(Start::Scheduled) && !is_split && lane.fold.is_none() {
            (fact("", &html! { span.q { "From when it was scheduled: includes the wait for a worker" } }))
        }
        @if has(Start::Estimated) && lane.fold.is_none() {
            (fact("", &html! { span.q { "Estimated: a history does not record this time" } }))
        }
    }
}

fn fold(lane: &Lane) -> Markup {
    let Some(fold) = lane.fold else { return html! {} };
    let micros =
        |it: u64| format::duration(TimeDelta::microseconds(i64::try_from(it).unwrap_or(i64::MAX)));
    html! {
        (fact("One takes", &html! {
            "min " (micros(fold.min_micros)) ", median " (micros(fold.median_micros))
            ", max " (micros(fold.max_micros))
        }))
        (fact("At once", &html! { (format::count(u64::from(fold.at_once))) " at most" }))
        (fact("Of these", &html! {
            (format::count(fold.failed)) " failed, " (format::count(fold.retried)) " were retried, "
            (format::count(fold.open)) " are open"
        }))
    }
}

/// The last failed attempts, and marks.
fn points(view: &View, lane: &Lane) -> Markup {
    let first = lane.points.len().saturating_sub(POINTS_MAX);
    html! {
        @for point in &lane.points[first..] {
            @let name = match point.kind {
                PointKind::FailedAttempt => "Failed attempt",
                PointKind::Patch => "Patch",
                PointKind::ContinuedAsNew => "Generation",
                PointKind::Suspended => "Suspended",
                PointKind::Resumed => "Resumed",
                PointKind::Rewound => "Rewound",
                PointKind::Terminated => "Terminated",
                PointKind::Note => "Note",
                PointKind::Cancelled => "Dropped about",
                _ => "",
            };
            @if !name.is_empty() {
                (fact(name, &html! {
                    (time(view, utc(point.at)))
                    @if let Some(label) = &point.label { " " (text(&format::cut(label, 120))) }
                }))
            }
        }
    }
}
