//! A hub with instances, and requests to the dashboard in the process.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use durable::client::NamedCall;
use durable::prelude::*;
use durable::protocol::Json;
use durable::testing::TestHub;
use durable_ui::UiOptions;
use tower::ServiceExt;

/// Text that would do harm if a page took it as markup.
pub(crate) const HOSTILE: &str =
    "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}";

pub(crate) const HOSTILE_ID: &str = "\"'><img src=x onerror=alert(1)>\u{202e}";

#[orchestrator(name = "waiting")]
async fn waiting(ctx: &OrchestrationContext, text: String) -> Result<bool> {
    ctx.set_custom_status(&text)?;
    Ok(ctx.wait_for_external_event("Approval").await?)
}

#[orchestrator(name = "failing")]
async fn failing(_ctx: &OrchestrationContext, text: String) -> Result<()> {
    Err(Error::msg(text))
}

#[orchestrator(name = "hello", version = "2")]
async fn hello(_ctx: &OrchestrationContext, text: String) -> Result<String> {
    Ok(text)
}

/// An instance of every status, with hostile text wherever a user can put some.
pub(crate) async fn hub() -> TestHub {
    let beginning = "2026-11-28T14:00:00Z".parse().unwrap();
    let hub = TestHub::builder().beginning(beginning).open().await.unwrap();
    let start = async |name: &str, id: &str| {
        let input = Json::parse(&serde_json::to_string(HOSTILE).unwrap()).unwrap();
        let call = NamedCall::new(name).input_json(input).instance_id(id);
        let run = hub.start_named(call.tag("note", HOSTILE)).await.unwrap();
        hub.settle().await;
        run
    };
    start("waiting", "running-1").await;
    // Ids may contain neither slashes nor question marks.
    start("waiting", HOSTILE_ID).await;
    start("waiting", "suspended-1").await.suspend(HOSTILE).await.unwrap();
    start("waiting", "terminated-1").await.terminate(HOSTILE).await.unwrap();
    start("failing", "failed-1").await;
    start("hello", "completed-1").await;
    hub.settle().await;
    hub
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The dashboard at a prefix.
pub(crate) fn app(hub: &TestHub, options: UiOptions) -> Router {
    Router::new().nest("/durable", durable_ui::router(hub, options))
}

/// Sends a request: `method path`, headers, body.
pub(crate) async fn send(app: &Router, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

pub(crate) async fn get(app: &Router, path: &str) -> Answer {
    // The overview of a nested router has no slash at its end.
    let path = if path == "/" { "" } else { path };
    send(app, &format!("GET /durable{path}"), &[], "").await
}
