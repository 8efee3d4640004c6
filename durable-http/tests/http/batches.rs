//! Batches: one action on all instances that match a filter.

use std::time::Duration;

use axum::Router;
use durable::RuntimeStatus;
use durable::testing::TestHub;
use serde_json::{Value, json};

use crate::common::{failing, hello, hub, order, routes, send};

async fn post(router: &Router, path: &str, body: &Value) -> Value {
    let answer = send(router, &format!("POST /api/v1/{path}"), &[], body.to_string()).await;
    assert!(answer.status.is_success(), "{answer:?}");
    answer.json()
}

/// Runs a batch to its end and returns its progress.
async fn run(hub: &TestHub, router: &Router, request: &Value) -> Value {
    let started = post(router, "batches", request).await;
    let id = started["id"].as_str().unwrap();
    for _ in 0..10 {
        hub.advance(Duration::from_mins(1)).await;
    }
    let batch = send(router, &format!("GET /api/v1/batches/{id}"), &[], "").await.json();
    assert_eq!(batch["runtimeStatus"], "Completed", "{batch}");
    batch["progress"].clone()
}

async fn orders(hub: &TestHub, count: usize) {
    for number in 0..count {
        hub.start(order(5).instance_id(format!("order-{number:03}"))).await.unwrap();
    }
    hub.settle().await;
}

async fn status(hub: &TestHub, id: &str) -> RuntimeStatus {
    hub.instance(id).unwrap().status().await.unwrap().runtime_status
}

#[tokio::test]
async fn a_dry_run_counts_and_names_instances_and_changes_nothing() {
    let hub = hub().await;
    let router = routes(&hub);
    orders(&hub, 3).await;
    hub.start(hello("Tokyo".to_owned()).instance_id("h")).await.unwrap();
    let request = json!({
        "query": { "name": "order", "status": ["Running"] },
        "action": { "terminate": {} },
        "dryRun": true,
    });
    let progress = run(&hub, &router, &request).await;
    assert_eq!((&progress["matched"], &progress["done"]), (&json!(3), &json!(0)));
    assert_eq!(progress["instanceIds"], json!(["order-000", "order-001", "order-002"]));
    assert_eq!(status(&hub, "order-001").await, RuntimeStatus::Running);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_batch_acts_on_every_match_at_the_rate_that_was_requested() {
    let hub = hub().await;
    let router = routes(&hub);
    orders(&hub, 25).await;
    let request = json!({
        "id": "all", "query": { "prefix": "order-" }, "perSecond": 10,
        "action": { "terminate": { "reason": "closed" } },
    });
    post(&router, "batches", &request).await;
    hub.settle().await;
    let batch = send(&router, "GET /api/v1/batches/all", &[], "").await.json();
    assert_eq!((&batch["progress"]["done"], &batch["perSecond"]), (&json!(10), &json!(10)));
    hub.advance(Duration::from_secs(1)).await;
    assert_eq!(status(&hub, "order-019").await, RuntimeStatus::Terminated);
    assert_eq!(status(&hub, "order-020").await, RuntimeStatus::Running);
    hub.advance(Duration::from_secs(1)).await;
    let list = send(&router, "GET /api/v1/batches", &[], "").await.json();
    assert_eq!(list["items"][0]["progress"]["done"], 25);
    assert_eq!(list["items"][0]["runtimeStatus"], "Completed");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn each_action_has_its_effect_and_instances_it_does_not_fit_are_skipped() {
    let hub = hub().await;
    let router = routes(&hub);
    orders(&hub, 2).await;
    let fails = hub.start(failing("no stock".to_owned()).instance_id("f")).await.unwrap();
    fails.result().await.unwrap_err();
    for (action, done, skipped, statuses) in [
        (json!({ "suspend": {} }), 2, 1, ["Suspended", "Suspended", "Failed"]),
        (json!({ "suspend": {} }), 0, 3, ["Suspended", "Suspended", "Failed"]),
        (json!({ "resume": {} }), 2, 1, ["Running", "Running", "Failed"]),
        (json!({ "rewind": {} }), 1, 2, ["Running", "Running", "Failed"]),
        (
            json!({ "raise": { "event": "Approval", "payload": true } }),
            2,
            1,
            ["Completed", "Completed", "Failed"],
        ),
        (json!({ "restart": {} }), 3, 0, ["Running", "Running", "Failed"]),
        (json!({ "purge": {} }), 1, 2, ["Running", "Running", ""]),
    ] {
        let request = json!({ "query": { "status": [], "tags": {} }, "action": action });
        let progress = run(&hub, &router, &request).await;
        assert_eq!(
            (&progress["done"], &progress["skipped"], &progress["failed"]),
            (&json!(done), &json!(skipped), &json!(0)),
            "{action}: {progress}"
        );
        for (id, expected) in ["order-000", "order-001", "f"].into_iter().zip(statuses) {
            match hub.instance(id).unwrap().status().await {
                Ok(found) => {
                    assert_eq!(found.runtime_status.to_string(), expected, "{action} {id}");
                }
                Err(_) => assert_eq!(expected, "", "{action} {id}"),
            }
        }
        let batches = json!({ "query": { "prefix": "batch-" }, "action": { "purge": {} } });
        assert_eq!(run(&hub, &router, &batches).await["matched"], 0, "batches are left alone");
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_batch_goes_on_after_a_crash_and_can_be_cancelled() {
    let hub = hub().await;
    let router = routes(&hub);
    orders(&hub, 30).await;
    let request = json!({
        "id": "all", "query": { "name": "order" }, "perSecond": 10,
        "action": { "restart": {} },
    });
    let request_again = json!({
        "id": "stops", "query": { "name": "order" }, "perSecond": 10,
        "action": { "terminate": {} },
    });
    post(&router, "batches", &request).await;
    hub.settle().await;
    let hub = hub.crash().await.unwrap();
    let router = routes(&hub);
    for _ in 0..5 {
        hub.advance(Duration::from_mins(1)).await;
    }
    let batch = send(&router, "GET /api/v1/batches/all", &[], "").await.json();
    assert_eq!(batch["runtimeStatus"], "Completed", "{batch}");
    assert_eq!(batch["progress"]["failed"], 30, "they run: {batch}");
    assert_eq!(batch["progress"]["errors"][0]["code"], "already-exists");

    post(&router, "batches", &request_again).await;
    hub.settle().await;
    let cancelled = post(&router, "batches/stops:cancel", &json!({})).await;
    assert_eq!(cancelled["runtimeStatus"], "Terminated");
    hub.advance(Duration::from_mins(1)).await;
    assert_eq!(status(&hub, "order-029").await, RuntimeStatus::Running);
    let again = send(&router, "POST /api/v1/batches/stops:cancel", &[], "").await;
    assert_eq!(again.status, 409);
    assert_eq!(send(&router, "GET /api/v1/batches/order-001", &[], "").await.status, 404);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_has_failed_in_a_batch_is_retried() {
    let hub = hub().await;
    let router = routes(&hub);
    orders(&hub, 130).await;
    let restart = json!({
        "id": "all", "query": { "name": "order" }, "perSecond": 1000, "action": { "restart": {} },
    });
    post(&router, "batches", &restart).await;
    let early = send(&router, "POST /api/v1/batches/all:retry", &[], "").await;
    assert_eq!(early.status, 409);
    assert_eq!(early.json()["code"], "not-finished");
    hub.advance(Duration::from_mins(1)).await;
    let batch = send(&router, "GET /api/v1/batches/all", &[], "").await.json();
    assert_eq!(batch["progress"]["failed"], 130, "a running instance is not restarted: {batch}");

    for id in ["order-003", "order-120"] {
        hub.instance(id).unwrap().terminate("").await.unwrap();
    }
    hub.start(order(5).instance_id("order-later")).await.unwrap();
    let retried = send(&router, "POST /api/v1/batches/all:retry", &[], "").await;
    assert_eq!(retried.status, 202, "{}", retried.json());
    hub.advance(Duration::from_mins(1)).await;
    let id = retried.json()["id"].as_str().unwrap().to_owned();
    let batch = send(&router, &format!("GET /api/v1/batches/{id}"), &[], "").await.json();
    let progress = &batch["progress"];
    assert_eq!((&progress["matched"], &progress["done"]), (&json!(130), &json!(2)), "{batch}");
    assert_eq!(progress["failed"], 128, "{batch}");
    assert_eq!(batch["query"]["ids"].as_array().unwrap().len(), 130);
    assert_eq!(status(&hub, "order-003").await, RuntimeStatus::Running);

    let suspend = json!({ "id": "s", "query": { "name": "order" }, "action": { "suspend": {} } });
    post(&router, "batches", &suspend).await;
    hub.advance(Duration::from_mins(1)).await;
    let nothing = send(&router, "POST /api/v1/batches/s:retry", &[], "").await;
    assert_eq!(nothing.status, 400, "{}", nothing.json());
    assert_eq!(nothing.json()["detail"], "nothing has failed in batch `s`");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_batch_acts_on_these_instances() {
    let hub = hub().await;
    let router = routes(&hub);
    orders(&hub, 5).await;
    let both =
        json!({ "query": { "ids": ["order-001"], "name": "order" }, "action": { "purge": {} } });
    let refused = send(&router, "POST /api/v1/batches", &[], both.to_string()).await;
    assert_eq!(refused.status, 400, "{}", refused.json());
    let ids: Vec<_> = (0..1001).map(|number| number.to_string()).collect();
    let many = json!({ "query": { "ids": ids }, "action": { "purge": {} } });
    let refused = send(&router, "POST /api/v1/batches", &[], many.to_string()).await.json();
    let detail = "`ids` has 1001 instances; give at most 1000, or a filter";
    assert_eq!(refused["detail"], detail, "{refused}");
    let request = json!({
        "id": "b", "perSecond": 1, "action": { "terminate": {} },
        "query": { "ids": ["order-003", "order-001", "none", "order-003", "b"] },
    });
    let progress = run(&hub, &router, &request).await;
    assert_eq!((&progress["matched"], &progress["done"]), (&json!(2), &json!(2)), "{progress}");
    for (id, expected) in [
        ("order-001", RuntimeStatus::Terminated),
        ("order-002", RuntimeStatus::Running),
        ("order-003", RuntimeStatus::Terminated),
    ] {
        assert_eq!(status(&hub, id).await, expected, "{id}");
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn batches_are_left_out_of_lists_and_counts_unless_they_are_requested() {
    let hub = hub().await;
    let router = routes(&hub);
    orders(&hub, 1).await;
    let request = json!({ "query": { "name": "order" }, "action": { "suspend": {} }, "id": "b" });
    run(&hub, &router, &request).await;
    let ids = async |target: &str| {
        let list = send(&router, &format!("GET {target}"), &[], "").await.json();
        let ids = list["items"].as_array().or(list.as_array()).unwrap().iter();
        let id = |it: &Value| it.get("id").or(it.get("instanceId")).cloned().unwrap();
        ids.map(id).collect::<Vec<_>>()
    };
    assert_eq!(ids("/api/v1/instances").await, ["order-000"]);
    assert_eq!(ids("/api/v1/instances?includeInternal=true&sort=id").await, ["b", "order-000"]);
    assert_eq!(ids("/api/v1/instances?name=durable.Batch").await, ["b"]);
    assert_eq!(ids("/runtime/webhooks/durabletask/instances").await, ["order-000"]);
    assert_eq!(ids("/api/v1/batches").await, ["b"]);
    let count = async |query: &str| {
        let target = format!("GET /api/v1/instances:count?{query}");
        send(&router, &target, &[], "").await.json()["count"].clone()
    };
    assert_eq!((count("").await, count("includeInternal=true").await), (json!(1), json!(2)));
    hub.shutdown().await.unwrap();
}
