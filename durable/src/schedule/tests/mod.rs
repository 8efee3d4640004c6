//! The ticks of a schedule and their effects.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::cron;
use super::spec::{Plan, Recurrence, Schedule, Target};
use super::state::{Command, State, Wait};
use crate::protocol::{Json, Tags};

const NONE: [DateTime<Utc>; 0] = [];

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn plan(schedule: Schedule) -> Plan {
    schedule.plan
}

fn state(schedule: Schedule, now: &str) -> State {
    let target =
        Target { name: "target".to_owned(), version: None, input: Json::null(), tags: Tags::new() };
    let mut state = State::new(schedule.plan, target);
    state.begin(time(now));
    state
}

/// The next times after `from`.
#[track_caller]
fn check_cron(pattern: &str, from: &str, expected: &[&str]) {
    let plan = plan(Schedule::cron(pattern).unwrap());
    let mut from = time(from);
    for expected in expected {
        let tick = plan.first(from, from).unwrap();
        assert_eq!(tick, time(expected), "{pattern}");
        assert_eq!(plan.last(from, tick, tick), tick);
        assert_eq!(cron::last(pattern, tick + TimeDelta::milliseconds(7)), Some(tick));
        from = tick;
    }
}

#[test]
fn cron_patterns_have_these_ticks() {
    check_cron(
        "0 3 * * *",
        "2026-02-27T03:00:00Z",
        &["2026-02-28T03:00:00Z", "2026-03-01T03:00:00Z"],
    );
    check_cron("*/20 30 8 * * *", "2026-01-04T08:30:20.5Z", &["2026-01-04T08:30:40Z"]);
    // Leap days, across a century year without one.
    check_cron(
        "0 0 29 2 *",
        "2026-01-01T00:00:00Z",
        &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
    );
    check_cron("0 0 29 2 *", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
    check_cron(
        "0 0 31 * *",
        "2026-01-31T00:00:00Z",
        &["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"],
    );
    check_cron("0 12 L * *", "2028-02-01T00:00:00Z", &["2028-02-29T12:00:00Z"]);
    check_cron("0 0 * * 7", "2026-01-01T00:00:00Z", &["2026-01-04T00:00:00Z"]);
    check_cron("0 0 * * SUN", "2026-01-01T00:00:00Z", &["2026-01-04T00:00:00Z"]);
    check_cron("30 8 * * MON-FRI", "2026-01-02T09:00:00Z", &["2026-01-05T08:30:00Z"]);
    // A restricted day of month and a restricted day of week: either counts.
    check_cron(
        "0 0 13 * FRI",
        "2026-01-07T00:00:00Z",
        &["2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"],
    );
    check_cron("@daily", "2026-12-31T23:59:59Z", &["2027-01-01T00:00:00Z"]);
    // Schedules use UTC, so nights with a clock change elsewhere are like any other.
    check_cron("30 1 * * *", "2026-03-28T12:00:00Z", &["2026-03-29T01:30:00Z"]);
    check_cron(
        "30 1 * * *",
        "2026-10-24T12:00:00Z",
        &["2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"],
    );
}

#[test]
fn invalid_patterns_are_refused_with_a_reason() {
    for (pattern, reason) in [
        ("", "it has 0 fields"),
        ("* * *", "it has 3 fields; write 5"),
        ("* * * * * * *", "it has 7 fields"),
        ("61 * * * *", "the minute cannot be `61`"),
        ("* 24 * * *", "the hour cannot be `24`"),
        ("* * 0 * *", "the day of month cannot be `0`"),
        ("* * * 13 *", "the month cannot be `13`"),
        ("* * * * MOO", "the day of week cannot be `MOO`"),
        ("60 * * * * *", "the second cannot be `60`"),
        ("5-1 * * * *", "the minute cannot be `5-1`"),
        ("*/0 * * * *", "the minute cannot be `*/0`"),
        ("0 0 30 2 *", "there is no such day in any year"),
        ("@nightly", "there is no such name"),
    ] {
        let error = Schedule::cron(pattern).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{pattern}` is not a cron pattern: ")), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn an_interval_is_a_grid_from_its_start() {
    let start = time("2026-01-01T00:00:00Z");
    let fixed = plan(Schedule::every(Duration::from_mins(5)).start_at(start));
    for (from, tick) in [
        ("2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.000001Z", "2026-01-01T00:05:00Z"),
        ("2027-01-01T00:04:59Z", "2027-01-01T00:05:00Z"),
    ] {
        assert_eq!(fixed.first(start, time(from)), Some(time(tick)));
    }
    let late = fixed.last(start, start, time("2026-01-01T01:04:59Z"));
    assert_eq!(late, time("2026-01-01T01:00:00Z"));

    let from_now = plan(Schedule::every(Duration::from_secs(90)));
    assert_eq!(from_now.first(start, start), Some(start + TimeDelta::seconds(90)));
}

#[test]
fn an_update_that_changes_nothing_keeps_the_grid() {
    let hourly = || Schedule::every(Duration::from_hours(1));
    let mut kept = state(hourly(), "2026-01-01T00:00:00Z");
    let update =
        |schedule: Schedule| Command::Update { plan: Box::new(schedule.plan), target: None };
    kept.obey(update(hourly()), time("2026-01-01T00:59:00Z"));
    assert_eq!(kept.next_run_at, Some(time("2026-01-01T01:00:00Z")));
    kept.obey(update(hourly().start_immediately_if_late(true)), time("2026-01-01T00:59:00Z"));
    assert_eq!(kept.next_run_at, Some(time("2026-01-01T01:59:00Z")));
}

#[test]
fn recurrences_are_displayed_readably() {
    for (millis, text) in [
        (1_000, "every 1s"),
        (1_500, "every 1.5s"),
        (90_000, "every 1m30s"),
        (300_000, "every 5m"),
        (86_400_000, "every 24h"),
    ] {
        assert_eq!(Recurrence::Every(Duration::from_millis(millis)).to_string(), text);
    }
    assert_eq!(Recurrence::Cron("0 3 * * *".to_owned()).to_string(), "0 3 * * *");
}

#[test]
fn a_recurrence_is_stored_as_before_and_shown_in_seconds() {
    for (schedule, stored, shown) in [
        (
            Schedule::every(Duration::from_mins(5)),
            r#"{"Every":{"secs":300,"nanos":0}}"#,
            r#"{"every_seconds":300}"#,
        ),
        (
            Schedule::every(Duration::from_millis(1_500)),
            r#"{"Every":{"secs":1,"nanos":500000000}}"#,
            r#"{"every_seconds":1.5}"#,
        ),
        (
            Schedule::cron("0 3 * * *").unwrap(),
            r#"{"Cron":"0 3 * * *"}"#,
            r#"{"cron":"0 3 * * *"}"#,
        ),
    ] {
        let plan = plan(schedule);
        let written = serde_json::to_string(&plan).unwrap();
        assert!(written.starts_with(&format!("{{\"recurrence\":{stored},")), "{written}");
        assert_eq!(serde_json::from_str::<Plan>(&written).unwrap(), plan);
        assert_eq!(serde_json::to_string(&plan.recurrence).unwrap(), shown);
        assert_eq!(serde_json::from_str::<Recurrence>(shown).unwrap(), plan.recurrence);
    }
    assert!(serde_json::from_str::<Recurrence>(r#"{"every_seconds":-1}"#).is_err_and(|error| {
        error.to_string().starts_with("cannot convert float seconds to Duration")
    }));
}

#[test]
fn times_beyond_the_calendar_are_not_ticks() {
    let start = time("2026-01-01T00:00:00Z");
    assert_eq!(plan(Schedule::every(Duration::MAX)).first(start, start), None);
    let end_of_time = DateTime::<Utc>::MAX_UTC;
    let never = plan(Schedule::every(Duration::from_hours(1)).start_at(end_of_time));
    assert!(never.first(start, start).is_none_or(|tick| tick <= end_of_time));
    let never = plan(Schedule::cron("@daily").unwrap().start_at(end_of_time));
    assert_eq!(never.first(start, start), None);
}

#[test]
fn a_tick_is_missed_if_found_more_than_a_minute_late() {
    let daily = || Schedule::cron("0 3 * * *").unwrap();
    let mut in_time = state(daily(), "2026-01-01T00:00:00Z");
    assert_eq!(in_time.due(time("2026-01-01T03:01:00Z")), [time("2026-01-01T03:00:00Z")]);
    let mut missed = state(daily(), "2026-01-01T00:00:00Z");
    assert_eq!(missed.due(time("2026-01-03T03:01:01Z")), NONE);
    assert_eq!((missed.runs, missed.next_run_at), (0, Some(time("2026-01-04T03:00:00Z"))));
    let mut late = state(daily().start_immediately_if_late(true), "2026-01-01T00:00:00Z");
    assert_eq!(late.due(time("2026-01-03T09:00:00Z")), [time("2026-01-03T03:00:00Z")]);
    assert_eq!(late.last_run_at, Some(time("2026-01-03T09:00:00Z")));
    assert_eq!((late.runs, late.next_run_at), (1, Some(time("2026-01-04T03:00:00Z"))));
}

#[test]
fn each_tick_of_a_short_downtime_runs() {
    let mut busy = state(Schedule::every(Duration::from_secs(2)), "2026-01-01T00:00:00Z");
    let ticks = [2, 4, 6].map(|second| time(&format!("2026-01-01T00:00:0{second}Z")));
    assert_eq!(busy.due(time("2026-01-01T00:00:07.5Z")), ticks);
    assert_eq!((busy.runs, busy.last_tick), (3, Some(ticks[2])));
    assert_eq!(busy.next_run_at, Some(time("2026-01-01T00:00:08Z")));

    let mut cron = state(Schedule::cron("*/20 * * * * *").unwrap(), "2026-01-01T00:00:00Z");
    let ticks = ["00:00:20", "00:00:40", "00:01:00"].map(|at| time(&format!("2026-01-01T{at}Z")));
    assert_eq!(cron.due(time("2026-01-01T00:01:01Z")), ticks);
}

#[test]
fn after_a_longer_downtime_only_ticks_within_a_minute_run() {
    let mut down = state(Schedule::every(Duration::from_secs(20)), "2026-01-01T00:00:00Z");
    let ticks = ["00:59:20", "00:59:40", "01:00:00"].map(|at| time(&format!("2026-01-01T{at}Z")));
    assert_eq!(down.due(time("2026-01-01T01:00:10Z")), ticks);
    assert_eq!((down.runs, down.next_run_at), (3, Some(time("2026-01-01T01:00:20Z"))));
}

#[test]
fn of_overdue_ticks_the_last_sixty_run() {
    let mut quick = state(Schedule::every(Duration::from_millis(10)), "2026-01-01T00:00:00Z");
    let ticks = quick.due(time("2026-01-01T00:00:30Z"));
    assert_eq!(ticks.len(), 60);
    assert_eq!(ticks[0], time("2026-01-01T00:00:29.41Z"));
    assert_eq!(ticks[59], time("2026-01-01T00:00:30Z"));
}

#[test]
fn no_late_tick_runs_after_the_end() {
    let end = time("2026-01-01T04:00:00Z");
    let ends = || Schedule::every(Duration::from_hours(1)).end_at(end);
    let mut late = state(ends().start_immediately_if_late(true), "2026-01-01T00:00:00Z");
    assert_eq!(late.due(time("2026-01-02T00:00:00Z")), NONE);
    assert_eq!(late.wait(time("2026-01-02T00:00:00Z")), Wait::Over);
    let mut in_time = state(ends(), "2026-01-01T03:30:00Z");
    assert_eq!(in_time.wait(time("2026-01-01T03:30:00Z")), Wait::Until(end));
    assert_eq!(in_time.due(end + TimeDelta::milliseconds(3)), NONE, "half past four is behind it");
}

#[test]
fn a_command_at_the_time_of_a_tick_does_not_repeat_the_tick() {
    let mut state = state(Schedule::every(Duration::from_hours(1)), "2026-01-01T00:00:00Z");
    let tick = time("2026-01-01T01:00:00Z");
    assert_eq!(state.due(tick), [tick]);
    state.obey(Command::Pause, tick);
    assert_eq!((state.wait(tick), state.next_run_at), (Wait::Told, None));
    state.obey(Command::Resume, tick);
    assert_eq!(state.next_run_at, Some(tick + TimeDelta::hours(1)));
    let again = Schedule::every(Duration::from_hours(1)).start_at(tick);
    state.obey(Command::Update { plan: Box::new(again.plan), target: None }, tick);
    assert_eq!(state.next_run_at, Some(tick + TimeDelta::hours(1)));
}
