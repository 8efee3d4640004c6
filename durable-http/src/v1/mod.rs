//! This library's own API: the operations of the hub, as JSON with names in camel case.
//!
//! Rules:
//! 1. An error is an RFC 9457 problem. A failed instance is not an error, except in a request for
//!    its output, where the `source` of the error is `instance`.
//! 2. An unknown parameter or body field is refused.
//! 3. A list has `items`, `next` and `scanned`. The next page is requested with `after` set to
//!    `next`.
//!
//! Read next: `routes/` (the table), `show.rs` (how values are shown), `asked.rs` (how parameters
//! are read).

mod actions;
mod asked;
mod backups;
mod batches;
mod camel;
mod entities;
mod events;
mod export;
mod histogram;
mod history;
mod instances;
pub(crate) mod list;
mod partitions;
mod routes;
mod schedules;
mod show;
mod start;
mod statistics;
mod timeline;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use durable::client::CommitLatency;
use durable::store::Member;

use crate::answer::{About, Failure, with_retry_after};
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::openapi;
use crate::problem::{Code, Problem};

pub(crate) use routes::TABLE;

pub(crate) const BASE: &str = "/api/v1";

async fn registered(call: Call) -> Result<Response, Refusal> {
    Ok(show::answer(StatusCode::OK, &call.hub().registered()))
}

async fn running(call: Call) -> Result<Response, Refusal> {
    let items: Vec<_> = call.hub().running().iter().map(show::camel).collect();
    let body = Object::new()
        .with("items", &items)
        .with("waiting", &call.hub().waiting())
        .with("concurrency", &call.hub().activity_concurrency());
    Ok(json::answer(StatusCode::OK, &body))
}

async fn hub(call: Call) -> Result<Response, Refusal> {
    let (usage, members) = (call.hub().usage().await?, call.hub().members().await?);
    let nodes: Vec<_> = members.nodes.iter().map(node).collect();
    let free: Vec<_> = members.free.iter().map(|partition| partition.0).collect();
    let parked: Vec<_> = members.parked.iter().map(partitions::parked).collect();
    let pinned: Vec<_> = members.pinned.iter().map(partitions::pinned).collect();
    let frozen: Vec<_> = members.frozen.iter().map(partitions::frozen).collect();
    let figures: BTreeMap<_, _> = usage.figures.iter().copied().collect();
    let body = Object::new()
        .with("taskHubName", &call.options().task_hub_name)
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("partitions", &call.hub().partitions())
        .with("diskBytes", &usage.disk_bytes)
        .with("memoryBytes", &usage.memory_bytes)
        .with("commits", &call.hub().commit_latency().map(commits))
        .with("figures", &figures)
        .with("nodes", &nodes)
        .with("freePartitions", &free)
        .with("parkedPartitions", &parked)
        .with("pinnedPartitions", &pinned)
        .with("frozenPartitions", &frozen);
    Ok(json::answer(StatusCode::OK, &body))
}

fn commits(latency: CommitLatency) -> Object {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Object::new()
        .with("count", &latency.commits)
        .with("p50Micros", &micros(latency.p50))
        .with("p99Micros", &micros(latency.p99))
}

/// A process that shares the hub.
fn node(member: &Member) -> Object {
    let partitions: Vec<_> = member.partitions.iter().map(|partition| partition.0).collect();
    Object::new()
        .with("name", &member.node.name)
        .with("isClient", &member.node.is_client)
        .with("isThis", &member.is_this)
        .with("joinedAt", &member.joined_at.to_datetime())
        .with("seenAt", &member.seen_at.to_datetime())
        .with("partitions", &partitions)
}

/// The role of the client, and the time of the hub.
async fn access(call: Call) -> Result<Response, Refusal> {
    let body = Object::new()
        .with("role", call.granted.role.name())
        .with("taskHubName", &call.options().task_hub_name)
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("now", &call.hub().current_utc_datetime());
    Ok(json::answer(StatusCode::OK, &body))
}

async fn description(call: Call) -> Result<Response, Refusal> {
    Ok(json::answer(StatusCode::OK, &openapi::document(&TABLE, &call.place().base)))
}

/// An error in the form of this dialect: an RFC 9457 problem.
#[derive(Debug)]
pub(crate) struct Refusal(Problem);

impl<P: Into<Problem>> From<P> for Refusal {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl Failure for Refusal {
    const TELLS_METHODS: bool = true;

    fn answer(self, about: &About<'_>) -> Response {
        problem(&self.0, about)
    }
}

/// The answer for an error, by RFC 9457.
pub(crate) fn problem(problem: &Problem, about: &About<'_>) -> Response {
    let status = problem.status();
    let mut answer = json::answer(status, &problem.members(status, about));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if problem.code == Code::Unauthorized {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let answer = match &problem.allow {
        Some(methods) => with_header(answer, "allow", methods),
        None => answer,
    };
    let answer = with_header(answer, "durable-error-source", problem.code.source());
    with_retry_after(answer, problem.code)
}
