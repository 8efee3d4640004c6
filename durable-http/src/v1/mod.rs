//! This library's own API: what the hub offers, as JSON with names in camel case.
//!
//! Rules:
//! 1. An error is an RFC 9457 problem. A failed instance is not an error, except in a request for its
//!    output; then the `source` is `instance`.
//! 2. An unknown parameter or field of a body is refused.
//! 3. A list has `items` and `next`. The next page is requested with `after` set to `next`.
//!
//! Read next: `show.rs` (how values are shown), `asked.rs` (how parameters are read).

mod actions;
mod asked;
mod entities;
mod history;
mod instances;
mod list;
mod schedules;
mod show;
mod start;

use std::collections::BTreeMap;

use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;

use crate::access::Role;
use crate::answer::{About, Failure, with_retry_after};
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::problem::{Code, Problem};
use crate::route::{Route, Table, handler};

pub(crate) const BASE: &str = "/api/v1";

pub(crate) static TABLE: Table<Refusal> = Table { routes: ROUTES, ignores_case: false };

use Role::{Admin, Operate, Read};

const ROUTES: &[Route<Refusal>] = &[
    Route::new(Method::POST, "instances", Operate, handler!(start::start)),
    Route::new(Method::GET, "instances", Read, handler!(list::list)).scan(),
    Route::new(Method::GET, "instances:count", Read, handler!(list::count)).scan(),
    Route::new(Method::GET, "instances/{id}", Read, handler!(instances::details)),
    Route::new(Method::DELETE, "instances/{id}", Admin, handler!(actions::delete)),
    Route::new(Method::GET, "instances/{id}/input", Read, handler!(instances::input)),
    Route::new(Method::GET, "instances/{id}/output", Read, handler!(instances::output)),
    Route::new(Method::GET, "instances/{id}/history", Read, handler!(history::page)),
    Route::new(Method::GET, "instances/{id}/history.json", Read, handler!(history::file)),
    Route::new(Method::GET, "instances/{id}/children", Read, handler!(history::children)),
    Route::new(Method::POST, "instances/{id}:raise/{event}", Operate, handler!(actions::raise)),
    Route::new(Method::POST, "instances/{id}:suspend", Operate, handler!(actions::suspend)),
    Route::new(Method::POST, "instances/{id}:resume", Operate, handler!(actions::resume)),
    Route::new(Method::POST, "instances/{id}:terminate", Operate, handler!(actions::terminate)),
    Route::new(Method::POST, "instances/{id}:rewind", Operate, handler!(actions::rewind)),
    Route::new(Method::POST, "instances/{id}:restart", Operate, handler!(actions::restart)),
    Route::new(Method::POST, "instances/{id}:purge", Admin, handler!(actions::purge)),
    Route::new(Method::GET, "entities", Read, handler!(entities::list)).scan(),
    Route::new(Method::GET, "entities/{name}/{key}", Read, handler!(entities::details)),
    Route::new(Method::DELETE, "entities/{name}/{key}", Operate, handler!(entities::delete)),
    Route::new(
        Method::POST,
        "entities/{name}/{key}:signal/{operation}",
        Operate,
        handler!(entities::signal),
    ),
    Route::new(
        Method::POST,
        "entities/{name}/{key}:call/{operation}",
        Operate,
        handler!(entities::call),
    ),
    Route::new(Method::GET, "locks", Read, handler!(entities::locks)).scan(),
    Route::new(Method::GET, "signals", Read, handler!(entities::signals)).scan(),
    Route::new(Method::DELETE, "signals/{id}", Admin, handler!(entities::cancel_signal)),
    Route::new(Method::GET, "schedules", Read, handler!(schedules::list)).scan(),
    Route::new(Method::POST, "schedules", Operate, handler!(schedules::create)),
    Route::new(Method::GET, "schedules/{id}", Read, handler!(schedules::details)),
    Route::new(Method::PUT, "schedules/{id}", Operate, handler!(schedules::update)),
    Route::new(Method::DELETE, "schedules/{id}", Admin, handler!(schedules::delete)),
    Route::new(Method::POST, "schedules/{id}:pause", Operate, handler!(schedules::pause)),
    Route::new(Method::POST, "schedules/{id}:resume", Operate, handler!(schedules::resume)),
    Route::new(Method::GET, "registered", Read, handler!(registered)),
    Route::new(Method::GET, "hub", Read, handler!(hub)),
];

async fn registered(call: Call) -> Result<Response, Refusal> {
    call.takes(&[])?;
    Ok(json::answer(StatusCode::OK, &show::camel(&call.hub().registered())))
}

async fn hub(call: Call) -> Result<Response, Refusal> {
    call.takes(&[])?;
    let usage = call.hub().usage().await?;
    let figures: BTreeMap<_, _> = usage.figures.iter().copied().collect();
    let body = Object::new()
        .with("taskHubName", &call.options().task_hub_name)
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("partitions", &call.hub().partitions())
        .with("diskBytes", &usage.disk_bytes)
        .with("memoryBytes", &usage.memory_bytes)
        .with("figures", &figures);
    Ok(json::answer(StatusCode::OK, &body))
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
    let answer = with_header(answer, "durable-error-source", problem.code.source());
    with_retry_after(answer, problem.code)
}
