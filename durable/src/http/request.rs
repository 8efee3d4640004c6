//! The request of a durable HTTP call: what is sent, and how.
//!
//! Requests are recorded as the input of the built-in activity, so the serialized fields are only
//! appended, each with a default.

use std::borrow::Cow;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::body::Content;
use super::headers::Fields;
use super::millis;
use super::poll::HttpPoll;
use super::retry::HttpRetry;

/// How long a request may take, unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(100);
/// How many bytes the body of a response may have, unless the request says otherwise.
const RESPONSE_MAX: u64 = 1 << 20;
/// How many redirects are followed, unless the request says otherwise.
const REDIRECTS: u32 = 10;

/// An HTTP request of an orchestrator: pass it to
/// [`ctx.call_http(..)`](crate::OrchestrationContext::call_http).
///
/// Everything in it is recorded in the history, except for the token of a
/// [token source](Self::token_source). It can be serialized, so it can also be the input of an
/// orchestration.
///
/// ```
/// use std::time::Duration;
///
/// use durable::http::{HttpPoll, HttpRequest, HttpRetry};
///
/// let request = HttpRequest::post("https://render.example.com/films")
///     .header("Accept", "application/json")
///     .json(&["nosferatu"])
///     .token_source("render-farm")
///     .timeout(Duration::from_secs(10))
///     .retry(HttpRetry::new(5, Duration::from_secs(1)).backoff_coefficient(2.0))
///     .poll(HttpPoll::on().interval(Duration::from_secs(60)))
///     .deadline(Duration::from_hours(6));
/// ```
#[must_use = "a request does nothing until it is passed to `ctx.call_http(..)`"]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRequest {
    method: String,
    uri: String,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    headers: Fields,
    #[serde(flatten)]
    content: Content,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_source: Option<String>,
    #[serde(rename = "timeoutMs", with = "millis", default = "timeout")]
    timeout: Duration,
    #[serde(
        rename = "deadlineMs",
        with = "millis::optional",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    deadline: Option<Duration>,
    #[serde(default)]
    poll: HttpPoll,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<HttpRetry>,
    #[serde(default = "response_max")]
    max_response: u64,
    #[serde(default = "redirects")]
    max_redirects: u32,
    #[serde(default = "on")]
    idempotency_key: bool,
    /// Why a value could not be serialized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broken: Option<String>,
}

fn timeout() -> Duration {
    TIMEOUT
}

fn response_max() -> u64 {
    RESPONSE_MAX
}

fn redirects() -> u32 {
    REDIRECTS
}

fn on() -> bool {
    true
}

impl HttpRequest {
    /// Creates a request with this method, in upper case by convention, to an absolute URL. Both
    /// are checked when the request is sent.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            uri: url.into(),
            headers: Fields::default(),
            content: Content::default(),
            token_source: None,
            timeout: TIMEOUT,
            deadline: None,
            poll: HttpPoll::default(),
            retry: None,
            max_response: RESPONSE_MAX,
            max_redirects: REDIRECTS,
            idempotency_key: true,
            broken: None,
        }
    }

    /// Creates a `GET` request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Creates a `HEAD` request.
    pub fn head(url: impl Into<String>) -> Self {
        Self::new("HEAD", url)
    }

    /// Creates a `POST` request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Creates a `PUT` request.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// Creates a `PATCH` request.
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new("PATCH", url)
    }

    /// Creates a `DELETE` request.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// Sets a header field. It is recorded in the history: for a secret, use a
    /// [token source](Self::token_source).
    pub fn header(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.headers.set(name.as_ref(), value.into());
        self
    }

    /// Adds a header field to those of the same name.
    pub fn add_header(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.headers.add(name.as_ref(), value.into());
        self
    }

    /// Sends this text. Its `Content-Type` is `text/plain; charset=utf-8` unless the request has one.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.body(Content::of_text(text.into()), "text/plain; charset=utf-8")
    }

    /// Sends this value as JSON. Its `Content-Type` is `application/json` unless the request has one.
    /// If the value cannot be serialized, the call fails with
    /// [`HttpError::InvalidRequest`](super::HttpError::InvalidRequest).
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_string(value) {
            Ok(json) => self.body(Content::of_text(json), "application/json"),
            Err(error) => {
                self.broken = Some(format!("its body has no JSON form: {error}"));
                self
            }
        }
    }

    /// Sends these bytes. Their `Content-Type` is `application/octet-stream` unless the request has
    /// one.
    pub fn bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body(Content::of_bytes(bytes.into()), "application/octet-stream")
    }

    fn body(mut self, content: Content, content_type: &str) -> Self {
        self.content = content;
        self.headers.set_default("content-type", || content_type.to_owned());
        self
    }

    /// Authorizes the request with the token of the [`TokenSource`](super::TokenSource) that the hub
    /// has under this name. Only the name is recorded: each attempt gets the token from the source.
    pub fn token_source(mut self, name: impl Into<String>) -> Self {
        self.token_source = Some(name.into());
        self
    }

    /// Limits the time of each request: of every attempt and of every poll, from the connection to
    /// the end of the response. The default is 100 seconds. A request that takes longer fails with
    /// [`HttpError::Timeout`](super::HttpError::Timeout), unless it is [retried](Self::retry).
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Limits the time of the whole call, including all attempts, polls and the waits between them.
    /// By default there is no limit. The time counts from the call, by the clock of the
    /// orchestration.
    ///
    /// The call fails with [`HttpError::Deadline`](super::HttpError::Deadline) at the deadline, or as
    /// soon as the next poll is due after it.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// Sets how a response with status 202 is followed up; by default it is polled.
    pub fn poll(mut self, poll: HttpPoll) -> Self {
        self.poll = poll;
        self
    }

    /// Retries the request, and each poll, if it fails. By default nothing is retried.
    pub fn retry(mut self, retry: HttpRetry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Sets the maximum size of the body of a response, in bytes; by default 1 MiB. A larger body
    /// fails the call with [`HttpError::TooLarge`](super::HttpError::TooLarge). Responses are part
    /// of the history, so the hub's [`max_payload`](crate::client::TaskHubBuilder::max_payload)
    /// applies, too.
    pub fn max_response(mut self, bytes: u64) -> Self {
        self.max_response = bytes;
        self
    }

    /// Sets the maximum number of redirects that one request follows; by default 10. With 0, a
    /// redirect is the response. If there are more, the call fails with
    /// [`HttpError::TooManyRedirects`](super::HttpError::TooManyRedirects).
    pub fn max_redirects(mut self, count: u32) -> Self {
        self.max_redirects = count;
        self
    }

    /// Sends no `Idempotency-Key`. By default a `POST` or `PATCH` without that header gets the
    /// [key](crate::ActivityContext::idempotency_key) of its call, which is the same in every attempt.
    pub fn no_idempotency_key(mut self) -> Self {
        self.idempotency_key = false;
        self
    }

    /// Returns the method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Returns the URL.
    pub fn url(&self) -> &str {
        &self.uri
    }

    /// Returns the first value of a header field.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.all(name).next()
    }

    /// Returns the header fields in order, with names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter()
    }

    /// Returns the body as text: empty if there is no body, and `None` if the body is not UTF-8.
    pub fn body_text(&self) -> Option<&str> {
        self.content.text()
    }

    /// Returns the bytes of the body.
    pub fn body_bytes(&self) -> Cow<'_, [u8]> {
        self.content.bytes()
    }

    pub(super) fn fields(&mut self) -> &mut Fields {
        &mut self.headers
    }

    pub(super) fn has_body(&self) -> bool {
        !self.content.is_none()
    }

    pub(super) fn wants_idempotency_key(&self) -> bool {
        let is_unsafe = ["POST", "PATCH"].iter().any(|it| self.method.eq_ignore_ascii_case(it));
        self.idempotency_key && is_unsafe
    }

    pub(super) fn token_name(&self) -> Option<&str> {
        self.token_source.as_deref()
    }

    pub(super) fn time_limit(&self) -> Duration {
        self.timeout
    }

    pub(super) fn time_limit_of_call(&self) -> Option<Duration> {
        self.deadline
    }

    pub(super) fn polling(&self) -> &HttpPoll {
        &self.poll
    }

    pub(super) fn retrying(&self) -> Option<&HttpRetry> {
        self.retry.as_ref()
    }

    pub(super) fn redirects(&self) -> u32 {
        self.max_redirects
    }

    /// Returns the maximum size of the body of the response, in bytes.
    pub fn response_limit(&self) -> u64 {
        self.max_response
    }

    /// What is wrong with the request, as far as can be told without sending it.
    pub(super) fn fault(&self) -> Option<String> {
        let content = || "its `contentBase64` is not base64".to_owned();
        self.broken.clone().or_else(|| (!self.content.is_valid()).then(content))
    }

    /// The same request to another URL. If its origin differs, the credentials stay behind.
    pub(super) fn moved(&self, from: &Url, to: &Url) -> Self {
        let mut moved = Self { uri: to.as_str().to_owned(), ..self.clone() };
        if from.origin() != to.origin() {
            moved.headers.drop_credentials();
            moved.token_source = None;
        }
        moved
    }

    /// The same request without retries.
    pub(super) fn sent_once(self) -> Self {
        Self { retry: None, ..self }
    }

    /// The same request as a `GET` without a body.
    pub(super) fn into_get(self) -> Self {
        let mut get = Self { method: "GET".to_owned(), content: Content::default(), ..self };
        get.headers.drop_body();
        get
    }
}
