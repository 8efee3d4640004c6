//! Functions to call, and requests to the routes in the process.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use durable::TaskHub;
use durable::prelude::*;
use durable::testing::TestHub;
use durable_http::HttpOptions;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower::ServiceExt;

#[activity(name = "greet")]
async fn greet(city: &str) -> Result<String> {
    Ok(format!("Hello {city}!"))
}

#[activity(name = "refuse")]
async fn refuse(reason: &str) -> Result<()> {
    Err(Error::msg(reason))
}

#[orchestrator(name = "hello")]
pub(crate) async fn hello(ctx: &OrchestrationContext, city: String) -> Result<String> {
    Ok(greet(&city).await?)
}

#[orchestrator(name = "order", version = "1")]
pub(crate) async fn order_1(ctx: &OrchestrationContext, cents: u32) -> Result<String> {
    Ok(format!("old order of {cents}"))
}

#[orchestrator(name = "order", version = "2")]
pub(crate) async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<String> {
    ctx.set_custom_status(&"waits for approval")?;
    let is_approved: bool = ctx.wait_for_external_event("Approval").await?;
    if is_approved { Ok(format!("order of {cents}")) } else { Err(Error::msg("not approved")) }
}

#[orchestrator(name = "failing")]
pub(crate) async fn failing(ctx: &OrchestrationContext, reason: String) -> Result<()> {
    refuse(&reason).await?;
    Ok(())
}

#[orchestrator(name = "parent")]
pub(crate) async fn parent(ctx: &OrchestrationContext, city: String) -> Result<String> {
    ctx.create_timer(std::time::Duration::from_mins(1)).await;
    let greeting = hello(city).instance_id("child").await?;
    let later: bool = ctx.wait_for_external_event("Later").await?;
    Ok(format!("{greeting} {later}"))
}

#[orchestrator(name = "optional")]
pub(crate) async fn optional(ctx: &OrchestrationContext, cents: Option<u32>) -> Result<u32> {
    Ok(cents.unwrap_or_default())
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Counter(i64);

#[entity(name = "Counter")]
impl Counter {
    fn add(&mut self, n: i64) {
        self.0 += n;
    }
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Note(String);

#[entity(name = "note")]
impl Note {
    fn write(&mut self, text: String) {
        self.0 = text;
    }
}

pub(crate) async fn hub() -> TestHub {
    let beginning = "2026-01-02T03:04:05.006007Z".parse().unwrap();
    TestHub::builder().beginning(beginning).open().await.unwrap()
}

pub(crate) fn routes(hub: &TaskHub) -> Router {
    durable_http::router(hub, HttpOptions::new())
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends a request: `method path`, headers, body. The answer fits the description of the route.
pub(crate) async fn send(
    router: &Router,
    line: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.into()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let answer = Answer { status: parts.status, headers: parts.headers, body };
    crate::openapi::check(line, &answer);
    answer
}
