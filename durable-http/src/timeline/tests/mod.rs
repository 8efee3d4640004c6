//! Histories in, lanes out.

mod any;
mod history;
mod text;

use std::fmt::Write;

use durable::RuntimeStatus;
use durable::protocol::Timestamp;
use expect_test::{Expect, expect};
use serde_json::json;

use self::history::History;
use super::{Lane, LaneKind, LaneState, Phase, Source, Start, Timeline, View, Waits, compute};

/// The time this many seconds after the beginning.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

fn of(history: &History, waits: Option<&Waits>, now: i64, view: &View) -> Timeline {
    let (status, events) = (history.status(), history.events());
    compute(&Source { status: &status, history: &events, waits, now: at(now) }, view)
}

/// The lanes as text, in seconds.
fn shown(timeline: &Timeline) -> String {
    let seconds = |at: Timestamp| at.to_datetime().timestamp_micros() / 1_000_000;
    let mut text = format!("{}..{}\n", seconds(timeline.from), seconds(timeline.to));
    for lane in &timeline.lanes {
        let critical = if lane.is_critical { " critical" } else { "" };
        write!(text, "{} {:?} {:?}{critical}:", lane.id, lane.kind, lane.state).unwrap();
        for bar in &lane.bars {
            let start = if bar.start == Start::Known { "" } else { "~" };
            write!(text, " {start}{}..{} {:?}", seconds(bar.from), seconds(bar.to), bar.phase)
                .unwrap();
        }
        for point in &lane.points {
            write!(text, " {} {:?}", seconds(point.at), point.kind).unwrap();
        }
        text += "\n";
    }
    text
}

fn check(history: &History, waits: Option<&Waits>, now: i64, expected: &Expect) {
    expected.assert_eq(&shown(&of(history, waits, now, &View::default())));
}

fn waits(tasks: &[i32], events: &[&str], unread: &[&str]) -> Waits {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let tasks = tasks.iter().copied().collect();
    Waits { tasks, events: names(events), unread: names(unread), ..Waits::default() }
}

fn completed() -> History {
    let mut history = History::new();
    history.start(0).task(0, 0, "validate").done(0, 3);
    history.task(1, 3, "price").task(2, 3, "check").done(2, 4).done(1, 9).end(9);
    history
}

#[test]
fn tasks_of_the_longest_chain_are_critical() {
    check(
        &completed(),
        None,
        20,
        &expect![[r#"
        0..9
        i Instance Completed: 0..9 Completed
        t0 Activity Completed critical: ~0..3 Completed
        t1 Activity Completed critical: ~3..9 Completed
        t2 Activity Completed: ~3..4 Completed
    "#]],
    );
}

#[test]
fn failed_attempts_are_points_and_the_next_attempt_is_due() {
    let mut history = History::new();
    history.start(0).task(0, 1, "charge").attempt_failed(0, 4, 1, 10);
    history.attempt_failed(0, 12, 2, 30);
    let waits = waits(&[0], &[], &[]);
    check(
        &history,
        Some(&waits),
        28,
        &expect![[r#"
        0..30
        i Instance Running: 0..28 Running
        t0 Activity Retrying critical: ~1..4 Failed 4..10 RetryWait ~10..12 Failed 12..30 RetryWait 4 FailedAttempt 12 FailedAttempt 30 NextAttempt
    "#]],
    );
    let timeline = of(&history, Some(&waits), 28, &View::default());
    let lane = &timeline.lanes[1];
    assert_eq!((lane.attempts, lane.due_at), (3, Some(at(30))));
    assert_eq!(lane.error.as_deref(), Some("broken"));
    assert_eq!(lane.bars[2].attempt, Some(2));
    check(
        &history,
        Some(&waits),
        31,
        &expect![[r#"
        0..31
        i Instance Running: 0..31 Running
        t0 Activity Running critical: ~1..4 Failed 4..10 RetryWait ~10..12 Failed 12..30 RetryWait ~30..31 Running 4 FailedAttempt 12 FailedAttempt
    "#]],
    );
}

#[test]
fn the_wait_for_a_worker_is_drawn_apart_from_the_run() {
    let mut history = History::new();
    history.start(0).task(0, 0, "charge").attempt_failed_since(0, 4, 1, 10);
    history.done_since(0, 20, 13).task(1, 20, "ship").done_since(1, 30, 20);
    let history = history.end(30).clone();
    check(
        &history,
        None,
        40,
        &expect![[r#"
            0..30
            i Instance Completed: 0..30 Completed
            t0 Activity Completed critical: 0..1 Waiting 1..4 Failed 4..10 RetryWait 10..13 Waiting 13..20 Completed 4 FailedAttempt
            t1 Activity Completed critical: 20..30 Completed
        "#]],
    );
    let timeline = of(&history, None, 40, &View::default());
    let waited = timeline.lanes.iter().map(|lane| lane.waited_micros).collect::<Vec<_>>();
    assert_eq!(waited, [None, Some(4_000_000), Some(0)]);
    let decade = View { to: Some(at(40_000)), ..View::default() };
    let bars = &of(&history, None, 40, &decade).lanes[1].bars;
    assert!(bars.iter().all(|bar| bar.phase != Phase::Waiting), "too short to be seen: {bars:?}");
}

#[test]
fn a_merged_lane_counts_the_activities_that_run_and_not_those_that_wait_for_a_worker() {
    let mut history = History::new();
    history.start(0);
    (0..20).for_each(|n| {
        history.task(n, 0, "line");
    });
    (0..20).for_each(|n| {
        history.done_since(n, 2 + i64::from(n / 2) * 2, i64::from(n / 2) * 2);
    });
    history.end(20);
    let merged = of(&history, None, 20, &View { max_bars: 10, ..View::default() });
    assert_eq!(merged.lanes[1].fold.unwrap().at_once, 2);
    // Two waited 0 s, two 2 s, and so on until 18 s.
    assert_eq!(merged.lanes[1].waited_micros, Some(180_000_000));
}

#[test]
fn a_failure_that_is_retried_after_a_suspension_is_an_attempt() {
    let mut history = History::new();
    history.start(0).task(0, 0, "charge").task_failed(0, 2).attempt_failed(0, 5, 1, 7).done(0, 8);
    check(
        &history.end(8),
        None,
        9,
        &expect![[r#"
        0..8
        i Instance Completed: 0..8 Completed
        t0 Activity Completed critical: ~0..2 Failed 2..7 RetryWait ~7..8 Completed 2 FailedAttempt
    "#]],
    );
}

#[test]
fn a_timer_that_lost_a_race_is_cancelled_when_the_orchestrator_continued() {
    let mut history = History::new();
    history.start(0).timer(0, 0, 60).raise(20, "Approval").task(1, 20, "charge").done(1, 25);
    check(
        &history.end(25),
        None,
        30,
        &expect![[r#"
        0..25
        i Instance Completed: 0..25 Completed
        t0 Timer Abandoned: 0..20 Timer ~20..25 Abandoned 20 Cancelled
        e3 Event Completed critical: ~0..20 Waiting 20 Arrived
        t1 Activity Completed critical: ~20..25 Completed
    "#]],
    );
}

#[test]
fn awaited_events_and_unread_events_come_from_what_the_instance_waits_for() {
    let mut history = History::new();
    history.start(0).timer(0, 0, 600).raise(3, "Aproval");
    let waits = waits(&[0], &["approval"], &["Aproval"]);
    check(
        &history,
        Some(&waits),
        10,
        &expect![[r#"
        0..12
        i Instance Running: 0..10 Running
        t0 Timer Waiting: 0..12 Timer
        e3 Event Unread: 3 Arrived
        w0 Event Waiting critical: ~3..10 Waiting
    "#]],
    );
}

#[test]
fn an_event_is_awaited_since_its_wait_began_on_the_line_of_the_wait() {
    let mut history = History::new();
    history.start(0).raise(3, "Aproval");
    let mut waits = waits(&[], &["approval"], &["Aproval"]);
    let wait = json!({ "name": "approval", "source": "src/a.rs:7", "since": at(0) });
    waits.event_waits = vec![serde_json::from_value(wait).unwrap()];
    let timeline = of(&history, Some(&waits), 10, &View::default());
    let lane = timeline.lanes.iter().find(|lane| lane.id == "w0").unwrap();
    assert_eq!(lane.source.as_deref(), Some("src/a.rs:7"));
    assert_eq!(serde_json::to_value(lane.since).unwrap(), json!(at(0)));
    assert_eq!(lane.bars[0].start, Start::Known);
}

#[test]
fn locks_wait_are_held_and_released() {
    let mut history = History::new();
    history.start(0).lock(0, 0, "a").granted(0, 4).call(1, 4, "a", "get").called(1, 6);
    history.unlock(2, 8, 0, "a").lock(3, 8, "b");
    let waits = waits(&[3], &[], &[]);
    check(
        &history,
        Some(&waits),
        10,
        &expect![[r#"
        0..10
        i Instance Running: 0..10 Running
        t0 Lock Completed critical: 0..4 Waiting 4..8 Held
        t1 EntityCall Completed critical: ~4..6 Completed
        t3 Lock Waiting critical: 8..10 Waiting
    "#]],
    );
    let timeline = of(&history, Some(&waits), 10, &View::default());
    assert_eq!(timeline.lanes[1].tasks, [(0, 0), (2, 2)]);
}

#[test]
fn the_lane_of_the_instance_has_its_suspensions_patches_and_generation() {
    let mut history = History::new();
    history.generation(2).start(0).patch(0, "v2").suspend(5, "lunch").resume(9).task(0, 9, "a");
    history.status = RuntimeStatus::Terminated;
    history.terminate(12).end(12);
    check(
        &history,
        None,
        20,
        &expect![[r#"
        0..12
        i Instance Terminated: 0..5 Running 5..9 Suspended 9..12 Abandoned 0 ContinuedAsNew 0 Patch 5 Suspended 9 Resumed 12 Terminated
        t0 Activity Abandoned: ~9..12 Abandoned
    "#]],
    );
}

#[test]
fn an_instance_without_a_history_has_a_lane() {
    check(
        &History::new().pending(),
        None,
        5,
        &expect![[r#"
        0..5
        i Instance Waiting: 0..5 Waiting
    "#]],
    );
}

#[test]
fn children_are_put_below_their_lane() {
    let mut history = History::new();
    history.start(0).child(0, 1, "part", "order-1").child_done(0, 5).end(5);
    let mut timeline = of(&history, None, 9, &View::default());
    let mut child = History::new();
    child.id = "order-1";
    child.start(1).task(0, 2, "step").done(0, 4).end(4);
    let view = View { from: Some(timeline.from), to: Some(timeline.to), ..View::default() };
    timeline.adopt(of(&child, None, 9, &view));
    let lane = &timeline.lanes[1];
    assert_eq!((lane.kind, lane.child_status), (LaneKind::Child, Some(RuntimeStatus::Completed)));
    let ids: Vec<_> = lane.children.iter().map(|it| (&*it.id, &*it.name)).collect();
    assert_eq!(ids, [("t0.t0", "step")]);
}

#[test]
fn a_view_selects_lanes_by_name_kind_failure_and_time() {
    let mut history = completed();
    history.status = RuntimeStatus::Failed;
    let names = |view: View| {
        let timeline = of(&history, None, 20, &view);
        let names = timeline.lanes.iter().map(|lane| lane.name.clone()).collect::<Vec<_>>();
        (names.join(" "), timeline.hidden)
    };
    let all = View::default;
    let of_name = |name: &str| View { lane: Some(name.to_owned()), ..all() };
    assert_eq!(names(of_name("CH")), ("checkout check".to_owned(), 2));
    assert_eq!(names(of_name("t1")), ("price".to_owned(), 3));
    let kinds = vec![LaneKind::Instance];
    assert_eq!(names(View { kinds, ..all() }), ("checkout".to_owned(), 3));
    assert_eq!(names(View { failed: true, ..all() }), ("checkout".to_owned(), 3));
    assert_eq!(names(View { critical: true, ..all() }), ("validate price".to_owned(), 2));
    let late = View { from: Some(at(5)), to: Some(at(7)), ..all() };
    assert_eq!(names(late.clone()), ("checkout price".to_owned(), 2));
    let bars = of(&history, None, 20, &late).lanes[1].bars.clone();
    assert_eq!((bars[0].from, bars[0].to), (at(5), at(7)));
}

fn fan_out(count: i32) -> History {
    let mut history = History::new();
    history.start(0);
    (0..count).for_each(|n| {
        history.task(n, 0, "line");
    });
    (0..count).for_each(|n| {
        history.done(n, 1 + i64::from(n % 10));
    });
    history.end(10);
    history
}

#[test]
fn equal_neighbors_become_one_lane_above_the_limit() {
    let history = fan_out(50);
    let whole = of(&history, None, 20, &View { max_bars: 51, ..View::default() });
    assert_eq!((whole.lanes.len(), whole.is_folded), (51, false));
    let merged = of(&history, None, 20, &View { max_bars: 50, ..View::default() });
    assert_eq!((merged.lanes.len(), merged.is_folded), (2, true));
    let lane: &Lane = &merged.lanes[1];
    let fold = lane.fold.unwrap();
    assert_eq!((fold.count, fold.at_once, fold.open, fold.failed), (50, 50, 0, 0));
    assert_eq!(
        (fold.min_micros, fold.median_micros, fold.max_micros),
        (1_000_000, 6_000_000, 10_000_000)
    );
    assert_eq!((lane.state, &*lane.tasks), (LaneState::Completed, &[(0, 49)][..]));
    let heights: Vec<_> = lane.bars.iter().map(|bar| bar.at_once).collect();
    assert!(heights.windows(2).all(|pair| pair[0] > pair[1]), "{heights:?}");
    assert!(lane.bars.iter().all(|bar| bar.phase == Phase::Completed));
}

#[test]
fn lanes_that_alternate_are_merged_by_name_and_many_names_by_kind() {
    let mut history = History::new();
    history.start(0);
    for n in 0..100 {
        history.task(2 * n, i64::from(n), "a").done(2 * n, i64::from(n) + 1);
        history.timer(2 * n + 1, i64::from(n), i64::from(n) + 1).fired(2 * n + 1, i64::from(n) + 1);
    }
    history.end(100);
    let few = View { max_bars: 60, ..View::default() };
    let timeline = of(&history, None, 100, &few);
    let lanes = |timeline: &Timeline| {
        let lanes = timeline.lanes.iter().map(|lane| (lane.kind, lane.fold.map(|it| it.count)));
        lanes.collect::<Vec<_>>()
    };
    let expected =
        [(LaneKind::Instance, None), (LaneKind::Activity, Some(100)), (LaneKind::Timer, Some(100))];
    assert_eq!(lanes(&timeline), expected);
    let mut history = History::new();
    history.start(0);
    (0..100).for_each(|n| {
        history.task(n, 0, &format!("name {n}")).done(n, 1);
    });
    let timeline = of(&history.end(1), None, 100, &few);
    assert_eq!(lanes(&timeline), [(LaneKind::Instance, None), (LaneKind::Activity, Some(100))]);
    assert_eq!(timeline.lanes[1].name, "");
}

#[test]
fn ticks_are_at_round_times() {
    let ticks = |from: i64, to: i64| {
        let ticks = super::range::ticks(at(from), at(to));
        let text = |it: &Timestamp| it.to_datetime().format("%d %H:%M:%S").to_string();
        ticks.iter().map(text).collect::<Vec<_>>().join(", ")
    };
    let check = |from, to, expected: Expect| expected.assert_eq(&ticks(from, to));
    check(3, 7, expect!["01 00:00:03, 01 00:00:04, 01 00:00:05, 01 00:00:06, 01 00:00:07"]);
    check(
        7,
        1807,
        expect!["01 00:05:00, 01 00:10:00, 01 00:15:00, 01 00:20:00, 01 00:25:00, 01 00:30:00"],
    );
    check(0, 400_000, expect!["01 00:00:00, 02 00:00:00, 03 00:00:00, 04 00:00:00, 05 00:00:00"]);
    let all = super::range::ticks(at(0), Timestamp::MAX);
    assert!((1..=8).contains(&all.len()), "{all:?}");
}

#[test]
fn a_timeline_is_the_same_after_json() {
    let timeline = of(&completed(), None, 20, &View::default());
    let json = serde_json::to_value(&timeline).unwrap();
    assert_eq!(json["lanes"][1]["bars"][0]["start"], json!("scheduled"));
    assert_eq!(json["lanes"][1]["kind"], json!("activity"));
    assert_eq!(serde_json::from_value::<Timeline>(json).unwrap(), timeline);
}
