//! Why a page could not be shown.

use std::fmt::Display;

use axum::http::StatusCode;
use serde::Deserialize;

/// An error of the API (RFC 9457), or one of the dashboard in the same form.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Failure {
    #[serde(skip)]
    pub(crate) status: StatusCode,
    pub(crate) title: String,
    pub(crate) detail: String,
    pub(crate) code: String,
    pub(crate) request_id: String,
    pub(crate) retryable: bool,
}

impl Default for Failure {
    fn default() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            title: String::new(),
            detail: String::new(),
            code: String::new(),
            request_id: String::new(),
            retryable: false,
        }
    }
}

impl Failure {
    pub(crate) fn new(status: StatusCode, title: &str, detail: impl Into<String>) -> Self {
        Self { status, title: title.to_owned(), detail: detail.into(), ..Self::default() }
    }

    /// The address names nothing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", detail)
    }

    /// A parameter of the page has a wrong value.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Invalid address", detail)
    }

    pub(super) fn read(status: StatusCode, body: &[u8]) -> Self {
        let read = serde_json::from_slice(body).unwrap_or_else(|_| {
            Self::new(status, "The hub answered with an error", String::from_utf8_lossy(body))
        });
        Self { status, ..read }
    }

    pub(super) fn unreadable(path: &str, error: &dyn Display) -> Self {
        let detail = format!("the answer of `/api/v1/{path}` could not be read: {error}");
        Self::new(StatusCode::BAD_GATEWAY, "The hub answered in an unknown form", detail)
    }

    /// Whether a key is missing, or unknown.
    pub(crate) fn needs_key(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }
}
