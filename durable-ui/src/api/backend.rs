//! The API that pages use: that of a hub in this process, or of a hub reached over a connection.

use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use durable_http::client::Client;
use tower::ServiceExt;

#[derive(Clone, Debug)]
pub(crate) enum Backend {
    /// These routes check keys, hosts and origins.
    Routes(Router),
    /// The remote hub sees neither host nor origin of the browser, so they are checked here.
    Remote(Client),
}

impl Backend {
    /// Answers a request of a browser. The answer may be a stream.
    pub(crate) async fn send(&self, mut request: Request) -> Response<Body> {
        // It contains the key of this dashboard, and perhaps those of other apps of the host.
        request.headers_mut().remove(COOKIE);
        match self {
            Self::Routes(routes) => match routes.clone().oneshot(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            },
            Self::Remote(client) => {
                if let Err(reason) = check(request.method(), request.headers()) {
                    return problem(StatusCode::FORBIDDEN, "Not allowed", reason);
                }
                request.headers_mut().remove(ORIGIN);
                let sent = client.forward(request).await;
                sent.unwrap_or_else(|error| {
                    tracing::debug!(%error, "the hub does not answer");
                    let detail = format!("the hub at {} does not answer", client.place());
                    problem(StatusCode::BAD_GATEWAY, "The hub does not answer", &detail)
                })
            }
        }
    }
}

/// Checks that a request is addressed to this dashboard, and that a change comes from one of its
/// pages.
fn check(method: &Method, headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(HOST).ok_or("the request names no host")?;
    if !is_loopback(host) {
        // Otherwise a web page could reach the hub through a name that resolves to 127.0.0.1.
        return Err("a dashboard of a remote hub answers only loopback hosts");
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let is_own =
        text(ORIGIN).is_none_or(|origin| origin.split_once("://").map(|it| it.1) == Some(host));
    if is_own && headers.contains_key("x-durable") {
        Ok(())
    } else {
        Err("a change needs the header `X-Durable: 1`, and a page of the same host")
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.to_ascii_lowercase();
    let is_address = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_address || name == "localhost" || name.ends_with(".localhost")
}

/// An error in the form of the API (RFC 9457).
pub(crate) fn problem(status: StatusCode, title: &str, detail: &str) -> Response<Body> {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": title,
        "detail": detail,
        "status": status.as_u16(),
    });
    let mut answer = Response::new(Body::from(body.to_string()));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("application/problem+json");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let pairs = headers.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        check(method, &pairs.collect()).is_ok()
    }

    #[test]
    fn a_dashboard_of_a_remote_hub_answers_only_its_own_pages() {
        let local = ("host", "127.0.0.1:7072");
        assert!(checked(&Method::GET, &[local]));
        assert!(checked(&Method::GET, &[("host", "[::1]:80")]));
        assert!(!checked(&Method::GET, &[("host", "evil.example")]));
        assert!(!checked(&Method::GET, &[]));
        let own = ("origin", "http://127.0.0.1:7072");
        assert!(checked(&Method::POST, &[local, own, ("x-durable", "1")]));
        assert!(!checked(&Method::POST, &[local, own]));
        let other = ("origin", "http://evil.example");
        assert!(!checked(&Method::POST, &[local, other, ("x-durable", "1")]));
    }
}
