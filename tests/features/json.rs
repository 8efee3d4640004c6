//! The JSON of the types that clients read, word for word, because programs in other languages
//! parse it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::client::{EntityQuery, InstanceQuery, Page, ScheduledSignalQuery};
use durable::prelude::*;
use durable::protocol::{EventKind, HistoryEvent};
use durable::schedule::{Schedule, ScheduleQuery};
use durable::testing::TestHub;
use durable::{EntityId, InstanceHandle};
use expect_test::{Expect, expect};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const HOUR: Duration = Duration::from_hours(1);

async fn open() -> Result<TestHub> {
    let beginning: DateTime<Utc> = "2026-01-04T00:00:00Z".parse().expect("a time");
    Ok(TestHub::builder().beginning(beginning).open().await?)
}

#[track_caller]
fn check(value: &impl Serialize, expected: &Expect) {
    let mut value = serde_json::to_value(value).expect("it has a JSON form");
    hide_random(&mut value);
    expected.assert_eq(&format!("{value:#}"));
}

/// Random ids differ in every run, and hashes after every change of the code.
fn hide_random(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "execution_id" => "<execution>".clone_into(text),
                    Value::String(text) if name == "code_hash" => "<hash>".clone_into(text),
                    Value::String(text) if name == "id" && text.starts_with('@') => {
                        "<signal>".clone_into(text);
                    }
                    value => hide_random(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_random),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[activity(name = "json.weigh")]
async fn weigh(kilos: u32) -> Result<u32> {
    if kilos == 0 {
        return Err(Error::msg("nothing to weigh").non_retriable());
    }
    Ok(kilos)
}

#[orchestrator(name = "json.parcel", version = "2")]
async fn parcel(ctx: &OrchestrationContext, kilos: u32) -> Result<u32> {
    ctx.set_custom_status(&("weighing", kilos))?;
    Ok(weigh(kilos).await?)
}

#[orchestrator(name = "json.order")]
async fn order(ctx: &OrchestrationContext, kilos: u32) -> Result<u32> {
    Ok(parcel(kilos).instance_id(format!("parcel-{kilos}")).await?)
}

#[orchestrator(name = "json.waits")]
async fn waits(ctx: &OrchestrationContext) -> Result<()> {
    ctx.create_timer(HOUR).await;
    Ok(())
}

async fn ordered(hub: &TestHub, kilos: u32) -> Result<InstanceHandle> {
    let call = order(kilos).instance_id(format!("order-{kilos}")).tag("customer", "ada");
    let run = hub.start(call).await?;
    run.wait_for_completion().await?;
    Ok(hub.instance(run.instance_id())?)
}

#[tokio::test]
async fn details_of_an_instance() -> Result<()> {
    let hub = open().await?;
    ordered(&hub, 5).await?;
    check(
        &hub.instance("parcel-5")?.details().await?,
        &expect![[r#"
            {
              "code_hash": "<hash>",
              "created_at": "2026-01-04T00:00:00.000000Z",
              "custom_status": [
                "weighing",
                5
              ],
              "execution_id": "<execution>",
              "failure": null,
              "generation": 0,
              "history_len": 8,
              "input": 5,
              "instance_id": "parcel-5",
              "last_updated_at": "2026-01-04T00:00:00.000000Z",
              "name": "json.parcel",
              "next_due": null,
              "output": 5,
              "parent": {
                "execution_id": "<execution>",
                "instance_id": "order-5",
                "name": "json.order",
                "task_scheduled_id": 0,
                "version": null
              },
              "runtime_status": "Completed",
              "suspension": null,
              "tags": {
                "customer": "ada"
              },
              "termination_reason": null,
              "trace_context": null,
              "version": "2"
            }"#]],
    );
    Ok(())
}

#[tokio::test]
async fn details_of_a_failed_instance() -> Result<()> {
    let hub = open().await?;
    let failed = ordered(&hub, 0).await?;
    check(
        &failed.details().await?,
        &expect![[r#"
            {
              "code_hash": "<hash>",
              "created_at": "2026-01-04T00:00:00.000000Z",
              "custom_status": null,
              "execution_id": "<execution>",
              "failure": {
                "error_type": "durable::TaskFailed",
                "inner": {
                  "error_type": "durable::TaskFailed",
                  "inner": {
                    "error_type": "durable::Error",
                    "inner": null,
                    "message": "nothing to weigh",
                    "non_retriable": true
                  },
                  "message": "activity `json.weigh` failed: nothing to weigh",
                  "non_retriable": false
                },
                "message": "orchestration `json.parcel` failed: activity `json.weigh` failed: nothing to weigh",
                "non_retriable": false
              },
              "generation": 0,
              "history_len": 8,
              "input": 0,
              "instance_id": "order-0",
              "last_updated_at": "2026-01-04T00:00:00.000000Z",
              "name": "json.order",
              "next_due": null,
              "output": null,
              "parent": null,
              "runtime_status": "Failed",
              "suspension": null,
              "tags": {
                "customer": "ada"
              },
              "termination_reason": null,
              "trace_context": null,
              "version": null
            }"#]],
    );
    Ok(())
}

#[tokio::test]
async fn a_page_of_instances() -> Result<()> {
    let hub = open().await?;
    hub.start(waits().instance_id("a")).await?;
    hub.start(waits().instance_id("b").start_at(HOUR)).await?;
    hub.instance("a")?.suspend("lunch").await?;
    check(
        &hub.query(&InstanceQuery::new().page_size(1)).await?,
        &expect![[r#"
        {
          "items": [
            {
              "created_at": "2026-01-04T00:00:00.000000Z",
              "custom_status": null,
              "execution_id": "<execution>",
              "generation": 0,
              "history_len": 7,
              "instance_id": "a",
              "last_updated_at": "2026-01-04T00:00:00.000000Z",
              "name": "json.waits",
              "next_due": null,
              "parent": null,
              "runtime_status": "Suspended",
              "suspension": {
                "code": null,
                "reason": "lunch"
              },
              "tags": {},
              "version": null
            }
          ],
          "next": "a",
          "scanned": 1
        }"#]],
    );
    let rest = hub.query(&InstanceQuery::new().after(durable::InstanceId::new("a")?)).await?;
    check(
        &rest,
        &expect![[r#"
        {
          "items": [
            {
              "created_at": "2026-01-04T00:00:00.000000Z",
              "custom_status": null,
              "execution_id": "<execution>",
              "generation": 0,
              "history_len": 3,
              "instance_id": "b",
              "last_updated_at": "2026-01-04T00:00:00.000000Z",
              "name": "json.waits",
              "next_due": "2026-01-04T01:00:00.000000Z",
              "parent": null,
              "runtime_status": "Pending",
              "suspension": null,
              "tags": {},
              "version": null
            }
          ],
          "next": null,
          "scanned": 1
        }"#]],
    );
    Ok(())
}

#[tokio::test]
async fn lifecycle_events() -> Result<()> {
    let hub = open().await?;
    let mut events = hub.lifecycle();
    ordered(&hub, 0).await?;
    let mut seen = Vec::new();
    while let Some(event) = events.try_recv().map_err(Error::from)? {
        seen.push(event);
    }
    // The order of events of two partitions is not defined.
    seen.sort_by_key(|event| event.instance_id.clone());
    check(
        &seen,
        &expect![[r#"
        [
          {
            "at": "2026-01-04T00:00:00.000000Z",
            "created_at": "2026-01-04T00:00:00.000000Z",
            "instance_id": "order-0",
            "kind": "Started",
            "name": "json.order",
            "parent": null,
            "reason": null,
            "status": "Running",
            "version": null
          },
          {
            "at": "2026-01-04T00:00:00.000000Z",
            "created_at": "2026-01-04T00:00:00.000000Z",
            "instance_id": "order-0",
            "kind": "Failed",
            "name": "json.order",
            "parent": null,
            "reason": "orchestration `json.parcel` failed: activity `json.weigh` failed: nothing to weigh",
            "status": "Failed",
            "version": null
          },
          {
            "at": "2026-01-04T00:00:00.000000Z",
            "created_at": "2026-01-04T00:00:00.000000Z",
            "instance_id": "parcel-0",
            "kind": "Started",
            "name": "json.parcel",
            "parent": "order-0",
            "reason": null,
            "status": "Running",
            "version": "2"
          },
          {
            "at": "2026-01-04T00:00:00.000000Z",
            "created_at": "2026-01-04T00:00:00.000000Z",
            "instance_id": "parcel-0",
            "kind": "Failed",
            "name": "json.parcel",
            "parent": "order-0",
            "reason": "activity `json.weigh` failed: nothing to weigh",
            "status": "Failed",
            "version": "2"
          }
        ]"#]],
    );
    Ok(())
}

#[tokio::test]
async fn an_event_of_a_history() -> Result<()> {
    let hub = open().await?;
    let run = ordered(&hub, 5).await?;
    let history = run.history().await?;
    let is_result = |event: &&HistoryEvent| {
        matches!(event.kind, EventKind::SubOrchestrationInstanceCompleted { .. })
    };
    check(
        &history.iter().find(is_result),
        &expect![[r#"
        {
          "event_id": -1,
          "kind": {
            "SubOrchestrationInstanceCompleted": {
              "result": 5,
              "task_scheduled_id": 0
            }
          },
          "timestamp": "2026-01-04T00:00:00.000000Z"
        }"#]],
    );
    Ok(())
}

#[tokio::test]
async fn schedules() -> Result<()> {
    let hub = open().await?;
    hub.create_schedule("hourly", Schedule::every(HOUR).of(waits())).await?;
    let nightly =
        hub.create_schedule("nightly", Schedule::cron("0 3 * * *")?.of(parcel(5))).await?;
    nightly.pause().await?;
    check(
        &hub.query(&ScheduleQuery::new()).await?,
        &expect![[r#"
        {
          "items": [
            {
              "created_at": "2026-01-04T00:00:00.000000Z",
              "end_at": null,
              "id": "hourly",
              "input": null,
              "instance_id_prefix": null,
              "last_run_at": null,
              "next_run_at": "2026-01-04T01:00:00.000000Z",
              "orchestration": "json.waits",
              "recurrence": {
                "every_seconds": 3600
              },
              "runs": 0,
              "start_at": null,
              "start_immediately_if_late": false,
              "status": "Active",
              "tags": {},
              "version": null
            },
            {
              "created_at": "2026-01-04T00:00:00.000000Z",
              "end_at": null,
              "id": "nightly",
              "input": 5,
              "instance_id_prefix": null,
              "last_run_at": null,
              "next_run_at": null,
              "orchestration": "json.parcel",
              "recurrence": {
                "cron": "0 3 * * *"
              },
              "runs": 0,
              "start_at": null,
              "start_immediately_if_late": false,
              "status": "Paused",
              "tags": {},
              "version": "2"
            }
          ],
          "next": null,
          "scanned": 2
        }"#]],
    );
    Ok(())
}

#[derive(Default, Serialize, Deserialize)]
struct JsonShelf {
    parcels: u32,
}

#[entity(name = "json.shelf")]
impl JsonShelf {
    fn put(&mut self, parcels: u32) {
        self.parcels += parcels;
    }
}

#[tokio::test]
async fn entities_and_their_scheduled_signals() -> Result<()> {
    let hub = open().await?;
    hub.call_entity(JsonShelf::at("a").put(3)).await?;
    hub.signal_entity_at(HOUR, JsonShelf::at("a").put(4)).await?;
    let details = hub.entity(&EntityId::new("json.shelf", "a")?).await?;
    check(
        &details,
        &expect![[r#"
        {
          "backlog": 0,
          "created_at": "2026-01-04T00:00:00.000000Z",
          "entity_id": "@json.shelf@a",
          "last_modified": "2026-01-04T00:00:00.000000Z",
          "locked_by": null,
          "locked_since": null,
          "state": {
            "parcels": 3
          },
          "suspension": null
        }"#]],
    );
    let page: Page<_> = hub.query(&EntityQuery::new().of::<JsonShelf>().leave_out_state()).await?;
    check(
        &page,
        &expect![[r#"
        {
          "items": [
            {
              "backlog": 0,
              "created_at": "2026-01-04T00:00:00.000000Z",
              "entity_id": "@json.shelf@a",
              "last_modified": "2026-01-04T00:00:00.000000Z",
              "locked_by": null,
              "locked_since": null,
              "state": null,
              "suspension": null
            }
          ],
          "next": null,
          "scanned": 2
        }"#]],
    );
    check(
        &hub.query(&ScheduledSignalQuery::new()).await?.items,
        &expect![[r#"
        [
          {
            "created_at": "2026-01-04T00:00:00.000000Z",
            "due_at": "2026-01-04T01:00:00.000000Z",
            "entity_id": "@json.shelf@a",
            "id": "<signal>",
            "input": 4,
            "operation": "put"
          }
        ]"#]],
    );
    check(
        &hub.clean_entities().await?,
        &expect![[r#"
        {
          "orphaned_locks_released": 0
        }"#]],
    );
    Ok(())
}
