//! The dialect of Durable Functions, one line per case: `verb path body -> status headers body`.
//!
//! The table is `durable_functions.txt`. Its lines run from top to bottom against one hub in
//! virtual time, and what they start is settled before the next line. After a deliberate change,
//! `DURABLE_GOLDEN=overwrite cargo test -p durable-http --test http` rewrites the answers.
//!
//! * Paths are below the base, which answers show as `{base}`.
//! * A header is in angle brackets. A request with a body is JSON, and so is an answer, unless a
//!   header says otherwise.
//! * `A(id)` is the object of links of an instance, `Error(code)` the object of an error, and `{guid}`
//!   is any GUID.
//! * `advance 60` lets 60 seconds pass.

use std::fmt::Write;
use std::time::Duration;
use std::{env, fs};

use axum::Router;
use serde_json::Value;

use crate::common::{Answer, hub, routes, send};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/durable_functions.txt");
const BASE: &str = "/runtime/webhooks/durabletask";
const ORIGIN: &str = "http://localhost";
/// Headers that an answer shows.
const SHOWN: [&str; 5] =
    ["content-type", "location", "retry-after", "x-ms-continuation-token", "allow"];

async fn ask(router: &Router, request: &str) -> Answer {
    let mut words = request.splitn(3, ' ');
    let (verb, path) = (words.next().unwrap(), words.next().unwrap_or_default());
    let mut rest = words.next().unwrap_or_default();
    let mut headers = Vec::new();
    while let Some((header, after)) = rest.strip_prefix('<').and_then(|it| it.split_once('>')) {
        headers.push(header.split_once(": ").unwrap());
        rest = after.trim_start();
    }
    if !rest.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
        headers.push(("content-type", "application/json"));
    }
    send(router, &format!("{verb} {BASE}{path}"), &headers, rest.to_owned()).await
}

/// The links of an instance, as they are written in an answer.
fn links(id: &str) -> String {
    let instance = format!("{{base}}/instances/{}", id.replace(' ', "%20"));
    let query = "taskHub=durable&connection=Storage";
    let link = |name: &str, path: &str| format!(r#""{name}":"{instance}{path}{query}""#);
    [
        format!(r#"{{"id":"{id}""#),
        link("statusQueryGetUri", "?"),
        link("sendEventPostUri", "/raiseEvent/{eventName}?"),
        link("terminatePostUri", "/terminate?reason={text}&"),
        link("purgeHistoryDeleteUri", "?"),
        link("restartPostUri", "/restart?"),
        link("suspendPostUri", "/suspend?reason={text}&"),
        link("resumePostUri", "/resume?reason={text}&") + "}",
    ]
    .join(",")
}

fn show(answer: &Answer) -> String {
    let mut line = answer.status.as_u16().to_string();
    for name in SHOWN {
        let Some(value) = answer.headers.get(name) else { continue };
        let value = value.to_str().unwrap();
        if (name, value) != ("content-type", "application/json; charset=utf-8") {
            write!(line, " <{name}: {value}>").unwrap();
        }
    }
    let json = answer.json();
    if let (Some(code), true) = (json["code"].as_str(), is_error(&json, answer)) {
        write!(line, " Error({code})").unwrap();
    } else if !answer.body.is_empty() {
        write!(line, " {}", answer.body).unwrap();
    }
    let mut line = line.replace(&format!("{ORIGIN}{BASE}"), "{base}");
    if let Some(id) = json["id"].as_str() {
        line = line.replace(&links(id), &format!("A({id})"));
    }
    without_guids(&line)
}

/// Whether the body has what the clients and RFC 9457 want of an error.
fn is_error(json: &Value, answer: &Answer) -> bool {
    let is_text = |name: &str| json[name].is_string();
    let texts = ["Message", "ExceptionMessage", "type", "title", "detail", "instance", "requestId"];
    texts.into_iter().all(is_text)
        && json["Message"] == json["title"]
        && json["ExceptionMessage"] == json["detail"]
        && json["status"] == answer.status.as_u16()
        && json["retryable"].is_boolean()
}

fn without_guids(line: &str) -> String {
    let is_hex = |text: &str| text.bytes().all(|it| it.is_ascii_hexdigit());
    let is_guid = |text: &str| {
        let parts: Vec<_> = text.split('-').collect();
        let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
        (lengths == [8, 4, 4, 4, 12] || lengths == [32]) && parts.iter().all(|part| is_hex(part))
    };
    let mut shown = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let length = [36, 32].into_iter().find(|length| rest.get(..*length).is_some_and(is_guid));
        let Some(length) = length else {
            let first = rest.chars().next().unwrap();
            shown.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        shown.push_str("{guid}");
        rest = &rest[length..];
    }
    shown
}

#[tokio::test]
async fn durable_functions_requests_are_answered_as_the_table_says() {
    let hub = hub().await;
    let router = routes(&hub);
    let table = fs::read_to_string(TABLE).unwrap();
    let mut found = String::new();
    for line in table.lines() {
        if line.is_empty() || line.starts_with('#') {
            writeln!(found, "{line}").unwrap();
            continue;
        }
        if let Some(seconds) = line.strip_prefix("advance ") {
            hub.advance(Duration::from_secs(seconds.parse().unwrap())).await;
            writeln!(found, "{line}").unwrap();
            continue;
        }
        let request = line.split(" -> ").next().unwrap();
        let answer = ask(&router, request).await;
        hub.settle().await;
        writeln!(found, "{request} -> {}", show(&answer)).unwrap();
    }
    hub.shutdown().await.unwrap();
    if env::var("DURABLE_GOLDEN").is_ok_and(|it| it == "overwrite") {
        fs::write(TABLE, found).unwrap();
        return;
    }
    let differs = table.lines().zip(found.lines()).find(|(wanted, found)| wanted != found);
    if let Some((wanted, found)) = differs {
        panic!("\nwanted {wanted}\nfound  {found}\n");
    }
}

/// The order of the fields is that of Durable Functions.
#[tokio::test]
async fn a_start_is_answered_with_eight_links() {
    let hub = hub().await;
    let answer = ask(&routes(&hub), "POST /orchestrators/hello/a \"Tokyo\"").await;
    let text = answer.body.replace(&format!("{ORIGIN}{BASE}"), "{base}");
    assert_eq!(text, links("a"));
    hub.shutdown().await.unwrap();
}
