//! The description of our own dialect. Every answer of every test is checked against it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::common::{Answer, hub, routes, send};

const BASE: &str = "/api/v1";
/// What schemas say about a value, and nothing else: anything else would not be checked.
const CHECKED: [&str; 13] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "enum",
    "items",
    "maximum",
    "minLength",
    "minimum",
    "properties",
    "required",
    "type",
];
const ANNOTATIONS: [&str; 3] = ["default", "description", "format"];

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&durable_http::openapi(BASE)).unwrap());

/// Checks an answer against the description of its route.
pub(crate) fn check(line: &str, answer: &Answer) {
    let (verb, target) = line.split_once(' ').unwrap();
    let path = target.split('?').next().unwrap();
    let Some((_, path)) = path.split_once(BASE) else { return };
    let status = answer.status.as_u16();
    let code = answer.json()["code"].as_str().map(str::to_owned);
    if let (404 | 405, Some("no-such-route" | "method-not-allowed")) = (status, code.as_deref()) {
        return fits_schema("Problem", &answer.json());
    }
    let verb = if verb == "HEAD" { "get".to_owned() } else { verb.to_lowercase() };
    let Some(operation) = operation(&verb, path) else {
        // Access is checked before the route, and an answer to HEAD has no code.
        let is_refused = [401, 403, 414].contains(&status) || line.starts_with("HEAD");
        return assert!(is_refused, "{line} is not described: {answer:?}");
    };
    let response = &operation["responses"][status.to_string()];
    assert!(response.is_object(), "{line} may not be answered with {status}: {answer:?}");
    for header in ["location", "retry-after", "etag", "link", "idempotency-replayed"] {
        let mut described = response["headers"].as_object().into_iter().flatten();
        let is_described = described.any(|(name, _)| name.eq_ignore_ascii_case(header));
        assert!(is_described || !answer.headers.contains_key(header), "{line}: header `{header}`");
    }
    if line.starts_with("HEAD") {
        return;
    }
    let media = answer.header("content-type").split(';').next().unwrap();
    let Some(schema) = response["content"].get(media).map(|content| &content["schema"]) else {
        assert!(response.get("content").is_none(), "{line}: {media}");
        return assert!(answer.body.is_empty(), "{line}: {answer:?}");
    };
    fits(schema, &answer.json(), line).unwrap();
}

/// The operation of a path below the base.
fn operation(verb: &str, path: &str) -> Option<&'static Value> {
    let given: Vec<_> = path.trim_matches('/').split('/').collect();
    let path_fits = |template: &str| {
        let wanted: Vec<_> = template.trim_matches('/').split('/').collect();
        let mut pairs = wanted.iter().zip(&given);
        wanted.len() == given.len() && pairs.all(|(wanted, given)| segment_fits(wanted, given))
    };
    let mut found: Vec<_> = DOCUMENT["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(template, verbs)| path_fits(template) && verbs.get(verb).is_some())
        .collect();
    // `{id}:suspend` also fits `{id}`.
    found.sort_by_key(|(template, _)| template.len());
    found.last().map(|(_, verbs)| &verbs[verb])
}

fn segment_fits(wanted: &str, given: &str) -> bool {
    match wanted.strip_prefix('{').and_then(|it| it.split_once('}')) {
        Some((_, suffix)) => given.len() > suffix.len() && given.ends_with(suffix),
        None => wanted == given,
    }
}

/// Checks a value against the schema of this name.
pub(crate) fn fits_schema(name: &str, value: &Value) {
    let reference = format!("#/components/schemas/{name}");
    fits(&json!({ "$ref": reference }), value, name).unwrap();
}

/// Checks a value against a schema. An object may have no more properties than the schema names,
/// unless it says so: a client accepts more, but here they would be missing in the description.
fn fits(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let mut known = BTreeSet::new();
    check_value(schema, value, at, &mut known)?;
    let Some(fields) = value.as_object().filter(|_| !known.contains("*")) else { return Ok(()) };
    match fields.keys().find(|name| !known.contains(*name)) {
        Some(unknown) => Err(format!("{at}: `{unknown}` is not described")),
        None => Ok(()),
    }
}

/// Adds the names of properties that the schema knows to `known`, and `*` if it allows others.
fn check_value(
    schema: &Value,
    value: &Value,
    at: &str,
    known: &mut BTreeSet<String>,
) -> Result<(), String> {
    let rules = schema.as_object().unwrap();
    for (rule, given) in rules {
        let is_met = match rule.as_str() {
            "$ref" => {
                let found = DOCUMENT.pointer(given.as_str().unwrap().trim_start_matches('#'));
                check_value(found.unwrap(), value, at, known)?;
                true
            }
            "allOf" => {
                for part in given.as_array().unwrap() {
                    check_value(part, value, at, known)?;
                }
                true
            }
            "anyOf" => {
                known.insert("*".to_owned());
                let parts = given.as_array().unwrap().iter();
                parts.map(|part| fits(part, value, at)).any(|fits| fits.is_ok())
            }
            "type" => match given {
                Value::Array(types) => types.iter().any(|name| is_of_type(value, name)),
                name => is_of_type(value, name),
            },
            "enum" => given.as_array().unwrap().contains(value),
            "const" => given == value,
            "required" => {
                let mut names = given.as_array().unwrap().iter();
                !value.is_object() || names.all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "properties" => {
                for (name, schema) in given.as_object().unwrap() {
                    known.insert(name.clone());
                    if let Some(value) = value.get(name) {
                        fits(schema, value, &format!("{at}.{name}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                if *given != json!(false) {
                    known.insert("*".to_owned());
                }
                if let (Some(fields), true) = (value.as_object(), given.is_object()) {
                    for (name, value) in fields {
                        fits(given, value, &format!("{at}.{name}"))?;
                    }
                }
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits(given, item, &format!("{at}[{index}]"))?;
                }
                true
            }
            "minLength" | "minimum" | "maximum" => true,
            other => ANNOTATIONS.contains(&other),
        };
        if !is_met {
            return Err(format!("{at}: {value} does not meet `{rule}`: {given}"));
        }
    }
    if rules.keys().all(|rule| !CHECKED.contains(&rule.as_str())) {
        known.insert("*".to_owned());
    }
    Ok(())
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}

#[tokio::test]
async fn the_description_is_served_with_the_address_of_the_routes() {
    let hub = hub().await;
    let app = axum::Router::new().nest("/hub", routes(&hub));
    let served = send(&app, "GET /hub/api/v1/openapi.json", &[], "").await.json();
    assert_eq!(
        (&served["openapi"], &served["servers"][0]["url"]),
        (&json!("3.1.0"), &json!("/hub/api/v1"))
    );
    assert_eq!(served["paths"], DOCUMENT["paths"]);
    hub.shutdown().await.unwrap();
}

/// Requests every described operation, for an instance that does not exist.
#[tokio::test]
async fn every_described_operation_is_served_with_the_role_that_it_names() {
    use durable_http::{HttpOptions, Role};

    let hub = hub().await;
    let options = HttpOptions::new().key(Role::Read, "read").key(Role::Operate, "operate");
    let options = options.key(Role::Admin, "admin").max_scans_per_second(u32::MAX);
    let router = durable_http::router(&hub, options);
    for (path, verbs) in DOCUMENT["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            let path = path.replace(['{', '}'], "x");
            let line = format!("{} {BASE}{path}?unknown=1", verb.to_uppercase());
            let mut codes = Vec::new();
            for key in ["read", "operate", "admin"] {
                let answer = send(&router, &line, &[("x-functions-key", key)], "").await.json();
                codes.push(answer["code"].as_str().unwrap().to_owned());
            }
            let expected = match operation["description"].as_str().unwrap() {
                "Needs the role `read`." => ["invalid-request"; 3],
                "Needs the role `operate`." => ["forbidden", "invalid-request", "invalid-request"],
                "Needs the role `admin`." => ["forbidden", "forbidden", "invalid-request"],
                other => panic!("{other}"),
            };
            assert_eq!(codes, expected, "{line}");
        }
    }
    hub.shutdown().await.unwrap();
}

/// The error about an unknown field lists the known ones.
#[tokio::test]
async fn the_fields_of_every_described_body_are_those_that_are_read() {
    let hub = hub().await;
    let router = routes(&hub);
    let mut checked = 0;
    for (path, verbs) in DOCUMENT["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let Some(reference) = schema["$ref"].as_str() else { continue };
            let schema = DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap();
            let Some(properties) = schema["properties"].as_object() else { continue };
            let line = format!("{} {BASE}{}", verb.to_uppercase(), path.replace(['{', '}'], "x"));
            let answer = send(&router, &line, &[], r#"{"nothing":1}"#).await.json();
            let detail = answer["detail"].as_str().unwrap().to_owned();
            let expected = detail.split_once("expected").unwrap().1;
            let read: BTreeSet<_> = expected.split('`').skip(1).step_by(2).collect();
            assert_eq!(read, properties.keys().map(String::as_str).collect(), "{line}: {detail}");
            checked += 1;
        }
    }
    assert!(checked > 5, "{checked} bodies");
    hub.shutdown().await.unwrap();
}
