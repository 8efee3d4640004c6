//! The address at which a request arrived, and the links in answers.

use axum::extract::OriginalUri;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::access;
use crate::options::HttpOptions;

/// All characters except those that RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as a segment of a path, or as a value in a query.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// The address at which a request arrived.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Such as `http://localhost:7071`.
    pub(crate) origin: String,
    /// The prefix at which the routes are mounted, and the base of the dialect.
    pub(crate) base: String,
    /// Only the prefix.
    pub(crate) prefix: String,
    /// The path and the query, as the client sent them.
    pub(crate) path_and_query: String,
    /// The key of the request, which links repeat.
    pub(crate) key: Option<String>,
}

impl Place {
    pub(crate) fn new(
        options: &HttpOptions,
        parts: &Parts,
        base: &'static str,
        key: Option<String>,
    ) -> Self {
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
        let prefix = uri.path().strip_suffix(parts.uri.path()).unwrap_or_default().to_owned();
        let path_and_query = uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
        let origin = match (&options.public_url, forwarded(options, &parts.headers)) {
            (Some(url), _) => url.clone(),
            (None, Some(origin)) => origin,
            (None, None) => format!("http://{}", access::host(parts).unwrap_or("localhost")),
        };
        Self { origin, base: format!("{prefix}{base}"), prefix, path_and_query, key }
    }

    /// The address of the request itself.
    pub(crate) fn own(&self) -> String {
        format!("{}{}", self.origin, self.path_and_query)
    }

    /// The address of a path below the base of the dialect.
    pub(crate) fn below(&self, path: &str) -> String {
        format!("{}{}/{path}", self.origin, self.base)
    }
}

fn forwarded(options: &HttpOptions, headers: &HeaderMap) -> Option<String> {
    let first = |name| {
        let value = headers.get(name)?.to_str().ok()?.split(',').next()?.trim();
        (!value.is_empty()).then_some(value)
    };
    let (proto, host) = (first("x-forwarded-proto")?, first("x-forwarded-host")?);
    options.forwarded.then(|| format!("{proto}://{host}"))
}
