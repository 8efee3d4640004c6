//! Long histories: the file is streamed, and children are listed by page.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use durable::InstanceHandle;
use durable::prelude::*;
use durable::testing::{RecordedHistory, TestHub};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::common::{hello, hub, routes, send};

/// Calls this number of sub-orchestrations, one after another.
#[orchestrator(name = "family")]
async fn family(ctx: &OrchestrationContext, children: u32) -> Result<u32> {
    for number in 0..children {
        hello("Oslo".to_owned()).instance_id(format!("child-{number:03}")).await?;
    }
    Ok(children)
}

/// Has more than 16,384 events before its child.
#[orchestrator(name = "busy_parent")]
async fn busy_parent(ctx: &OrchestrationContext) -> Result<()> {
    let timers = (0..8_200).map(|_| ctx.create_timer(std::time::Duration::from_secs(1)));
    durable::join_all(timers).await;
    hello("Oslo".to_owned()).instance_id("child").await?;
    Ok(())
}

async fn run_family(hub: &TestHub) -> InstanceHandle {
    let run = hub.start(family(300).instance_id("p")).await.unwrap();
    run.result().await.unwrap();
    hub.instance("p").unwrap()
}

/// The body of the file.
async fn download(router: &Router) -> Body {
    open(router, "/api/v1/instances/p/history.json").await
}

async fn open(router: &Router, path: &str) -> Body {
    let request = Request::get(path).header("host", "localhost");
    let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

async fn frame(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    Some(body.frame().await?.map(|frame| frame.into_data().unwrap()))
}

#[tokio::test]
async fn a_long_history_is_sent_by_page_as_a_file_that_replays() {
    let hub = hub().await;
    let instance = run_family(&hub).await;
    let expected = instance.history().await.unwrap();
    let mut body = download(&routes(&hub)).await;
    let mut frames = Vec::new();
    while let Some(data) = frame(&mut body).await {
        frames.push(String::from_utf8(data.unwrap().to_vec()).unwrap());
    }
    assert!(frames.len() >= 3, "{} frames for {} events", frames.len(), expected.len());
    let file = frames.concat();
    let recorded: RecordedHistory = serde_json::from_str(&file).unwrap();
    durable::testing::verify_replay(&recorded).unwrap();
    let events = serde_json::from_str::<Value>(&file).unwrap()["events"].clone();
    assert_eq!(events, serde_json::to_value(&expected).unwrap());
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_file_ends_with_an_error_if_the_history_is_replaced_while_it_is_sent() {
    let hub = hub().await;
    let instance = run_family(&hub).await;
    let router = routes(&hub);
    let mut body = download(&router).await;
    for _ in 0..2 {
        frame(&mut body).await.unwrap().unwrap();
    }
    instance.restart().await.unwrap();
    let error = frame(&mut body).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the history was replaced while it was sent");
    assert!(frame(&mut body).await.is_none());
    drop(body);

    hub.settle().await;
    let mut body = download(&router).await;
    frame(&mut body).await.unwrap().unwrap();
    instance.purge().await.unwrap();
    frame(&mut body).await.unwrap().unwrap_err();
    hub.shutdown().await.unwrap();
}

const FOLDED: &str = "/durabletask/instances/p?showHistory=true&showHistoryOutput=true";

#[tokio::test]
async fn a_long_history_is_folded_by_page_in_the_dialect_of_durable_functions() {
    let hub = hub().await;
    run_family(&hub).await;
    let mut body = open(&routes(&hub), FOLDED).await;
    let mut frames = Vec::new();
    while let Some(data) = frame(&mut body).await {
        frames.push(String::from_utf8(data.unwrap().to_vec()).unwrap());
    }
    assert!(frames.len() >= 3, "{} frames", frames.len());
    let status: Value = serde_json::from_str(&frames.concat()).unwrap();
    assert_eq!((&status["runtimeStatus"], &status["output"]), (&"Completed".into(), &300.into()));
    let events = status["historyEvents"].as_array().unwrap();
    let kinds = |kind: &str| events.iter().filter(|it| it["EventType"] == kind).count();
    assert_eq!(kinds("SubOrchestrationInstanceCompleted"), 300);
    assert_eq!(kinds("SubOrchestrationInstanceCreated"), 0, "each is folded into its answer");
    assert_eq!(events.len(), 302);
    for event in &events[1..301] {
        assert_eq!(
            (&event["FunctionName"], &event["Result"]),
            (&"hello".into(), &"Hello Oslo!".into())
        );
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_folded_history_ends_with_an_error_if_it_is_replaced_while_it_is_sent() {
    let hub = hub().await;
    let instance = run_family(&hub).await;
    let mut body = open(&routes(&hub), FOLDED).await;
    frame(&mut body).await.unwrap().unwrap();
    instance.restart().await.unwrap();
    let error = frame(&mut body).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the history was replaced while it was sent");
    assert!(frame(&mut body).await.is_none());
    hub.shutdown().await.unwrap();
}

/// Has more than 50,000 events.
#[orchestrator(name = "sleepy")]
async fn sleepy(ctx: &OrchestrationContext) -> Result<()> {
    let timers = (0..25_000).map(|_| ctx.create_timer(std::time::Duration::from_secs(1)));
    durable::join_all(timers).await;
    Ok(())
}

#[tokio::test]
async fn a_timeline_of_a_history_that_is_too_long_is_refused() {
    let hub = hub().await;
    hub.start(sleepy().instance_id("p")).await.unwrap().result().await.unwrap();
    let refused = send(&routes(&hub), "GET /api/v1/instances/p/timeline", &[], "").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["code"]),
        (422, &"history-too-long".into())
    );
    let detail = refused.json()["detail"].to_string();
    assert!(detail.contains("a timeline shows at most 50000; read it by page from `/history`"));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_open_download_counts_as_a_stream() {
    let hub = hub().await;
    run_family(&hub).await;
    let router = durable_http::router(&hub, durable_http::HttpOptions::new().max_streams(1));
    let body = download(&router).await;
    let file = "GET /api/v1/instances/p/history.json";
    let refused = send(&router, file, &[], "").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"));
    drop(body);
    assert_eq!(send(&router, file, &[], "").await.status, 200);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn children_are_listed_by_page_in_the_order_in_which_they_were_started() {
    let hub = hub().await;
    run_family(&hub).await;
    let router = routes(&hub);
    let (mut ids, mut from, mut pages) = (Vec::new(), Some(0), 0);
    while let Some(first) = from {
        let target = format!("GET /api/v1/instances/p/children?limit=110&from={first}");
        let page = send(&router, &target, &[], "").await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 110);
        ids.extend(items.iter().map(|it| it["instanceId"].as_str().unwrap().to_owned()));
        from = page["next"].as_u64();
        pages += 1;
    }
    let expected: Vec<_> = (0..300).map(|number| format!("child-{number:03}")).collect();
    assert_eq!((ids, pages), (expected, 3));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_request_for_events_of_a_kind_reads_a_limited_part_of_the_history() {
    let hub = hub().await;
    hub.start(busy_parent().instance_id("p")).await.unwrap().result().await.unwrap();
    let router = routes(&hub);
    let page = async |query: &str| {
        let target = format!("GET /api/v1/instances/p/history?{query}");
        let page = send(&router, &target, &[], "").await.json();
        let indices = page["items"].as_array().unwrap().iter().map(|it| it["index"].clone());
        (indices.collect::<Vec<Value>>(), page["next"].as_u64())
    };
    let child = "kinds=SubOrchestrationInstanceCreated";
    let (found, next) = page(child).await;
    assert_eq!((found.len(), next), (0, Some(16_384)));
    let (found, next) = page(&format!("{child}&from=16384")).await;
    assert_eq!((found.len(), next), (1, None));
    let started = "kinds=ExecutionStarted";
    let (found, next) = page(&format!("{started}&order=desc")).await;
    assert_eq!(found.len(), 0);
    let (found, next) = page(&format!("{started}&order=desc&from={}", next.unwrap())).await;
    assert_eq!((found.len(), next), (1, None));
    // A page of some kinds is as long as `limit` says, and the next one begins after it.
    let fired = "kinds=TimerFired,TimerCreated&limit=300";
    let (first, next) = page(fired).await;
    let (second, _) = page(&format!("{fired}&from={}", next.unwrap())).await;
    let all: Vec<_> = first.into_iter().chain(second).map(|it| it.as_u64().unwrap()).collect();
    assert_eq!(all, (all[0]..all[0] + 600).collect::<Vec<_>>());
    let (newest, next) = page(&format!("{fired}&order=desc&from=700")).await;
    let (older, _) = page(&format!("{fired}&order=desc&from={}", next.unwrap())).await;
    let all: Vec<_> = newest.into_iter().chain(older).map(|it| it.as_u64().unwrap()).collect();
    assert_eq!(all, (101..=700).rev().collect::<Vec<_>>());
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_request_for_children_reads_a_limited_part_of_the_history() {
    let hub = hub().await;
    let run = hub.start(busy_parent().instance_id("p")).await.unwrap();
    run.result().await.unwrap();
    let router = routes(&hub);
    let page = async |from: u64| {
        let target = format!("GET /api/v1/instances/p/children?from={from}");
        send(&router, &target, &[], "").await.json()
    };
    let first = page(0).await;
    assert_eq!((&first["items"], &first["next"]), (&Value::Array(Vec::new()), &16_384.into()));
    let second = page(16_384).await;
    assert_eq!(
        (&second["items"][0]["instanceId"], &second["next"]),
        (&"child".into(), &Value::Null)
    );
    hub.shutdown().await.unwrap();
}
