//! Durable waits and polls after a 202.

use super::*;
use durable::http::HttpPoll;

#[tokio::test]
async fn polling_for_hours_takes_no_time_and_survives_restarts() {
    let (hub, seen) = mocked(|number, _| {
        Ok(match number {
            0..100 => accepted("/jobs/1").with_header("Retry-After", "3600"),
            _ => HttpResponse::new(200).with_text("done"),
        })
    });
    let hub = hub.open().await.unwrap();
    let began = hub.now();
    let request = HttpRequest::post("https://example.com/jobs").json(&7);
    hub.start(send_request(request).instance_id("job")).await.unwrap();
    hub.advance(50 * HOUR).await;
    let hub = hub.reopen().await.unwrap();
    hub.advance(20 * HOUR).await;
    let hub = hub.crash().await.unwrap();
    let run = hub.find_instance::<send_request>("job").await.unwrap().unwrap();
    let response = run.result().await.unwrap();
    assert_eq!((response.status(), response.text()), (200, Some("done")));
    assert_eq!(response.url(), "https://example.com/jobs/1");
    assert_eq!((hub.now() - began).num_hours(), 100);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 101);
    assert!(seen[1..].iter().all(|poll| poll.method() == "GET" && poll.body_bytes().is_empty()));
}

#[tokio::test]
async fn retry_after_may_be_a_date() {
    let (hub, _) = mocked(|number, _| {
        let date = "Thu, 01 Jan 2026 05:00:00 GMT";
        Ok(match number {
            0 => accepted("/jobs/1").with_header("Retry-After", date),
            _ => HttpResponse::new(200),
        })
    });
    let hub = hub.beginning("2026-01-01T00:00:00Z".parse().unwrap()).open().await.unwrap();
    result(&hub, HttpRequest::get("https://example.com")).await.unwrap();
    assert_eq!(hub.now().to_rfc3339(), "2026-01-01T05:00:00+00:00");
}

#[tokio::test]
async fn without_retry_after_the_interval_of_the_request_is_waited() {
    for (poll, seconds) in [
        (HttpPoll::on(), 30),
        (HttpPoll::on().interval(5 * SECOND), 5),
        (HttpPoll::on().interval(Duration::ZERO), 1),
    ] {
        let (hub, _) = mocked(|number, _| {
            Ok(HttpResponse::new(if number == 0 { 202 } else { 200 }).with_header("Location", "/x"))
        });
        let hub = hub.open().await.unwrap();
        let began = hub.now();
        result(&hub, HttpRequest::get("https://example.com").poll(poll)).await.unwrap();
        assert_eq!((hub.now() - began).num_seconds(), seconds);
    }
}

#[tokio::test]
async fn a_wait_is_no_longer_than_the_maximum_interval() {
    let (hub, _) = mocked(|number, _| {
        Ok(match number {
            0 => accepted("/x").with_header("Retry-After", "86400"),
            _ => HttpResponse::new(200),
        })
    });
    let hub = hub.open().await.unwrap();
    let began = hub.now();
    let poll = HttpPoll::on().max_interval(60 * SECOND);
    result(&hub, HttpRequest::get("https://example.com").poll(poll)).await.unwrap();
    assert_eq!((hub.now() - began).num_seconds(), 60);
}

#[tokio::test]
async fn a_location_is_relative_to_the_url_that_gave_it() {
    let (hub, seen) = mocked(|number, _| {
        Ok(match number {
            0 => HttpResponse::new(307).with_header("Location", "https://eu.example.com/a/b/start"),
            1 => accepted("status?id=1"),
            2 => accepted("../c"),
            3 => accepted("//us.example.com/d"),
            _ => HttpResponse::new(200),
        })
    });
    let hub = hub.open().await.unwrap();
    let response = result(&hub, HttpRequest::post("https://example.com/start")).await.unwrap();
    assert_eq!(response.url(), "https://us.example.com/d");
    let expected = [
        "https://example.com/start",
        "https://eu.example.com/a/b/start",
        "https://eu.example.com/a/b/status?id=1",
        "https://eu.example.com/a/c",
        "https://us.example.com/d",
    ];
    assert_eq!(urls(&seen), expected);
}

#[tokio::test]
async fn a_202_without_location_is_the_response() {
    let (hub, seen) = mocked(|_, _| Ok(HttpResponse::new(202).with_text("queued")));
    let hub = hub.open().await.unwrap();
    let response = result(&hub, HttpRequest::post("https://example.com")).await.unwrap();
    assert_eq!((response.status(), response.text()), (202, Some("queued")));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_poll_without_location_is_repeated() {
    let (hub, seen) = mocked(|number, _| {
        Ok(match number {
            0 => accepted("/jobs/1"),
            1 | 2 => HttpResponse::new(202),
            _ => HttpResponse::new(200),
        })
    });
    let hub = hub.open().await.unwrap();
    result(&hub, HttpRequest::post("https://example.com/jobs")).await.unwrap();
    assert_eq!(urls(&seen)[1..], ["https://example.com/jobs/1"; 3]);
}

#[tokio::test]
async fn a_303_of_a_poll_leads_to_the_result() {
    let (hub, seen) = mocked(|number, _| {
        Ok(match number {
            0 => accepted("/jobs/1"),
            1 => HttpResponse::new(303).with_header("Location", "/results/1"),
            _ => HttpResponse::new(200).with_text("result"),
        })
    });
    let hub = hub.open().await.unwrap();
    let response = result(&hub, HttpRequest::post("https://example.com/jobs")).await.unwrap();
    assert_eq!(response.text(), Some("result"));
    assert_eq!(seen.lock().unwrap()[2].method(), "GET");
    assert_eq!(urls(&seen)[2], "https://example.com/results/1");
}

#[tokio::test]
async fn polling_can_be_switched_off() {
    let (hub, _) = mocked(|_, _| Ok(accepted("/jobs/1")));
    let hub = hub.open().await.unwrap();
    let request = HttpRequest::post("https://example.com/jobs").poll(HttpPoll::off());
    assert_eq!(result(&hub, request).await.unwrap().header("location"), Some("/jobs/1"));
}

#[tokio::test]
async fn the_deadline_ends_polling_and_keeps_the_last_202() {
    let (hub, seen) = mocked(|_, _| Ok(accepted("/jobs/1").with_header("Retry-After", "3600")));
    let hub = hub.open().await.unwrap();
    let began = hub.now();
    let request = HttpRequest::get("https://example.com/jobs").deadline(5 * HOUR + 10 * SECOND);
    let error = result(&hub, request).await.unwrap_err();
    let HttpError::Deadline { last: Some(last), .. } = &error else { panic!("{error}") };
    assert_eq!(last.header("location"), Some("/jobs/1"));
    // The sixth poll would be due after the deadline, so the call does not wait for it.
    assert_eq!((hub.now() - began).num_hours(), 5);
    assert_eq!(seen.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn the_deadline_ends_a_running_request_and_its_retries() {
    let hub = TestHub::builder()
        .mock_http(|_| Ok(HttpResponse::new(503)))
        .http_takes(|_| 40 * SECOND)
        .open()
        .await
        .unwrap();
    let began = hub.now();
    let request = HttpRequest::get("https://example.com")
        .retry(durable::http::HttpRetry::new(100, 10 * SECOND))
        .deadline(65 * SECOND);
    let error = result(&hub, request).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the call of `https://example.com` did not end within its deadline of 65s"
    );
    assert_eq!((hub.now() - began).num_seconds(), 65);
}

#[tokio::test]
async fn a_dropped_call_is_cancelled() {
    #[orchestrator]
    async fn impatient_call(ctx: &OrchestrationContext) -> Result<String> {
        let call = ctx.call_http(HttpRequest::get("https://example.com/slow"));
        match durable::timeout(2 * HOUR, call).await {
            Ok(response) => Ok(response?.status().to_string()),
            Err(_elapsed) => Ok("too slow".into()),
        }
    }

    let (hub, _) = mocked(|_, _| Ok(accepted("/jobs/1").with_header("Retry-After", "900")));
    let hub = hub.open().await.unwrap();
    let began = hub.now();
    assert_eq!(hub.start(impatient_call()).await.unwrap().result().await.unwrap(), "too slow");
    assert_eq!((hub.now() - began).num_hours(), 2);
    let polls = hub.http_requests().len();
    hub.advance(5 * HOUR).await;
    assert_eq!(hub.http_requests().len(), polls);
}

#[tokio::test]
async fn calls_can_be_joined() {
    #[orchestrator]
    async fn call_all(ctx: &OrchestrationContext, count: u32) -> Result<Vec<u16>> {
        let url = |n| format!("https://example.com/{n}");
        let calls = (0..count).map(|n| ctx.call_http(HttpRequest::get(url(n))));
        let responses = durable::try_join_all(calls).await?;
        Ok(responses.iter().map(HttpResponse::status).collect())
    }

    let (hub, _) = mocked(|_, request| {
        let is_first = request.url().ends_with("/0");
        Ok(if is_first { accepted("/done") } else { HttpResponse::new(204) })
    });
    let hub = hub.open().await.unwrap();
    let statuses = hub.start(call_all(3)).await.unwrap().result().await.unwrap();
    assert_eq!(statuses, [204, 204, 204]);
}
