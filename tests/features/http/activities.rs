//! Requests of activities: sent by the HTTP client of the hub, and in no history.

use durable::http::{HttpPolicy, HttpRetry, HttpSend};

use super::*;

#[activity]
async fn send_from_activity(
    ctx: &ActivityContext,
    url: &str,
) -> std::result::Result<String, HttpError> {
    let retry = HttpRetry::new(5, SECOND);
    let request = HttpRequest::post(url).header("x-key", "of the activity").retry(retry);
    let response = ctx.send_http(request.timeout(Duration::from_millis(1))).await?;
    Ok(format!("{} from {}", response.status(), response.url()))
}

#[orchestrator]
async fn sends_from_activity(
    ctx: &OrchestrationContext,
    url: String,
) -> std::result::Result<String, HttpError> {
    send_from_activity(&url).await.map_err(|failed| failed.into_error_or_else(HttpError::Failed))
}

async fn sent(hub: &TestHub, url: &str) -> Result<String, HttpError> {
    let run = hub.start(sends_from_activity(url.to_owned()).instance_id("a")).await.unwrap();
    let result = run.result().await.map_err(|error| match error {
        ResultError::Failed(failed) => failed.into_error_or_else(HttpError::Failed),
        other => panic!("{other}"),
    });
    let history = format!("{:?}", run.history().await.unwrap());
    assert!(!history.contains("of the activity"), "{history}");
    run.purge().await.unwrap();
    result
}

#[tokio::test]
async fn an_activity_sends_a_request_once_and_follows_redirects_under_the_policy_of_the_hub() {
    let (hub, seen) = mocked(|number, _| {
        Ok(match number {
            0 => HttpResponse::new(307).with_header("Location", "/b"),
            1 => HttpResponse::new(503),
            _ => HttpResponse::new(202).with_header("Location", "/job"),
        })
    });
    let policy = HttpPolicy::new().deny_private();
    let hub = hub.configure(|hub| hub.http_policy(policy)).open().await.unwrap();
    let url = "https://example.com/a";
    assert_eq!(sent(&hub, url).await.unwrap(), "503 from https://example.com/b");
    assert_eq!(sent(&hub, url).await.unwrap(), "202 from https://example.com/a");
    let refused = sent(&hub, "http://127.0.0.1/").await.unwrap_err();
    assert!(matches!(refused, HttpError::Denied { .. }), "{refused}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    for request in &*seen {
        assert_eq!(request.header_value("x-key"), Some("of the activity"));
        assert!(request.header_value("idempotency-key").is_some(), "{request:?}");
    }
    drop(hub);
}

struct Silent;

impl HttpSend for Silent {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_request_of_an_activity_ends_at_its_timeout() {
    let hub = TestHub::builder().configure(|hub| hub.http_sender(Silent)).open().await.unwrap();
    let failed = sent(&hub, "https://example.com/a?code=1").await.unwrap_err();
    assert_eq!(failed.to_string(), "no response from `https://example.com/a` within 1ms");
    hub.shutdown().await.unwrap();
}
