//! The timeline as HTML and SVG: a list of lanes, whose places and widths are percentages.
//!
//! It resizes without a script, and all text is HTML beside the SVG, so it can be found, copied and
//! read aloud.
//!
//! Read next: `lane.rs` (bars and points), `card.rs` (the details of a lane), `sequence.rs` (the
//! same lanes as messages).

mod card;
mod lane;
mod sequence;
mod table;

use chrono::{DateTime, TimeDelta, Utc};
use durable::protocol::Timestamp;
use durable_http::timeline::{Lane, LaneKind, LaneState, Timeline};
use maud::{Markup, html};

use crate::call::View;
use crate::format;
use crate::parts::text;

pub(crate) use sequence::sequence;
pub(crate) use table::table;

/// The time of a lane, for the functions of `format`.
fn utc(at: Timestamp) -> DateTime<Utc> {
    at.to_datetime()
}

/// The part of a range, in percent.
#[derive(Clone, Copy, Debug)]
struct Scale {
    from: DateTime<Utc>,
    micros: f64,
}

impl Scale {
    fn of(timeline: &Timeline) -> Self {
        let width = (utc(timeline.to) - utc(timeline.from)).num_microseconds();
        Self { from: utc(timeline.from), micros: float(width.unwrap_or(i64::MAX).max(1)) }
    }

    fn x(&self, at: Timestamp) -> f64 {
        let micros = (utc(at) - self.from).num_microseconds().unwrap_or(i64::MAX);
        (float(micros) / self.micros * 100.0).clamp(0.0, 100.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a place on the screen")]
fn float(micros: i64) -> f64 {
    micros as f64
}

fn percent(x: f64) -> String {
    format!("{x:.2}%")
}

/// The lanes with their axis.
pub(crate) fn timeline(view: &View, timeline: &Timeline) -> Markup {
    let scale = Scale::of(timeline);
    html! {
        div.tl {
            (axis(timeline, scale))
            ol aria-label="Tasks and events" {
                @for lane in &timeline.lanes { (lane::lane(view, timeline, scale, lane)) }
            }
        }
        @if timeline.hidden > 0 {
            p.q2 { (format::counted(timeline.hidden, "lane")) " not shown: the range or the filter leaves them out." }
        }
    }
}

/// The labels of the ticks, and the background of all lanes: the grid, the future, and now.
fn axis(timeline: &Timeline, scale: Scale) -> Markup {
    let now = scale.x(timeline.now);
    let is_now_shown = timeline.ended_at.is_none() && timeline.now < timeline.to;
    let is_free = |x: f64| !is_now_shown || (x - now).abs() > 7.0;
    let span = utc(timeline.to) - utc(timeline.from);
    html! {
        div.axis aria-hidden="true" {
            span { "Task" }
            svg aria-hidden="true" {
                @for tick in &timeline.ticks {
                    @let x = scale.x(*tick);
                    @if is_free(x) {
                        text x=(percent(x)) y="16" text-anchor=(anchor(x))
                            data-t=[is_coarse(span).then(|| utc(*tick).timestamp_millis())] {
                            (label(*tick, span))
                        }
                    }
                }
                @if is_now_shown {
                    text.now-l x=(percent(now)) y="16" text-anchor=(anchor(now)) { "now" }
                }
            }
            span.ld { "Took" }
        }
        svg.tl-g width="100%" height="100%" aria-hidden="true" {
            @if is_now_shown {
                rect.f-bg x=(percent(now)) width=(percent(100.0 - now)) height="100%" {}
            }
            @for tick in &timeline.ticks {
                @let x = percent(scale.x(*tick));
                line.g x1=(x) x2=(x) y1="0" y2="100%" {}
            }
            @if is_now_shown {
                line.k-n x1=(percent(now)) x2=(percent(now)) y1="0" y2="100%" {}
            }
        }
    }
}

fn anchor(x: f64) -> &'static str {
    match x {
        _ if x < 4.0 => "start",
        _ if x > 96.0 => "end",
        _ => "middle",
    }
}

/// Whether ticks are labeled to the minute; if so, the script shows them in local time.
fn is_coarse(span: TimeDelta) -> bool {
    span >= TimeDelta::minutes(15)
}

fn label(tick: Timestamp, span: TimeDelta) -> String {
    if span < TimeDelta::milliseconds(20) {
        return utc(tick).format("%S%.6f s").to_string();
    }
    let format = match span.num_seconds() {
        ..10 => "%S%.3f s",
        10..900 => "%H:%M:%S",
        900..172_800 => "%H:%M",
        _ => "%b %-d %H:%M",
    };
    utc(tick).format(format).to_string()
}

/// The symbol of a kind.
fn icon_of(lane: &Lane) -> &'static str {
    if lane.fold.is_some() {
        return "many";
    }
    match lane.kind {
        LaneKind::Activity => "activity",
        LaneKind::Child => "child",
        LaneKind::Timer => "timer",
        LaneKind::Event | LaneKind::Sent => "event",
        LaneKind::EntityCall | LaneKind::Signal => "entity",
        LaneKind::Lock => "lock",
        _ => "start",
    }
}

/// The word of a kind.
pub(crate) fn kind_word(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Instance => "Instance",
        LaneKind::Activity => "Activity",
        LaneKind::Child => "Child",
        LaneKind::Timer => "Timer",
        LaneKind::Event => "Event",
        LaneKind::EntityCall => "Entity call",
        LaneKind::Signal => "Signal",
        LaneKind::Lock => "Lock",
        LaneKind::Sent => "Event sent",
        _ => "Task",
    }
}

/// The word of a state.
pub(crate) fn state_word(state: LaneState) -> &'static str {
    match state {
        LaneState::Waiting => "waiting",
        LaneState::Running => "running",
        LaneState::Retrying => "waits for a retry",
        LaneState::Held => "held",
        LaneState::Completed => "completed",
        LaneState::Failed => "failed",
        LaneState::Terminated => "terminated",
        LaneState::Suspended => "suspended",
        LaneState::Abandoned => "dropped",
        LaneState::Sent => "sent",
        LaneState::Unread => "unread",
        _ => "unknown",
    }
}

/// The name of a lane, and what distinguishes it from others of that name.
fn name_of(lane: &Lane) -> (String, String) {
    let name = match (&*lane.title(), lane.kind) {
        ("", LaneKind::Timer) => "timer".to_owned(),
        ("", kind) => kind_word(kind).to_lowercase(),
        (name, _) => name.to_owned(),
    };
    let more = match (&lane.fold, &lane.version, &lane.detail) {
        (Some(fold), ..) => format!("\u{d7} {}", format::count(fold.count)),
        (None, Some(version), _) => format!("@{version}"),
        (None, None, Some(detail)) => detail.clone(),
        (None, None, None) => String::new(),
    };
    (name, more)
}

/// How long a lane took, or what it is doing.
fn took(timeline: &Timeline, lane: &Lane) -> String {
    match lane.state {
        LaneState::Abandoned | LaneState::Unread => return state_word(lane.state).to_owned(),
        LaneState::Retrying => return format!("attempt {}", lane.attempts),
        _ => {}
    }
    let took = lane.took(timeline.now).and_then(|took| TimeDelta::from_std(took).ok());
    took.map(format::duration).unwrap_or_default()
}

/// A source location.
pub(crate) fn source(source: &str) -> Markup {
    html! { span.m { (text(source)) } }
}
