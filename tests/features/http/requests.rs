//! What is sent, redirects, and which parts of a request and a response are recorded.

use durable::http::HttpPolicy;
use durable::protocol::TraceContext;

use super::*;

#[tokio::test]
async fn a_post_has_an_idempotency_key_that_is_the_same_in_every_attempt() {
    let (hub, seen) =
        mocked(|number, _| Ok(HttpResponse::new(if number == 0 { 503 } else { 200 })));
    let hub = hub.open().await.unwrap();
    let retry = durable::http::HttpRetry::new(2, SECOND);
    let post = HttpRequest::post("https://example.com").retry(retry);
    result(&hub, post.clone()).await.unwrap();
    result(&hub, post.clone()).await.unwrap();
    result(&hub, post.clone().no_idempotency_key()).await.unwrap();
    result(&hub, post.header("Idempotency-Key", "mine")).await.unwrap();
    result(&hub, HttpRequest::patch("https://example.com")).await.unwrap();
    for method in ["GET", "PUT", "DELETE", "HEAD"] {
        result(&hub, HttpRequest::new(method, "https://example.com")).await.unwrap();
    }
    let seen = seen.lock().unwrap();
    let keys: Vec<_> = seen.iter().map(|it| it.header_value("Idempotency-Key")).collect();
    assert!(keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
    assert!(keys[2].is_some() && keys[2] != keys[0], "{keys:?}");
    assert_eq!(keys[3..5], [None, Some("mine")]);
    assert!(keys[5].is_some(), "a patch");
    assert_eq!(keys[6..], [None; 4]);
}

#[tokio::test]
async fn a_request_carries_the_trace_of_its_activity() {
    let (hub, seen) = mocked(|_, _| Ok(HttpResponse::new(200)));
    let hub = hub.open().await.unwrap();
    let trace = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let trace = trace.unwrap().with_tracestate("vendor=1");
    let request = HttpRequest::get("https://example.com");
    let run = hub.start(send_request(request).trace_context(trace.clone())).await.unwrap();
    run.result().await.unwrap();
    let seen = seen.lock().unwrap();
    let sent = TraceContext::parse(seen[0].header_value("traceparent").unwrap()).unwrap();
    assert_eq!(sent.trace_id(), trace.trace_id());
    assert_ne!(sent.span_id(), trace.span_id());
    assert_eq!(seen[0].header_value("tracestate"), Some("vendor=1"));
}

#[tokio::test]
async fn a_body_gets_a_content_type_unless_it_has_one() {
    let (hub, seen) = mocked(|_, _| Ok(HttpResponse::new(200)));
    let hub = hub.open().await.unwrap();
    let put = || HttpRequest::put("https://example.com");
    let xml = put().header("Content-Type", "text/xml").text("<a/>");
    for request in [put(), put().text("hi"), put().json(&[1]), put().bytes([0xff]), xml] {
        result(&hub, request).await.unwrap();
    }
    let seen = seen.lock().unwrap();
    let types: Vec<_> = seen.iter().map(|it| it.header_value("content-type")).collect();
    let (text, json) = ("text/plain; charset=utf-8", "application/json");
    let bytes = "application/octet-stream";
    assert_eq!(types, [None, Some(text), Some(json), Some(bytes), Some("text/xml")]);
    assert_eq!(&*seen[3].body_bytes(), [0xff]);
}

#[tokio::test]
async fn redirects_are_followed_as_browsers_do() {
    for (status, method, followed_as, keeps_body) in [
        (301, "POST", "GET", false),
        (302, "POST", "GET", false),
        (303, "PUT", "GET", false),
        (303, "HEAD", "HEAD", true),
        (302, "PUT", "PUT", true),
        (307, "POST", "POST", true),
        (308, "POST", "POST", true),
    ] {
        let (hub, seen) = mocked(move |number, _| {
            Ok(match number {
                0 => HttpResponse::new(status).with_header("Location", "/there"),
                _ => HttpResponse::new(200),
            })
        });
        let hub = hub.open().await.unwrap();
        let request = HttpRequest::new(method, "https://example.com/here").text("body");
        let response = result(&hub, request).await.unwrap();
        assert_eq!(response.url(), "https://example.com/there");
        let seen = seen.lock().unwrap();
        assert_eq!(seen[1].method(), followed_as, "{status} {method}");
        assert_eq!(!seen[1].body_bytes().is_empty(), keeps_body, "{status} {method}");
        assert_eq!(seen[1].header_value("content-type").is_some(), keeps_body);
    }
}

#[tokio::test]
async fn the_number_of_redirects_is_limited() {
    let (hub, seen) = mocked(|number, _| {
        Ok(HttpResponse::new(302).with_header("Location", format!("/{}", number + 1)))
    });
    let hub = hub.open().await.unwrap();
    let error = result(&hub, HttpRequest::get("https://example.com")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "more than 10 redirects, the last one to `https://example.com/11`"
    );
    assert_eq!(seen.lock().unwrap().len(), 11);
    let request = HttpRequest::get("https://example.com").max_redirects(0);
    assert_eq!(result(&hub, request).await.unwrap().status(), 302);
}

#[tokio::test]
async fn every_header_and_every_byte_of_a_response_is_kept() {
    let (hub, _) = mocked(|_, _| {
        Ok(HttpResponse::new(200)
            .with_header("Content-Type", "image/png")
            .with_header("Set-Cookie", "a=1")
            .with_header("Set-Cookie", "b=2")
            .with_bytes([0x89, b'P', b'N', b'G', 0xff]))
    });
    let hub = hub.open().await.unwrap();
    let response = result(&hub, HttpRequest::get("https://example.com/logo")).await.unwrap();
    assert_eq!(response.header("content-type"), Some("image/png"));
    assert_eq!(response.header_values("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert_eq!(response.text(), None);
    assert_eq!(&*response.bytes(), [0x89, b'P', b'N', b'G', 0xff]);
}

#[tokio::test]
async fn a_response_that_is_too_large_is_an_error() {
    let (hub, _) = mocked(|_, _| Ok(HttpResponse::new(200).with_text("x".repeat((1 << 20) + 1))));
    let hub = hub.open().await.unwrap();
    let retry = durable::http::HttpRetry::new(5, SECOND);
    let request = HttpRequest::get("https://example.com/big").retry(retry);
    let error = result(&hub, request.clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the response of `https://example.com/big` is larger than 1048576 bytes; raise the limit \
         with `max_response`, or fetch it in an activity that keeps it elsewhere"
    );
    assert_eq!(hub.http_requests().len(), 1, "a retry is pointless");
    let response = result(&hub, request.max_response(1 << 21)).await.unwrap();
    assert_eq!(response.text().unwrap().len(), (1 << 20) + 1);
}

#[tokio::test]
async fn an_invalid_url_is_an_error_with_the_url() {
    let (hub, seen) = mocked(|_, _| Ok(HttpResponse::new(200)));
    let hub = hub.open().await.unwrap();
    let error = result(&hub, HttpRequest::get("/relative")).await.unwrap_err();
    let expected = "invalid request to `/relative`: its URL: relative URL without a base";
    assert_eq!(error.to_string(), expected);
    let broken = std::collections::BTreeMap::from([((1, 2), 3)]);
    let error = result(&hub, HttpRequest::put("https://example.com").json(&broken)).await;
    let expected = "invalid request to `https://example.com`: its body has no JSON form: key must \
                    be a string";
    assert_eq!(error.unwrap_err().to_string(), expected);
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_policy_is_checked_for_redirects_and_polls_too() {
    let policy = HttpPolicy::new().deny_private();
    for status in [302, 202] {
        let (hub, seen) = mocked(move |_, _| {
            let inside = "http://169.254.169.254/latest/meta-data";
            Ok(HttpResponse::new(status).with_header("Location", inside))
        });
        let policy = policy.clone();
        let hub = hub.configure(|hub| hub.http_policy(policy)).open().await.unwrap();
        let error = result(&hub, HttpRequest::get("https://example.com")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "a request to `http://169.254.169.254/latest/meta-data` was refused: 169.254.169.254 is \
             an internal address, and the policy of the hub denies these; exempt the host with \
             `HttpPolicy::allow_private_hosts`"
        );
        assert_eq!(urls(&seen), ["https://example.com"]);
    }
}

#[tokio::test]
async fn a_location_with_another_scheme_is_refused() {
    let (hub, _) = mocked(|_, _| Ok(accepted("file:///etc/passwd")));
    let hub = hub.open().await.unwrap();
    let error = result(&hub, HttpRequest::get("https://example.com")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "a request to `file:///etc/passwd` was refused: its scheme is `file`; allowed: http and \
         https"
    );
}

#[tokio::test]
async fn a_panic_of_a_mock_is_a_failure_of_the_call() {
    let (hub, _) = mocked(|_, _| panic!("out of order"));
    let hub = hub.open().await.unwrap();
    let error = result(&hub, HttpRequest::get("https://example.com")).await.unwrap_err();
    let HttpError::Failed(details) = &error else { panic!("{error}") };
    assert!(details.message.contains("out of order"), "{error}");
}

#[test]
fn requests_that_an_earlier_release_recorded_can_be_read() {
    let json = r#"{"method":"POST","uri":"https://example.com/","headers":{"accept":"*/*"},
        "content":"hi","timeoutMs":100000,"poll":{"enabled":true,"intervalMs":30000},
        "retry":{"maxNumberOfAttempts":3,"firstRetryIntervalMs":1000},
        "maxResponse":1048576,"maxRedirects":10,"idempotencyKey":true}"#;
    let request: HttpRequest = serde_json::from_str(json).unwrap();
    let made = HttpRequest::post("https://example.com/")
        .header("Accept", "*/*")
        .retry(durable::http::HttpRetry::new(3, SECOND));
    let named = made.clone().header("content-type", "x").text("hi");
    assert_eq!(request.body_text(), Some("hi"));
    assert_eq!(request.header_value("Accept"), made.header_value("accept"));
    let short: HttpRequest =
        serde_json::from_str(r#"{"method":"GET","uri":"https://example.com"}"#).unwrap();
    assert_eq!(short, HttpRequest::get("https://example.com"));
    let again: HttpRequest = serde_json::from_str(&serde_json::to_string(&named).unwrap()).unwrap();
    assert_eq!(again, named);
    let response: HttpResponse =
        serde_json::from_str(r#"{"statusCode":200,"headers":{},"content":"x"}"#).unwrap();
    assert_eq!((response.status(), response.text()), (200, Some("x")));
}
