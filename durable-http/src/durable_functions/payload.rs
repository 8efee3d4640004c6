//! The links with which a started instance is followed and managed.

use axum::http::StatusCode;
use axum::response::Response;
use durable::InstanceId;

use crate::json::{self, Object, with_header};
use crate::links::{Place, encode};
use crate::options::HttpOptions;

/// Which optional parts a payload has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) has_rewind: bool,
    /// Whether the link to the status asks for 500 if the instance has failed.
    pub(crate) fails_with_500: bool,
}

/// The links of an instance, in the order of Durable Functions. `id` is percent-encoded.
pub(crate) fn payload(options: &HttpOptions, place: &Place, id: &str, shape: Shape) -> Object {
    let suffix = suffix(options, place.key.as_deref());
    let base = place.below(&format!("instances/{id}"));
    let link = |operation: &str| format!("{base}/{operation}{suffix}");
    let with_reason = |operation: &str| {
        let parameters = suffix.trim_start_matches('?');
        format!("{base}/{operation}?reason={{text}}&{parameters}")
    };
    let mut links = Object::new();
    let fails = if shape.fails_with_500 { "&returnInternalServerErrorOnFailure=true" } else { "" };
    links.set("statusQueryGetUri", &format!("{base}{suffix}{fails}"));
    links.set("sendEventPostUri", &link("raiseEvent/{eventName}"));
    links.set("terminatePostUri", &with_reason("terminate"));
    if shape.has_rewind {
        links.set("rewindPostUri", &with_reason("rewind"));
    }
    links.set("purgeHistoryDeleteUri", &format!("{base}{suffix}"));
    links.set("restartPostUri", &link("restart"));
    links.set("suspendPostUri", &with_reason("suspend"));
    links.set("resumePostUri", &with_reason("resume"));
    links
}

/// The parameters that every link has.
pub(crate) fn suffix(options: &HttpOptions, key: Option<&str>) -> String {
    let hub = encode(&options.task_hub_name);
    let key = key.map(|key| format!("&code={}", encode(key))).unwrap_or_default();
    format!("?taskHub={hub}&connection=Storage{key}")
}

/// The answer to a start: 202, the links, and the request to ask for the status after 10 s.
pub(crate) fn accepted(
    options: &HttpOptions,
    place: &Place,
    id: &InstanceId,
    shape: Shape,
) -> Response {
    let in_url = encode(id.as_str());
    let links = payload(options, place, &in_url, shape);
    let body = Object::new().with("id", id.as_str()).and(links);
    let answer = json::answer(StatusCode::ACCEPTED, &body);
    let fails = if shape.fails_with_500 { "&returnInternalServerErrorOnFailure=true" } else { "" };
    let suffix = suffix(options, place.key.as_deref());
    let location = place.below(&format!("instances/{in_url}{suffix}{fails}"));
    with_header(with_header(answer, "location", &location), "retry-after", "10")
}
