//! The payload from which the official clients are constructed, so that connecting one to a hub
//! takes one line.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::payload::{Shape, payload, suffix};
use super::{BASES, Refusal};
use crate::call::Call;
use crate::json::{self, Object};
use crate::links::{Place, encode};
use crate::options::HttpOptions;

/// Returns the object from which the official clients of Durable Functions are constructed. `url`
/// is the address at which the routes are mounted, such as `http://localhost:7071`, and `key` is
/// the key in the links.
///
/// In Python, pass it as `DurableOrchestrationClient(json.dumps(payload))`; in JavaScript, as `new
/// DurableClient(payload)`. `GET {base}/client` serves the same object.
///
/// ```
/// use durable_http::{HttpOptions, client_payload};
///
/// let payload = client_payload(&HttpOptions::new(), "http://localhost:7071", None);
/// assert_eq!(payload["rpcBaseUrl"], "http://localhost:7071/durabletask/");
/// assert_eq!(payload["taskHubName"], "durable");
/// ```
pub fn client_payload(options: &HttpOptions, url: &str, key: Option<&str>) -> Value {
    let url = url.trim_end_matches('/').to_owned();
    let place = Place {
        origin: url,
        base: BASES[0].to_owned(),
        prefix: String::new(),
        path_and_query: String::new(),
        key: key.map(str::to_owned),
    };
    serde_json::to_value(of(options, &place)).unwrap_or_default()
}

pub(super) async fn client(call: Call) -> Result<Response, Refusal> {
    Ok(json::answer(StatusCode::OK, &of(call.options(), &call.place())))
}

fn of(options: &HttpOptions, place: &Place) -> Object {
    let key = place.key.as_deref();
    let suffix = suffix(options, key);
    let code = key.map(|key| format!("code={}", encode(key))).unwrap_or_default();
    let web = Place { base: format!("{}{}", place.prefix, BASES[0]), ..place.clone() };
    let start = web.below("orchestrators/{functionName}[/{instanceId}]");
    let and_code = if code.is_empty() { String::new() } else { format!("&{code}") };
    let wait =
        format!("?timeout={{timeoutInSeconds}}&pollingInterval={{intervalInSeconds}}{and_code}");
    let creation = Object::new()
        .with("createNewInstancePostUri", &format!("{start}?{code}").trim_end_matches('?'))
        .with("createAndWaitOnNewInstancePostUri", &format!("{start}{wait}"));
    let management =
        payload(options, &web, "INSTANCEID", Shape { has_rewind: true, ..Shape::default() });
    let base = web.below("");
    let local = format!("{}{}{}/", with_password(&place.origin, key), place.prefix, BASES[1]);
    Object::new()
        .with("taskHubName", &options.task_hub_name)
        .with("creationUrls", &creation)
        .with("managementUrls", &Object::new().with("id", "INSTANCEID").and(management))
        .with("baseUrl", base.trim_end_matches('/'))
        .with("requiredQueryStringParameters", suffix.trim_start_matches('?'))
        .with("rpcBaseUrl", &local)
}

/// An origin with a key as its password. The clients send the password of `rpcBaseUrl`, but none of
/// its parameters.
fn with_password(origin: &str, key: Option<&str>) -> String {
    match (key, origin.split_once("://")) {
        (Some(key), Some((scheme, host))) => format!("{scheme}://key:{}@{host}", encode(key)),
        _ => origin.to_owned(),
    }
}
