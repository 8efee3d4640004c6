//! Listing instances by filter.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::InstanceQuery;

use super::Refusal;
use super::filter::{self, CONTINUATION, Statuses};
use super::status::{Seen, Show};
use crate::call::Call;
use crate::json::{self, with_header};
use crate::problem::Problem;

pub(super) async fn list(call: Call) -> Result<Response, Refusal> {
    let query = &call.query;
    let mut find = InstanceQuery::new().page_size(filter::top(query));
    if let Some(prefix) = query.get("instanceIdPrefix") {
        find = find.id_prefix(prefix);
    }
    if let Some(time) = filter::from(query, "createdTimeFrom") {
        find = find.created_from(time);
    }
    if let Some(time) = filter::to(query, "createdTimeTo") {
        find = find.created_to(time);
    }
    if let Some(token) = filter::continuation(&call)? {
        find = find.after(token);
    }
    let show = Show { history: false, ..Show::of(&call) };
    let (mut bodies, mut next) = (Vec::new(), None);
    if let Some(find) = Statuses::of(query).apply(find) {
        let page = call.hub().query(&find.with_values()).await.map_err(Problem::from)?;
        bodies = page.items.into_iter().map(|it| Seen::from(it).body(show)).collect();
        next = page.next;
    }
    let answer = json::answer(StatusCode::OK, &bodies);
    Ok(with_header(answer, CONTINUATION, &filter::token(next)))
}
