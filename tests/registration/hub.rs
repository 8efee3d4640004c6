//! Hubs: opening, starting, querying, shutting down.

use durable::RuntimeStatus;
use durable::client::{HubError, OpenError, ResultError, StartError, TaskHubBuilder};
use durable::prelude::*;
use durable::protocol::EventKind;
use tempfile::{TempDir, tempdir};

#[activity]
async fn say_hello(city: &str) -> Result<String> {
    if city.is_empty() {
        return Err(Error::msg("no city"));
    }
    Ok(format!("Hello {city}!"))
}

#[orchestrator]
async fn hello_sequence(ctx: &OrchestrationContext, cities: Vec<String>) -> Result<Vec<String>> {
    let mut greetings = Vec::new();
    for city in &cities {
        greetings.push(say_hello(city).await?);
    }
    Ok(greetings)
}

#[orchestrator]
async fn nothing(ctx: &OrchestrationContext) {}

/// Other tests of this program need shared state, so not all annotated functions can be registered.
fn builder() -> TaskHubBuilder {
    TaskHub::builder()
        .only_registered()
        .register::<say_hello>()
        .register::<hello_sequence>()
        .register::<nothing>()
        .register::<keyed>()
        .register::<large>()
        .register::<fill>()
}

async fn open(folder: &TempDir) -> Result<TaskHub> {
    Ok(builder().path(folder.path()).open().await?)
}

fn cities(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_sequence_returns_its_result_and_keeps_its_history() -> Result<()> {
    let folder = tempdir()?;
    let hub = open(&folder).await?;
    let run = hub.start(hello_sequence(cities(&["Tokyo", "London"]))).await?;
    assert_eq!(run.result().await?, ["Hello Tokyo!", "Hello London!"]);

    let status = run.status().await?;
    assert_eq!(status.runtime_status, RuntimeStatus::Completed);
    assert_eq!(status.name, "hello_sequence");
    let history = run.history().await?;
    let kinds: Vec<_> = history.iter().map(|event| event.kind.type_name()).collect();
    let expected = "OrchestratorStarted ExecutionStarted TaskScheduled OrchestratorCompleted \
        OrchestratorStarted TaskCompleted TaskScheduled OrchestratorCompleted \
        OrchestratorStarted TaskCompleted ExecutionCompleted OrchestratorCompleted";
    assert_eq!(kinds.join(" "), expected);
    assert_eq!(history.len() as u64, status.history_len);
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn a_failure_says_what_failed_and_why() -> Result<()> {
    let hub = builder().in_memory().open().await?;
    let run = hub.start(hello_sequence(cities(&[""]))).await?;
    let Err(ResultError::Failed(failed)) = run.result().await else { panic!("it fails") };
    assert_eq!(
        failed.to_string(),
        "orchestration `hello_sequence` failed: activity `say_hello` failed: no city"
    );
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Failed);
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn a_taken_id_is_refused_whether_its_instance_runs_or_not() -> Result<()> {
    let folder = tempdir()?;
    let hub = open(&folder).await?;
    let run = hub.start(nothing().instance_id("once")).await?;
    run.result().await?;
    let again = hub.start(nothing().instance_id("once")).await;
    assert!(matches!(again, Err(StartError::AlreadyExists { .. })), "{again:?}");
    hub.shutdown().await?;

    let hub = open(&folder).await?;
    let error = hub.start(nothing().instance_id("once")).await.unwrap_err().to_string();
    assert!(error.contains("`once` exists already and is Completed"), "{error}");
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn one_of_concurrent_starts_under_one_id_succeeds() -> Result<()> {
    let hub = builder().in_memory().open().await?;
    let start = || {
        let hub = hub.clone();
        tokio::spawn(async move { hub.start(nothing().instance_id("race")).await.is_ok() })
    };
    let starts: Vec<_> = (0..20).map(|_| start()).collect();
    let mut won = 0;
    for start in starts {
        won += usize::from(start.await?);
    }
    assert_eq!(won, 1);
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn an_id_that_breaks_a_rule_is_refused() -> Result<()> {
    let hub = builder().in_memory().open().await?;
    let error = hub.start(nothing().instance_id("a/b")).await.unwrap_err();
    assert!(error.to_string().contains("`a/b` cannot be an instance id"), "{error}");
    hub.shutdown().await?;
    Ok(())
}

#[orchestrator]
async fn keyed(ctx: &OrchestrationContext, map: std::collections::BTreeMap<(u8, u8), u8>) -> usize {
    map.len()
}

#[tokio::test]
async fn an_input_without_a_json_form_is_refused_by_name() -> Result<()> {
    let hub = builder().in_memory().open().await?;
    let error = hub.start(keyed([((1, 2), 3)].into())).await.unwrap_err();
    assert_eq!(error.to_string(), "the input of `keyed` cannot be stored");
    let reason = std::error::Error::source(&error).expect("why it cannot be stored");
    assert_eq!(reason.to_string(), "parameter `map` has no JSON form");
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn instances_are_found_by_id_and_type() -> Result<()> {
    let hub = builder().in_memory().open().await?;
    hub.start(nothing().instance_id("here")).await?;
    let found = hub.find_instance::<nothing>("here").await?.expect("it was started");
    found.result().await?;
    assert!(hub.find_instance::<nothing>("elsewhere").await?.is_none());
    let invalid = hub.find_instance::<nothing>("no/id").await.unwrap_err();
    assert!(matches!(invalid, durable::client::HubError::InvalidInstanceId(_)), "{invalid:?}");
    let error = hub.find_instance::<hello_sequence>("here").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "instance `here` belongs to orchestration `nothing`, not `hello_sequence`; look it up as \
         `nothing`, or with `TaskHub::instance`, which accepts every orchestration"
    );
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_open_is_refused_with_its_owner() -> Result<()> {
    let folder = tempdir()?;
    let hub = open(&folder).await?;
    let error = builder().path(folder.path()).open().await.unwrap_err();
    let OpenError::InUse { owner, .. } = &error else { panic!("{error}") };
    assert_eq!(*owner, Some(std::process::id()));
    assert!(error.to_string().contains("is already open in this process ("), "{error}");
    hub.shutdown().await?;
    open(&folder).await?.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn opening_a_path_that_is_not_a_folder_fails() -> Result<()> {
    let folder = tempdir()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "")?;
    let error = builder().path(&file).open().await.unwrap_err().to_string();
    assert!(error.contains("cannot create the folder"), "{error}");
    Ok(())
}

#[tokio::test]
async fn invalid_settings_are_rejected() {
    let nowhere = builder().open().await.unwrap_err().to_string();
    assert!(nowhere.contains("a task hub needs a store"), "{nowhere}");
    let none = builder().in_memory().activity_concurrency(0).open().await.unwrap_err();
    assert!(none.to_string().contains("must be at least 1"), "{none}");
    let none = builder().in_memory().partitions(0).open().await.unwrap_err();
    assert!(none.to_string().contains("must be at least 1"), "{none}");
}

#[tokio::test]
async fn the_number_of_partitions_is_fixed_at_creation() -> Result<()> {
    let folder = tempdir()?;
    let builder = || builder().path(folder.path());
    builder().partitions(3).open().await?.shutdown().await?;
    builder().open().await?.shutdown().await?;
    let error = builder().partitions(5).open().await.unwrap_err();
    assert!(matches!(error, OpenError::Partitions { found: 3, wanted: 5 }), "{error}");
    Ok(())
}

#[tokio::test]
async fn every_handle_reports_the_shutdown() -> Result<()> {
    let hub = builder().in_memory().open().await?;
    let run = hub.start(nothing()).await?;
    run.result().await?;
    let other = hub.clone();
    hub.shutdown().await?;
    assert!(matches!(other.start(nothing()).await, Err(StartError::Hub(HubError::ShutDown))));
    assert!(matches!(run.status().await, Err(HubError::ShutDown)));
    assert!(matches!(run.result().await, Err(ResultError::Hub(HubError::ShutDown))));
    other.shutdown().await?;
    Ok(())
}

#[orchestrator]
async fn large(ctx: &OrchestrationContext, megabytes: usize) -> Result<usize> {
    let text = fill(megabytes).await?;
    Ok(text.len())
}

#[activity]
fn fill(megabytes: usize) -> String {
    "x".repeat(megabytes << 20)
}

#[tokio::test]
async fn large_values_survive_a_round_trip() -> Result<()> {
    let folder = tempdir()?;
    let hub = open(&folder).await?;
    let run = hub.start(large(8)).await?;
    assert_eq!(run.result().await?, 8 << 20);
    hub.shutdown().await?;
    let hub = open(&folder).await?;
    let run = hub.find_instance::<large>(run.instance_id().as_str()).await?.expect("it is kept");
    let history = run.history().await?;
    let result = history.iter().find_map(|event| match &event.kind {
        EventKind::TaskCompleted { result, .. } => Some(result.as_str().len()),
        _ => None,
    });
    assert_eq!(result, Some((8 << 20) + 2));
    hub.shutdown().await?;
    Ok(())
}
