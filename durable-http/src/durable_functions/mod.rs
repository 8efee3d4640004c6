//! The management API of Durable Functions, as its extension serves it and its official clients
//! call it.
//!
//! Rules:
//! 1. An unknown path and a wrong method are answered with 404 and no body.
//! 2. Answers to operations have no body: 202, 404, and 410 if the instance has ended.
//! 3. Every other error is an object that has `Message` and `ExceptionMessage`, which the Python client
//!    reads, except where the clients show the body itself: there it is a JSON string.
//!
//! Read next: `payload.rs` (links), `status.rs` (the status of an instance), `history.rs` (its history).

mod client;
mod entities;
mod events;
mod filter;
mod history;
mod list;
mod manage;
mod payload;
mod purge;
mod start;
mod status;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use durable::{InstanceHandle, InstanceId};

use crate::access::Role;
use crate::answer::{About, Failure, with_retry_after};
use crate::json::{self, Object};
use crate::links::Place;
use crate::options::HttpOptions;
use crate::problem::{Code, Problem};
use crate::route::{Route, Table, handler};

pub use client::client_payload;

/// The base of the management API, and that of the local endpoint of the clients.
pub(crate) const BASES: [&str; 2] = ["/runtime/webhooks/durabletask", "/durabletask"];

pub(crate) static TABLE: Table<Refusal> =
    Table { routes: &[ROUTES], ignores_case: true, is_open: false };

use Role::{Admin, Operate, Read};

const ROUTES: &[Route<Refusal>] = &[
    Route::new(Method::POST, "orchestrators/{name}", Operate, handler!(start::start)),
    Route::new(Method::POST, "orchestrators/{name}/{id}", Operate, handler!(start::start)),
    Route::new(Method::GET, "entities", Read, handler!(entities::list)).scan(),
    Route::new(Method::GET, "entities/{name}", Read, handler!(entities::list)).scan(),
    Route::new(Method::GET, "entities/{name}/{key}", Read, handler!(entities::read)),
    Route::new(Method::POST, "entities/{name}", Operate, handler!(entities::signal)),
    Route::new(Method::POST, "entities/{name}/{key}", Operate, handler!(entities::signal)),
    Route::new(Method::DELETE, "entities/{name}", Operate, handler!(entities::delete)),
    Route::new(Method::DELETE, "entities/{name}/{key}", Operate, handler!(entities::delete)),
    Route::new(Method::GET, "instances", Read, handler!(list::list)).scan(),
    Route::new(Method::DELETE, "instances", Admin, handler!(purge::purge_many)).scan(),
    Route::new(Method::GET, "instances/{id}", Read, handler!(status::status)),
    Route::new(Method::DELETE, "instances/{id}", Admin, handler!(purge::purge_one)),
    Route::new(Method::POST, "instances/{id}/terminate", Operate, handler!(manage::terminate)),
    Route::new(Method::POST, "instances/{id}/suspend", Operate, handler!(manage::suspend)),
    Route::new(Method::POST, "instances/{id}/resume", Operate, handler!(manage::resume)),
    Route::new(Method::POST, "instances/{id}/rewind", Operate, handler!(manage::rewind)),
    Route::new(Method::POST, "instances/{id}/restart", Operate, handler!(start::restart)),
    Route::new(Method::POST, "instances/{id}/raiseEvent/{event}", Operate, handler!(events::raise)),
    Route::new(Method::POST, "makeprimary", Admin, handler!(make_primary)),
    Route::new(Method::GET, "client", Read, handler!(client::client)),
];

/// The answer to a start.
pub(crate) fn accepted(options: &HttpOptions, place: &Place, id: &InstanceId) -> Response {
    payload::accepted(options, place, id, payload::Shape::default())
}

/// The status of an instance that has ended, if it still exists.
pub(crate) async fn ended(instance: &InstanceHandle) -> Option<Response> {
    let show = status::Show::default();
    let seen = status::Seen::read(instance).await.ok()?;
    Some(json::answer(StatusCode::OK, &seen.body(show)))
}

/// Every hub is the primary one.
async fn make_primary(_: crate::call::Call) -> Result<Response, Refusal> {
    Ok(json::empty(StatusCode::OK))
}

/// An error in the form of this dialect.
#[derive(Debug)]
pub(crate) enum Refusal {
    Empty(StatusCode),
    /// A JSON string, which the clients show.
    Text(StatusCode, String),
    Object(StatusCode, Problem),
}

impl Refusal {
    /// A problem with another status than its code has elsewhere.
    pub(crate) fn object(status: StatusCode, problem: impl Into<Problem>) -> Self {
        Self::Object(status, problem.into())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        match problem.code {
            Code::NoSuchRoute | Code::NoSuchInstance => Self::Empty(StatusCode::NOT_FOUND),
            code => Self::Object(code.status(), problem),
        }
    }
}

impl Failure for Refusal {
    const TELLS_METHODS: bool = false;

    fn answer(self, about: &About<'_>) -> Response {
        match self {
            Self::Empty(status) => json::empty(status),
            Self::Text(status, text) => json::answer(status, &text),
            Self::Object(status, problem) => {
                let (_, title, _) = problem.code.describe();
                let body = Object::new()
                    .with("Message", title)
                    .with("ExceptionMessage", &problem.detail)
                    .and(problem.members(status, about));
                with_retry_after(json::answer(status, &body), problem.code)
            }
        }
    }
}
