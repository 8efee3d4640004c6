//! What is refused because it is too much, and what is malformed.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use durable_http::HttpOptions;
use tokio::time::Instant;

use crate::common::{Answer, hub, routes, send};

const DF: &str = "/runtime/webhooks/durabletask";

#[tokio::test]
async fn bodies_and_uris_have_a_largest_size() {
    let hub = hub().await;
    let router = durable_http::router(&hub, HttpOptions::new().max_body(10).max_uri(200));
    let start = format!("POST {DF}/orchestrators/hello");
    assert_eq!(send(&router, &start, &[], "\"12345678\"").await.status, 202);
    let answer = send(&router, &start, &[], "\"123456789\"").await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["code"].as_str()),
        (413, Some("body-too-large"))
    );
    let declared = send(&router, &start, &[("content-length", "11")], Body::empty()).await;
    assert_eq!(declared.status, 413);
    let long = format!("GET {DF}/instances/{}", "a".repeat(200));
    assert_eq!(send(&router, &long, &[], "").await.status, 414);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_body_that_does_not_arrive_times_out() {
    let hub = hub().await;
    let options = HttpOptions::new().body_time(Duration::from_millis(1));
    let router = durable_http::router(&hub, options);
    let never = Body::new(Never);
    let answer = send(&router, &format!("POST {DF}/orchestrators/hello"), &[], never).await;
    assert_eq!(answer.status, 408);
    hub.shutdown().await.unwrap();
}

struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn json_that_is_nested_too_deeply_is_refused() {
    let hub = hub().await;
    let router = routes(&hub);
    for depth in [128, 100_000] {
        let body = "[".repeat(depth) + &"]".repeat(depth);
        let start = format!("POST {DF}/orchestrators/hello");
        assert_eq!(send(&router, &start, &[], body.clone()).await.status, 400);
        let body = format!(r#"{{"name":"hello","input":{body}}}"#);
        assert_eq!(send(&router, "POST /api/v1/instances", &[], body).await.status, 400);
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn requests_at_once_and_scans_per_second_are_bounded() {
    let hub = hub().await;
    let router = durable_http::router(&hub, HttpOptions::new().max_concurrent_requests(0));
    let answer = send(&router, "GET /api/v1/hub", &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.json()["retryable"], true);

    let router = durable_http::router(&hub, HttpOptions::new().max_scans_per_second(1));
    let began = Instant::now();
    let (scans, _answer) = scans_until_refused(&router, &format!("GET {DF}/instances")).await;
    let most = 2 + began.elapsed().as_secs();
    assert!((2..=most).contains(&scans), "{scans} scans, and not 2 to {most}");
    let (_scans, answer) = scans_until_refused(&router, "GET /api/v1/instances").await;
    assert_eq!(
        (&answer.json()["code"], &answer.json()["retryable"]),
        (&"too-many-scans".into(), &true.into())
    );
    let one = format!("GET {DF}/instances/a");
    assert_eq!(
        send(&router, &one, &[], "").await.status,
        404,
        "reads of one instance are not scans"
    );
    hub.shutdown().await.unwrap();
}

/// Sends a request until it is refused, because another one is accepted each second; returns how
/// many were accepted, and the refusal.
async fn scans_until_refused(router: &Router, line: &str) -> (u64, Answer) {
    let mut accepted = 0;
    loop {
        let answer = send(router, line, &[], "").await;
        if answer.status != 200 {
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "1"));
            return (accepted, answer);
        }
        accepted += 1;
    }
}

#[tokio::test]
async fn a_hub_that_was_shut_down_is_unavailable() {
    let hub = hub().await;
    let router = routes(&hub);
    hub.shutdown().await.unwrap();
    for line in [
        format!("POST {DF}/orchestrators/hello"),
        format!("GET {DF}/instances/a"),
        format!("GET {DF}/instances"),
        "GET /api/v1/instances/a".to_owned(),
    ] {
        let answer = send(&router, &line, &[], "").await;
        let code = answer.json()["code"].as_str().map(str::to_owned);
        assert_eq!((answer.status.as_u16(), code.as_deref()), (503, Some("unavailable")), "{line}");
        assert_eq!(answer.header("retry-after"), "5");
    }
}

/// Seeded: pieces of paths and queries put together at random.
#[tokio::test]
async fn malformed_requests_are_answered_with_4xx_and_a_body_that_fits() {
    let hub = hub().await;
    let router = durable_http::router(&hub, HttpOptions::new().max_scans_per_second(u32::MAX));
    let bases = [DF, "/durabletask", "/api/v1"];
    let pieces = [
        "instances",
        "entities",
        "orchestrators",
        "schedules",
        "hello",
        "order",
        "a",
        "@a@b",
        "%00",
        "%FF",
        "%2e%2e",
        "..",
        "",
        "terminate",
        "raiseEvent",
        "a:raise",
        ":purge",
        "x:signal",
        "$",
        "%C3%A9",
        "history",
        "registered",
        "client",
        "a%0Ab",
        "a:b:c",
    ];
    let queries = [
        "",
        "?top=-1",
        "?top=99999999999999999999",
        "?timeout=1e308&pollingInterval=NaN",
        "?&&=&%",
        "?createdTimeFrom=9999-99-99",
        "?limit=0",
        "?after=%00",
        "?status=x",
        "?timeout=-1",
        "?createdTimeTo=+262142-12-31T23:59:59Z",
        "?from=18446744073709551615",
        "?tag=a",
    ];
    let bodies =
        ["", "{", "null", "\"x\"", "{\"name\":1}", "{\"name\":\"nobody\"}", "\u{0}", "[[["];
    let mut seed = 7_u64;
    let mut next = |count: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap() % count
    };
    for _ in 0..4000 {
        let method = ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"][next(7)];
        let mut path = Vec::new();
        for _ in 0..next(5) {
            path.push(pieces[next(pieces.len())]);
        }
        let path = path.join("/");
        let line = format!("{method} {}/{path}{}", bases[next(3)], queries[next(queries.len())]);
        let body = bodies[next(bodies.len())];
        let answer = send(&router, &line, &[("content-type", "application/json")], body).await;
        assert!(!answer.status.is_server_error(), "{line} {body:?} -> {answer:?}");
        if answer.status.is_client_error() && !answer.body.is_empty() {
            let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            assert!(body.is_string() || body["requestId"].is_string(), "{line} -> {body}");
        }
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_list_of_large_values_ends_early_and_goes_on_at_its_token() {
    let hub = hub().await;
    let router = durable_http::router(&hub, HttpOptions::new().max_body(2 * 1024 * 1024));
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    for id in 0..5 {
        let start = format!("POST {DF}/orchestrators/hello/{id}?timeout=10");
        assert_eq!(send(&router, &start, &[], large.clone()).await.status, 200);
    }
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let list = format!("GET {DF}/instances");
        let page = send(&router, &list, &[("x-ms-continuation-token", &token)], "").await;
        let items = page.json().as_array().unwrap().clone();
        assert!(items.len() <= 3, "{} instances", items.len());
        ids.extend(items.iter().map(|item| item["instanceId"].as_str().unwrap().to_owned()));
        page.header("x-ms-continuation-token").clone_into(&mut token);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(ids, ["0", "1", "2", "3", "4"]);
    hub.shutdown().await.unwrap();
}
