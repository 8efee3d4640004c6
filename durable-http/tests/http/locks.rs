//! Locks, and the queues of locked entities.

use durable::client::NamedCall;
use durable::prelude::*;
use serde_json::{Value, json};

use crate::common::{Counter, hub, routes, send};

#[orchestrator(name = "lock_and_wait")]
async fn lock_and_wait(ctx: &OrchestrationContext) -> Result<()> {
    let _locked = ctx.lock_entities(Counter::at("a")).await?;
    Ok(ctx.wait_for_external_event("Release").await?)
}

#[tokio::test]
async fn the_queue_of_a_locked_entity_lists_who_waits_and_what_is_behind() {
    let hub = hub().await;
    let router = routes(&hub);
    let ask = async |line: &str, body: &str| send(&router, line, &[], body.to_owned()).await;
    let start = async |id: &str| {
        let call = NamedCall::new("lock_and_wait").instance_id(id);
        let run = hub.start_named(call).await.unwrap();
        hub.settle().await;
        run
    };
    let queue = async || {
        let items = ask("GET /api/v1/entities/Counter/a/queue", "").await.json()["items"].take();
        let item = |it: &Value| json!([it["kind"], it["operation"], it["from"]["instanceId"]]);
        items.as_array().unwrap().iter().map(item).collect::<Vec<_>>()
    };
    assert_eq!(queue().await, [Value::Null; 0]);
    let holder = start("holder").await;
    start("second").await;
    let third = start("third").await;
    assert_eq!(ask("POST /api/v1/entities/Counter/a:signal/add", "2").await.status, 202);
    hub.settle().await;
    let locks = ask("GET /api/v1/locks", "").await.json();
    assert_eq!(locks["items"][0]["lockedBy"]["instanceId"], "holder");
    let behind = json!(["Signal", "add", null]);
    let waits = |id: &str| json!(["Lock", null, id]);
    assert_eq!(queue().await, [waits("second"), waits("third"), behind.clone()]);
    let first = ask("GET /api/v1/entities/Counter/a/queue?limit=1", "").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 1);

    let cleaned = ask("POST /api/v1/entities:clean", "").await.json();
    assert_eq!(cleaned, json!({ "orphanedLocksReleased": 0 }));

    // A section that has ended before its turn does not wait.
    third.terminate("enough").await.unwrap();
    hub.settle().await;
    assert_eq!(queue().await, [waits("second"), behind]);
    holder.raise_event("Release", &()).await.unwrap();
    hub.settle().await;
    let locks = ask("GET /api/v1/locks", "").await.json();
    assert_eq!(locks["items"][0]["lockedBy"]["instanceId"], "second");
    hub.shutdown().await.unwrap();
}
