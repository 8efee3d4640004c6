//! The range of a timeline, and the ticks of its axis.

use std::time::Duration;

use durable::protocol::Timestamp;

use super::read::Read;
use super::{Lane, LaneKind, Phase, Source, View};

/// The maximum number of ticks of an axis.
const TICKS_MAX: u64 = 8;

/// A wait for a worker is drawn if it takes at least this fraction (1/4000) of the range: about a
/// quarter of a pixel.
const VISIBLE: u32 = 4000;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Distances between ticks, in microseconds. A longer distance is a day times a power of ten.
const STEPS: [u64; 38] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
];

/// The range that a view shows. The range is never empty.
pub(super) fn of(read: &Read, source: &Source<'_>, view: &View) -> (Timestamp, Timestamp) {
    let last = read.last_at.max(read.started_at);
    let end = match read.ended_at {
        Some(ended) => ended.max(last),
        None => future(read, source.now.max(last)),
    };
    let from = view.from.unwrap_or(read.first_at);
    let to = view.to.unwrap_or(end).max(from.after(Duration::from_millis(1)));
    (from, to)
}

/// The end of the range of an unfinished execution. The range includes what is due next, but leaves
/// at most a sixth of the width to the future.
fn future(read: &Read, now: Timestamp) -> Timestamp {
    let open = read.drafts.iter().filter(|it| it.lane.state.is_open());
    let due = open.filter_map(|it| it.lane.due_at).filter(|due| *due > now).min();
    let past = now.since(read.started_at).max(Duration::from_millis(1));
    due.map_or(now, |due| now.after(due.since(now).mul_f64(1.1)).min(now.after(past / 5)))
}

/// Clips a lane to the range, and removes waits for a worker that are too short to be seen. Returns
/// whether any part of the lane is left.
pub(super) fn clip(lane: &mut Lane, from: Timestamp, to: Timestamp) -> bool {
    let visible = to.since(from) / VISIBLE;
    let can_wait_for_worker = lane.kind == LaneKind::Activity;
    lane.bars.retain_mut(|bar| {
        let is_tiny = bar.phase == Phase::Waiting && bar.to.since(bar.from) < visible;
        if is_tiny && can_wait_for_worker {
            return false;
        }
        let is_within = bar.from <= to && bar.to >= from;
        (bar.from, bar.to) = (bar.from.max(from), bar.to.min(to));
        is_within && bar.from <= bar.to
    });
    lane.points.retain(|point| (from..=to).contains(&point.at));
    !lane.bars.is_empty() || !lane.points.is_empty()
}

/// Round times within a range, eight at most.
pub(super) fn ticks(from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let width = u64::try_from(to.since(from).as_micros()).unwrap_or(u64::MAX);
    let step = STEPS.into_iter().find(|step| width / step < TICKS_MAX);
    let longer = || (1..19).map(|power| DAY.saturating_mul(10_u64.saturating_pow(power)));
    let Some(step) = step.or_else(|| longer().find(|step| width / step < TICKS_MAX)) else {
        return Vec::new();
    };
    let Ok(step) = i64::try_from(step) else { return Vec::new() };
    let first = from.to_datetime().timestamp_micros().div_euclid(step);
    let at = |n: i64| Timestamp::from_micros(first.checked_add(n)?.checked_mul(step)?);
    let ticks = (0..=i64::try_from(TICKS_MAX).unwrap_or_default() + 1).filter_map(at);
    ticks.filter(|tick| (from..=to).contains(tick)).collect()
}
