//! Why a durable HTTP call failed.
//!
//! Errors are recorded as the failures of the built-in activity: variants and fields keep their
//! names, and fields are only appended, each with a default.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::millis;
use super::response::HttpResponse;
use crate::error::NonRetriable;
use crate::protocol::FailureDetails;

/// The error returned when [`ctx.call_http(..)`](crate::OrchestrationContext::call_http) fails.
///
/// A response with any status is a success of the call, unless the request
/// [retries](super::HttpRequest::retry) that status. The texts name a URL without its query and
/// credentials.
///
/// ```
/// # use durable::prelude::*;
/// use durable::http::{HttpError, HttpRequest};
///
/// #[orchestrator]
/// async fn is_up(ctx: &OrchestrationContext, url: String) -> Result<bool> {
///     match ctx.call_http(HttpRequest::get(url)).await {
///         Ok(response) => Ok(response.is_success()),
///         Err(HttpError::Unreachable { .. } | HttpError::Timeout { .. }) => Ok(false),
///         Err(error) => Err(error.into()),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The status of the last response, which this contains, is an error: the request retries it,
    /// but no attempt is left, or [`HttpResponse::error_for_status`] was called.
    #[error("{} was answered with status {}", Plain(.0.url()), .0.status())]
    Status(HttpResponse),
    /// No complete response arrived: the name of the host could not be resolved, the connection or
    /// TLS failed, or the connection broke.
    #[error("no response from {}: {message}", Plain(url))]
    #[non_exhaustive]
    Unreachable {
        /// The URL.
        url: String,
        /// What failed.
        message: String,
    },
    /// A request took longer than its [`timeout`](super::HttpRequest::timeout).
    #[error("no response from {} within {limit:?}", Plain(url))]
    #[non_exhaustive]
    Timeout {
        /// The URL.
        url: String,
        /// The timeout.
        #[serde(with = "millis")]
        limit: Duration,
    },
    /// The call took longer than its [`deadline`](super::HttpRequest::deadline), or the next poll
    /// would be due after it.
    #[error("the call of {} did not end within its deadline of {limit:?}", Plain(url))]
    #[non_exhaustive]
    Deadline {
        /// The URL that was requested last.
        url: String,
        /// The deadline, counted from the call.
        #[serde(with = "millis")]
        limit: Duration,
        /// The last response with status 202, if there was one.
        last: Option<Box<HttpResponse>>,
    },
    /// The body of the response is larger than
    /// [`max_response`](super::HttpRequest::max_response).
    #[error(
        "the response of {} is larger than {limit} bytes; raise the limit with `max_response`, or \
         fetch it in an activity that keeps it elsewhere",
        Plain(url)
    )]
    #[non_exhaustive]
    TooLarge {
        /// The URL.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// There were more redirects than [`max_redirects`](super::HttpRequest::max_redirects) allows.
    #[error("more than {limit} redirects, the last one to {}", Plain(url))]
    #[non_exhaustive]
    TooManyRedirects {
        /// The URL to which the last redirect leads.
        url: String,
        /// The limit.
        limit: u32,
    },
    /// The hub's [`HttpPolicy`](super::HttpPolicy) refuses the request, a redirect, or a poll.
    #[error("a request to {} was refused: {reason}", Plain(url))]
    #[non_exhaustive]
    Denied {
        /// The URL.
        url: String,
        /// The rule that refuses it.
        reason: String,
    },
    /// The request cannot be sent: its URL, method, a header field or an option is invalid.
    #[error("invalid request to {}: {reason}", Plain(url))]
    #[non_exhaustive]
    InvalidRequest {
        /// The URL, as it was given.
        url: String,
        /// What is invalid.
        reason: String,
    },
    /// The [token source](super::HttpRequest::token_source) is unknown to the hub, or failed.
    #[error("no token from `{name}`: {message}")]
    #[non_exhaustive]
    Token {
        /// The name of the token source.
        name: String,
        /// What failed.
        message: String,
        /// Whether the hub does not know the name, so that a retry is pointless.
        #[serde(default)]
        unknown: bool,
    },
    /// The built-in activity failed for another reason, such as a response that is larger than the
    /// hub's [`max_payload`](crate::client::TaskHubBuilder::max_payload).
    #[error("the request failed: {0}")]
    Failed(FailureDetails),
}

impl HttpError {
    /// Returns the last response, if there was one.
    pub fn response(&self) -> Option<&HttpResponse> {
        match self {
            Self::Status(response) => Some(response),
            Self::Deadline { last, .. } => last.as_deref(),
            _ => None,
        }
    }

    /// Creates the error that an [`HttpSend`](super::HttpSend) or a mock returns if the connection
    /// to this URL fails.
    pub fn unreachable(url: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::Unreachable { url: url.into(), message: message.to_string() }
    }

    /// No response, because of `error` and its causes.
    pub(super) fn caused_by(url: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut message = String::new();
        let mut cause = Some(error);
        while let Some(error) = cause {
            let said = error.to_string();
            // The outer errors of a client often repeat the inner ones.
            if !message.contains(&said) {
                let colon = if message.is_empty() { "" } else { ": " };
                message = format!("{message}{colon}{said}");
            }
            cause = error.source();
        }
        Self::unreachable(url, message)
    }

    pub(super) fn too_large(url: &str, limit: u64) -> Self {
        Self::TooLarge { url: url.to_owned(), limit }
    }

    pub(super) fn invalid(url: &str, reason: impl fmt::Display) -> Self {
        Self::InvalidRequest { url: url.to_owned(), reason: reason.to_string() }
    }
}

impl HttpResponse {
    /// Returns the response if its status is a success, and an error otherwise, for the operator
    /// `?`.
    ///
    /// ```
    /// use durable::http::HttpResponse;
    ///
    /// let response = HttpResponse::new(503).with_text("closed");
    /// assert!(response.error_for_status().is_err());
    /// ```
    ///
    /// # Errors
    /// [`HttpError::Status`] with the response, if its status is not a success.
    pub fn error_for_status(self) -> Result<Self, HttpError> {
        if self.is_success() { Ok(self) } else { Err(HttpError::Status(self)) }
    }
}

/// An error that another attempt cannot fix is not retried.
impl NonRetriable for HttpError {
    fn is_non_retriable(&self) -> bool {
        match self {
            Self::Status(_) | Self::Unreachable { .. } | Self::Timeout { .. } => false,
            Self::Token { unknown, .. } => *unknown,
            Self::Deadline { .. }
            | Self::TooLarge { .. }
            | Self::TooManyRedirects { .. }
            | Self::Denied { .. }
            | Self::InvalidRequest { .. }
            | Self::Failed(_) => true,
        }
    }
}

/// A URL without what may be secret: credentials, query and fragment.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        let colon = if scheme.is_empty() { "" } else { "://" };
        write!(f, "`{scheme}{colon}{host}{path}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_text_has_no_query_and_no_credentials() {
        let shown = |url| Plain(url).to_string();
        assert_eq!(
            shown("https://me:pw@example.com:8/a/b?code=1#x"),
            "`https://example.com:8/a/b`"
        );
        assert_eq!(shown("https://example.com?code=1"), "`https://example.com`");
        assert_eq!(shown("not a url"), "`not a url`");
    }

    #[test]
    fn an_error_comes_back_from_its_json() {
        let last = Some(Box::new(HttpResponse::new(202).with_header("location", "/jobs/1")));
        let (url, limit) = ("https://example.com".to_owned(), Duration::from_secs(5));
        for error in [
            HttpError::Status(HttpResponse::new(503).with_bytes([0xff])),
            HttpError::Deadline { url: url.clone(), limit, last },
            HttpError::Failed(FailureDetails::new("durable::Panic", "oh")),
            HttpError::Timeout { url, limit },
        ] {
            let json = serde_json::to_string(&error).unwrap();
            assert_eq!(serde_json::from_str::<HttpError>(&json).unwrap(), error, "{json}");
        }
    }
}
