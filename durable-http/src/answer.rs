//! From a request to its answer: limits, access, the route, the body, and the form of an error.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use uuid::Uuid;

use crate::access::{self, Granted, Role};
use crate::app::App;
use crate::body;
use crate::call::Call;
use crate::json::with_header;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::route::{Found, Params, Route, Table};

/// The error of a dialect.
pub(crate) trait Failure: From<Problem> + Send + 'static {
    /// The answer to the client.
    fn answer(self, about: &About<'_>) -> Response;

    /// Whether a wrong method is answered with 405, instead of 404 as an unknown route is.
    const TELLS_METHODS: bool;
}

/// The parts of a request that its error repeats.
#[derive(Debug)]
pub(crate) struct About<'a> {
    pub(crate) request_id: Uuid,
    /// Not known to the error of an app's own route.
    pub(crate) path: Option<&'a str>,
}

pub(crate) async fn answer<F: Failure>(
    app: Arc<App>,
    base: &'static str,
    table: &'static Table<F>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let answer = admit(app, base, table, parts, body).await;
    let error = answer.is_err();
    // Random numbers cost a system call.
    let request_id = if error || tracing::enabled!(tracing::Level::DEBUG) {
        Uuid::new_v4()
    } else {
        Uuid::nil()
    };
    let answer = answer
        .unwrap_or_else(|failure| failure.answer(&About { request_id, path: Some(uri.path()) }));
    let status = answer.status().as_u16();
    // Without the query, which may contain a key.
    let path = if table.is_open { base } else { uri.path() };
    tracing::debug!(%method, path, status, %request_id, error, "answered");
    answer
}

async fn admit<F: Failure>(
    app: Arc<App>,
    base: &'static str,
    table: &'static Table<F>,
    parts: Parts,
    body: axum::body::Body,
) -> Result<Response, F> {
    let options = &app.options;
    let length = parts.uri.path_and_query().map_or(0, |it| it.as_str().len());
    if length > options.max_uri {
        let detail = format!("the URI has more than {} bytes", options.max_uri);
        return Err(Problem::new(Code::UriTooLong, detail).into());
    }
    let query = Query::parse(parts.uri.query());
    let below = parts.uri.path().strip_prefix(base).unwrap_or_default();
    let found = find(table, &parts.method, below);
    // Access is checked first, so that a client without a key cannot find out which routes exist.
    let needed = found.as_ref().map_or(Role::Read, |(route, _)| route.role);
    let granted = if table.is_open {
        access::check_open(options, &parts)?;
        Granted { key: None, role: Role::Read }
    } else {
        access::check(options, &parts, &query, needed)?
    };
    let (route, params) = found?;

    let Ok(_place_taken) = Arc::clone(&app.requests).try_acquire_owned() else {
        return Err(Problem::new(Code::Busy, "too many requests are being answered").into());
    };
    if route.is_scan && !app.scans.take() {
        return Err(Problem::new(Code::TooManyScans, "too many requests scan the hub").into());
    }
    if let Some(operation) = &route.operation {
        operation.check(&query)?;
    }
    let body = match parts.method {
        Method::GET | Method::HEAD | Method::DELETE => Bytes::new(),
        _ => body::read(options, &parts.headers, body).await?,
    };
    let app = Arc::clone(&app);
    let call = Call { app, base, granted, params, query, head: parts, body };
    (route.handler)(call).await
}

fn find<F: Failure>(
    table: &'static Table<F>,
    method: &Method,
    path: &str,
) -> Result<(&'static Route<F>, Params), Problem> {
    let is_head = F::TELLS_METHODS && *method == Method::HEAD;
    match table.find(if is_head { &Method::GET } else { method }, path) {
        Found::Route(route, params) => Ok((route, params)),
        Found::Methods(methods) if F::TELLS_METHODS => Err(Problem::other_methods(&methods)),
        Found::Methods(_) | Found::Nothing => {
            Err(Problem::new(Code::NoSuchRoute, "the path names no route"))
        }
    }
}

/// Adds `Retry-After`, if a retry may succeed.
pub(crate) fn with_retry_after(answer: Response, code: Code) -> Response {
    match code.retry_after() {
        Some(seconds) => with_header(answer, "retry-after", &seconds.to_string()),
        None => answer,
    }
}
