//! The lanes as messages between the instance and what it calls.

use durable::protocol::Timestamp;
use durable_http::timeline::{Lane, LaneKind, LaneState, Timeline};
use maud::{Markup, html};

use super::{icon_of, name_of, percent, state_word, utc};
use crate::call::View;
use crate::format;
use crate::parts::{icon, text, time};

/// Above this many messages, equal neighbors are merged.
const WHOLE_MAX: usize = 200;
/// The maximum number of rows.
const ROWS_MAX: usize = 1000;

/// The columns, each with its position in percent.
const COLUMNS: [(&str, f64); 5] = [
    ("Outside", 8.0),
    ("Instance", 29.0),
    ("Activities", 50.0),
    ("Entities", 71.0),
    ("Children", 92.0),
];
const INSTANCE: usize = 1;

/// A message from one column to another.
#[derive(Clone, Debug)]
struct Message {
    at: Timestamp,
    from: usize,
    to: usize,
    /// What is sent.
    label: String,
    icon: &'static str,
    lane: String,
    is_failure: bool,
    count: u64,
}

/// The diagram: a list of messages, each with an arrow.
pub(crate) fn sequence(view: &View, timeline: &Timeline) -> Markup {
    let mut messages: Vec<_> = timeline.lanes.iter().flat_map(messages).collect();
    messages.sort_by_key(|message| message.at);
    let all = messages.len();
    if all > WHOLE_MAX {
        messages = folded(messages);
    }
    let left_out = messages.len().saturating_sub(ROWS_MAX);
    messages.truncate(ROWS_MAX);
    html! {
        div.tl.seq {
            div.axis aria-hidden="true" {
                span { "Message" }
                svg aria-hidden="true" {
                    @for (name, x) in COLUMNS {
                        text x=(percent(x)) y="16" text-anchor="middle" { (name) }
                    }
                }
                span.ld { "Time" }
            }
            svg.tl-g width="100%" height="100%" aria-hidden="true" {
                @for (_, x) in COLUMNS {
                    line.g x1=(percent(x)) x2=(percent(x)) y1="0" y2="100%" {}
                }
            }
            ol aria-label="Messages" { @for message in &messages { (row(view, message)) } }
        }
        @if left_out > 0 { p.q2 { (format::counted(left_out as u64, "message")) " not shown. Zoom into the timeline to see them." } }
        @if messages.is_empty() { p.empty { "No message: the instance has called nothing." } }
    }
}

fn messages(lane: &Lane) -> Vec<Message> {
    let other = match lane.kind {
        LaneKind::Activity => 2,
        LaneKind::EntityCall | LaneKind::Signal | LaneKind::Lock => 3,
        LaneKind::Child => 4,
        LaneKind::Event | LaneKind::Sent => 0,
        // Timers and the instance itself send nothing.
        _ => return Vec::new(),
    };
    let (name, more) = name_of(lane);
    let message = |at, from, to, label: String, is_failure| Message {
        at,
        from,
        to,
        label,
        icon: icon_of(lane),
        lane: lane.id.clone(),
        is_failure,
        count: lane.fold.map_or(1, |fold| fold.count),
    };
    let named = format!("{name} {more}");
    if lane.kind == LaneKind::Event {
        let arrived = lane.until.map(|at| message(at, other, INSTANCE, named, false));
        return arrived.into_iter().collect();
    }
    let mut messages = vec![message(lane.since, INSTANCE, other, named, false)];
    let is_answered =
        matches!(lane.state, LaneState::Completed | LaneState::Failed | LaneState::Held);
    if let Some(at) = lane.until.filter(|_| is_answered) {
        let is_failure = lane.state == LaneState::Failed;
        let label = format!("{name}: {}", state_word(lane.state));
        messages.push(message(at, other, INSTANCE, label, is_failure));
    }
    messages
}

fn folded(messages: Vec<Message>) -> Vec<Message> {
    let mut folded: Vec<Message> = Vec::new();
    for message in messages {
        let is_equal = |last: &&mut Message| {
            (last.from, last.to, &last.label, last.is_failure)
                == (message.from, message.to, &message.label, message.is_failure)
        };
        match folded.last_mut().filter(is_equal) {
            Some(last) => last.count += message.count,
            None => folded.push(message),
        }
    }
    folded
}

fn row(view: &View, message: &Message) -> Markup {
    let (from, to) = (COLUMNS[message.from], COLUMNS[message.to]);
    let class = if message.is_failure { "m-f" } else { "m-l" };
    let head = if to.1 > from.1 { "M-7 10L0 14-7 18" } else { "M7 10L0 14 7 18" };
    html! {
        li.lane {
            div.lr {
                div.ln {
                    (icon(message.icon))
                    a.nm href=(format_args!("#{}", message.lane)) { (text(&format::cut(&message.label, 60))) }
                    @if message.count > 1 { span.q { "\u{d7} " (format::count(message.count)) } }
                }
                svg role="img" aria-label=(format_args!("from {} to {}", from.0, to.0)) {
                    g.dy {
                        line class=(class) x1=(percent(from.1)) x2=(percent(to.1)) y1="14" y2="14" {}
                        svg aria-hidden="true" x=(percent(to.1)) overflow="visible" { path class=(class) d=(head) {} }
                    }
                }
                div.ld { (time(view, utc(message.at))) }
            }
        }
    }
}
