//! Writing the document.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{Body, Content, Operation, name};
use crate::problem::Code;
use crate::route::{Route, Table};

/// Every operation has these errors.
const ALWAYS: [Code; 7] = [
    Code::InvalidRequest,
    Code::Unauthorized,
    Code::Forbidden,
    Code::HostNotAllowed,
    Code::UriTooLong,
    Code::Busy,
    Code::Unavailable,
];
/// A request that changes something has these, too.
const OF_CHANGES: [Code; 1] = [Code::CrossOrigin];
/// A request whose body is read has these, too.
const OF_BODIES: [Code; 2] = [Code::RequestTimeout, Code::BodyTooLarge];
/// A request that names no route has these.
const OF_NO_ROUTE: [Code; 2] = [Code::NoSuchRoute, Code::MethodNotAllowed];

/// The document of a table, whose routes are below this path.
pub(crate) fn document<F>(table: &Table<F>, base: &str) -> Value {
    let mut components = components();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut codes: Vec<Code> = OF_NO_ROUTE.to_vec();
    for route in table.routes.iter().copied().flatten() {
        let Some(operation) = &route.operation else { continue };
        let errors = errors(route, operation);
        codes.extend(&errors);
        let verbs = paths.entry(format!("/{}", route.template)).or_default();
        verbs.insert(route.method.as_str().to_lowercase(), described(route, operation, &errors));
    }
    let mut codes: Vec<_> = codes.iter().map(|code| code.describe().0).collect();
    codes.sort_unstable();
    codes.dedup();
    components["schemas"]["Problem"]["properties"]["code"]["enum"] = json!(codes);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "durable",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "A task hub of durable orchestrations. Errors are RFC 9457 problems, \
                            whose `code` tells them apart. Requests need a key only if the hub has \
                            keys; a key has a role, and each operation names the role that it needs.",
        },
        "servers": [{ "url": base }],
        "security": [{}, { "key": [] }, { "bearer": [] }, { "code": [] }],
        "paths": paths,
        "components": components,
    })
}

/// Schemas, parameters and headers, which are written by hand.
fn components() -> Value {
    // A test parses the file, so it is valid.
    serde_json::from_str(include_str!("components.json")).unwrap_or_default()
}

fn errors<F>(route: &Route<F>, operation: &Operation) -> Vec<Code> {
    let mut errors = ALWAYS.to_vec();
    if route.method != Method::GET {
        errors.extend(OF_CHANGES);
    }
    if matches!(route.method, Method::POST | Method::PUT) {
        errors.extend(OF_BODIES);
    }
    if route.is_scan {
        errors.push(Code::TooManyScans);
    }
    errors.extend(operation.errors);
    errors
}

fn described<F>(route: &Route<F>, operation: &Operation, errors: &[Code]) -> Value {
    let tag = route.template.split(['/', ':']).next().unwrap_or_default();
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "description": format!("Needs the role `{}`.", route.role.name()),
        "tags": [tag],
        "parameters": parameters(route.template, operation),
        "responses": responses(operation, errors),
    });
    let body = match operation.body {
        Body::Nothing => return described,
        Body::Optional(schema) => (schema, false),
        Body::Required(schema) => (schema, true),
    };
    described["requestBody"] = json!({
        "required": body.1,
        "content": { "application/json": { "schema": schema(body.0) } },
    });
    described
}

fn parameters(template: &str, operation: &Operation) -> Vec<Value> {
    let in_path = template.split('/').filter_map(|segment| {
        let (name, _) = segment.strip_prefix('{')?.split_once('}')?;
        Some(json!({
            "name": name, "in": "path", "required": true, "schema": { "type": "string" },
        }))
    });
    let others = operation.query.iter().chain(operation.headers);
    let others = others.map(|key| json!({ "$ref": format!("#/components/parameters/{key}") }));
    in_path.chain(others).collect()
}

fn responses(operation: &Operation, errors: &[Code]) -> Map<String, Value> {
    let mut responses = Map::new();
    for (status, content, description, headers) in operation.answers {
        let mut response = json!({ "description": description });
        if let Content::Json(of) = content {
            response["content"] = json!({ "application/json": { "schema": schema(of) } });
        }
        if let Content::Events(of) = content {
            let described = json!({ "schema": { "type": "string" }, "x-data": schema(of) });
            response["content"] = json!({ "text/event-stream": described });
        }
        for header in *headers {
            response["headers"][*header] =
                json!({ "$ref": format!("#/components/headers/{}", name(header)) });
        }
        responses.insert(status.to_string(), response);
    }
    let mut by_status: BTreeMap<StatusCode, Vec<Code>> = BTreeMap::new();
    for code in errors {
        by_status.entry(code.status()).or_default().push(*code);
    }
    for (status, codes) in by_status {
        responses.insert(status.as_u16().to_string(), refused(&codes));
    }
    responses
}

/// An error with one of these codes, which have the same status.
fn refused(codes: &[Code]) -> Value {
    let title = |code: &Code| format!("{} (`{}`)", code.describe().1, code.describe().0);
    let titles: Vec<_> = codes.iter().map(title).collect();
    let names: Vec<_> = codes.iter().map(|code| code.describe().0).collect();
    let schema = json!({
        "allOf": [schema("Problem"), { "properties": { "code": { "enum": names } } }],
    });
    let mut response = json!({
        "description": titles.join(", "),
        "content": { "application/problem+json": { "schema": schema } },
        "headers": { "Durable-Error-Source": { "$ref": "#/components/headers/Durable-Error-Source" } },
    });
    if codes.iter().any(|code| code.retry_after().is_some()) {
        response["headers"]["Retry-After"] = json!({ "$ref": "#/components/headers/Retry-After" });
    }
    response
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::route::Found;
    use crate::v1::TABLE;

    fn described() -> Value {
        document(&TABLE, "/api/v1")
    }

    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_route_is_described_and_every_description_leads_to_its_route() {
        let document = described();
        let paths = document["paths"].as_object().unwrap();
        let mut ids = BTreeSet::new();
        let mut count = 0;
        for (path, verbs) in paths {
            for (verb, described) in verbs.as_object().unwrap() {
                count += 1;
                let id = described["operationId"].as_str().unwrap();
                assert!(ids.insert(id), "{id} is the name of two operations");
                assert!(described["summary"].as_str().unwrap().ends_with('.'), "{id}");
                let method = Method::from_bytes(verb.to_uppercase().as_bytes()).unwrap();
                let Found::Route(route, _) = TABLE.find(&method, &path.replace(['{', '}'], "x"))
                else {
                    panic!("{method} {path} leads to no route");
                };
                assert_eq!(format!("/{}", route.template), *path, "{id}");
                assert!(described["responses"].as_object().unwrap().contains_key("400"), "{id}");
            }
        }
        let mut routes = TABLE.routes.iter().copied().flatten();
        assert!(routes.all(|route| route.operation.is_some()));
        assert_eq!(count, TABLE.routes.iter().copied().flatten().count());
    }

    #[test]
    fn all_references_lead_to_a_component_and_no_component_is_unused() {
        let document = described();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        for kind in ["headers", "parameters", "schemas"] {
            for name in components()[kind].as_object().unwrap().keys() {
                let reference = format!("#/components/{kind}/{name}");
                assert!(found.contains(&*reference), "{reference} is unused");
            }
        }
    }

    #[test]
    fn a_parameter_has_the_name_by_which_the_route_accepts_it() {
        let components = components();
        for (key, parameter) in components["parameters"].as_object().unwrap() {
            assert_eq!(parameter["name"], name(key), "{key}");
        }
    }
}
