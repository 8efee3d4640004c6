//! Why a request failed: an error of the API, or no answer of a hub.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The error of a failed request.
///
/// ```
/// use durable_http::client::{Client, ClientError};
///
/// async fn exists(client: &Client, id: &str) -> Result<bool, ClientError> {
///     match client.get_instance(id).await {
///         Ok(_) => Ok(true),
///         Err(error) if error.code() == Some("no-such-instance") => Ok(false),
///         Err(error) => Err(error),
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The hub refused the request or could not carry it out.
    #[error("{0}")]
    Problem(Box<ProblemDetails>),
    /// The connection failed, or was lost before the answer was complete.
    #[error("cannot reach the hub at `{place}`")]
    Unreachable {
        /// The address.
        place: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer was not complete in time. The hub may nevertheless have carried out the request.
    #[error("the hub at `{place}` has not answered within {} s", limit.as_secs())]
    TimedOut {
        /// The address.
        place: String,
        /// How long the client waited.
        limit: Duration,
    },
    /// The server does not serve the API of a hub.
    #[error(
        "`{place}` answered with {status}, but not in the form of a hub; is it the address of a hub?"
    )]
    NotAHub {
        /// The address.
        place: String,
        /// The status of the answer.
        status: u16,
    },
    /// The answer does not have the form that this client expects; the hub may have another
    /// version.
    #[error("cannot read the answer to `{request}`; does the hub have another version?")]
    Unreadable {
        /// The method and path.
        request: String,
        /// What is wrong with the answer.
        source: serde_json::Error,
    },
    /// The text is not the address of a hub.
    #[error("`{0}` is not the address of a hub; give `http://host:port` or `unix:/path`")]
    InvalidPlace(String),
    /// A header cannot contain the key.
    #[error("the key has characters that a header cannot contain")]
    InvalidKey,
}

impl ClientError {
    /// Returns the error of the API, if this is one.
    pub fn problem(&self) -> Option<&ProblemDetails> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Returns the code of the API's error, such as `no-such-instance`.
    pub fn code(&self) -> Option<&str> {
        self.problem().map(|problem| &*problem.code)
    }
}

/// An error of the API: the members of an RFC 9457 problem. Its `Display` output is the detail.
///
/// ```
/// use durable_http::client::ClientError;
///
/// fn may_succeed_later(error: &ClientError) -> bool {
///     error.problem().is_some_and(|problem| problem.retryable)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProblemDetails {
    /// The title of the error.
    pub title: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// What failed, with its values.
    pub detail: String,
    /// The kind of the error, such as `no-such-instance`. The codes are listed in the documentation
    /// of the HTTP API.
    pub code: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// `instance` if the cause is the state of the instance or entity itself; otherwise `api`.
    pub source: String,
    /// The id of the request in the log of the hub.
    pub request_id: String,
}

impl fmt::Display for ProblemDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
