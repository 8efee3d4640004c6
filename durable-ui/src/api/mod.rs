//! Calls of `/api/v1` with the access rights of the page's reader.
//!
//! Every call carries the key and the host of the request for the page, so that roles, allowed
//! hosts and limits apply here as they do to every other client.

mod backend;
mod failure;
pub(crate) mod model;
pub(crate) mod registered;

use axum::body::{Body, to_bytes};
use axum::http::header::{ACCEPT, AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;

use crate::query::Query;
pub(crate) use backend::{Backend, problem};
pub(crate) use failure::Failure;

/// The largest answer that is read, in bytes.
const ANSWER_MAX: usize = 256 * 1024 * 1024;

/// The API, for one request of a page.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    backend: Backend,
    headers: HeaderMap,
    /// Facts from the transport about the request; for example, that it came through a Unix socket.
    extensions: axum::http::Extensions,
}

impl Api {
    /// For a request with this key.
    pub(crate) fn new(backend: Backend, parts: &Parts, key: Option<&str>) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(host) = parts.headers.get(HOST) {
            headers.insert(HOST, host.clone());
        }
        authorize(&mut headers, &parts.headers, key);
        Self { backend, headers, extensions: parts.extensions.clone() }
    }

    /// Reads a route, such as `instances`, whose segments are encoded.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
    ) -> Result<T, Failure> {
        let bytes = self.bytes(path, query).await?;
        serde_json::from_slice(&bytes).map_err(|error| Failure::unreadable(path, &error))
    }

    async fn bytes(&self, path: &str, query: &Query) -> Result<Vec<u8>, Failure> {
        let mut request = Request::get(format!("/api/v1/{path}{query}"))
            .body(Body::empty())
            .map_err(|error| Failure::unreadable(path, &error))?;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        request.extensions_mut().extend(self.extensions.clone());
        let answer = self.backend.send(request).await;
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), ANSWER_MAX).await;
        let bytes = bytes.map_err(|error| Failure::unreadable(path, &error))?;
        if status.is_success() { Ok(bytes.into()) } else { Err(Failure::read(status, &bytes)) }
    }
}

/// Passes a request of a browser on to the API. The answer may be a stream.
pub(crate) async fn forward(
    backend: &Backend,
    mut request: Request<Body>,
    key: Option<&str>,
) -> Response<Body> {
    let given = request.headers().clone();
    authorize(request.headers_mut(), &given, key);
    backend.send(request).await
}

/// Adds the key of the cookie, unless the request has another key.
///
/// The key is sent as the password of basic authentication. The API trusts it less than a header
/// that only scripts of the page can set, because a browser sends a cookie, like a password, by
/// itself. So a change also needs the header `X-Durable`.
fn authorize(headers: &mut HeaderMap, given: &HeaderMap, key: Option<&str>) {
    for name in ["authorization", "x-functions-key"] {
        if let Some(value) = given.get(name) {
            headers.insert(name, value.clone());
            return;
        }
    }
    let Some(key) = key else { return };
    let password = STANDARD.encode(format!(":{key}"));
    if let Ok(value) = HeaderValue::try_from(format!("Basic {password}")) {
        headers.insert(AUTHORIZATION, value);
    }
}
