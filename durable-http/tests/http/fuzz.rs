//! No request makes a handler panic, or fails with an internal error.

use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use tower::ServiceExt;

use crate::common::{hello, hub, order, routes};

#[path = "../../../fuzz/mutate.rs"]
mod mutate;

/// A request as it is written down: the method and the path, headers, an empty line, the body.
fn request(input: &[u8]) -> Option<Request<Body>> {
    let end = input.windows(2).position(|two| two == b"\n\n").unwrap_or(input.len());
    let (head, body) = input.split_at(end);
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = str::from_utf8(lines.next()?).ok()?;
    let (method, path) = line.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(path);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], &line[colon + 1..]);
    }
    request.body(Body::from(body.get(2..).unwrap_or_default().to_vec())).ok()
}

#[test]
fn no_request_makes_a_handler_panic_or_fail_with_an_internal_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (hub, router) = runtime.block_on(async {
        let hub = hub().await;
        hub.start(hello("Tokyo".to_owned()).instance_id("done")).await.unwrap();
        hub.start(order(5).instance_id("waiting")).await.unwrap();
        let router = routes(&hub);
        (hub, router)
    });
    let target = |input: &[u8]| {
        let Some(request) = request(input) else { return };
        runtime.block_on(async {
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_ne!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
            // Live events do not end.
            if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
                drop(to_bytes(answer.into_body(), usize::MAX).await.unwrap());
            }
        });
    };
    mutate::run(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), "http", target);
    runtime.block_on(hub.shutdown()).unwrap();
}
