//! Histories of every released format, which every later release must replay.
//!
//! The files of a format are in `tests/compat/histories/v1/`. They are written once, by the release
//! with this format, and never again: if an old file does not replay, the code is wrong. To record
//! missing histories:
//!
//! ```text
//! cargo test -p tests --test compat -- --ignored histories::record
//! ```
//! The orchestrators in this file are those of the recordings, so they must not change. A new kind
//! of event is recorded with a new orchestrator.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use durable::RuntimeStatus;
use durable::prelude::*;
use durable::protocol::EventKind;
use durable::task::Race2;
use durable::testing::{
    RecordedHistory, TestHub, TestHubBuilder, verify_replay, verify_replay_strictly,
    verify_replay_with,
};
use expect_test::expect;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_hours(24);

#[activity]
async fn reserve(item: &str, count: u32) -> Result<String> {
    Ok(format!("{count} {item}"))
}

#[activity]
async fn charge(cents: u32) -> Result<u64> {
    Ok(u64::from(cents))
}

/// An error that is `null` as JSON.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("sold out")]
struct SoldOut;

#[activity]
async fn order_more(_item: &str) -> Result<(), SoldOut> {
    Err(SoldOut)
}

#[activity]
async fn release(_item: &str) {}

/// An activity that succeeds, one that is retried and one that fails; timers.
#[orchestrator]
async fn order(ctx: &OrchestrationContext, item: String, cents: u32) -> Result<String> {
    let reserved = reserve(&item, 2).await?;
    ctx.create_timer(Duration::from_hours(1)).await;
    let patient = RetryPolicy::new(3, Duration::from_mins(1)).backoff_coefficient(2.0);
    let charged = charge(cents).retry(patient).await;
    release(&item).tag("team", "stock").await?;
    match charged {
        Ok(charged) => Ok(format!("{reserved} for {charged}")),
        Err(failed) => Err(failed.into()),
    }
}

/// `order`, after a change that removes the timer.
#[orchestrator]
async fn changed_order(ctx: &OrchestrationContext, item: String, cents: u32) -> Result<u64> {
    reserve(&item, 2).await?;
    Ok(charge(cents).await?)
}

/// Treats its own error type differently from any other error.
#[orchestrator]
async fn restock(ctx: &OrchestrationContext) -> Result<()> {
    match order_more("tea").await {
        Err(failed) if failed.error().is_some() => ctx.create_timer(DAY).await,
        _ => release("tea").await?,
    }
    Ok(())
}

/// An event that arrives before a timer fires, and one that does not.
#[orchestrator]
async fn approval(ctx: &OrchestrationContext) -> Result<Option<String>> {
    let asked = ctx.current_utc_datetime();
    let answer = ctx.wait_for_external_event::<String>("Approval");
    match durable::race((answer, ctx.create_timer(asked + 3 * DAY))).await {
        Race2::First(by) => Ok(Some(by?)),
        Race2::Second(()) => Ok(None),
    }
}

#[orchestrator]
async fn approve(ctx: &OrchestrationContext, id: String) -> Result<()> {
    ctx.send_event(&id, "Approval", &ctx.new_guid().to_string().len())?;
    ctx.set_custom_status(&"sent")
}

#[orchestrator]
async fn child(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    match n {
        0 => Err(Error::msg("nothing")),
        n => Ok(n),
    }
}

/// Children that succeed, that fail, that fail and are retried, and that are not awaited.
#[orchestrator]
async fn family(ctx: &OrchestrationContext) -> Result<u32> {
    ctx.start(child(7).instance_id("left-alone"))?;
    let good = durable::try_join_all((1..4).map(child)).await?;
    let bad = child(0).instance_id("the-bad-one").await;
    let again = child(0).retry(RetryPolicy::new(2, Duration::from_mins(1))).await;
    Ok(good.into_iter().sum::<u32>() + u32::from(bad.is_err()) + u32::from(again.is_err()))
}

#[orchestrator]
async fn patched(ctx: &OrchestrationContext) -> Result<u64> {
    if ctx.patched("charge-more") {
        return Ok(charge(2).await?);
    }
    Ok(charge(1).await?)
}

/// Several rounds, each in a separate execution.
#[orchestrator]
async fn rounds(ctx: &OrchestrationContext, round: u32, notes: Vec<String>) -> Result<u32> {
    let note = ctx.wait_for_external_event::<String>("note").await?;
    ctx.create_timer(DAY).await;
    if round == 3 {
        return Ok(round);
    }
    let notes = notes.into_iter().chain([note]).collect();
    ctx.continue_as_new(rounds(round + 1, notes)).await
}

#[derive(Default, Serialize, Deserialize)]
struct Stock {
    count: u32,
}

#[entity]
impl Stock {
    fn add(&mut self, count: u32) -> u32 {
        self.count += count;
        self.count
    }

    fn take(&mut self, count: u32) -> Result<u32, SoldOut> {
        self.count = self.count.checked_sub(count).ok_or(SoldOut)?;
        Ok(self.count)
    }
}

/// Immediate and delayed signals; calls that succeed and fail; a critical section that ends before
/// the orchestration does, and one that is abandoned.
#[orchestrator]
async fn inventory(ctx: &OrchestrationContext) -> Result<u32> {
    Stock::at("tea").add(5).signal()?;
    Stock::at("tea").add(1).signal_at(DAY)?;
    let added = Stock::at("tea").add(2).await?;
    let sold_out = Stock::at("tea").take(100).await.is_err_and(|it| it.error().is_some());
    let mut section = ctx.lock_entities((Stock::at("tea"), Stock::at("rice"))).await?;
    let left = section.0.take(3).await?;
    charge(left).await?;
    drop(section);
    let held = ctx.lock_entities(Stock::at("held"));
    match durable::race((held, ctx.create_timer(DAY))).await {
        Race2::First(_) => Ok(0),
        Race2::Second(()) => Ok(added + left + u32::from(sold_out)),
    }
}

/// Keeps an entity locked for a while.
#[orchestrator]
async fn holder(ctx: &OrchestrationContext) -> Result<()> {
    let _section = ctx.lock_entities(Stock::at("held")).await?;
    ctx.create_timer(3 * DAY).await;
    Ok(())
}

/// Runs each of these once, and returns its history under the name of its file.
async fn play() -> Result<Vec<(&'static str, RecordedHistory)>> {
    let mut played = Vec::new();
    played.extend(play_activities().await?);
    played.extend(play_events().await?);
    played.extend(play_others().await?);
    played.extend(play_managed().await?);
    played.extend(play_entities().await?);
    Ok(played)
}

async fn play_activities() -> Result<Vec<(&'static str, RecordedHistory)>> {
    let nearly = |builder: TestHubBuilder, good: u32| {
        builder.mock_with_context::<charge>(move |ctx, cents| match ctx.attempt() {
            attempt if attempt == good => Ok(u64::from(cents)),
            attempt => Err(Error::msg(format!("attempt {attempt}"))),
        })
    };
    let hub = nearly(TestHub::builder(), 3).open().await?;
    let paid = hub.start(order("tea".into(), 500).instance_id("order-1")).await?;
    assert_eq!(paid.result().await?, "2 tea for 500");
    let later = hub.start(order("tea".into(), 1).instance_id("order-2").start_at(DAY)).await?;
    later.result().await?;
    let timely = hub.start(order("tea".into(), 1).instance_id("order-3")).await?;
    hub.advance(Duration::from_mins(90)).await;

    let restocked = hub.start(restock().instance_id("restock")).await?;
    restocked.result().await?;

    let failing = nearly(TestHub::builder(), 4).open().await?;
    let failed = failing.start(order("tea".into(), 500).instance_id("order-4")).await?;
    fails(&failed).await;
    Ok(vec![
        ("activities", RecordedHistory::of(&paid).await?),
        ("started_later", RecordedHistory::of(&later).await?),
        ("typed_error", RecordedHistory::of(&restocked).await?),
        ("activity_failed", RecordedHistory::of(&failed).await?),
        ("completed_at_its_time", RecordedHistory::of(&timely).await?),
    ])
}

async fn fails<O: durable::Orchestrator>(run: &durable::OrchestrationHandle<O>) {
    let failed = run.result().await.err().expect("it fails");
    assert!(matches!(failed, durable::client::ResultError::Failed(_)), "{failed}");
}

async fn play_events() -> Result<Vec<(&'static str, RecordedHistory)>> {
    let hub = TestHub::open().await?;
    let raised = hub.start(approval().instance_id("budget-1")).await?;
    hub.raise_event_after(2 * DAY, "budget-1", "Approval", &"Ada")?;
    assert_eq!(raised.result().await?.as_deref(), Some("Ada"));
    let timed_out = hub.start(approval().instance_id("budget-2")).await?;
    assert_eq!(timed_out.result().await?, None);
    let waiting = hub.start(approval().instance_id("budget-3")).await?;
    let sent = hub.start(approve("budget-3".into()).instance_id("approve-3")).await?;
    sent.result().await?;
    // The event contains a number, but a text is expected.
    fails(&waiting).await;
    Ok(vec![
        ("event_raised", RecordedHistory::of(&raised).await?),
        ("event_not_raised", RecordedHistory::of(&timed_out).await?),
        ("event_sent", RecordedHistory::of(&sent).await?),
        ("event_unreadable", RecordedHistory::of(&waiting).await?),
    ])
}

async fn play_others() -> Result<Vec<(&'static str, RecordedHistory)>> {
    let hub = TestHub::builder().configure(|hub| hub.property("region", "west")).open().await?;
    let parent = hub.start(family().instance_id("family").tag("team", "stock")).await?;
    assert_eq!(parent.result().await?, 8);
    let patched = hub.start(patched().instance_id("patched")).await?;
    assert_eq!(patched.result().await?, 2);
    let rounds = hub.start(rounds(0, Vec::new()).instance_id("rounds")).await?;
    for note in ["a", "b", "c", "d"] {
        rounds.raise_event("note", &note).await?;
    }
    hub.advance(2 * DAY).await;
    let middle = RecordedHistory::of(&rounds).await?;
    assert_eq!(rounds.result().await?, 3);
    Ok(vec![
        ("children", RecordedHistory::of(&parent).await?),
        ("child", RecordedHistory::of(&hub.instance("the-bad-one")?).await?),
        ("patched", RecordedHistory::of(&patched).await?),
        ("continued_as_new", middle),
        ("last_generation", RecordedHistory::of(&rounds).await?),
    ])
}

async fn play_managed() -> Result<Vec<(&'static str, RecordedHistory)>> {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let charging = move |cents| {
        let is_broken = is_broken.load(Ordering::SeqCst);
        if is_broken { Err(Error::msg("the bank is closed")) } else { Ok(u64::from(cents)) }
    };
    let hub = TestHub::builder().mock::<charge>(charging).open().await?;

    let resumed = hub.start(approval().instance_id("resumed")).await?;
    resumed.suspend("lunch").await?;
    resumed.raise_event("Approval", &"Ada").await?;
    hub.advance(DAY).await;
    let suspended = RecordedHistory::of(&resumed).await?;
    resumed.resume("back").await?;
    assert_eq!(resumed.result().await?.as_deref(), Some("Ada"));

    let terminated = hub.start(approval().instance_id("terminated")).await?;
    hub.advance(DAY).await;
    terminated.terminate("no budget").await?;
    assert_eq!(terminated.status().await?.runtime_status, RuntimeStatus::Terminated);

    let rewound = hub.start(order("tea".into(), 5).instance_id("rewound")).await?;
    let patched = hub.start(patched().instance_id("patched-and-rewound")).await?;
    fails(&patched).await;
    broken.store(false, Ordering::SeqCst);
    patched.rewind("it is open again").await?;
    assert_eq!(patched.result().await?, 2);
    rewound.result().await?;
    Ok(vec![
        ("suspended", suspended),
        ("resumed", RecordedHistory::of(&resumed).await?),
        ("terminated", RecordedHistory::of(&terminated).await?),
        ("rewound", RecordedHistory::of(&patched).await?),
    ])
}

async fn play_entities() -> Result<Vec<(&'static str, RecordedHistory)>> {
    let hub = TestHub::open().await?;
    let holder = hub.start(holder().instance_id("holder")).await?;
    hub.settle().await;
    let inventory = hub.start(inventory().instance_id("inventory")).await?;
    assert_eq!(inventory.result().await?, 7 + 4 + 1);
    let holding = RecordedHistory::of(&holder).await?;
    Ok(vec![("entities", RecordedHistory::of(&inventory).await?), ("critical_section", holding)])
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("compat/histories/v1")
}

/// All recorded histories, by the names of their files.
fn recorded() -> Vec<(String, RecordedHistory)> {
    let mut histories = Vec::new();
    for entry in walkdir::WalkDir::new(folder().join("..")).sort_by_file_name() {
        let entry = entry.unwrap();
        if entry.path().extension().is_some_and(|ending| ending == "json") {
            let name = entry.path().file_stem().unwrap().to_string_lossy().into_owned();
            histories.push((name, RecordedHistory::load(entry.path()).unwrap()));
        }
    }
    histories
}

#[tokio::test]
#[ignore = "writes the files that are missing; see the top of this file"]
async fn record() -> Result<()> {
    for (name, history) in play().await? {
        let path = folder().join(name).with_extension("json");
        if !path.exists() {
            history.save(path)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn played_programs_are_recorded_and_replay() -> Result<()> {
    let recorded: BTreeSet<_> = recorded().into_iter().map(|(name, _)| name).collect();
    let folder = tempfile::tempdir()?;
    for (name, history) in play().await? {
        let path = folder.path().join(name);
        history.save(&path)?;
        assert_eq!(RecordedHistory::load(&path)?, history);
        assert!(recorded.contains(name), "`{name}` is not recorded; see the top of this file");
        verify_replay_strictly(&history)?;
    }
    Ok(())
}

#[test]
fn every_recorded_history_replays_to_the_letter() {
    let mut diverged = Vec::new();
    for (name, history) in recorded() {
        for replayed in [verify_replay(&history), verify_replay_strictly(&history)] {
            if let Err(divergence) = replayed {
                diverged.push(format!("{name}: {divergence}"));
            }
        }
    }
    assert!(diverged.is_empty(), "{}", diverged.join("\n\n"));
}

#[test]
fn every_kind_of_event_is_recorded() {
    let recorded: BTreeSet<_> = recorded()
        .iter()
        .flat_map(|(_, history)| history.events())
        .map(|event| event.kind.type_name())
        .collect();
    let missing: Vec<_> =
        kinds_of_events().into_iter().filter(|kind| !recorded.contains(&**kind)).collect();
    assert!(missing.is_empty(), "play {missing:?} in this file, and record it");
}

/// The names of all kinds of events, except those of entities, which no orchestrator replays. They
/// come from the error that `serde` reports for an unknown kind, so the list is complete.
fn kinds_of_events() -> Vec<String> {
    let error = serde_json::from_str::<EventKind>("\"?\"").unwrap_err().to_string();
    let (_, list) = error.split_once("expected one of").expect("a list");
    let mut kinds: Vec<_> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    kinds.retain(|kind| kind != "EntityState");
    assert!(kinds.len() >= 20 && kinds.contains(&"TaskScheduled".to_owned()), "{error}");
    kinds
}

#[test]
fn changed_code_is_reported_at_the_first_divergence_with_both_sources() {
    let of = |name| recorded().into_iter().find(|(it, _)| it == name).unwrap().1;
    let divergence = verify_replay_with::<changed_order>(&of("activities")).unwrap_err();
    assert_eq!(divergence.code(), Some("DURABLE0101"));
    // The lines of this file change, and the file had another name when the history was recorded.
    let line = |text: &str| match text.split_once("histories.rs:") {
        Some((before, _)) => format!("{before}histories.rs:_\n"),
        None => format!("{text}\n"),
    };
    let report: String = divergence.report().lines().map(line).collect();
    expect![[r#"
        DURABLE0101: orchestration `changed_order` (instance `order-1`) no longer does what its history recorded
          event 7 recorded     a timer due 2026-01-01T01:00:00.000000Z, requested at tests/histories.rs:_
          this replay          requests activity `charge`
          requested at         tests/compat/histories.rs:_
        the orchestrator's code was changed while this instance was running
        the instance is suspended and keeps its history; it resumes when the code fits again
    "#]].assert_eq(&report);
}
