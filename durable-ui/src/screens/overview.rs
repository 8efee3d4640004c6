//! The overview: how many instances there are, what fails, and what is due.

use durable::RuntimeStatus;
use maud::{Markup, html};

use crate::api::{Failure, model};
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place};
use crate::parts::{
    ago, empty, facts, instance, section, since, status_link, table, text, time, word,
};
use crate::query::Query;

/// Statuses in the order of the counts.
const STATUSES: [RuntimeStatus; 6] = [
    RuntimeStatus::Running,
    RuntimeStatus::Pending,
    RuntimeStatus::Suspended,
    RuntimeStatus::Failed,
    RuntimeStatus::Completed,
    RuntimeStatus::Terminated,
];

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) counts: model::Count,
    pub(crate) hub: model::Hub,
    pub(crate) running: Vec<model::Instance>,
    pub(crate) failed: Vec<model::Instance>,
    pub(crate) suspended: Vec<model::Instance>,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let list = |status: &str| {
        let query = Query::default().with("status", status).with("limit", 5);
        async move { call.api.get::<model::Items<model::Instance>>("instances", &query).await }
    };
    let by_status = Query::default().with("groupBy", "status");
    let model = Model {
        counts: call.api.get("instances:count", &by_status).await?,
        hub: call.api.get("hub", &Query::default()).await?,
        running: list("Running").await?.items,
        failed: list("Failed").await?.items,
        suspended: list("Suspended").await?.items,
    };
    let page = Page::new("Overview", Place::Overview, screen(&call.view, &model));
    Ok(page.follows_hub("").commands([
        Command::get("Counts", "durable count --by status", "instances:count?groupBy=status"),
        Command::get(
            "Failed",
            "durable list --status failed --limit 5",
            "instances?status=Failed&limit=5",
        ),
        Command::get("Hub", "durable hub", "hub"),
    ]))
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    html! {
        div.head { h1 { "Overview" } }
        (counts(view, model))
        (running(view, &model.running))
        (suspended(view, &model.suspended))
        (failed(view, &model.failed))
        (hub(view, &model.hub))
    }
}

fn counts(view: &View, model: &Model) -> Markup {
    let about = if model.counts.approximate { "at least" } else { "" };
    html! {
        section #counts aria-label="Instances by status" data-part {
            div.stats {
                @for status in STATUSES {
                    @let count = model.counts.groups.get(&status.to_string()).copied().unwrap_or(0);
                    @let link = view.links.instances("status", word(status));
                    (status_link(status, &format::count(count), about, &link))
                }
            }
        }
    }
}

fn running(view: &View, items: &[model::Instance]) -> Markup {
    let head = html! { th { "Instance" } th { "Name" } th.n { "Started" } th.n { "For" } };
    let rows = html! {
        @for item in items {
            tr {
                td.a { (instance(view, &item.instance_id)) }
                td.q2.h { (text(&item.name_and_version())) }
                td.n.h { (time(view, item.created_at)) }
                td.n.z { (since(view, item.created_at)) }
            }
        }
    };
    let all = html! { a href=(view.links.instances("status", "running")) { "All" } };
    let content = match items {
        [] => empty("Nothing runs", "No orchestration has work or waits now.", &html! {}),
        _ => table("stack", "Running instances", &head, &rows),
    };
    section("running", "Running", &all, &content)
}

fn suspended(view: &View, items: &[model::Instance]) -> Markup {
    if items.is_empty() {
        return html! { div #suspended-s data-part {} };
    }
    let head = html! { th { "Instance" } th { "Name" } th { "Reason" } th.n { "Since" } };
    let rows = html! {
        @for item in items {
            tr {
                td.a { (instance(view, &item.instance_id)) }
                td.q2.h { (text(&item.name_and_version())) }
                td.x {
                    @if let Some(suspension) = &item.suspension {
                        @if let Some(code) = &suspension.code { span.wrn { (code) } " " }
                        (text(&format::cut(&suspension.reason, 160)))
                    }
                }
                td.n.z { (ago(view, item.last_updated_at)) }
            }
        }
    };
    let all = html! { a href=(view.links.instances("status", "suspended")) { "All" } };
    let content = table("stack", "Suspended instances", &head, &rows);
    section("suspended", "Suspended", &all, &content)
}

fn failed(view: &View, items: &[model::Instance]) -> Markup {
    let head = html! { th { "Instance" } th { "Name" } th { "Message" } th.n { "Failed" } };
    let rows = html! {
        @for item in items {
            tr {
                td.a { (instance(view, &item.instance_id)) }
                td.q2.h { (text(&item.name_and_version())) }
                td.x.err {
                    @if let Some(cause) = &item.failure { (text(&format::cut(&cause.message, 160))) }
                }
                td.n.z { (ago(view, item.last_updated_at)) }
            }
        }
    };
    let all = html! { a href=(view.links.instances("status", "failed")) { "All" } };
    let content = match items {
        [] => {
            empty("No failed instance", "Every orchestration that ended has completed.", &html! {})
        }
        _ => table("stack rows", "Failed instances", &head, &rows),
    };
    section("failed", "Failed", &all, &content)
}

fn hub(view: &View, hub: &model::Hub) -> Markup {
    let size = |bytes: Option<u64>| html! { (bytes.map_or("none".to_owned(), format::bytes)) };
    let content = facts(&[
        ("Disk", size(hub.disk_bytes)),
        ("Memory", size(hub.memory_bytes)),
        ("Partitions", html! { (hub.partitions) }),
        ("Version", html! { span.m { "durable " (hub.version) } }),
    ]);
    let details = html! { a href=(view.links.to("hub")) { "Details" } };
    section("hub-h", "Hub", &details, &content)
}
