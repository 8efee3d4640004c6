//! A request before it is sent: its parameters, and the type of its answer.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, ClientError, Histogram, InstanceOrder, InstanceStatus, Page};
use crate::links::encode;
use crate::v1;

/// A request that is sent when it is awaited. Its answer is read as a `T`.
///
/// The parameters are those of the operation; the hub refuses unknown ones.
///
/// ```
/// # use durable::prelude::*;
/// # use durable_http::HttpOptions;
/// # use durable_http::client::{Client, ClientError, InstanceFilter};
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// # let hub = TaskHub::builder().in_memory().open().await?;
/// let client = Client::in_process(durable_http::router(&hub, HttpOptions::new()));
/// let request = client.list_instances(&InstanceFilter::new().id_prefix("order-")).limit(20);
/// assert_eq!(request.path_and_query(), "/api/v1/instances?prefix=order-&limit=20");
/// assert_eq!(request.text().await?, r#"{"items":[],"next":null,"scanned":0}"#);
///
/// let missing = client.get_instance("order-17").await;
/// assert_eq!(missing.unwrap_err().code(), Some("no-such-instance"));
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a request is sent when it is awaited"]
pub struct Request<T> {
    pub(super) client: Client,
    pub(super) method: Method,
    /// Below `/api/v1`.
    path: String,
    query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    /// How long the hub waits before it answers.
    pub(super) wait: Duration,
    answer: PhantomData<fn() -> T>,
}

/// A path below `/api/v1`: segments, and a suffix of the last one.
pub(super) fn path(segments: &[&str], suffix: &str) -> String {
    let segments: Vec<_> = segments.iter().map(|segment| encode(segment)).collect();
    format!("/{}{suffix}", segments.join("/"))
}

impl<T> Request<T> {
    pub(super) fn new(client: &Client, method: Method, path: String) -> Self {
        Self {
            client: client.clone(),
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            wait: Duration::ZERO,
            answer: PhantomData,
        }
    }

    pub(super) fn get(client: &Client, path: impl Into<String>) -> Self {
        Self::new(client, Method::GET, path.into())
    }

    pub(super) fn post(client: &Client, path: impl Into<String>) -> Self {
        Self::new(client, Method::POST, path.into())
    }

    pub(super) fn body(mut self, body: &(impl Serialize + ?Sized)) -> Self {
        // Values of users are JSON text already, and everything else here can be serialized.
        self.body = serde_json::to_vec(body).unwrap_or_default().into();
        self.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// The same request, with an answer of another type.
    pub(super) fn typed<U>(self) -> Request<U> {
        let Self { client, method, path, query, headers, body, wait, answer: _ } = self;
        Request { client, method, path, query, headers, body, wait, answer: PhantomData }
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
        self
    }

    /// Adds a query parameter. A name may be added more than once.
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Sets a parameter of the query.
    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.retain(|(known, _)| *known != name);
        self.query(name, value)
    }

    /// Sets the maximum number of items in a page; by default 100, at most 1000.
    pub fn limit(self, items: usize) -> Self {
        self.set("limit", items.to_string())
    }

    /// Sets the maximum number of stored records that a list or count reads, matching or not.
    pub fn max_scanned(self, records: usize) -> Self {
        self.set("maxScanned", records.to_string())
    }

    /// Requests the next page: `next` is the [`next`](super::Page::next) of the page before.
    pub fn after(self, next: impl Into<String>) -> Self {
        self.set("after", next)
    }

    /// Sets the index of the first item, in a history or a list of children.
    pub fn from(self, index: u64) -> Self {
        self.set("from", index.to_string())
    }

    /// Selects only events of these kinds, such as `TaskFailed`.
    pub fn kinds<K: AsRef<str>>(self, kinds: impl IntoIterator<Item = K>) -> Self {
        let kinds: Vec<_> = kinds.into_iter().map(|kind| kind.as_ref().to_owned()).collect();
        if kinds.is_empty() { self } else { self.set("kinds", kinds.join(",")) }
    }

    /// Waits for up to this many seconds until the instance has ended. The answer shows the
    /// instance as it is when the wait ends. The hub limits the wait, by default to 230 s.
    pub fn wait(mut self, seconds: u32) -> Self {
        self.wait = Duration::from_secs(seconds.into());
        let value = HeaderValue::from_str(&format!("wait={seconds}"));
        match value {
            Ok(value) => self.header(HeaderName::from_static("prefer"), value),
            Err(_) => self,
        }
    }

    /// Returns the method of the request.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the path of the request, with its query.
    pub fn path_and_query(&self) -> String {
        let mut text = format!("{}{}{}", self.client.prefix, v1::BASE, self.path);
        for (index, (name, value)) in self.query.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            // A list is written with its commas, which are allowed in a query.
            let parts: Vec<_> = value.split(',').map(encode).collect();
            text.push_str(&parts.join(","));
        }
        text
    }

    /// Returns the body of the request, if it has one.
    pub fn json_body(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok().filter(|body| !body.is_empty())
    }

    /// Sends the request and returns the JSON of the answer as the hub wrote it. The text is empty
    /// if the answer has no body.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn text(&self) -> Result<String, ClientError> {
        self.answered().await
    }
}

impl Request<Page<InstanceStatus>> {
    /// Sets the order of the list; by default the newest first.
    pub fn order(self, order: InstanceOrder) -> Self {
        self.set("sort", order.name())
    }
}

impl Request<Histogram> {
    /// Sets the maximum number of time spans; by default 60, at most 1000.
    pub fn buckets(self, most: usize) -> Self {
        self.set("buckets", most.to_string())
    }

    /// Counts only instances that have ended, by the time when they ended.
    pub fn by_end(self) -> Self {
        self.set("by", "ended")
    }
}

impl<T: DeserializeOwned> Request<T> {
    /// Sends the request and reads its answer.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn send(&self) -> Result<T, ClientError> {
        self.read(&self.answered().await?)
    }

    /// Reads an answer that [`text`](Self::text) returned.
    ///
    /// # Errors
    /// [`ClientError::Unreadable`] if the text is not a `T`.
    pub fn read(&self, text: &str) -> Result<T, ClientError> {
        let text = if text.is_empty() { "null" } else { text };
        serde_json::from_str(text).map_err(|source| {
            let request = format!("{} {}", self.method, self.path_and_query());
            ClientError::Unreadable { request, source }
        })
    }
}

impl<T: DeserializeOwned + 'static> IntoFuture for Request<T> {
    type Output = Result<T, ClientError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.send().await })
    }
}

impl<T> Clone for Request<T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            wait: self.wait,
            answer: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path_and_query())
    }
}
