//! Entities: the list, and a single entity.
//!
//! Read next: `one.rs` (the page of an entity).

pub(super) mod one;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use durable::EntityId;
use durable::protocol::Json;
use durable_http::client::Suspension;
use maud::{Markup, html};
use serde::Deserialize;

use crate::api::registered::{Function, Functions};
use crate::api::{Failure, model::Items};
use crate::call::{Call, View};
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{
    Tab, ago, empty, entity, find, icon, instance, next_page, none_so_far, preview, section, table,
    tabs, time,
};
use crate::query::Query;

const LIMIT: usize = 50;

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) query: Query,
    /// The names of registered entities.
    pub(crate) names: Vec<String>,
    pub(crate) page: Items<Entity>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entity {
    #[serde(rename = "entityId")]
    pub(crate) id: EntityId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_modified: DateTime<Utc>,
    pub(crate) state: Option<Json>,
    pub(crate) locked_by: Option<Sender>,
    #[serde(default)]
    pub(crate) suspension: Option<Suspension>,
}

/// The orchestration that holds a lock or sent a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sender {
    pub(crate) instance_id: String,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    if let [_, name, key] = call.path.as_slice() {
        return one::answer(call, name, key).await;
    }
    let mut query = Query::default().with("state", true).with("limit", LIMIT);
    for name in ["name", "prefix", "after"] {
        if let Some(value) = call.query.get(name) {
            query = query.with(name, value);
        }
    }
    let names: BTreeSet<_> = registered(call).await?.into_iter().map(|it| it.name).collect();
    let model = Model {
        query: call.query.without("fragment"),
        names: names.into_iter().collect(),
        page: call.api.get("entities", &query).await?,
    };
    let option = |name| Some(format!(" --{name} {}", quoted(model.query.get(name)?)));
    let options: String = ["name", "prefix", "after"].into_iter().filter_map(option).collect();
    let page = Page::new("Entities", Place::Entities, screen(&call.view, &model));
    let command = format!("durable entity list{options} --limit {LIMIT}");
    let request = format!("entities{query}");
    Ok(page.commands([Command::get("These entities", command, request)]))
}

async fn registered(call: &Call) -> Result<Vec<Function>, Failure> {
    let registered: Functions = call.api.get("registered", &Query::default()).await?;
    Ok(registered.entities)
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    html! {
        div.head { h1 { "Entities" } }
        (names(view, model))
        (find(view, "entities", &model.query, ("prefix", "Start of a key"), Some("name")))
        section.sec #list-s aria-label="Entities" data-part {
            @if model.page.items.is_empty() { (nothing(view, model)) } @else { (rows(view, model)) }
        }
    }
}

/// A tab for each registered name.
fn names(view: &View, model: &Model) -> Markup {
    let current = model.query.get("name");
    let tab = |label: &str, query: Query, is_current: bool| Tab {
        label: label.to_owned(),
        count: None,
        link: view.links.page("entities", &query),
        is_current,
    };
    let mut all = vec![tab("All", Query::default(), current.is_none())];
    for name in &model.names {
        all.push(tab(name, Query::default().with("name", name), current == Some(name)));
    }
    tabs("Names", &all, &html! {})
}

fn rows(view: &View, model: &Model) -> Markup {
    let head = html! {
        th { "Entity" } th { "State" } th { "Locked by" } th.n { "Changed" }
        th.n { "Ago" }
    };
    let rows = html! {
        @for item in &model.page.items {
            tr {
                td.a { (entity(view, &item.id)) }
                td.x { @if let Some(state) = &item.state { (preview(state.as_str())) } }
                td {
                    @if let Some(by) = &item.locked_by {
                        (icon("lock")) " " (instance(view, &by.instance_id))
                    }
                    @if let Some(code) = item.suspension.as_ref().and_then(|it| it.code.as_ref()) {
                        span.err { "set aside: " (code) }
                    }
                }
                td.n.h { (time(view, item.last_modified)) }
                td.n.z.q { (ago(view, item.last_modified)) }
            }
        }
    };
    html! {
        (table("stack rows", "Entities", &head, &rows))
        div.foot {
            span.q2 { "In the order of their names and keys" }
            span.sp {}
            @if model.query.get("after").is_some() {
                a.b.s href=(view.links.page("entities", &model.query.without("after"))) {
                    "First page"
                }
            }
            (next_page(view, "entities", &model.query, model.page.next.as_deref()))
        }
    }
}

fn nothing(view: &View, model: &Model) -> Markup {
    if let Some(next) = &model.page.next {
        return none_so_far(view, "entities", &model.query, next);
    }
    if model.query.without("after").is_empty() {
        let why = "An entity is stored as soon as an operation gives it a state.";
        return empty("No entity has a state", why, &html! {});
    }
    let all = html! { a.b href=(view.links.to("entities")) { "All entities" } };
    empty("No entity matches", "None with a state has this name and start of its key.", &all)
}

/// The heading of a part of a page of one entity.
fn part(id: &str, heading: &str, beside: &str, content: &Markup) -> Markup {
    section(id, heading, &html! { span.q { (beside) } }, content)
}
