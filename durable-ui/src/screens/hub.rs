//! The hub: its resources, and the registered functions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use durable_http::client::CommitLatency;
use maud::{Markup, html};
use serde::Deserialize;

use crate::api::Failure;
use crate::api::registered::{Function, Functions};
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place};
use crate::parts::{ago, commit_latency, empty, facts, section, table, text};
use crate::query::Query;

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) hub: Hub,
    pub(crate) functions: Functions,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hub {
    pub(crate) task_hub_name: String,
    pub(crate) version: String,
    pub(crate) partitions: u64,
    #[serde(default)]
    pub(crate) disk_bytes: Option<u64>,
    #[serde(default)]
    pub(crate) memory_bytes: Option<u64>,
    #[serde(default)]
    pub(crate) commits: Option<CommitLatency>,
    /// Metrics of the store, by name.
    #[serde(default)]
    pub(crate) figures: BTreeMap<String, u64>,
    #[serde(default)]
    pub(crate) nodes: Vec<Node>,
    #[serde(default)]
    pub(crate) free_partitions: Vec<u16>,
    #[serde(default)]
    pub(crate) parked_partitions: Vec<Parked>,
    #[serde(default)]
    pub(crate) pinned_partitions: Vec<Pinned>,
    #[serde(default)]
    pub(crate) frozen_partitions: Vec<Frozen>,
}

/// A partition that is pinned to a process.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Pinned {
    pub(crate) partition: u16,
    pub(crate) node: String,
}

/// A frozen partition, which stays with its current owner.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Frozen {
    pub(crate) partition: u16,
    pub(crate) reason: String,
}

/// A partition some of whose stored data cannot be read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Parked {
    pub(crate) partition: u16,
    pub(crate) reason: String,
}

/// A process that shares the hub.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) is_client: bool,
    pub(crate) is_this: bool,
    pub(crate) joined_at: DateTime<Utc>,
    pub(crate) seen_at: DateTime<Utc>,
    pub(crate) partitions: Vec<u16>,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let model = Model {
        hub: call.api.get("hub", &Query::default()).await?,
        functions: call.api.get("registered", &Query::default()).await?,
    };
    let page = Page::new("Hub", Place::Hub, screen(&call.view, &model));
    Ok(page.commands([
        Command::get("The hub", "durable hub", "hub"),
        Command::get("Its functions", "durable hub functions", "registered"),
    ]))
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    let Model { hub, functions } = model;
    html! {
        div.head { h1 { "Hub" } span.q2 { (text(&hub.task_hub_name)) } }
        (uses(hub))
        @if !hub.nodes.is_empty() { (nodes(view, hub)) }
        @if !hub.parked_partitions.is_empty() { (parked(&hub.parked_partitions)) }
        @if !hub.pinned_partitions.is_empty() || !hub.frozen_partitions.is_empty() { (placed(hub)) }
        @if !hub.figures.is_empty() {
            (section("figures", "Figures of the store", &html! {}, &figures(hub)))
        }
        (orchestrators(view, &functions.orchestrators))
        (activities(&functions.activities))
        (entities(view, &functions.entities))
    }
}

fn uses(hub: &Hub) -> Markup {
    let size = |bytes: Option<u64>| html! { (bytes.map_or("none".to_owned(), format::bytes)) };
    let mut uses = vec![("Disk", size(hub.disk_bytes)), ("Memory", size(hub.memory_bytes))];
    uses.extend(hub.commits.as_ref().map(|commits| ("Commits", commit_latency(commits))));
    uses.push(("Partitions", html! { (hub.partitions) }));
    uses.push(("Version", html! { span.m { "durable " (hub.version) } }));
    facts(&uses)
}

/// The processes that share the hub, and the partitions that each of them owns.
fn nodes(view: &View, hub: &Hub) -> Markup {
    let head = html! {
        th { "Process" } th.n { "Owns" } th { "Partitions" } th.n { "Joined" } th.n { "Seen" }
    };
    let rows = html! {
        @for node in &hub.nodes {
            // A hub that one process has to itself does not know since when.
            @let is_alone = node.joined_at == node.seen_at;
            tr {
                td.a {
                    span.m { (text(&node.name)) }
                    @if node.is_this { " " span.q2 { "this process" } }
                    @if node.is_client { " " span.q2 { "client only" } }
                }
                td.n.z { (format::count(node.partitions.len() as u64)) }
                td.x.m { (ranges(&node.partitions)) }
                td.n.z.q { @if !is_alone { (ago(view, node.joined_at)) } }
                td.n.z.q { @if !is_alone { (ago(view, node.seen_at)) } }
            }
        }
        @if !hub.free_partitions.is_empty() {
            tr {
                td.a.q2 { "no process" }
                td.n.z { (format::count(hub.free_partitions.len() as u64)) }
                td.x.m { (ranges(&hub.free_partitions)) }
                td {}
                td {}
            }
        }
    };
    let count = html! { span.q { (format::count(hub.nodes.len() as u64)) } };
    section("nodes", "Processes", &count, &table("stack rows", "Processes", &head, &rows))
}

/// The partitions that no process may own, and how to retry them.
fn parked(all: &[Parked]) -> Markup {
    let head = html! { th.n { "Partition" } th { "Reason" } th { "After a repair" } };
    let rows = html! {
        @for it in all {
            tr {
                td.a.n { (it.partition) }
                td.x { (text(&it.reason)) }
                td.m { "durable hub retry-partition " (it.partition) }
            }
        }
    };
    let count = html! { span.q { (format::count(all.len() as u64)) } };
    let name = "Parked partitions";
    section("parked", name, &count, &table("stack rows", name, &head, &rows))
}

/// The partitions that operators have placed, and how to undo that.
fn placed(hub: &Hub) -> Markup {
    let head = html! { th.n { "Partition" } th { "Placed" } th { "To end it" } };
    let rows = html! {
        @for it in &hub.pinned_partitions {
            tr {
                td.a.n { (it.partition) }
                td.x { "pinned to " span.m { (text(&it.node)) } }
                td.m { "durable hub unpin " (it.partition) }
            }
        }
        @for it in &hub.frozen_partitions {
            tr {
                td.a.n { (it.partition) }
                td.x { "frozen: " (text(&it.reason)) }
                td.m { "durable hub unfreeze " (it.partition) }
            }
        }
    };
    let count = hub.pinned_partitions.len() + hub.frozen_partitions.len();
    let count = html! { span.q { (format::count(count as u64)) } };
    let name = "Pinned and frozen partitions";
    section("placed", name, &count, &table("stack rows", name, &head, &rows))
}

/// Numbers in ascending order; consecutive ones are written as `0-15`.
fn ranges(numbers: &[u16]) -> String {
    let runs = numbers.chunk_by(|a, b| u32::from(*a) + 1 == u32::from(*b));
    let texts = runs.filter_map(|run| match run {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first}\u{2013}{last}")),
    });
    texts.collect::<Vec<_>>().join(", ")
}

fn figures(hub: &Hub) -> Markup {
    let head = html! { th { "Figure" } th.n { "Value" } };
    let rows = html! {
        @for (name, value) in &hub.figures {
            tr { td.a.m { (name) } td.n.z { (format::count(*value)) } }
        }
    };
    table("stack", "Figures of the store", &head, &rows)
}

fn orchestrators(view: &View, all: &[Function]) -> Markup {
    let link = |it: &Function| Some(view.links.instances("name", &it.name));
    functions("orchestrators", "Orchestrations", all, link)
}

fn activities(all: &[Function]) -> Markup {
    functions("activities", "Activities", all, |_| None)
}

fn functions(
    id: &str,
    heading: &str,
    all: &[Function],
    link: impl Fn(&Function) -> Option<String>,
) -> Markup {
    let head = html! { th { "Name" } th { "Version" } th { "Parameters" } th { "Source" } };
    let rows = html! {
        @for it in all {
            tr {
                td.a {
                    @match link(it) {
                        Some(link) => { a.m href=(link) { (text(&it.name)) } }
                        None => span.m { (text(&it.name)) },
                    }
                }
                td.z.q2 { @if let Some(version) = &it.version { (text(version)) } }
                td.x.m.q2 { (text(&it.signature())) }
                td.m.h { (text(&it.source())) }
            }
        }
    };
    let content = match all {
        [] => empty("None is registered", "The hub can run none.", &html! {}),
        _ => table("stack rows", heading, &head, &rows),
    };
    let count = html! { span.q { (format::count(all.len() as u64)) } };
    section(id, heading, &count, &content)
}

fn entities(view: &View, all: &[Function]) -> Markup {
    let head = html! { th { "Name" } th { "Operations" } th { "Source" } };
    let rows = html! {
        @for it in all {
            @let link = view.links.page("entities", &Query::default().with("name", &it.name));
            @let operations: Vec<_> = it.operations.iter().map(|it| it.name.as_str()).collect();
            tr {
                td.a { a.m href=(link) { (text(&it.name)) } }
                td.x.m.q2 { (text(&operations.join(", "))) }
                td.m.h { (text(&it.source())) }
            }
        }
    };
    let content = match all {
        [] => empty("None is registered", "The hub can run none.", &html! {}),
        _ => table("stack rows", "Entities", &head, &rows),
    };
    let count = html! { span.q { (format::count(all.len() as u64)) } };
    section("entities", "Entities", &count, &content)
}
