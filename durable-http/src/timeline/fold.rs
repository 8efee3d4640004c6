//! Level of detail: if there are too many bars, equal lanes are merged.

use std::collections::HashMap;

use durable::protocol::Timestamp;

use super::draft::Draft;
use super::{Bar, Fold, Lane, LaneKind, LaneState, Phase, PointKind, Source, Start, preview};

/// The maximum number of bars in a merged lane.
const BUCKETS_MAX: usize = 100;
/// The minimum number of bars, so that the lane still shows something.
const BUCKETS_MIN: usize = 8;
/// The maximum number of points in a merged lane.
const POINTS_MAX: usize = 20;

/// The lanes to show, and whether some were merged.
pub(super) fn fold(
    drafts: Vec<Draft>,
    max: usize,
    range: (Timestamp, Timestamp),
    source: &Source<'_>,
) -> (Vec<Lane>, bool) {
    let count: usize = drafts.iter().map(weight).sum();
    if count <= max {
        return (drafts.into_iter().map(|draft| shown(draft, source)).collect(), false);
    }
    let mut groups = neighbors(drafts);
    if cost(&groups) > max {
        groups = regrouped(groups, |draft| Some(draft.lane.name.clone()));
    }
    if cost(&groups) > max {
        groups = regrouped(groups, |_| None);
    }
    let singles: usize = groups.iter().filter(|it| it.len() == 1).map(|it| weight(&it[0])).sum();
    let merged = groups.iter().filter(|it| it.len() > 1).count().max(1);
    let buckets = max.saturating_sub(singles) / (2 * merged);
    let buckets = buckets.clamp(BUCKETS_MIN, BUCKETS_MAX);
    let lanes = groups.into_iter().map(|mut group| match group.len() {
        1 => shown(group.remove(0), source),
        _ => merge(group, range, buckets, source),
    });
    (lanes.collect(), true)
}

fn weight(draft: &Draft) -> usize {
    draft.lane.bars.len() + draft.lane.points.len()
}

/// The minimum number of bars that can show the groups.
fn cost(groups: &[Vec<Draft>]) -> usize {
    let cost = |group: &Vec<Draft>| match &**group {
        [one] => weight(one),
        _ => 2 * BUCKETS_MIN,
    };
    groups.iter().map(cost).sum()
}

fn neighbors(drafts: Vec<Draft>) -> Vec<Vec<Draft>> {
    let mut groups: Vec<Vec<Draft>> = Vec::new();
    for draft in drafts {
        let is_equal = |group: &&mut Vec<Draft>| {
            let lane = &group[0].lane;
            (lane.kind, &lane.name, &lane.version)
                == (draft.lane.kind, &draft.lane.name, &draft.lane.version)
        };
        match groups.last_mut().filter(is_equal) {
            Some(group) => group.push(draft),
            None => groups.push(vec![draft]),
        }
    }
    groups
}

/// Groups lanes of the same kind and key, wherever they are. A group takes the place of its first
/// lane.
fn regrouped(groups: Vec<Vec<Draft>>, key: impl Fn(&Draft) -> Option<String>) -> Vec<Vec<Draft>> {
    let mut places: HashMap<(LaneKind, Option<String>), usize> = HashMap::new();
    let mut regrouped: Vec<Vec<Draft>> = Vec::new();
    for draft in groups.into_iter().flatten() {
        let place = *places.entry((draft.lane.kind, key(&draft))).or_insert_with(|| {
            regrouped.push(Vec::new());
            regrouped.len() - 1
        });
        regrouped[place].push(draft);
    }
    regrouped
}

/// A lane with its input and output.
fn shown(draft: Draft, source: &Source<'_>) -> Lane {
    let mut lane = draft.lane;
    let event = |index: Option<usize>| source.history.get(index?);
    lane.input = event(Some(draft.requested)).and_then(preview::input);
    lane.output = event(draft.answered).and_then(preview::output);
    if lane.kind == LaneKind::Instance {
        lane.output = source.history.iter().rev().find_map(preview::output_of_execution);
    }
    lane
}

/// Merges several lanes into one.
fn merge(
    group: Vec<Draft>,
    range: (Timestamp, Timestamp),
    buckets: usize,
    source: &Source<'_>,
) -> Lane {
    let (at_once, bars) = profile(&group, range, buckets);
    let fold = measured(&group, at_once);
    let has_one_name = group.iter().all(|it| it.lane.name == group[0].lane.name);
    let has_one_source = group.iter().all(|it| it.lane.source == group[0].lane.source);
    let states: Vec<_> = group.iter().map(|it| it.lane.state).collect();
    let until = group.iter().map(|it| it.lane.until).collect::<Option<Vec<_>>>();
    let since = group.iter().map(|it| it.lane.since).min();
    let due_at = group.iter().filter_map(|it| it.lane.due_at.filter(|_| it.is_open())).min();
    let error = group.iter().rev().find_map(|it| it.lane.error.clone());
    let waited = group.iter().filter_map(|it| it.lane.waited_micros).reduce(u64::saturating_add);
    let is_critical = group.iter().any(|it| it.lane.is_critical);
    let mut points = Vec::new();
    let mut tasks = Vec::new();
    for draft in &group {
        tasks.extend_from_slice(&draft.lane.tasks);
        let notable = draft.lane.points.iter().filter(|it| is_notable(it.kind));
        points.extend(notable.cloned());
    }
    points.sort_by_key(|point| point.at);
    if points.len() > POINTS_MAX {
        // Evenly, and the last one, too.
        let step = points.len().div_ceil(POINTS_MAX);
        points = points.into_iter().rev().step_by(step).collect();
        points.reverse();
    }
    let Some(first) = group.into_iter().next() else { unreachable!("a group is not empty") };
    let mut lane = shown(first, source);
    (lane.input, lane.output, lane.detail, lane.instance_id) = (None, None, None, None);
    if !has_one_name {
        lane.name = String::new();
        lane.version = None;
    }
    lane.source = lane.source.filter(|_| has_one_source);
    lane.state = together(&states);
    lane.since = since.unwrap_or(lane.since);
    lane.until = until.and_then(|all| all.into_iter().max());
    lane.tasks = ranges(tasks);
    lane.waited_micros = waited;
    (lane.due_at, lane.error, lane.is_critical, lane.attempts) = (due_at, error, is_critical, 0);
    (lane.bars, lane.points, lane.fold) = (bars, points, Some(fold));
    lane
}

/// Whether a point is shown in a merged lane.
fn is_notable(kind: PointKind) -> bool {
    matches!(kind, PointKind::FailedAttempt | PointKind::NextAttempt | PointKind::Due)
}

/// The state of several lanes: that of an open lane first, then that of a failed one.
fn together(states: &[LaneState]) -> LaneState {
    let open = states.iter().find(|state| state.is_open());
    let failed = states.iter().find(|state| **state == LaneState::Failed);
    open.or(failed).or(states.first()).copied().unwrap_or(LaneState::Completed)
}

fn ranges(mut tasks: Vec<(i32, i32)>) -> Vec<(i32, i32)> {
    tasks.sort_unstable();
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for (first, last) in tasks {
        match ranges.last_mut() {
            Some((_, end)) if *end >= first.saturating_sub(1) => *end = last.max(*end),
            _ => ranges.push((first, last)),
        }
    }
    ranges
}

fn measured(group: &[Draft], at_once: u32) -> Fold {
    let micros = |draft: &Draft| {
        let until = draft.lane.until.filter(|_| draft.lane.state != LaneState::Abandoned)?;
        u64::try_from(until.since(draft.lane.since).as_micros()).ok()
    };
    let mut took: Vec<_> = group.iter().filter_map(micros).collect();
    took.sort_unstable();
    let count = |is: fn(&Draft) -> bool| group.iter().filter(|it| is(it)).count() as u64;
    Fold {
        count: group.len() as u64,
        failed: count(|it| it.lane.state == LaneState::Failed),
        retried: count(|it| it.lane.attempts > 1),
        open: count(Draft::is_open),
        at_once,
        min_micros: took.first().copied().unwrap_or_default(),
        median_micros: took.get(took.len() / 2).copied().unwrap_or_default(),
        max_micros: took.last().copied().unwrap_or_default(),
    }
}

/// The bars during which lanes count as running: all bars if none of the lanes ran.
fn counted(group: &[Draft]) -> Vec<Bar> {
    let bars = || group.iter().flat_map(|it| &it.lane.bars).copied();
    let waits_for_worker = group.iter().all(|it| it.lane.kind == LaneKind::Activity);
    let ran = |bar: &Bar| match bar.phase {
        Phase::RetryWait | Phase::Abandoned => false,
        Phase::Waiting => !waits_for_worker,
        _ => true,
    };
    let points = || group.iter().flat_map(|it| &it.lane.points);
    if bars().any(|bar| ran(&bar)) {
        return bars().filter(ran).collect();
    }
    if bars().next().is_some() {
        return bars().collect();
    }
    let (phase, attempt, start) = (Phase::Completed, None, Start::Known);
    let bar = |at| Bar { from: at, to: at, phase, attempt, start, at_once: 1 };
    points().map(|point| bar(point.at)).collect()
}

/// The maximum number of lanes that ran at once, in total and within each of several equal parts of
/// the range in which any ran.
fn profile(group: &[Draft], (from, to): (Timestamp, Timestamp), buckets: usize) -> (u32, Vec<Bar>) {
    let bars = counted(group);
    let mut turns: Vec<(Timestamp, i64)> = Vec::new();
    for bar in &bars {
        turns.extend([(bar.from, 1), (bar.to.max(after(bar.from)), -1)]);
    }
    turns.sort_unstable();
    let is_running = group.iter().any(Draft::is_open);
    let all_failed = group.iter().all(|it| it.lane.state == LaneState::Failed);
    let phase = match bars.first().map(|bar| bar.phase) {
        _ if all_failed => Phase::Failed,
        Some(phase @ (Phase::Waiting | Phase::Timer | Phase::Held | Phase::Abandoned)) => phase,
        _ if is_running => Phase::Running,
        _ => Phase::Completed,
    };
    let width = (to.since(from).as_micros() / buckets as u128).max(1);
    let width = u64::try_from(width).unwrap_or(u64::MAX);
    let bucket_of = |at: Timestamp| {
        let offset = u64::try_from(at.since(from).as_micros()).unwrap_or(u64::MAX);
        usize::try_from(offset / width).unwrap_or(usize::MAX).min(buckets - 1)
    };
    let edge = |bucket: usize| from.after(std::time::Duration::from_micros(width * bucket as u64));
    let mut heights = vec![0_i64; buckets];
    let (mut now, mut most, mut at) = (0, 0, 0);
    for (time, change) in turns {
        let bucket = bucket_of(time);
        for height in &mut heights[at.min(bucket)..=bucket] {
            *height = now.max(*height);
        }
        now += change;
        most = now.max(most);
        heights[bucket] = now.max(heights[bucket]);
        at = bucket;
    }
    let mut drawn: Vec<Bar> = Vec::new();
    for (bucket, height) in heights.into_iter().enumerate().filter(|(_, height)| *height > 0) {
        let at_once = u32::try_from(height).unwrap_or(u32::MAX);
        let (begin, end) = (edge(bucket).min(to), edge(bucket + 1).min(to));
        match drawn.last_mut() {
            Some(last) if last.to == begin && last.at_once == at_once => last.to = end,
            _ => {
                let start = Start::Estimated;
                drawn.push(Bar { from: begin, to: end, phase, attempt: None, start, at_once });
            }
        }
    }
    (u32::try_from(most).unwrap_or(u32::MAX), drawn)
}

/// The next point in time.
fn after(at: Timestamp) -> Timestamp {
    at.after(std::time::Duration::from_micros(1))
}
