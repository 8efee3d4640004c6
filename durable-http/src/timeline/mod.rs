//! Timelines: what an instance did and waited for, computed from its history.
//!
//! [`compute`] is a pure function. It takes a history, the status of the instance, what the
//! instance waits for, and the time; it returns lanes of bars and points. The dashboard draws the
//! lanes, the command line prints them ([`text`]), and `GET /api/v1/instances/{id}/timeline` serves
//! them as JSON.
//!
//! Rules:
//! 1. Each task of the history is in exactly one lane.
//! 2. Bars and points lie within the range.
//! 3. What a history does not record is estimated, and marked as such: see [`Start`].
//!
//! Read next: `model.rs` (the lanes), `read.rs` (from events to lanes).

mod critical;
mod draft;
mod fold;
mod instance;
mod model;
mod preview;
mod range;
mod read;
mod request;
mod symbols;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;

use durable::client::{InstanceStatus, PendingWork};
use durable::protocol::{EventWait, HistoryEvent, Timestamp};

pub use model::{Bar, Fold, Lane, LaneKind, LaneState, Phase, Point, PointKind, Start, Timeline};
pub use text::{TextOptions, text};

/// The maximum number of bars and points that are drawn one by one.
pub const MAX_BARS: usize = 2000;

/// The data from which a timeline is computed.
///
/// ```
/// use durable::client::{HubError, InstanceHandle};
/// use durable::protocol::Timestamp;
/// use durable_http::timeline::{Source, Timeline, View, Waits, compute};
///
/// async fn timeline(run: &InstanceHandle, now: Timestamp) -> Result<Timeline, HubError> {
///     let waits = Waits::from(&run.pending().await?);
///     let (status, history) = run.status_and_history().await?;
///     let source = Source { status: &status, history: &history, waits: Some(&waits), now };
///     Ok(compute(&source, &View::default()))
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The status of the instance.
    pub status: &'a InstanceStatus,
    /// The history of the current execution, as of the same moment.
    pub history: &'a [HistoryEvent],
    /// What the instance waits for, if that is known. Without it, every task without an answer
    /// counts as awaited, and awaited events have no lane.
    pub waits: Option<&'a Waits>,
    /// The time for which the timeline is computed.
    pub now: Timestamp,
}

/// What an instance waits for, as far as its history does not show it.
///
/// ```
/// use durable::client::PendingWork;
/// use durable_http::timeline::Waits;
///
/// fn waits(pending: &PendingWork) -> Waits {
///     Waits::from(pending)
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// The ids of the tasks that the instance waits for.
    pub tasks: BTreeSet<i32>,
    /// The names of the events that the instance waits for.
    pub events: Vec<String>,
    /// The waits for these events, in the same order. An event without a wait counts as awaited
    /// since the instance last made progress.
    pub event_waits: Vec<EventWait>,
    /// The names of the events that have arrived and were not read.
    pub unread: Vec<String>,
}

impl From<&PendingWork> for Waits {
    fn from(pending: &PendingWork) -> Self {
        Self {
            tasks: pending.tasks.iter().map(|task| task.event_id).collect(),
            events: pending.awaited_events.clone(),
            event_waits: pending.event_waits.clone(),
            unread: pending.unread_events.clone(),
        }
    }
}

/// The part of a timeline to show.
///
/// ```
/// use durable_http::timeline::{LaneKind, View};
///
/// let mut view = View::default();
/// view.kinds = vec![LaneKind::Activity];
/// view.failed = true;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// The beginning of the range; by default the beginning of the execution.
    pub from: Option<Timestamp>,
    /// The end of the range; by default the end of the execution, or a little after now.
    pub to: Option<Timestamp>,
    /// Only lanes with this id, or whose name or detail contains this text, regardless of case.
    pub lane: Option<String>,
    /// Only lanes of these kinds; all kinds if empty.
    pub kinds: Vec<LaneKind>,
    /// Only lanes that failed or had a failed attempt.
    pub failed: bool,
    /// Only lanes of the longest chain of awaits.
    pub critical: bool,
    /// The number of bars and points above which equal lanes are merged; by default [`MAX_BARS`].
    pub max_bars: usize,
}

impl Default for View {
    fn default() -> Self {
        Self {
            from: None,
            to: None,
            lane: None,
            kinds: Vec::new(),
            failed: false,
            critical: false,
            max_bars: MAX_BARS,
        }
    }
}

/// Computes the timeline of an instance.
///
/// The time that this takes is proportional to the length of the history.
///
/// ```
/// use durable::prelude::*;
/// use durable_http::timeline::{LaneKind, Source, View, compute};
///
/// #[activity]
/// async fn charge(cents: u32) -> u32 { cents }
///
/// #[orchestrator]
/// async fn order(ctx: &OrchestrationContext) -> Result<u32> { Ok(charge(500).await?) }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().open().await?;
/// let run = hub.start(order()).await?;
/// run.result().await?;
/// let (status, history) = run.status_and_history().await?;
/// let now = status.last_updated_at;
/// let source = Source { status: &status, history: &history, waits: None, now };
/// let timeline = compute(&source, &View::default());
/// assert_eq!(timeline.lanes[1].kind, LaneKind::Activity);
/// assert_eq!(timeline.lanes[1].name, "charge");
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub fn compute(source: &Source<'_>, view: &View) -> Timeline {
    let mut read = read::read(source);
    critical::mark(&mut read, source);
    let (from, to) = range::of(&read, source, view);
    let total = read.drafts.len();
    let mut drafts: Vec<_> = read.drafts.into_iter().filter(|it| view.wants(&it.lane)).collect();
    drafts.retain_mut(|draft| range::clip(&mut draft.lane, from, to));
    let hidden = (total - drafts.len()) as u64;
    let (lanes, is_folded) = fold::fold(drafts, view.max_bars, (from, to), source);
    let status = source.status;
    Timeline {
        instance_id: status.instance_id.clone(),
        execution_id: status.execution_id,
        name: status.name.clone(),
        version: status.version.clone(),
        runtime_status: status.runtime_status,
        history_len: source.history.len() as u64,
        started_at: read.started_at,
        ended_at: read.ended_at,
        now: source.now,
        from,
        to,
        ticks: range::ticks(from, to),
        lanes,
        hidden,
        is_folded,
    }
}

impl View {
    fn wants(&self, lane: &Lane) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(part);
        let is_named = |part: &String| {
            let low = part.to_lowercase();
            lane.id == *part
                || has(&lane.name, &low)
                || lane.detail.as_ref().is_some_and(|detail| has(detail, &low))
        };
        (self.kinds.is_empty() || self.kinds.contains(&lane.kind))
            && (!self.failed || lane.has_failure())
            && (!self.critical || lane.is_critical)
            && self.lane.as_ref().is_none_or(is_named)
    }
}

impl Timeline {
    /// Puts the lanes of a child below its own lane. Does nothing if no lane leads to it.
    ///
    /// Compute the child's timeline for the same range, so that its bars align.
    pub fn adopt(&mut self, child: Self) {
        let is_its_lane = |lane: &&mut Lane| lane.instance_id.as_ref() == Some(&child.instance_id);
        let mut candidates = self.lanes.iter_mut().filter(|lane| lane.kind == LaneKind::Child);
        let Some(lane) = candidates.find(is_its_lane) else { return };
        lane.child_status = Some(child.runtime_status);
        lane.children = child.lanes;
        lane.children.retain(|it| it.kind != LaneKind::Instance);
        let prefix = format!("{}.", lane.id);
        lane.children.iter_mut().for_each(|it| it.id.insert_str(0, &prefix));
    }
}
