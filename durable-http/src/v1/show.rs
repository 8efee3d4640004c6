//! How values are shown: fields of the library's own types have names in camel case, and values of
//! users are unchanged.

use axum::body::Body;
use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use durable::client::InstanceStatus;
use serde::Serialize;
use serde_json::value::RawValue;

use super::camel;
use crate::json;

/// A value of this library as JSON with names in camel case.
pub(super) fn camel(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    renamed(&json::text(value))
}

/// JSON of this library with names in camel case.
pub(super) fn renamed(json: &str) -> Box<RawValue> {
    raw(camel::renamed(json))
}

/// Like [`camel`], with only these fields.
pub(super) fn selected(value: &impl Serialize, fields: &[&str]) -> Box<RawValue> {
    raw(camel::selected(&json::text(value), fields))
}

/// An answer whose body is [`camel`] of this value.
pub(super) fn answer(status: StatusCode, value: &(impl Serialize + ?Sized)) -> Response {
    json::with_body(status, Body::from(camel::renamed(&json::text(value))))
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// An entity tag, which changes whenever the instance does.
pub(super) fn tag(status: &InstanceStatus) -> String {
    let micros = status.last_updated_at.to_datetime().timestamp_micros();
    format!("\"{}-{}-{micros}\"", status.execution_id, status.history_len)
}

/// Whether the client has the version of this tag.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get(IF_NONE_MATCH).and_then(|given| given.to_str().ok());
    let mut tags = given.unwrap_or_default().split(',').map(str::trim);
    tags.any(|given| given == "*" || given.trim_start_matches("W/") == tag)
}
