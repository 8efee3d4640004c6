//! Schedules: when they run, and what clients do with them, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use durable::RuntimeStatus;
use durable::client::{InstanceQuery, StartError};
use durable::prelude::*;
use durable::schedule::{
    InvalidSchedule, Recurrence, Schedule, ScheduleError, ScheduleHandle, ScheduleQuery,
    ScheduleStatus,
};
use durable::store::{MemoryStore, Store};
use durable::testing::TestHub;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

#[orchestrator]
async fn job(ctx: &OrchestrationContext, what: String) -> Result<String> {
    Ok(format!("{what} at {}", ctx.current_utc_datetime().to_rfc3339()))
}

#[orchestrator]
async fn other_job(ctx: &OrchestrationContext) -> Result<()> {
    Ok(())
}

fn call() -> durable::Call<job> {
    job("swept".into())
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn open(beginning: &str) -> Result<TestHub> {
    Ok(TestHub::builder().beginning(time(beginning)).open().await?)
}

/// The instances that a schedule has started, by id.
async fn runs(hub: &TestHub, schedule: &ScheduleHandle) -> Result<Vec<String>> {
    let runs = hub.stream(schedule.runs()).try_collect().await?;
    Ok(runs.iter().map(|run| run.instance_id.to_string()).collect())
}

#[tokio::test]
async fn an_interval_schedule_runs_once_per_tick_on_its_grid() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    let five_minutes = Schedule::every(5 * MINUTE).of(call().tag("team", "ops"));
    let schedule = hub.create_schedule("sweep", five_minutes).await?;
    hub.advance(17 * MINUTE).await;
    assert_eq!(
        runs(&hub, &schedule).await?,
        ["sweep-20260101T000500Z", "sweep-20260101T001000Z", "sweep-20260101T001500Z"]
    );
    let run = hub.find_instance::<job>("sweep-20260101T000500Z").await?.unwrap();
    assert_eq!(run.result().await?, "swept at 2026-01-01T00:05:00+00:00");
    let tags = run.status().await?.tags;
    assert_eq!((tags["durable.schedule"].as_str(), tags["team"].as_str()), ("sweep", "ops"));

    let described = schedule.describe().await?;
    assert_eq!(described.id, "sweep");
    assert_eq!(described.status, ScheduleStatus::Active);
    assert_eq!(described.recurrence, Recurrence::Every(5 * MINUTE));
    assert_eq!(described.orchestration, "job");
    assert_eq!(described.input.as_str(), r#""swept""#);
    assert_eq!(described.created_at, time("2026-01-01T00:00:00Z"));
    assert_eq!(described.last_run_at, Some(time("2026-01-01T00:15:00Z")));
    assert_eq!(described.next_run_at, Some(time("2026-01-01T00:20:00Z")));
    assert_eq!(described.runs, 3);
    Ok(())
}

#[tokio::test]
async fn an_interval_schedule_begins_at_its_start() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    let later = Schedule::every(HOUR).start_at(hub.now() + DAY).instance_id_prefix("report");
    let schedule = hub.create_schedule("hourly", later.of(call())).await?;
    hub.advance(DAY + HOUR).await;
    assert_eq!(
        runs(&hub, &schedule).await?,
        ["report-20260102T000000Z", "report-20260102T010000Z"]
    );
    Ok(())
}

#[tokio::test]
async fn cron_knows_the_ends_of_months_and_leap_days() -> Result<()> {
    let hub = open("2028-02-27T12:00:00Z").await?;
    let nightly = Schedule::cron("0 3 * * *")?.of(call());
    let nightly = hub.create_schedule("nightly", nightly).await?;
    let leap = hub.create_schedule("leap", Schedule::cron("0 0 29 2 *")?.of(call())).await?;
    hub.advance(4 * DAY).await;
    assert_eq!(
        runs(&hub, &nightly).await?,
        [
            "nightly-20280228T030000Z",
            "nightly-20280229T030000Z",
            "nightly-20280301T030000Z",
            "nightly-20280302T030000Z"
        ]
    );
    assert_eq!(runs(&hub, &leap).await?, ["leap-20280229T000000Z"]);
    assert_eq!(leap.describe().await?.next_run_at, Some(time("2032-02-29T00:00:00Z")));
    Ok(())
}

#[tokio::test]
async fn paused_time_is_skipped() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    let schedule = hub.create_schedule("hourly", Schedule::every(HOUR).of(call())).await?;
    hub.advance(HOUR).await;
    schedule.pause().await?;
    let paused = schedule.describe().await?;
    assert_eq!((paused.status, paused.next_run_at), (ScheduleStatus::Paused, None));
    schedule.pause().await?;
    hub.advance(3 * HOUR + HOUR / 2).await;
    assert_eq!(schedule.describe().await?.runs, 1);

    schedule.resume().await?;
    let resumed = schedule.describe().await?;
    assert_eq!(resumed.status, ScheduleStatus::Active);
    assert_eq!(resumed.next_run_at, Some(time("2026-01-01T05:00:00Z")));
    schedule.resume().await?;
    hub.advance(HOUR).await;
    assert_eq!(
        runs(&hub, &schedule).await?,
        ["hourly-20260101T010000Z", "hourly-20260101T050000Z"]
    );
    Ok(())
}

#[tokio::test]
async fn concurrent_commands_to_a_schedule_take_effect_in_order() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    let schedule = hub.create_schedule("hourly", Schedule::every(HOUR).of(call())).await?;
    let tell = |what: &'static str| {
        let instance = schedule.instance().clone();
        async move { instance.raise_event("durable.schedule", &what).await }
    };
    for last in ["Pause", "Resume", "Pause"] {
        // All of them wait for the partition at the same time, in this order.
        let mut told = tokio::task::JoinSet::new();
        for _ in 0..10 {
            told.spawn(tell("Pause"));
            told.spawn(tell("Resume"));
        }
        told.spawn(tell(last));
        for reply in told.join_all().await {
            reply?;
        }
        let paused = schedule.describe().await?.status == ScheduleStatus::Paused;
        assert_eq!(paused, last == "Pause");
    }
    Ok(())
}

#[tokio::test]
async fn an_update_changes_ticks_and_target_and_keeps_the_count() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    let schedule = hub.create_schedule("s", Schedule::every(HOUR).of(call())).await?;
    hub.advance(2 * HOUR + 10 * MINUTE).await;
    schedule.update(Schedule::cron("0 12 * * *")?).await?;
    let updated = schedule.describe().await?;
    assert_eq!(updated.recurrence, Recurrence::Cron("0 12 * * *".to_owned()));
    assert_eq!(updated.next_run_at, Some(time("2026-01-01T12:00:00Z")));
    assert_eq!((updated.runs, updated.orchestration.as_str()), (2, "job"));

    schedule.pause().await?;
    schedule.update(Schedule::every(DAY).of(other_job())).await?;
    let updated = schedule.describe().await?;
    assert_eq!((updated.status, updated.next_run_at), (ScheduleStatus::Paused, None));
    assert_eq!(updated.orchestration, "other_job");
    schedule.resume().await?;
    hub.advance(DAY).await;
    assert_eq!(schedule.describe().await?.runs, 3);
    let others = InstanceQuery::new().of::<other_job>();
    assert_eq!(hub.count(&others).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_deleted_schedule_is_gone_and_its_runs_stay() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    let schedule = hub.create_schedule("hourly", Schedule::every(HOUR).of(call())).await?;
    hub.advance(HOUR).await;
    schedule.delete().await?;
    hub.advance(DAY).await;
    assert_eq!(runs(&hub, &schedule).await?.len(), 1);
    for gone in [schedule.pause().await, schedule.delete().await] {
        assert_eq!(gone.unwrap_err().to_string(), "there is no schedule `hourly`");
    }
    assert!(matches!(schedule.describe().await, Err(ScheduleError::NoSuchSchedule(_))));
    hub.create_schedule("hourly", Schedule::every(HOUR).of(call())).await?;
    assert_eq!(schedule.describe().await?.runs, 0);
    Ok(())
}

#[tokio::test]
async fn schedules_are_listed_by_prefix_status_and_page() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    for number in 0..250 {
        let id = format!("customer-{number:03}");
        let schedule = hub.create_schedule(&id, Schedule::every(DAY).of(call())).await?;
        if number % 100 == 0 {
            schedule.pause().await?;
        }
    }
    hub.create_schedule("nightly", Schedule::cron("@daily")?.of(call())).await?;
    let all = hub.stream(ScheduleQuery::new()).try_collect().await?;
    assert_eq!(all.len(), 251);
    assert!(all.is_sorted_by(|a, b| a.id < b.id));
    let customers = ScheduleQuery::new().id_prefix("customer-");
    assert_eq!(hub.stream(customers.clone()).try_collect().await?.len(), 250);
    let paused = customers.clone().status(ScheduleStatus::Paused);
    let paused = hub.stream(paused).try_collect().await?;
    let ids: Vec<_> = paused.iter().map(|schedule| schedule.id.as_str()).collect();
    assert_eq!(ids, ["customer-000", "customer-100", "customer-200"]);
    let customers = customers.page_size(2);
    let next = hub.query(&customers).await?.next.expect("there are more than two");
    let page = hub.query(&customers.after(next)).await?.items;
    let ids: Vec<_> = page.iter().map(|schedule| schedule.id.as_str()).collect();
    assert_eq!(ids, ["customer-002", "customer-003"]);
    Ok(())
}

/// Stops a schedule's process from 02:30 until `again`. Returns the runs an hour later.
async fn down(schedule: Schedule, again: &str) -> Result<Vec<String>> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let open = |beginning: &str| {
        let store = Arc::clone(&store);
        let builder = TestHub::builder().configure(|hub| hub.store(store));
        builder.beginning(time(beginning)).open()
    };
    let hub = open("2026-01-01T00:00:00Z").await?;
    hub.create_schedule("hourly", schedule.of(call())).await?;
    hub.advance(2 * HOUR + HOUR / 2).await;
    (*hub).clone().shutdown().await?;
    let hub = open(again).await?;
    hub.advance(HOUR).await;
    let found = runs(&hub, &hub.schedule("hourly")?).await?;
    Ok(found.into_iter().map(|id| id["hourly-20260101T".len()..].to_owned()).collect())
}

#[tokio::test]
async fn missed_ticks_are_skipped() -> Result<()> {
    let found = down(Schedule::every(HOUR), "2026-01-01T05:20:00Z").await?;
    assert_eq!(found, ["010000Z", "020000Z", "060000Z"]);
    Ok(())
}

#[tokio::test]
async fn start_immediately_if_late_runs_one_missed_tick() -> Result<()> {
    let late = || Schedule::every(HOUR).start_immediately_if_late(true);
    let found = down(late(), "2026-01-01T05:20:00Z").await?;
    assert_eq!(found, ["010000Z", "020000Z", "050000Z", "060000Z"]);
    let ended = late().end_at(time("2026-01-01T04:00:00Z"));
    assert_eq!(down(ended, "2026-01-01T05:20:00Z").await?, ["010000Z", "020000Z"]);
    let cron = Schedule::cron("0 * * * *")?.start_immediately_if_late(true);
    let found = down(cron, "2026-01-01T05:20:00Z").await?;
    assert_eq!(found, ["010000Z", "020000Z", "050000Z", "060000Z"]);
    Ok(())
}

#[tokio::test]
async fn an_update_when_the_program_starts_keeps_the_late_run() -> Result<()> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let open = |beginning: &str| {
        let store = Arc::clone(&store);
        let builder = TestHub::builder().configure(|hub| hub.store(store));
        builder.beginning(time(beginning)).open()
    };
    let nightly = Schedule::cron("0 3 * * *")?.start_immediately_if_late(true).of(call());
    let hub = open("2026-01-01T00:00:00Z").await?;
    hub.create_schedule("nightly", nightly.clone()).await?;
    (*hub).clone().shutdown().await?;
    let hub = open("2026-01-03T09:00:00Z").await?;
    let schedule = hub.schedule("nightly")?;
    schedule.update(nightly).await?;
    hub.settle().await;
    assert_eq!(runs(&hub, &schedule).await?, ["nightly-20260103T030000Z"]);
    assert_eq!(schedule.describe().await?.next_run_at, Some(time("2026-01-04T03:00:00Z")));
    Ok(())
}

#[tokio::test]
async fn a_quick_restart_misses_nothing() -> Result<()> {
    let found = down(Schedule::every(HOUR), "2026-01-01T03:00:40Z").await?;
    assert_eq!(found, ["010000Z", "020000Z", "030000Z", "040000Z"]);
    Ok(())
}

#[tokio::test]
async fn a_schedule_start_in_the_past_runs_immediately_only_on_request() -> Result<()> {
    let hub = open("2026-01-01T00:30:00Z").await?;
    let past = || Schedule::every(HOUR).start_at(time("2025-12-24T00:00:00Z"));
    let skips = hub.create_schedule("skips", past().of(call())).await?;
    let late = past().start_immediately_if_late(true);
    let runs_late = hub.create_schedule("late", late.of(call())).await?;
    hub.settle().await;
    assert_eq!(runs(&hub, &skips).await?, [""; 0]);
    assert_eq!(runs(&hub, &runs_late).await?, ["late-20260101T000000Z"]);
    assert_eq!(runs_late.describe().await?.last_run_at, Some(time("2026-01-01T00:30:00Z")));
    hub.advance(HOUR).await;
    assert_eq!(runs(&hub, &skips).await?, ["skips-20260101T010000Z"]);
    assert_eq!(runs(&hub, &runs_late).await?, ["late-20260101T000000Z", "late-20260101T010000Z"]);
    Ok(())
}

#[tokio::test]
async fn a_schedule_ends_at_its_end() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    let end = hub.now() + 2 * HOUR + HOUR / 2;
    let hourly = || Schedule::every(HOUR).end_at(end);
    let schedule = hub.create_schedule("hourly", hourly().of(call())).await?;
    let paused = hub.create_schedule("paused", hourly().of(call())).await?;
    paused.pause().await?;
    let exact = Schedule::every(HOUR).end_at(hub.now() + 2 * HOUR);
    let exact = hub.create_schedule("exact", exact.of(call())).await?;
    hub.advance(2 * HOUR).await;
    assert_eq!(exact.describe().await?.runs, 2, "the tick at the end counts");
    assert_eq!(schedule.describe().await?.status, ScheduleStatus::Active);
    hub.advance(DAY).await;
    for (schedule, runs) in [(&schedule, 2), (&paused, 0), (&exact, 2)] {
        let ended = schedule.describe().await?;
        let state = (ended.status, ended.next_run_at, ended.runs);
        assert_eq!(state, (ScheduleStatus::Ended, None, runs));
        let status = schedule.instance().status().await?.runtime_status;
        assert_eq!(status, RuntimeStatus::Completed);
        assert!(matches!(schedule.resume().await, Err(ScheduleError::Ended(_))));
    }
    schedule.delete().await?;
    assert!(matches!(schedule.describe().await, Err(ScheduleError::NoSuchSchedule(_))));
    Ok(())
}

#[tokio::test]
async fn invalid_schedules_are_rejected() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    let refused = async |id: &str, scheduled| {
        let error = hub.create_schedule(id, scheduled).await.unwrap_err();
        (error.to_string(), error)
    };
    let hourly = || Schedule::every(HOUR);
    let schedule = hub.create_schedule("taken", hourly().of(call())).await?;
    let (said, error) = refused("taken", hourly().of(call())).await;
    assert!(matches!(error, ScheduleError::AlreadyExists(_)));
    assert!(said.starts_with("schedule `taken` exists already"), "{said}");

    let (said, error) = refused("x", Schedule::every(MINUTE / 61).of(call())).await;
    let interval = |error| matches!(error, ScheduleError::Invalid(InvalidSchedule::Interval(_)));
    assert!(interval(error), "{said}");
    assert!(said.contains("the shortest interval is 1 s"), "{said}");
    assert!(interval(schedule.update(Schedule::every(Duration::ZERO)).await.unwrap_err()));

    let backwards = hourly().start_at(hub.now()).end_at(hub.now() - HOUR);
    assert!(refused("x", backwards.of(call())).await.0.contains("before it begins"));
    let (_, error) = refused("x", hourly().instance_id_prefix("a/b").of(call())).await;
    let prefix =
        |error| matches!(error, ScheduleError::Invalid(InvalidSchedule::InstanceIdPrefix(_)));
    assert!(prefix(error));
    let long = hourly().instance_id_prefix("x".repeat(201));
    let (said, _) = refused("x", long.of(call())).await;
    assert!(said.contains("a prefix of 201 characters is too long"), "{said}");
    let (said, _) = refused("x", hourly().of(call().instance_id("mine"))).await;
    assert!(said.contains("`Schedule::instance_id_prefix`"), "{said}");
    let (said, _) = refused("x", hourly().of(call().start_at(HOUR))).await;
    assert!(said.contains("`Schedule::start_at`"), "{said}");
    for id in ["", "@x", "a/b", "a#b"] {
        assert!(matches!(refused(id, hourly().of(call())).await.1, ScheduleError::InvalidId(_)));
    }
    let long = "x".repeat(201);
    assert!(matches!(hub.schedule(&long), Err(ScheduleError::IdTooLong { max: 200, .. })));
    assert_eq!(hub.stream(ScheduleQuery::new()).try_collect().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_longest_id_leaves_room_for_its_runs() -> Result<()> {
    let hub = open("2026-01-01T00:00:00.123456Z").await?;
    let id = "\u{fc}".repeat(200);
    let schedule = hub.create_schedule(&id, Schedule::every(HOUR).of(call())).await?;
    hub.advance(HOUR).await;
    assert_eq!(runs(&hub, &schedule).await?, [format!("{id}-20260101T010000.123456Z")]);
    Ok(())
}

#[tokio::test]
async fn every_hub_has_schedules_and_user_queries_leave_them_out() -> Result<()> {
    let hub = TestHub::builder()
        .configure(|hub| hub.only_registered().register::<job>().max_custom_status(1))
        .open()
        .await?;
    let schedule = hub.create_schedule("s", Schedule::every(HOUR).of(call())).await?;
    hub.advance(HOUR).await;
    assert_eq!(schedule.describe().await?.runs, 1, "a limit for users is none for schedules");
    let error = hub.create_schedule("t", Schedule::every(HOUR).of(other_job())).await.unwrap_err();
    assert!(
        matches!(&error, ScheduleError::Start(it) if matches!(**it, StartError::NotRegistered { .. }))
    );
    let said = error.to_string();
    assert!(said.contains("registered: `job`. A crate"), "{said}");
    Ok(())
}

#[tokio::test]
async fn an_instance_under_a_schedules_id_is_no_schedule() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    hub.start(call().instance_id("durable.schedule:x")).await?;
    let schedule = hub.schedule("x")?;
    assert!(matches!(schedule.describe().await, Err(ScheduleError::NoSuchSchedule(_))));
    assert!(matches!(schedule.delete().await, Err(ScheduleError::NoSuchSchedule(_))));
    assert!(hub.stream(ScheduleQuery::new()).try_collect().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn meaningless_events_do_not_harm_a_schedule() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    let schedule = hub.create_schedule("s", Schedule::every(HOUR).of(call())).await?;
    schedule.instance().raise_event("durable.schedule", &"Explode").await?;
    schedule.instance().raise_event("something else", &1).await?;
    hub.advance(2 * HOUR).await;
    assert_eq!(schedule.describe().await?.runs, 2);
    Ok(())
}

#[tokio::test]
async fn a_hundred_schedules_run_side_by_side() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.live_instances(8)).open().await?;
    for number in 1..=100 {
        let every = Schedule::every(number * MINUTE).of(call());
        hub.create_schedule(&format!("every-{number}"), every).await?;
    }
    hub.advance(5 * HOUR).await;
    for found in hub.stream(ScheduleQuery::new()).try_collect().await? {
        let number: u64 = found.id["every-".len()..].parse().unwrap();
        assert_eq!(found.runs, 300 / number, "{}", found.id);
        let started = hub.count(&hub.schedule(&found.id)?.runs()).await?;
        assert_eq!(started, found.runs, "{}", found.id);
    }
    Ok(())
}

#[tokio::test]
async fn a_thousand_ticks_leave_a_small_history_and_a_thousand_runs() -> Result<()> {
    let hub = open("2026-01-01T00:00:00Z").await?;
    let schedule = hub.create_schedule("s", Schedule::every(MINUTE).of(call())).await?;
    hub.advance(1_000 * MINUTE).await;
    assert_eq!(schedule.describe().await?.runs, 1_000);
    let history = schedule.instance().history().await?;
    assert!(history.len() <= 4, "{history:#?}");
    let found = runs(&hub, &schedule).await?;
    let began = time("2026-01-01T00:00:00Z");
    let expected: Vec<_> = (1..=1_000)
        .map(|minute| began + TimeDelta::minutes(minute))
        .map(|tick| tick.format("s-%Y%m%dT%H%M%SZ").to_string())
        .collect();
    assert_eq!(found, expected);
    Ok(())
}

#[tokio::test]
async fn each_tick_of_a_short_downtime_runs_when_the_hub_is_opened() -> Result<()> {
    let store: std::sync::Arc<dyn durable::store::Store> =
        std::sync::Arc::new(durable::store::MemoryStore::default());
    let open = |at: DateTime<Utc>| {
        let store = std::sync::Arc::clone(&store);
        TestHub::builder().configure(|hub| hub.store(store)).beginning(at).open()
    };
    let began = time("2026-01-01T00:00:00Z");
    let hub = open(began).await?;
    hub.create_schedule("s", Schedule::every(Duration::from_secs(1)).of(call())).await?;
    hub.shutdown().await?;
    let hub = open(began + TimeDelta::milliseconds(5_500)).await?;
    hub.settle().await;
    let schedule = hub.schedule("s")?;
    assert_eq!(schedule.describe().await?.runs, 5);
    assert_eq!(runs(&hub, &schedule).await?.len(), 5);
    Ok(())
}
