//! Parameters that are added to a function while instances of it run.

use durable::prelude::*;
use durable::testing::{RecordedHistory, TestHub, verify_replay_with};

#[activity]
async fn greet(city: &str, greeting: &str) -> String {
    format!("{greeting} {city}!")
}

#[orchestrator]
async fn with_one(ctx: &OrchestrationContext, city: String) -> Result<String> {
    let greeting = ctx.wait_for_external_event::<String>("Greeting").await?;
    Ok(greet(&city, &greeting).await?)
}

#[orchestrator]
async fn with_two(ctx: &OrchestrationContext, city: String, times: Option<u32>) -> Result<String> {
    let greeting = ctx.wait_for_external_event::<String>("Greeting").await?;
    Ok(greet(&city, &greeting.repeat(times.unwrap_or(1) as usize)).await?)
}

#[orchestrator]
async fn with_three(
    ctx: &OrchestrationContext,
    city: String,
    times: Option<u32>,
    mark: Option<char>,
) -> Result<String> {
    let greeting = ctx.wait_for_external_event::<String>("Greeting").await?;
    let greeting = greeting.repeat(times.unwrap_or(1) as usize);
    assert_eq!(mark, None);
    Ok(greet(&city, &greeting).await?)
}

#[orchestrator]
async fn with_a_number(ctx: &OrchestrationContext, city: String, times: u32) -> Result<String> {
    let greeting = ctx.wait_for_external_event::<String>("Greeting").await?;
    Ok(greet(&city, &greeting.repeat(times as usize)).await?)
}

#[tokio::test]
async fn an_instance_continues_after_an_optional_parameter_was_added() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(with_one("Tokyo".into())).await?;
    run.raise_event("Greeting", &"Hello".to_owned()).await?;
    assert_eq!(run.result().await?, "Hello Tokyo!");
    let history = RecordedHistory::of(&run).await?;
    verify_replay_with::<with_two>(&history)?;
    verify_replay_with::<with_three>(&history)?;

    let run = hub.start(with_two("Oslo".into(), Some(2))).await?;
    run.raise_event("Greeting", &"Ha".to_owned()).await?;
    assert_eq!(run.result().await?, "HaHa Oslo!");
    verify_replay_with::<with_three>(&RecordedHistory::of(&run).await?)?;
    Ok(())
}

#[tokio::test]
async fn a_missing_required_parameter_is_reported_with_a_remedy() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(with_one("Tokyo".into())).await?;
    run.raise_event("Greeting", &"Hello".to_owned()).await?;
    run.result().await?;
    let history = RecordedHistory::of(&run).await?;
    let divergence = verify_replay_with::<with_a_number>(&history).unwrap_err();
    let report = divergence.report();
    assert!(report.contains("expected an array of 2 parameters"), "{report}");
    assert!(report.contains("add parameters at the end, as `Option<..>`"), "{report}");
    Ok(())
}
