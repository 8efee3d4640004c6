//! Entity events in a history.

use super::*;

#[orchestrator]
async fn does_all_with_entities(ctx: &OrchestrationContext) -> Result<()> {
    let tally = Tally::at("told");
    tally.add(1).signal()?;
    tally.add(2).await?;
    tally.add_and_fail(3).await.unwrap_err();
    let mut section = ctx.lock_entities((Tally::at("told"), Tally::at("also"))).await?;
    section.1.add(4).await?;
    drop(section);
    Ok(())
}

#[tokio::test]
async fn entity_events_have_the_names_of_durable_task() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(does_all_with_entities()).await?;
    run.result().await?;
    let history = run.history().await?;
    let names = history.iter().map(|event| event.kind.type_name());
    let names: Vec<_> = names.filter(|name| name.starts_with("Entity")).collect();
    assert_eq!(
        names,
        [
            "EntityOperationSignaled",
            "EntityOperationCalled",
            "EntityOperationCompleted",
            "EntityOperationCalled",
            "EntityOperationFailed",
            "EntityLockRequested",
            "EntityLockGranted",
            "EntityOperationCalled",
            "EntityOperationCompleted",
            "EntityUnlockSent",
        ]
    );
    let json = serde_json::to_string(&history)?;
    assert!(json.contains(r#""lock_set":["@tally@also","@tally@told"]"#), "{json}");
    Ok(hub.shutdown().await?)
}
