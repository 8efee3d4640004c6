//! Server-sent events, read from the body as they arrive.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use durable::testing::TestHub;
use durable_http::HttpOptions;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::common::{failing, hello, hub, order, routes, send};
use crate::openapi;

/// An open stream.
struct Stream {
    body: Body,
    unread: String,
}

/// An event, and the comments before it.
#[derive(Debug, Default, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
    comments: usize,
}

async fn open(router: &Router, path: &str, headers: &[(&str, &str)]) -> Stream {
    let mut request = Request::builder().uri(format!("/api/v1/{path}")).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut stream = Stream { body: answer.into_body(), unread: String::new() };
    assert_eq!(stream.block().await.as_deref(), Some("retry: 2000"));
    stream
}

impl Stream {
    /// The lines up to the next empty one; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                return Some(block);
            }
            let frame = self.body.frame().await?.unwrap().into_data().unwrap();
            self.unread.push_str(std::str::from_utf8(&frame).unwrap());
        }
    }

    async fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let block = self.block().await?;
            for line in block.lines() {
                match line.split_once(": ").unwrap_or((line, "")) {
                    ("event", name) => name.clone_into(&mut event.name),
                    ("id", id) => id.clone_into(&mut event.id),
                    ("data", data) => event.data = serde_json::from_str(data).unwrap(),
                    (":", "") => event.comments += 1,
                    other => panic!("{other:?}"),
                }
            }
            if !event.name.is_empty() {
                return Some(event);
            }
        }
    }
}

async fn start(hub: &TestHub, id: &str) {
    let run = hub.start(hello("Tokyo".to_owned()).instance_id(id)).await.unwrap();
    run.result().await.unwrap();
}

#[tokio::test]
async fn lifecycle_events_are_sent_as_they_happen() {
    let hub = hub().await;
    let router = routes(&hub);
    let mut all = open(&router, "events", &[]).await;
    let mut ends = open(&router, "events?kinds=Completed,Failed&name=hello&prefix=a", &[]).await;
    start(&hub, "b").await;
    let failed = hub.start(failing("no stock".to_owned()).instance_id("af")).await.unwrap();
    failed.result().await.unwrap_err();
    start(&hub, "a").await;
    let event = all.next().await.unwrap();
    openapi::fits_schema("LifecycleEvent", &event.data);
    assert_eq!((&*event.name, &event.data["kind"]), ("lifecycle", &json!("Started")));
    let event = ends.next().await.unwrap();
    assert_eq!(
        (&event.data["instanceId"], &event.data["kind"]),
        (&json!("a"), &json!("Completed"))
    );
    hub.shutdown().await.unwrap();
    // What is buffered is sent before the stream ends.
    let mut count = 1;
    while all.next().await.is_some() {
        count += 1;
    }
    assert_eq!((count, ends.next().await), (6, None));
}

#[tokio::test]
async fn a_client_that_reads_too_slowly_is_told_how_many_events_it_missed() {
    let hub = hub().await;
    let router = routes(&hub);
    let mut stream = open(&router, "events", &[]).await;
    for id in 0..2100 {
        start(&hub, &id.to_string()).await;
    }
    let missed = stream.next().await.unwrap();
    assert_eq!((&*missed.name, &missed.data), ("missed", &json!({ "count": 4200 - 4096 })));
    assert_eq!(stream.next().await.unwrap().name, "lifecycle");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn unknown_kinds_are_refused_and_streams_have_a_limit_of_their_own() {
    let hub = hub().await;
    let options = HttpOptions::new().max_streams(1).max_concurrent_requests(1);
    let router = durable_http::router(&hub, options);
    let refused = send(&router, "GET /api/v1/events?kinds=Begun", &[], "").await;
    assert_eq!(refused.status, 400);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("`kinds` is `Begun`; give any of Started, Completed"), "{detail}");

    let stream = open(&router, "events", &[]).await;
    assert_eq!(send(&router, "GET /api/v1/hub", &[], "").await.status, 200);
    let busy = send(&router, "GET /api/v1/events", &[], "").await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (503, "1"));
    drop(stream);
    open(&router, "events", &[]).await;
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_silent_stream_sends_comments() {
    let hub = hub().await;
    let options = HttpOptions::new().keep_alive(Duration::from_millis(1));
    let router = durable_http::router(&hub, options);
    let mut stream = open(&router, "events", &[]).await;
    assert_eq!(stream.block().await.as_deref(), Some(":"));
    assert_eq!(stream.block().await.as_deref(), Some(":"));
    hub.start(order(5).instance_id("o")).await.unwrap();
    assert_eq!(stream.next().await.unwrap().data["instanceId"], "o");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_history_of_an_instance_is_sent_and_resumed_without_loss_or_repetition() {
    let hub = hub().await;
    let router = routes(&hub);
    let run = hub.start(order(5).instance_id("o")).await.unwrap();
    hub.settle().await;
    let recorded = run.history().await.unwrap().len() as u64;
    let mut stream = open(&router, "instances/o/events", &[]).await;
    let mut last = String::new();
    for index in 0..recorded {
        let event = stream.next().await.unwrap();
        openapi::fits_schema("FollowedEvent", &event.data);
        assert_eq!((&*event.name, &event.data["index"]), ("history", &json!(index)));
        assert!(event.id.starts_with(&format!("{}-", index + 1)), "{}", event.id);
        last = event.id;
    }
    drop(stream);
    run.raise_event("Approval", &true).await.unwrap();
    let mut stream = open(&router, "instances/o/events", &[("last-event-id", &last)]).await;
    let mut indices = Vec::new();
    let end = loop {
        let event = stream.next().await.unwrap();
        if event.name == "end" {
            break event;
        }
        indices.push(event.data["index"].as_u64().unwrap());
        last = event.id;
    };
    openapi::fits_schema("InstanceStatus", &end.data);
    assert_eq!((&end.data["runtimeStatus"], &*end.id), (&json!("Completed"), ""));
    let all = run.history().await.unwrap().len() as u64;
    assert_eq!(indices, (recorded..all).collect::<Vec<_>>());
    assert_eq!(stream.next().await, None);

    let events = "GET /api/v1/instances/o/events";
    let again = send(&router, events, &[("last-event-id", &last)], "").await;
    assert_eq!(again.status, 204);
    let mut rest = open(&router, &format!("instances/o/events?from={}", all - 1), &[]).await;
    assert_eq!(rest.next().await.unwrap().data["index"], all - 1);
    assert_eq!(rest.next().await.unwrap().name, "end");
    let refused = send(&router, &format!("{events}?from=x"), &[], "").await;
    assert_eq!(refused.status, 400);
    assert_eq!(send(&router, "GET /api/v1/instances/x/events", &[], "").await.status, 404);
    hub.shutdown().await.unwrap();
}
