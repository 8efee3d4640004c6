//! Which failures are retried, and what is left after the last attempt.

use durable::http::HttpRetry;
use durable::protocol::EventKind;

use super::*;

fn three_times() -> HttpRetry {
    HttpRetry::new(3, 10 * SECOND).backoff_coefficient(2.0)
}

#[tokio::test]
async fn a_transient_status_is_retried_by_the_engine() {
    let (hub, seen) = mocked(|number, _| {
        Ok(match number {
            0 => HttpResponse::new(503),
            1 => HttpResponse::new(429),
            _ => HttpResponse::new(200),
        })
    });
    let hub = hub.open().await.unwrap();
    let began = hub.now();
    let request = HttpRequest::get("https://example.com").retry(three_times());
    let run = hub.start(send_request(request)).await.unwrap();
    assert_eq!(run.result().await.unwrap().status(), 200);
    assert_eq!((hub.now() - began).num_seconds(), 30);
    assert_eq!(seen.lock().unwrap().len(), 3);
    let history = run.history().await.unwrap();
    let count = |is: fn(&EventKind) -> bool| history.iter().filter(|it| is(&it.kind)).count();
    assert_eq!(count(|kind| matches!(kind, EventKind::TaskAttemptFailed { .. })), 2);
    assert_eq!(count(|kind| matches!(kind, EventKind::TaskScheduled { .. })), 1);
    assert_eq!(count(|kind| matches!(kind, EventKind::TimerCreated { .. })), 0);
}

#[tokio::test]
async fn after_the_last_attempt_the_error_has_the_last_response() {
    let (hub, _) =
        mocked(|number, _| Ok(HttpResponse::new(503).with_text(format!("overloaded, {number}"))));
    let hub = hub.open().await.unwrap();
    let request = HttpRequest::get("https://example.com/x?key=1").retry(three_times());
    let error = result(&hub, request).await.unwrap_err();
    assert_eq!(error.to_string(), "`https://example.com/x` was answered with status 503");
    assert_eq!(error.response().unwrap().text(), Some("overloaded, 2"));
}

#[tokio::test]
async fn a_status_that_is_not_retried_is_a_response() {
    let (hub, seen) = mocked(|_, _| Ok(HttpResponse::new(404)));
    let hub = hub.open().await.unwrap();
    let request = HttpRequest::get("https://example.com").retry(three_times());
    assert_eq!(result(&hub, request).await.unwrap().status(), 404);
    assert_eq!(seen.lock().unwrap().len(), 1);
    let request = HttpRequest::get("https://example.com").retry(three_times().statuses([404]));
    let error = result(&hub, request).await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), 404);
    assert_eq!(seen.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn without_a_retry_policy_every_status_is_a_response() {
    let (hub, _) = mocked(|_, _| Ok(HttpResponse::new(500).with_text("oh")));
    let hub = hub.open().await.unwrap();
    let response = result(&hub, HttpRequest::get("https://example.com")).await.unwrap();
    let error = response.error_for_status().unwrap_err();
    assert_eq!(error.response().unwrap().text(), Some("oh"));
}

#[tokio::test]
async fn polls_are_retried_like_the_request() {
    let (hub, seen) = mocked(|number, _| {
        Ok(match number {
            0 => accepted("/jobs/1"),
            1 | 2 => HttpResponse::new(502),
            _ => HttpResponse::new(200),
        })
    });
    let hub = hub.open().await.unwrap();
    let began = hub.now();
    let request = HttpRequest::post("https://example.com/jobs").retry(three_times());
    assert_eq!(result(&hub, request).await.unwrap().status(), 200);
    assert_eq!(seen.lock().unwrap().len(), 4);
    assert_eq!((hub.now() - began).num_seconds(), 30 + 10 + 20);
}

#[tokio::test]
async fn a_request_that_is_not_answered_times_out_and_is_retried() {
    let (hub, _) = mocked(|_, _| Ok(HttpResponse::new(200)));
    let hub = hub.http_takes(|_| Duration::MAX).open().await.unwrap();
    let began = hub.now();
    let request = HttpRequest::get("https://example.com/x").timeout(5 * SECOND);
    let error = result(&hub, request.clone()).await.unwrap_err();
    assert_eq!(error.to_string(), "no response from `https://example.com/x` within 5s");
    assert_eq!((hub.now() - began).num_seconds(), 5);
    let error = result(&hub, request.retry(three_times())).await.unwrap_err();
    assert!(matches!(error, HttpError::Timeout { .. }), "{error}");
    assert_eq!((hub.now() - began).num_seconds(), 5 + 5 + 10 + 5 + 20 + 5);
}

#[tokio::test]
async fn an_invalid_retry_policy_is_an_invalid_request() {
    let (hub, seen) = mocked(|_, _| Ok(HttpResponse::new(200)));
    let hub = hub.open().await.unwrap();
    let request = HttpRequest::get("https://example.com").retry(HttpRetry::new(0, SECOND));
    let error = result(&hub, request).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid request to `https://example.com`: the retry policy's `max_number_of_attempts` is \
         0; it has to be at least 1, since it counts the first attempt"
    );
    assert!(seen.lock().unwrap().is_empty());
}
