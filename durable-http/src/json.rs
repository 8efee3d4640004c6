//! JSON answers: values that are stored as JSON text are passed on as they are.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// An object whose fields keep their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object(Vec<(&'static str, Box<RawValue>)>);

impl Object {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with(mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn with_some<T: Serialize>(self, name: &'static str, value: Option<&T>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The fields of this object, and then those of the other one.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) {
        let value = to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned());
        self.0.push((name, value));
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// An answer with this value as its body.
pub(crate) fn answer(status: StatusCode, value: &(impl Serialize + ?Sized)) -> Response {
    with_body(status, Body::from(text(value)))
}

/// A value as JSON.
pub(crate) fn text(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// An answer whose body is this JSON.
pub(crate) fn with_body(status: StatusCode, json: Body) -> Response {
    let mut answer = Response::new(json);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, JSON);
    answer
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

/// The same answer with a header. An invalid header value is omitted.
pub(crate) fn with_header(mut answer: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
    answer
}
