//! Handles of instances: typed ones across versions, and which instances a query finds.

use std::time::Duration;

use durable::client::{HubError, InstanceQuery};
use durable::prelude::*;
use durable::schedule::{Schedule, ScheduleQuery};
use durable::testing::TestHub;

const HOUR: Duration = Duration::from_hours(1);

mod v1 {
    use super::*;

    #[orchestrator(name = "invoice", version = "1")]
    pub(super) async fn invoice(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
        ctx.create_timer(HOUR).await;
        Ok(cents)
    }
}

mod v2 {
    use super::*;

    #[orchestrator(name = "invoice", version = "2")]
    pub(super) async fn invoice(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
        ctx.create_timer(HOUR).await;
        Ok(cents + 1)
    }
}

#[orchestrator]
async fn reminder_of_invoice(ctx: &OrchestrationContext) -> Result<()> {
    Ok(())
}

#[tokio::test]
async fn a_typed_handle_is_given_for_every_version_of_the_orchestration() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(v1::invoice(5).instance_id("old")).await?;
    hub.start(v2::invoice(5).instance_id("new")).await?;
    for (id, expected) in [("old", 5), ("new", 6)] {
        let run = hub.find_instance::<v1::invoice>(id).await?.expect("it was started");
        assert_eq!(run.result().await?, expected, "{id}");
        let run = hub.find_instance::<v2::invoice>(id).await?.expect("it was started");
        assert_eq!(run.result().await?, expected, "{id}");
    }
    let hub = hub.reopen().await?;
    let old = hub.find_instance::<v2::invoice>("old").await?.expect("it is kept");
    assert_eq!(old.status().await?.version.as_deref(), Some("1"));
    assert_eq!(hub.count(&InstanceQuery::new().of::<v2::invoice>()).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_typed_handle_of_another_orchestration_is_rejected() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(v1::invoice(5).instance_id("invoice-7")).await?;
    let error = hub.find_instance::<reminder_of_invoice>("invoice-7").await.unwrap_err();
    assert!(matches!(error, HubError::OtherOrchestration { .. }));
    assert_eq!(
        error.to_string(),
        "instance `invoice-7` belongs to orchestration `invoice`, not `reminder_of_invoice`; look it \
         up as `invoice`, or with `TaskHub::instance`, which accepts every orchestration"
    );
    Ok(())
}

/// The ids that a query finds, page by page, and how many it counts.
async fn found(hub: &TestHub, query: InstanceQuery) -> Result<Vec<String>> {
    let query = query.page_size(1);
    assert!(hub.query(&query).await?.items.len() <= 1);
    let count = hub.count(&query).await?;
    let found = hub.stream(query).try_collect().await?;
    assert_eq!(count, found.len() as u64);
    Ok(found.iter().map(|instance| instance.instance_id.to_string()).collect())
}

#[tokio::test]
async fn queries_leave_out_the_instances_of_schedules_by_default() -> Result<()> {
    let hub = TestHub::open().await?;
    for id in ["a", "b"] {
        hub.create_schedule(id, Schedule::every(HOUR).of(reminder_of_invoice())).await?;
    }
    hub.start(reminder_of_invoice().instance_id("c")).await?.result().await?;
    hub.start(reminder_of_invoice().instance_id("e")).await?.result().await?;
    let started = hub.count(&hub.schedule("a")?.runs()).await?;
    assert_eq!(started, 0, "it is not time yet");

    assert_eq!(found(&hub, InstanceQuery::new()).await?, ["c", "e"]);
    let schedules = ["durable.schedule:a", "durable.schedule:b"];
    let all = found(&hub, InstanceQuery::new().include_schedules()).await?;
    assert_eq!(all, ["c", schedules[0], schedules[1], "e"]);
    assert_eq!(found(&hub, InstanceQuery::new().include_internal()).await?, all);
    let by_name = found(&hub, InstanceQuery::new().name("durable.Schedule")).await?;
    assert_eq!(by_name, schedules);
    let by_id = found(&hub, InstanceQuery::new().id_prefix("durable.schedule:")).await?;
    assert_eq!(by_id, schedules);
    assert_eq!(found(&hub, InstanceQuery::new().id_prefix("durable")).await?, [""; 0]);
    let running = InstanceQuery::new().status(RuntimeStatus::Running);
    assert_eq!(found(&hub, running).await?, [""; 0]);

    hub.purge(&InstanceQuery::new()).await?;
    assert_eq!(hub.stream(ScheduleQuery::new()).try_collect().await?.len(), 2);
    assert_eq!(hub.schedule("a")?.instance().status().await?.name, "durable.Schedule");
    Ok(())
}

#[tokio::test]
async fn input_and_output_are_read_as_types() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(v2::invoice(5)).await?;
    assert_eq!(run.details().await?.output_as::<u32>()?, None);
    run.result().await?;
    let details = run.details().await?;
    assert_eq!(details.input_as::<u32>()?, 5);
    assert_eq!(details.output_as::<u32>()?, Some(6));
    let error = details.input_as::<String>().unwrap_err();
    assert!(error.to_string().ends_with(" cannot be read as `alloc::string::String`"), "{error}");
    let source = std::error::Error::source(&error).expect("serde's reason").to_string();
    assert!(source.contains("expected a string"), "{source}");
    assert_eq!(details.input.read::<u64>()?, 5);
    Ok(())
}
