//! Listing instances by filter.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{HubError, InstanceQuery};

use super::Refusal;
use super::filter::{self, CONTINUATION, Statuses};
use super::status::{Seen, Show};
use crate::call::Call;
use crate::json::{self, with_header};
use crate::problem::Problem;

/// The approximate limit of the inputs and outputs of an answer, in bytes.
const BYTES_MAX: usize = 4 * 1024 * 1024;

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
    let (mut bodies, mut bodies_end, mut next) = (Vec::new(), None, None);
    if let Some(find) = Statuses::of(query).apply(find) {
        let page = call.hub().query(&find).await.map_err(Problem::from)?;
        next = page.next;
        let mut bytes = 0;
        for item in page.items {
            if bytes > BYTES_MAX {
                next = bodies_end;
                break;
            }
            let instance = call.hub().instance(item.instance_id.as_str());
            let instance = instance.map_err(|error| Problem::from(HubError::from(error)))?;
            match Seen::read(&instance).await {
                Ok(seen) => {
                    bytes += seen.bytes();
                    bodies.push(seen.body(show));
                    bodies_end = Some(item.instance_id.into());
                }
                // It was purged in the meantime.
                Err(HubError::NoSuchInstance(_)) => {}
                Err(error) => return Err(Problem::from(error).into()),
            }
        }
    }
    let answer = json::answer(StatusCode::OK, &bodies);
    Ok(with_header(answer, CONTINUATION, &filter::token(next)))
}
