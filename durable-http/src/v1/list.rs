//! Listing and counting instances by filter.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{InstanceQuery, Page};
use durable::protocol::Json;
use serde::Serialize;

use super::{Refusal, show};
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::links::encode;
use crate::problem::Problem;

/// The maximum number of instances that a count reads.
const SCANNED_MAX: usize = 1_000_000;

/// The fields of a status.
pub(crate) const STATUS: [&str; 14] = [
    "instanceId",
    "executionId",
    "name",
    "version",
    "runtimeStatus",
    "createdAt",
    "lastUpdatedAt",
    "suspension",
    "parent",
    "tags",
    "customStatus",
    "nextDue",
    "generation",
    "historyLen",
];
/// The fields that are read from histories, and only on request.
const VALUES: [&str; 6] =
    ["input", "output", "failure", "terminationReason", "codeHash", "traceContext"];

pub(super) async fn list(call: Call) -> Result<Response, Refusal> {
    let find = filter(&call)?.page_size(call.limit()?);
    // The order of ids finds those with a prefix without reading the others.
    let mut find = match call.query.get("sort") {
        None if call.query.get("prefix").is_some() => find,
        None | Some("-created") => find.newest_first(),
        Some("created") => find.oldest_first(),
        Some("id") => find,
        Some(other) => {
            let other = other.escape_debug();
            let reason = format!("`sort` is `{other}`; give -created, created or id");
            return Err(Problem::invalid(reason).into());
        }
    };
    if let Some(token) = call.after()? {
        find = find.after(token);
    }
    if let Some(most) = call.max_scanned()? {
        find = find.max_scanned(most);
    }
    let Some(fields) = fields(&call)? else {
        return Ok(page(&call, &call.hub().query(&find).await?));
    };
    if !fields.iter().any(|field| VALUES.contains(field)) {
        return Ok(selected(&call, &call.hub().query(&find).await?, &fields));
    }
    Ok(selected(&call, &call.hub().query(&find.with_values()).await?, &fields))
}

/// The fields that the client wants.
fn fields(call: &Call) -> Result<Option<Vec<&'static str>>, Problem> {
    let known = || STATUS.into_iter().chain(VALUES);
    let field = |given: &str| {
        known().find(|field| *field == given).ok_or_else(|| {
            let (given, known) = (given.escape_debug(), known().collect::<Vec<_>>().join(", "));
            Problem::invalid(format!("`fields` has `{given}`; give some of {known}"))
        })
    };
    let fields: Vec<_> = call.query.list("fields").map(field).collect::<Result<_, _>>()?;
    Ok(Some(fields).filter(|fields| !fields.is_empty()))
}

/// A page of items with these fields only.
fn selected<T: Serialize>(call: &Call, page: &Page<T>, fields: &[&str]) -> Response {
    let items: Vec<_> = page.items.iter().map(|item| show::selected(item, fields)).collect();
    shown(call, &items, page)
}

/// A page with a link to the next one.
pub(super) fn page<T: Serialize>(call: &Call, page: &Page<T>) -> Response {
    shown(call, &*show::camel(&page.items), page)
}

/// The items of a page, as they are shown, with a link to the next page.
pub(super) fn shown<T>(call: &Call, items: &(impl Serialize + ?Sized), page: &Page<T>) -> Response {
    let Page { next, scanned, .. } = page;
    let body = Object::new().with("items", items).with("next", next).with("scanned", scanned);
    let answer = json::answer(StatusCode::OK, &body);
    let Some(next) = next else { return answer };
    let place = call.place();
    let (path, query) = place.path_and_query.split_once('?').unwrap_or((&place.path_and_query, ""));
    // Neither the old position nor a key.
    let kept = query.split('&').filter(|it| !it.is_empty());
    let kept = kept.filter(|it| !it.starts_with("after=") && !it.starts_with("code="));
    let after = format!("after={}", encode(&next.to_string()));
    let query: Vec<_> = kept.chain([after.as_str()]).collect();
    with_header(answer, "link", &format!("<{path}?{}>; rel=\"next\"", query.join("&")))
}

pub(super) async fn count(call: Call) -> Result<Response, Refusal> {
    enum Group<'a> {
        Status,
        Name,
        Tag(&'a str),
    }
    let group = match call.query.get("groupBy") {
        None => None,
        Some("name") => Some(Group::Name),
        Some("status") => Some(Group::Status),
        Some(other) => match other.strip_prefix("tag:") {
            Some(key) if !key.is_empty() => Some(Group::Tag(key)),
            _ => {
                let other = other.escape_debug();
                let text = format!("`groupBy` is `{other}`; give status, name or tag:KEY");
                return Err(Problem::invalid(text).into());
            }
        },
    };
    let most = call.max_scanned()?.map_or(SCANNED_MAX, |most| most.min(SCANNED_MAX));
    let query = filter(&call)?.max_scanned(most);
    let counts = match group {
        Some(Group::Tag(key)) => call.hub().counts_by_tag(&query, key).await?,
        _ => call.hub().counts(&query).await?,
    };
    let body = Object::new().with("count", &counts.total);
    let body = match group {
        Some(Group::Name) => body.with("groups", &counts.by_name),
        Some(Group::Status) => body.with("groups", &counts.by_status),
        Some(Group::Tag(_)) => body.with("groups", &counts.by_tag),
        None => body,
    };
    let body = body.with("scanned", &counts.scanned).with("approximate", &counts.next.is_some());
    Ok(json::answer(StatusCode::OK, &body))
}

pub(super) fn filter(call: &Call) -> Result<InstanceQuery, Problem> {
    let query = &call.query;
    let mut find = InstanceQuery::new();
    if let Some(name) = query.get("name") {
        find = find.name(name);
    }
    if let Some(prefix) = query.get("prefix") {
        find = find.id_prefix(prefix);
    }
    for status in call.statuses()? {
        find = find.status(status);
    }
    for tag in query.all("tag") {
        let Some((key, value)) = tag.split_once(':') else {
            let tag = tag.escape_debug();
            return Err(Problem::invalid(format!("`tag` is `{tag}`; give `key:value`")));
        };
        find = find.tag(key, value);
    }
    if let Some(time) = call.time("createdFrom")? {
        find = find.created_from(time);
    }
    if let Some(time) = call.time("createdTo")? {
        find = find.created_to(time);
    }
    if let Some(time) = call.time("endedFrom")? {
        find = find.ended_from(time);
    }
    if let Some(time) = call.time("endedTo")? {
        find = find.ended_to(time);
    }
    if let Some(status) = query.get("customStatus") {
        // Text that is not JSON is taken as a string.
        find = match Json::parse(status) {
            Ok(json) => find.custom_status_json(json),
            Err(_) => find.custom_status(status),
        };
    }
    if let Some(text) = query.get("failedWith") {
        find = find.failure_contains(text);
    }
    if let Some(error_type) = query.get("failureType") {
        find = find.failure_type(error_type);
    }
    if call.boolean("includeInternal")? {
        find = find.include_internal();
    }
    if call.boolean("includeSchedules")? {
        find = find.include_schedules();
    }
    Ok(find)
}
