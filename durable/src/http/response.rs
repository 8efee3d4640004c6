//! The response of a durable HTTP call.
//!
//! Responses are recorded as the result of the built-in activity, so the serialized fields are only
//! appended, each with a default.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::body::Content;
use super::headers::Fields;

/// The response to an [`HttpRequest`](super::HttpRequest), with all its header fields.
///
/// A test makes one for a [mock](crate::testing::TestHubBuilder::mock_http) with [`new`](Self::new)
/// and the methods that begin with `with`.
///
/// ```
/// use durable::http::HttpResponse;
///
/// let response = HttpResponse::new(200).with_header("ETag", "\"7\"").with_text("[1, 2]");
/// assert!(response.is_success());
/// assert_eq!(response.header("etag"), Some("\"7\""));
/// assert_eq!(response.json::<Vec<u32>>()?, [1, 2]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpResponse {
    status_code: u16,
    #[serde(default)]
    headers: Fields,
    #[serde(flatten)]
    content: Content,
    /// The URL that sent the response, after all redirects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    url: String,
}

impl HttpResponse {
    /// Creates a response with this status, without header fields or a body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        let (headers, content) = (Fields::default(), Content::default());
        Self { status_code: status, headers, content, url: String::new() }
    }

    /// Adds a header field.
    #[must_use]
    pub fn with_header(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.headers.add(name.as_ref(), value.into());
        self
    }

    /// Sets the body to this text.
    #[must_use]
    pub fn with_text(self, text: impl Into<String>) -> Self {
        Self { content: Content::of_text(text.into()), ..self }
    }

    /// Sets the body to these bytes.
    #[must_use]
    pub fn with_bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { content: Content::of_bytes(bytes.into()), ..self }
    }

    /// Sets the body to this JSON, such as that of `serde_json::json!`.
    #[must_use]
    pub fn with_json(self, json: &serde_json::Value) -> Self {
        self.with_text(json.to_string()).with_header("content-type", "application/json")
    }

    /// Returns the status code.
    pub fn status(&self) -> u16 {
        self.status_code
    }

    /// Returns `true` if the status is from 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status_code)
    }

    /// Returns the URL that sent the response: that of the last redirect or poll.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the first value of a header field, whose name is compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.all(name).next()
    }

    /// Returns all values of a header field, in order.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.all(name)
    }

    /// Returns the header fields in order, with names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter()
    }

    /// Returns the body as text: empty if there is no body, and `None` if the body is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        self.content.text()
    }

    /// Returns the bytes of the body.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        self.content.bytes()
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// If the body is not the JSON of a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.bytes())
    }

    /// Where the response leads, as it is written: the header field `Location`.
    pub(super) fn location(&self) -> Option<&str> {
        self.header("location")
    }

    pub(super) fn body_size(&self) -> usize {
        self.bytes().len()
    }

    pub(super) fn from(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }
}
