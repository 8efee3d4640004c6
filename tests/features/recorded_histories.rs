//! Recorded histories: saved, loaded, and replayed against the current code.

use std::error::Error as _;
use std::fs;
use std::time::Duration;

use durable::prelude::*;
use durable::testing::{
    HistoryFileError, RecordedHistory, TestHub, verify_replay, verify_replay_strictly,
    verify_replay_with,
};

use super::kit::{Declined, archive, buy, charge, four_times, twice};

/// Like `four_times`, with another second request.
#[orchestrator]
async fn changed_four_times(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    let first = twice(n).await?;
    ctx.create_timer(Duration::from_hours(24)).await;
    Ok(2 * first)
}

/// Like `four_times`, with another value.
#[orchestrator]
async fn other_four_times(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    Ok(twice(twice(n + 1).await?).await?)
}

#[tokio::test]
async fn a_recorded_history_is_saved_loaded_and_replayed() -> Result<()> {
    let history = recorded().await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("histories/v1/four_times.json");
    history.save(&path)?;
    let loaded = RecordedHistory::load(&path)?;
    assert_eq!(loaded, history);
    assert_eq!((loaded.name(), loaded.version()), ("four_times", None));
    assert_eq!(loaded.instance_id().as_str(), "q");
    verify_replay(&loaded)?;
    verify_replay_strictly(&loaded)?;

    // Readable in a diff: one fact per line, values as plain JSON.
    let text = fs::read_to_string(&path)?;
    for line in [r#"  "format": 1,"#, r#"  "name": "four_times","#, r#"          "result": 10,"#] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_recorded_history_may_be_reformatted() -> Result<()> {
    let hub = TestHub::builder()
        .mock::<archive>(|_| Ok(()))
        .mock::<charge>(|_| Err(Declined { by: 1 }))
        .open()
        .await?;
    let run = hub.start(buy("a b".into(), 3)).await?;
    run.result().await?;
    let history = RecordedHistory::of(&run).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("buy.json");
    let spread =
        serde_json::to_string(&history)?.replace(",\"", " ,\r\n\t \"").replace("[{", "[ {");
    fs::write(&path, spread)?;
    assert_eq!(RecordedHistory::load(&path)?, history);
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_not_a_history_is_rejected_with_path_and_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("h.json");
    let missing = RecordedHistory::load(&path).unwrap_err();
    assert!(matches!(missing, HistoryFileError::Read { .. }), "{missing}");

    let good = serde_json::to_string_pretty(&recorded().await?)?;
    let error = |text: String| {
        fs::write(&path, text).unwrap();
        let error = RecordedHistory::load(&path).unwrap_err();
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        let text = error.to_string().replace(&path.display().to_string(), "h.json");
        (text, source)
    };
    let (unknown, reason) = error(good.replace("TaskCompleted", "TaskDone"));
    let line = 1 + good.lines().position(|line| line.contains("TaskCompleted")).unwrap();
    let expected = format!("h.json:{line}:");
    assert!(unknown.starts_with(&expected), "{unknown}");
    assert!(unknown.ends_with(": not a recorded history"), "{unknown}");
    assert!(reason.starts_with("unknown variant `TaskDone`"), "{reason}");
    let (missing, reason) = error("{\n}".into());
    assert_eq!(missing, "h.json:2:1: not a recorded history");
    assert!(reason.starts_with("missing field"), "{reason}");
    assert_eq!(
        error(good.replace("\"format\": 1", "\"format\": 2")).0,
        "the recorded history `h.json` has format 2, but this release reads formats up to 1; \
         record it with this release, or use a later one"
    );
    Ok(())
}

#[tokio::test]
async fn a_divergence_shows_the_first_difference_with_both_sources() -> Result<()> {
    let history = recorded().await?;
    let divergence = verify_replay_with::<changed_four_times>(&history).unwrap_err();
    assert_eq!(divergence.code(), Some("DURABLE0101"));
    let report = divergence.to_string();
    let (due, here) = ("due 2026-01-02T00:00:00.000000Z", file!());
    let recorded = here.replace("recorded_histories", "kit");
    for part in [
        "orchestration `changed_four_times` (instance `q`) no longer does what its history recorded",
        &format!("  event 7 recorded     activity `twice`, requested at {recorded}:"),
        &format!("  this replay          requests a timer {due}\n  requested at         {here}:"),
        "the orchestrator's code was changed while this instance was running",
    ] {
        assert!(report.contains(part), "{part}\n\n{report}");
    }
    Ok(())
}

#[tokio::test]
async fn verify_replay_compares_kinds_and_names_and_strictly_also_values() -> Result<()> {
    let history = recorded().await?;
    verify_replay_with::<other_four_times>(&history)?;

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("q.json");
    let text = serde_json::to_string_pretty(&history)?;
    fs::write(&path, text.replace("\"input\": 5", "\"input\": 6"))?;
    let other = RecordedHistory::load(&path)?;
    // According to the history, the call with 6 returned 10, so the next call gets 10.
    verify_replay_strictly(&other)?;
    fs::write(&path, text.replace("\"result\": 10", "\"result\": 11"))?;
    let other = RecordedHistory::load(&path)?;
    verify_replay(&other)?;
    let divergence = verify_replay_strictly(&other).unwrap_err();
    assert_eq!(divergence.code(), Some("DURABLE0104"));
    assert!(divergence.report().contains("requests activity `twice` with 11"), "{divergence}");

    fs::write(&path, text.replace("\"name\": \"four_times\"", "\"name\": \"gone\""))?;
    let divergence = verify_replay(&RecordedHistory::load(&path)?).unwrap_err();
    assert_eq!(divergence.code(), Some("DURABLE0103"));
    assert!(divergence.report().contains("orchestration `gone` (instance `q`) is not registered"));
    Ok(())
}

async fn recorded() -> Result<RecordedHistory> {
    let hub = TestHub::open().await?;
    let run = hub.start(four_times(5).instance_id("q")).await?;
    run.result().await?;
    Ok(RecordedHistory::of(&run).await?)
}
