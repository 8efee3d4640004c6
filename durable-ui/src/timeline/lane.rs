//! One lane: a row with a name, an SVG and a duration, and the card that it opens.

use durable_http::timeline::{Bar, Lane, LaneKind, Phase, Point, PointKind, Timeline};
use maud::{Markup, html};

use super::{Scale, card, icon_of, name_of, percent, state_word, took};
use crate::call::View;
use crate::format;
use crate::parts::{icon, text};

/// The narrowest bar, in percent.
const NARROWEST: f64 = 0.28;

pub(super) fn lane(view: &View, timeline: &Timeline, scale: Scale, lane: &Lane) -> Markup {
    let row = row(timeline, scale, lane);
    html! {
        li.lane #(lane.id) {
            @if lane.children.is_empty() {
                a.lr href=(format_args!("#{}", lane.id)) { (row) }
            } @else {
                details #(format_args!("d-{}", lane.id)) open {
                    summary.lr { (row) }
                    ol.kids {
                        @for child in &lane.children { (self::lane(view, timeline, scale, child)) }
                    }
                }
            }
            (card::card(view, timeline, lane))
        }
    }
}

fn row(timeline: &Timeline, scale: Scale, lane: &Lane) -> Markup {
    let (name, more) = name_of(lane);
    let took = took(timeline, lane);
    let label = format!("{name} {more}: {}, {took}", state_word(lane.state));
    html! {
        div.ln {
            @if !lane.children.is_empty() { svg.i.tw aria-hidden="true" { use href="#i-chev" {} } }
            (icon(icon_of(lane)))
            span.nm { (text(&name)) }
            @if !more.is_empty() { span.q { (text(&format::cut(&more, 80))) } }
            @if lane.is_critical { span.crit title="Part of the longest chain of awaits" { "critical" } }
        }
        svg role="img" aria-label=(label) {
            g.dy {
                @for bar in &lane.bars { (self::bar(scale, lane, bar)) }
                @for point in &lane.points { (self::point(scale, point)) }
            }
        }
        div.ld { (took) }
    }
}

fn bar(scale: Scale, lane: &Lane, bar: &Bar) -> Markup {
    let x = scale.x(bar.from);
    let width = (scale.x(bar.to) - x).max(NARROWEST).min(100.0 - x.min(99.0));
    let class = match bar.phase {
        Phase::Running => "h-run",
        Phase::Completed => "h-ok",
        Phase::Failed => "h-fail",
        Phase::Held => "h-held",
        Phase::Timer if lane.fold.is_none() => return line("l-t", x, width),
        Phase::Abandoned if lane.fold.is_none() => return line("l-p", x, width),
        _ => "h-wait",
    };
    let (y, height) = match (lane.fold, lane.kind) {
        (Some(fold), _) => {
            let part = f64::from(bar.at_once) / f64::from(fold.at_once.max(1));
            let height = (2.0 + 14.0 * part).min(16.0);
            (22.0 - height, height)
        }
        (None, LaneKind::Instance) => (11.0, 6.0),
        _ => (8.0, 12.0),
    };
    html! {
        rect class=(class) x=(percent(x)) width=(percent(width)) y=(format_args!("{y:.1}"))
            height=(format_args!("{height:.1}")) {}
    }
}

fn line(class: &str, x: f64, width: f64) -> Markup {
    html! { line class=(class) x1=(percent(x)) x2=(percent(x + width)) y1="14" y2="14" {} }
}

/// A point keeps its shape, because its own SVG is placed by percent.
fn point(scale: Scale, point: &Point) -> Markup {
    let x = percent(scale.x(point.at));
    html! {
        @match point.kind {
            PointKind::FailedAttempt => { line.k-f x1=(x) x2=(x) y1="5" y2="23" {} }
            PointKind::NextAttempt => { circle.p-n cx=(x) cy="14" r="5" {} }
            PointKind::Due => { circle.p-o cx=(x) cy="14" r="4.5" {} }
            PointKind::Fired => { circle.p-f cx=(x) cy="14" r="4.5" {} }
            PointKind::Cancelled => {
                svg aria-hidden="true" x=(x) overflow="visible" { path.p-c d="M-4 10l8 8m0-8l-8 8" {} }
            }
            PointKind::Arrived => {
                svg aria-hidden="true" x=(x) overflow="visible" { path.p-e d="M-6 14L0 8 6 14 0 20z" {} }
            }
            PointKind::Sent => {
                svg aria-hidden="true" x=(x) overflow="visible" { path.p-s d="M-4 9L5 14-4 19z" {} }
            }
            _ => {
                svg aria-hidden="true" x=(x) overflow="visible" {
                    @if let Some(label) = &point.label { title { (format::cut(label, 80)) } }
                    path.p-m d="M-4 5h8l-4 6z" {}
                }
            }
        }
    }
}
