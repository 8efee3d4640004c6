//! Batches: actions on all instances that match a filter.
//!
//! Read next: `one.rs` (the page of a batch).

pub(super) mod one;

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use maud::{Markup, html};
use serde::Deserialize;

use crate::api::{Failure, model::Items};
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{ago, empty, id, next_page, status, table, time};
use crate::query::{Query, encode};

const LIMIT: usize = 50;

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) query: Query,
    pub(crate) page: Items<Batch>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Batch {
    pub(crate) id: String,
    pub(crate) runtime_status: RuntimeStatus,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_updated_at: DateTime<Utc>,
    /// `None` until the batch has read the first page of instances.
    pub(crate) progress: Option<Progress>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    pub(crate) matched: u64,
    pub(crate) done: u64,
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    #[serde(default)]
    pub(crate) errors: Vec<BatchError>,
    /// The matching ids, in a dry run.
    #[serde(default)]
    pub(crate) instance_ids: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchError {
    pub(crate) instance_id: String,
    pub(crate) code: String,
    pub(crate) detail: String,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    if let [_, id] = call.path.as_slice() {
        return one::answer(call, id).await;
    }
    let mut query = Query::default().with("limit", LIMIT);
    if let Some(after) = call.query.get("after") {
        query = query.with("after", after);
    }
    let page = call.api.get("batches", &query).await?;
    let model = Model { query: call.query.without("fragment"), page };
    let page = Page::new("Batches", Place::Batches, screen(&call.view, &model));
    Ok(page.follows_hub("").commands([command(&query)]))
}

fn command(query: &Query) -> Command {
    let mut list = format!("durable batch list --limit {LIMIT}");
    if let Some(after) = query.get("after") {
        list.extend([" --after ", &quoted(after)]);
    }
    Command::get("These batches", list, format_args!("batches{query}"))
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    html! {
        div.head { h1 { "Batches" } span.q2 { "Actions on all instances that match a filter" } }
        section.sec #list-s aria-label="Batches" data-part {
            @if model.page.items.is_empty() { (nothing(view)) } @else { (rows(view, model)) }
        }
    }
}

fn nothing(view: &View) -> Markup {
    let list = html! { a.b href=(view.links.to("instances")) { "Instances" } };
    let why = "Select all instances that match a filter, and choose an action.";
    empty("No batches", why, &list)
}

fn rows(view: &View, model: &Model) -> Markup {
    let head = html! {
        th { "Batch" } th { "Status" } th.n { "Matched" } th.n { "Done" } th.n { "Skipped" }
        th.n { "Failed" } th.n { "Started" } th.n { "Ago" }
    };
    let rows = html! {
        @for item in &model.page.items {
            @let link = view.links.to(format_args!("batches/{}", encode(&item.id)));
            tr {
                td.a { a href=(link) { (id(&item.id)) } }
                td { (status(item.runtime_status)) }
                @match &item.progress {
                    Some(progress) => {
                        td.n.h { (format::count(progress.matched)) }
                        td.n { span.mobonly.q { "done " } (format::count(progress.done)) }
                        td.n.h { (format::count(progress.skipped)) }
                        td.n { span.mobonly.q { "failed " } (format::count(progress.failed)) }
                    }
                    None => { td.h {} td {} td.h {} td {} }
                }
                td.n.h { (time(view, item.created_at)) }
                td.n.z.q { (ago(view, item.created_at)) }
            }
        }
    };
    html! {
        (table("stack rows", "Batches", &head, &rows))
        div.foot {
            span { "Ordered by id" }
            span.sp {}
            (next_page(view, "batches", &model.query, model.page.next.as_deref()))
        }
    }
}
