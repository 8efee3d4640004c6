//! The listed instances as a file: CSV, or one line of JSON per instance.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use serde_json::value::RawValue;

use super::Filter;
use crate::api::{Failure, model};
use crate::call::Call;
use crate::format;

/// The maximum number of instances in a file.
const ROWS: usize = 100_000;
const PAGE: usize = 1000;

pub(crate) async fn answer(call: &Call) -> Result<Response<Body>, Failure> {
    let filter = Filter::read(&call.query, call.view.now)?;
    let query = filter.list().and("limit", PAGE);
    let (kind, name, text) = match call.query.get("format") {
        Some("csv") => ("text/csv; charset=utf-8", "instances.csv", csv(call, query).await?),
        Some("jsonl") => ("application/jsonl", "instances.jsonl", lines(call, query).await?),
        _ => return Err(Failure::invalid("`format` is csv or jsonl.")),
    };
    let mut answer = Response::new(Body::from(text));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let disposition = format!("attachment; filename=\"{name}\"");
    if let Ok(value) = HeaderValue::try_from(disposition) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(answer)
}

async fn lines(call: &Call, query: crate::query::Query) -> Result<String, Failure> {
    let mut text = String::new();
    let (mut query, mut rows) = (query, 0);
    loop {
        let page: model::Items<Box<RawValue>> = call.api.get("instances", &query).await?;
        for item in &page.items {
            text.push_str(item.get());
            text.push('\n');
        }
        rows += page.items.len();
        match page.next {
            Some(next) if rows < ROWS => query = query.with("after", next),
            _ => return Ok(text),
        }
    }
}

async fn csv(call: &Call, query: crate::query::Query) -> Result<String, Failure> {
    let mut text = "id,name,version,status,created,updated,custom_status,tags\r\n".to_owned();
    let (mut query, mut rows) = (query, 0);
    loop {
        let page: model::Items<model::Instance> = call.api.get("instances", &query).await?;
        for item in &page.items {
            let tags: Vec<_> =
                item.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let cells = [
                item.instance_id.clone(),
                item.name.clone(),
                item.version.clone().unwrap_or_default(),
                item.runtime_status.to_string(),
                format::rfc3339(item.created_at),
                format::rfc3339(item.last_updated_at),
                item.custom_status.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default(),
                tags.join(" "),
            ];
            text.push_str(&cells.map(|it| cell(&it)).join(","));
            text.push_str("\r\n");
        }
        rows += page.items.len();
        match page.next {
            Some(next) if rows < ROWS => query = query.with("after", next),
            _ => return Ok(text),
        }
    }
}

/// A cell of CSV (RFC 4180). Text that begins like a formula gets an apostrophe in front, because a
/// spreadsheet would run it.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        let cells = ["a", "a,b", "say \"hi\"", "=1+1", "two\nlines"].map(cell);
        assert_eq!(cells, ["a", "\"a,b\"", "\"say \"\"hi\"\"\"", "'=1+1", "\"two\nlines\""]);
    }
}
