//! This library's own API.

use std::time::Duration;

use durable::protocol::PartitionId;
use durable::store::{Cluster as _, Epoch};
use durable::testing::{MemoryCluster, RecordedHistory};
use durable::{RuntimeStatus, TaskHub};
use expect_test::expect;
use serde_json::{Value, json};

use crate::common::{hub, routes, send};

const INSTANCES: &str = "/api/v1/instances";

#[tokio::test]
async fn an_instance_is_started_followed_and_steered() {
    let hub = hub().await;
    let router = routes(&hub);
    let ask = async |line: &str, body: &str| send(&router, line, &[], body.to_owned()).await;
    let start = json!({ "name": "order", "id": "o 1", "input": 500, "tags": { "shop": "a" } });
    let started = ask(&format!("POST {INSTANCES}"), &start.to_string()).await;
    assert_eq!(started.status, 201);
    assert_eq!(started.header("location"), "http://localhost/api/v1/instances/o%201");
    assert_eq!(ask(&format!("POST {INSTANCES}"), &start.to_string()).await.status, 409);
    hub.settle().await;

    let details = ask(&format!("GET {INSTANCES}/o%201"), "").await;
    let shown: Value = details.json();
    assert_eq!(shown["instanceId"], "o 1");
    assert_eq!(shown["runtimeStatus"], "Running");
    assert_eq!(shown["createdAt"], "2026-01-02T03:04:05.006007Z");
    assert_eq!((&shown["input"], &shown["tags"]["shop"]), (&json!(500), &json!("a")));
    assert_eq!(shown["customStatus"], "waits for approval");
    let output = ask(&format!("GET {INSTANCES}/o%201/output"), "").await;
    assert_eq!(
        (output.status.as_u16(), output.json()["code"].as_str()),
        (409, Some("not-finished"))
    );

    let suspended = ask(&format!("POST {INSTANCES}/o%201:suspend"), r#"{"reason":"lunch"}"#).await;
    assert_eq!(suspended.json()["suspension"]["reason"], "lunch");
    let resumed = ask(&format!("POST {INSTANCES}/o%201:resume"), "").await;
    assert_eq!(resumed.json()["runtimeStatus"], "Running");
    assert_eq!(ask(&format!("POST {INSTANCES}/o%201:raise/Approval"), "true").await.status, 200);
    hub.settle().await;
    let output = ask(&format!("GET {INSTANCES}/o%201/output"), "").await;
    assert_eq!((output.status.as_u16(), &*output.body), (200, "\"order of 500\""));
    assert_eq!(ask(&format!("GET {INSTANCES}/o%201/input"), "").await.body, "500");

    let again = ask(&format!("POST {INSTANCES}/o%201:restart"), r#"{"id":"o 2"}"#).await;
    assert_eq!(again.json()["instanceId"], "o 2");
    let ended = ask(&format!("POST {INSTANCES}/o%202:terminate"), r#"{"recursive":true}"#).await;
    assert_eq!(ended.json()["runtimeStatus"], "Terminated");
    let rewound = ask(&format!("POST {INSTANCES}/o%202:rewind"), "").await;
    assert_eq!(
        (rewound.status.as_u16(), rewound.json()["code"].as_str()),
        (409, Some("not-failed"))
    );
    let purged = ask(&format!("POST {INSTANCES}/o%202:purge"), "").await;
    assert_eq!(purged.json(), json!({ "purged": 1 }));
    assert_eq!(ask(&format!("DELETE {INSTANCES}/o%201"), "").await.status, 204);
    assert_eq!(ask(&format!("GET {INSTANCES}/o%201"), "").await.status, 404);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn errors_are_problems_that_say_whose_they_are() {
    let hub = hub().await;
    let router = routes(&hub);
    let ask = async |line: &str, body: &str| send(&router, line, &[], body.to_owned()).await;
    let mut missing = ask(&format!("GET {INSTANCES}/nobody"), "").await;
    assert_eq!(missing.header("content-type"), "application/problem+json");
    let mut problem = missing.json();
    problem.as_object_mut().unwrap().remove("requestId").unwrap();
    missing.body = serde_json::to_string_pretty(&problem).unwrap();
    expect![[r#"
        {
          "code": "no-such-instance",
          "detail": "there is no instance `nobody`",
          "instance": "/api/v1/instances/nobody",
          "retryable": false,
          "source": "api",
          "status": 404,
          "title": "No such instance",
          "type": "urn:durable:error:no-such-instance"
        }"#]]
    .assert_eq(&missing.body);
    ask(&format!("POST {INSTANCES}"), r#"{"name":"failing","id":"f","input":"no stock"}"#).await;
    hub.settle().await;
    let output = ask(&format!("GET {INSTANCES}/f/output"), "").await;
    assert_eq!((output.status.as_u16(), output.json()["source"].as_str()), (422, Some("instance")));
    assert_eq!(output.header("durable-error-source"), "instance");
    assert_eq!(ask(&format!("GET {INSTANCES}/f"), "").await.json()["runtimeStatus"], "Failed");

    for (line, body, status, said) in [
        ("POST /instances", r#"{"name":"hello","inputs":"x"}"#, 400, "unknown field `inputs`"),
        (
            "POST /instances",
            r#"{"name":"hello","input":5}"#,
            400,
            "orchestration `hello` cannot read the input",
        ),
        ("POST /instances", r#"{"name":"nobody"}"#, 400, "not registered"),
        ("POST /instances", r#"{"name":"hello","id":"a/b","input":""}"#, 400, "instance id"),
        ("GET /instances?statsu=Failed", "", 400, "`statsu` is not a parameter here"),
        ("GET /instances?status=Done", "", 400, "give Pending, Running"),
        ("GET /instances?createdFrom=soon", "", 400, "a date and time"),
        ("GET /instances?limit=0", "", 400, "at least 1"),
        ("PUT /instances/a", "", 405, "takes GET, DELETE only"),
        ("GET /nothing", "", 404, "no route"),
        ("POST /schedules", r#"{"name":"hello","id":"s"}"#, 400, "either `cron` or `everySeconds`"),
        ("GET /schedules/s", "", 404, "s"),
        ("GET /entities/counter/a", "", 404, "there is no entity"),
    ] {
        let (verb, path) = line.split_once(' ').unwrap();
        let answer = ask(&format!("{verb} /api/v1{path}"), body).await;
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer.status, status, "{line} {body}: {detail}");
        assert!(detail.contains(said), "{line} {body}: {detail}");
        let allowed = if status == 405 { "GET, DELETE, HEAD" } else { "" };
        assert_eq!(answer.header("allow"), allowed, "{line}");
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_with_an_idempotency_key_happens_once() {
    let hub = hub().await;
    let router = routes(&hub);
    let ask = async |key: &str, body: &str| {
        let headers = [("idempotency-key", key)];
        send(&router, &format!("POST {INSTANCES}"), &headers, body.to_owned()).await
    };
    let body = r#"{"name":"order","input":500}"#;
    let first = ask("\"k-1\"", body).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    let again = ask("\"k-1\"", body).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
    assert_eq!(again.json(), first.json());
    let other = ask("\"k-1\"", r#"{"name":"order","input":600}"#).await;
    assert_eq!(
        (other.status.as_u16(), other.json()["code"].as_str()),
        (422, Some("idempotency-key-reused"))
    );
    assert_ne!(ask("\"k-2\"", body).await.json(), first.json());
    assert_eq!(ask("", body).await.status, 400);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_that_prefers_to_wait_is_answered_with_the_ended_instance() {
    let hub = hub().await;
    let router = routes(&hub);
    let ask = async |body: &str| {
        let headers = [("prefer", "respond-async, wait=10")];
        send(&router, &format!("POST {INSTANCES}"), &headers, body.to_owned()).await
    };
    let ended = ask(r#"{"name":"hello","input":"Tokyo"}"#).await;
    assert_eq!((ended.status.as_u16(), ended.header("preference-applied")), (200, "wait=10"));
    assert_eq!(ended.json()["output"], "Hello Tokyo!");
    let failed = ask(r#"{"name":"failing","input":"no stock"}"#).await;
    assert_eq!(
        (failed.status.as_u16(), failed.json()["runtimeStatus"].as_str()),
        (200, Some("Failed"))
    );
    let waits = ask(r#"{"name":"order","input":500}"#).await;
    assert_eq!((waits.status.as_u16(), waits.header("retry-after")), (202, "5"));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn instances_are_listed_and_counted_by_filter() {
    let hub = hub().await;
    let router = routes(&hub);
    for id in ["a", "b", "c"] {
        let start = json!({ "name": "hello", "id": id, "input": id, "tags": { "first": id } });
        send(&router, &format!("POST {INSTANCES}"), &[], start.to_string()).await;
    }
    let order = r#"{"name":"order","id":"o","input":5}"#;
    send(&router, &format!("POST {INSTANCES}"), &[], order).await;
    hub.settle().await;
    let ids = async |query: &str| {
        let answer = send(&router, &format!("GET {INSTANCES}?{query}"), &[], "").await.json();
        let ids = answer["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["instanceId"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids("").await, "o c b a", "the newest first");
    assert_eq!(ids("sort=created").await, "a b c o");
    assert_eq!(ids("sort=id&name=hello&limit=2&code=any").await, "a b");
    assert_eq!(ids("tag=first:b").await, "b");
    assert_eq!(ids("status=Running,Failed").await, "o");
    assert_eq!(ids("prefix=c&createdFrom=2026-01-02T03:04:05Z").await, "c");
    assert_eq!(ids("createdTo=2026-01-02T03:04:05Z").await, "");
    assert_eq!(ids("endedFrom=2026-01-02T03:04:05Z").await, "c b a");
    assert_eq!(ids("customStatus=waits+for+approval").await, "o");

    let query = "sort=id&name=hello&limit=2";
    let page = send(&router, &format!("GET {INSTANCES}?{query}&code=any"), &[], "").await;
    assert_eq!(page.header("link"), format!("<{INSTANCES}?{query}&after=b>; rel=\"next\""));
    assert_eq!(page.json()["next"], "b");
    let page = send(&router, &format!("GET {INSTANCES}?name=hello&limit=2"), &[], "").await;
    let next = page.json()["next"].as_str().unwrap().to_owned();
    assert!(next.ends_with("/b"), "a creation time and an id: {next}");
    assert_eq!(ids(&format!("name=hello&after={}", next.replace('/', "%2F"))).await, "a");
    let refused = send(&router, &format!("GET {INSTANCES}?sort=name"), &[], "").await;
    assert_eq!(refused.status, 400);
    let count = async |query: &str| {
        send(&router, &format!("GET {INSTANCES}:count?{query}"), &[], "").await.json()
    };
    assert_eq!(
        count("name=hello").await,
        json!({ "count": 3, "scanned": 4, "approximate": false })
    );
    assert_eq!(count("groupBy=status").await["groups"], json!({ "Completed": 3, "Running": 1 }));
    assert_eq!(count("groupBy=name").await["groups"], json!({ "hello": 3, "order": 1 }));
    assert_eq!(count("groupBy=tag:region").await["groups"], json!({}));
    let refused = count("groupBy=age").await;
    assert!(refused["detail"].as_str().unwrap().contains("status, name or tag:KEY"), "{refused}");
    let some = count("maxScanned=2").await;
    assert_eq!(some, json!({ "count": 2, "scanned": 2, "approximate": true }));
    let page =
        send(&router, &format!("GET {INSTANCES}?sort=id&name=order&maxScanned=3"), &[], "").await;
    assert_eq!(page.json(), json!({ "items": [], "next": "c", "scanned": 3 }));
    assert!(page.header("link").contains("maxScanned=3&after=c"));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_list_has_the_fields_that_the_client_selects() {
    let hub = hub().await;
    let router = routes(&hub);
    for (id, name, input) in [("a", "hello", "\"Oslo\""), ("b", "failing", "\"no money\"")] {
        let start = format!(r#"{{"name":"{name}","id":"{id}","input":{input}}}"#);
        send(&router, &format!("POST {INSTANCES}"), &[], start).await;
    }
    hub.settle().await;
    let list =
        async |query: &str| send(&router, &format!("GET {INSTANCES}?{query}"), &[], "").await;
    let items = async |query: &str| list(query).await.json()["items"].clone();
    assert_eq!(
        items("fields=instanceId").await,
        json!([{ "instanceId": "b" }, { "instanceId": "a" }])
    );
    let wanted =
        json!([{ "runtimeStatus": "Completed", "input": "Oslo", "output": "Hello Oslo!" }]);
    assert_eq!(items("fields=output,input&fields=runtimeStatus&prefix=a").await, wanted);
    let failed = items("fields=failure,output&prefix=b").await;
    assert_eq!(failed[0]["output"], Value::Null);
    assert!(failed[0]["failure"]["errorType"].is_string(), "{failed}");
    assert_eq!(
        items("failedWith=no+money&fields=instanceId").await,
        json!([{ "instanceId": "b" }])
    );
    assert_eq!(items("failedWith=no+honey").await, json!([]));
    let whole = items("").await;
    assert!(whole[0].get("input").is_none(), "values are read on request only: {whole}");
    let refused = list("fields=instanceId,secret").await;
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(refused.status, 400);
    assert!(detail.contains("`secret`; give some of instanceId, executionId"), "{detail}");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_history_is_read_by_page_as_a_file_and_only_when_it_has_changed() {
    let hub = hub().await;
    let router = routes(&hub);
    let start = r#"{"name":"parent","id":"p","input":"Cairo"}"#;
    send(&router, &format!("POST {INSTANCES}"), &[], start).await;
    hub.advance(std::time::Duration::from_mins(1)).await;
    let get = async |path: &str| send(&router, &format!("GET {INSTANCES}/p/{path}"), &[], "").await;
    let kinds = async |query: &str| {
        let page = get(&format!("history?{query}")).await.json();
        let kinds = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["kind"].as_str().unwrap().to_owned());
        (kinds.collect::<Vec<_>>().join(" "), page["next"].as_u64())
    };
    let all = "ExecutionStarted TimerCreated TimerFired SubOrchestrationInstanceCreated \
               SubOrchestrationInstanceCompleted";
    let (shown, next) = kinds("").await;
    let shown: Vec<_> = shown.split(' ').filter(|it| !it.starts_with("Orchestrator")).collect();
    assert_eq!((shown.join(" "), next), (all.to_owned(), None));
    assert_eq!(kinds("kinds=TimerCreated,TimerFired").await.0, "TimerCreated TimerFired");
    let (first, next) = kinds("limit=1").await;
    assert_ne!(kinds(&format!("limit=1&from={}", next.unwrap())).await.0, first);
    let (last, next) = kinds("order=desc&limit=2&kinds=TimerFired,TimerCreated").await;
    assert_eq!((&*last, next), ("TimerFired TimerCreated", None));
    let (last, next) = kinds("order=desc&limit=1&kinds=TimerFired,TimerCreated").await;
    assert_eq!((&*last, next.is_some()), ("TimerFired", true));
    let backwards = get("history?order=desc").await.json();
    let indices: Vec<_> = backwards["items"].as_array().unwrap().iter().collect();
    let indices: Vec<_> = indices.iter().map(|it| it["index"].as_u64().unwrap()).collect();
    assert!(indices.iter().rev().copied().eq(0..indices.len() as u64), "{indices:?}");
    assert_eq!(backwards["next"], Value::Null);
    assert_eq!(kinds("order=desc&from=0").await, ("OrchestratorStarted".to_owned(), None));
    assert_eq!(get("history?order=up").await.status, 400);
    let page = get("history?kinds=SubOrchestrationInstanceCreated").await;
    assert_eq!(page.json()["items"][0]["data"]["instanceId"], "child");
    assert_eq!(page.json()["items"][0]["data"]["input"], "Cairo");

    let headers = [("if-none-match", page.header("etag"))];
    let known = send(&router, &format!("GET {INSTANCES}/p/history"), &headers, "").await;
    assert_eq!((known.status.as_u16(), &*known.body), (304, ""));
    let child = json!([{
        "instanceId": "child", "name": "hello", "version": null, "eventId": 1, "detached": false,
        "runtimeStatus": "Completed",
    }]);
    assert_eq!(get("children").await.json()["items"], child);

    let file = get("history.json").await.body;
    let recorded: RecordedHistory = serde_json::from_str(&file).unwrap();
    durable::testing::verify_replay(&recorded).unwrap();
    send(&router, &format!("POST {INSTANCES}/p:raise/Later"), &[], "true").await;
    hub.settle().await;
    let changed = send(&router, &format!("GET {INSTANCES}/p/history"), &headers, "").await;
    assert_eq!(changed.status, 200);
    assert_eq!(
        hub.instance("p").unwrap().status().await.unwrap().runtime_status,
        RuntimeStatus::Completed
    );
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_instance_tells_what_it_waits_for() {
    let hub = hub().await;
    let router = routes(&hub);
    let start = r#"{"name":"parent","id":"p","input":"Cairo"}"#;
    send(&router, &format!("POST {INSTANCES}"), &[], start).await;
    hub.settle().await;
    let pending = async || {
        let pending = send(&router, &format!("GET {INSTANCES}/p/pending"), &[], "").await.json();
        (
            pending["tasks"].clone(),
            pending["awaitedEvents"].clone(),
            pending["unreadEvents"].clone(),
        )
    };
    let (tasks, awaited, unread) = pending().await;
    assert_eq!((&awaited, &unread), (&json!([]), &json!([])));
    assert_eq!((&tasks[0]["kind"], tasks.as_array().map(Vec::len)), (&json!("Timer"), Some(1)));
    assert_eq!(tasks[0]["dueAt"], "2026-01-02T03:05:05.006007Z");
    assert!(tasks[0]["source"].as_str().unwrap().contains("common.rs:"), "{tasks}");

    send(&router, &format!("POST {INSTANCES}/p:raise/Latr"), &[], "true").await;
    hub.advance(std::time::Duration::from_mins(1)).await;
    assert_eq!(pending().await, (json!([]), json!(["later"]), json!(["Latr"])));
    let unknown = send(&router, &format!("GET {INSTANCES}/q/pending"), &[], "").await;
    assert_eq!(unknown.status, 404);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn entities_are_called_signalled_listed_and_deleted() {
    let hub = hub().await;
    let router = routes(&hub);
    let ask = async |line: &str, body: &str| send(&router, line, &[], body.to_owned()).await;
    let counter = "/api/v1/entities/Counter/a";
    assert_eq!(ask(&format!("POST {counter}:call/add"), "5").await.body, "null");
    assert_eq!(ask(&format!("POST {counter}:signal/add"), "2").await.status, 202);
    hub.settle().await;
    assert_eq!(ask(&format!("GET {counter}"), "").await.json()["state"], 7);
    let failed = ask(&format!("POST {counter}:call/add"), "[]").await;
    assert_eq!((failed.status.as_u16(), failed.json()["source"].as_str()), (422, Some("instance")));
    let later = format!("POST {counter}:signal/add?at=2026-01-03");
    assert_eq!(ask(&later, "1").await.status, 202);
    let signals = ask("GET /api/v1/signals?name=counter", "").await.json();
    assert_eq!(signals["items"][0]["dueAt"], "2026-01-03T00:00:00.000000Z");
    let id = signals["items"][0]["id"].as_str().unwrap().replace('@', "%40").replace('#', "%23");
    assert_eq!(ask(&format!("DELETE /api/v1/signals/{id}"), "").await.status, 204);
    assert_eq!(ask(&format!("DELETE /api/v1/signals/{id}"), "").await.status, 404);
    let list = ask("GET /api/v1/entities?name=counter&state=true", "").await.json();
    assert_eq!(list["items"][0]["state"], 7);
    assert_eq!(
        ask("GET /api/v1/locks", "").await.json(),
        json!({ "items": [], "next": null, "scanned": 1 })
    );
    assert_eq!(ask(&format!("DELETE {counter}"), "").await.status, 204);
    assert_eq!(ask(&format!("GET {counter}"), "").await.json()["state"], Value::Null);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn schedules_are_created_paused_updated_and_deleted() {
    let hub = hub().await;
    let router = routes(&hub);
    let ask = async |line: &str, body: &str| send(&router, line, &[], body.to_owned()).await;
    let nightly = r#"{"id":"nightly","cron":"0 3 * * *","name":"hello","input":"Tokyo"}"#;
    let created = ask("POST /api/v1/schedules", nightly).await;
    assert_eq!((created.status.as_u16(), created.json()["status"].as_str()), (201, Some("Active")));
    assert_eq!(created.json()["recurrence"], json!({ "cron": "0 3 * * *" }));
    assert_eq!(ask("POST /api/v1/schedules", nightly).await.status, 409);
    let next = ask("GET /api/v1/schedules/nightly", "").await.json()["nextRuns"].clone();
    let next: Vec<_> = next.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(next.len(), 5);
    assert!(next.iter().all(|it| it.ends_with("T03:00:00.000000Z")), "{next:?}");
    assert!(next.is_sorted() && next[0] < next[1]);
    let paused = ask("POST /api/v1/schedules/nightly:pause", "").await;
    assert_eq!(ask("GET /api/v1/schedules/nightly", "").await.json()["nextRuns"], json!([]));
    assert_eq!(paused.json()["status"], "Paused");
    let hourly = r#"{"everySeconds":3600,"name":"hello","input":"Oslo"}"#;
    let updated = ask("PUT /api/v1/schedules/nightly", hourly).await;
    assert_eq!(updated.json()["input"], "Oslo");
    assert_eq!(updated.json()["recurrence"], json!({ "everySeconds": 3600 }));
    assert_eq!(ask("POST /api/v1/schedules/nightly:resume", "").await.json()["status"], "Active");
    let list = ask("GET /api/v1/schedules?status=Active", "").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(ask("DELETE /api/v1/schedules/nightly", "").await.status, 204);
    assert_eq!(ask("GET /api/v1/schedules/nightly", "").await.status, 404);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn registered_functions_are_listed_with_names_in_camel_case() {
    let hub = hub().await;
    let registered = send(&routes(&hub), "GET /api/v1/registered", &[], "").await.json();
    let hello =
        registered["orchestrators"].as_array().unwrap().iter().find(|it| it["name"] == "hello");
    assert_eq!(hello.unwrap()["parameters"], json!([{ "name": "city", "typeName": "String" }]));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn running_activities_are_listed() {
    let hub = hub().await;
    let running = send(&routes(&hub), "GET /api/v1/running", &[], "").await;
    let nothing = json!({ "items": [], "waiting": {}, "concurrency": 200 });
    assert_eq!(running.json(), nothing);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_hub_reports_its_settings_and_usage() {
    let hub = hub().await;
    let about = send(&routes(&hub), "GET /api/v1/hub", &[], "").await.json();
    assert_eq!((&about["taskHubName"], &about["partitions"]), (&json!("durable"), &json!(4)));
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_partition_is_reported_and_retried() {
    let store = MemoryCluster::default().node();
    let hub = TaskHub::builder().store(store.clone()).partitions(4).open().await.unwrap();
    for epoch in 0..9 {
        store.park(PartitionId(3), Epoch(epoch), "a message cannot be decoded").unwrap();
    }
    let router = routes(&hub);
    let ask = |line: &'static str| send(&router, line, &[], "");
    let parked = json!([{ "partition": 3, "reason": "a message cannot be decoded" }]);
    assert_eq!(ask("GET /api/v1/hub").await.json()["parkedPartitions"], parked);
    for (line, was_parked) in [("3", true), ("3", false), ("0", false)] {
        let line = format!("POST /api/v1/partitions/{line}:retry");
        let answer = send(&router, &line, &[], "").await;
        assert_eq!(answer.json(), json!({ "wasParked": was_parked }));
    }
    let unknown = ask("POST /api/v1/partitions/4:retry").await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.body.contains("there is no partition `4`"), "{unknown:?}");
    assert_eq!(ask("POST /api/v1/partitions/x:retry").await.status, 400);
    assert_eq!(ask("GET /api/v1/hub").await.json()["parkedPartitions"], json!([]));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_histogram_counts_instances_by_time_and_status() {
    let hub = hub().await;
    let router = routes(&hub);
    for (id, name, input) in [("a", "hello", "\"Kyoto\""), ("b", "failing", "\"no\"")] {
        let body = format!(r#"{{"name": "{name}", "id": "{id}", "input": {input}}}"#);
        send(&router, "POST /api/v1/instances", &[], body).await;
        hub.settle().await;
        hub.advance(Duration::from_secs(90)).await;
    }
    let body = send(&router, "GET /api/v1/instances:histogram?buckets=4", &[], "").await.json();
    assert_eq!((&body["seconds"], &body["scanned"]), (&60.into(), &2.into()));
    assert_eq!(body["items"][0]["at"], "2026-01-02T03:04:00Z");
    assert_eq!(body["items"][0]["counts"], serde_json::json!({"Completed": 1}));
    assert_eq!(body["items"][1]["counts"], serde_json::json!({"Failed": 1}));
    let ended = "GET /api/v1/instances:histogram?by=ended&status=Failed&buckets=1";
    let body = send(&router, ended, &[], "").await.json();
    assert_eq!(body["items"][0]["counts"], serde_json::json!({"Failed": 1}));
    // Instances that do not match are read, too.
    let none = "GET /api/v1/instances:histogram?status=Terminated&maxScanned=1";
    let body = send(&router, none, &[], "").await.json();
    assert_eq!((&body["scanned"], &body["approximate"]), (&json!(1), &json!(true)), "{body}");
    let refused = send(&router, "GET /api/v1/instances:histogram?by=name", &[], "").await;
    assert_eq!(refused.status, 400);
    hub.shutdown().await.unwrap();
}
