//! The page of one batch: its request, its progress and its failures.

use durable::RuntimeStatus;
use durable::protocol::Json as Value;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Batch, Progress};
use crate::api::Failure;
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{
    Action, Json, Note, confirm, copy, empty, facts, id, instance, json, note, open, progress,
    section, status, table, text, time_and_ago,
};
use crate::query::{Query, encode};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Details {
    #[serde(flatten)]
    pub(crate) batch: Batch,
    #[serde(flatten)]
    pub(crate) request: Request,
}

/// The request of the batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) query: serde_json::Value,
    pub(crate) action: serde_json::Value,
    pub(crate) dry_run: bool,
    pub(crate) per_second: u32,
    #[serde(default)]
    pub(crate) failure: Option<String>,
}

pub(super) async fn answer(call: &Call, id: &str) -> Result<Page, Failure> {
    let path = format!("batches/{}", encode(id));
    let details: Details = call.api.get(&path, &Query::default()).await?;
    let word = quoted(id);
    let page = Page::new(id, Place::Batches, screen(&call.view, &details));
    Ok(page.follows_hub("").commands([
        Command::get("This batch", format!("durable batch show {word}"), &path),
        Command::post(
            "Stop it",
            format!("durable batch stop {word}"),
            format_args!("{path}:cancel"),
        ),
        Command::post(
            "Retry what has failed in it",
            format!("durable batch retry {word}"),
            format_args!("{path}:retry"),
        ),
    ]))
}

pub(crate) fn screen(view: &View, details: &Details) -> Markup {
    let Details { batch, request } = details;
    let may_stop = view.access.may_delete() && !batch.runtime_status.is_finished();
    let stop = may_stop.then(|| stop(view, batch));
    let failed = batch.progress.as_ref().map_or(0, |progress| progress.failed);
    let may_retry = view.access.may_delete() && batch.runtime_status.is_finished() && failed > 0;
    let retry = may_retry.then(|| retry(view, batch, failed));
    html! {
        nav.crumb aria-label="Where this is" {
            a href=(view.links.to("batches")) { "Batches" }
            span aria-hidden="true" { "/" }
        }
        div.head {
            h1.row { (id(&batch.id)) (copy("id", &batch.id)) }
            (status(batch.runtime_status))
            @if request.dry_run { span.tag { "dry run" } }
            span.sp {}
            @for action in stop.iter().chain(&retry) { (open(action, "")) }
        }
        div #facts data-part { (about(view, details)) }
        @if let Some(failure) = &request.failure {
            (note(Note::Bad, &html! { p.msg { (text(failure)) } }))
        }
        div.cols {
            (section("action", "Action", &html! {}, &shown(&request.action)))
            (section("filter", "Filter", &html! {}, &shown(&filter(&request.query))))
        }
        @if let Some(done) = &batch.progress { (errors(view, done)) (found(view, done)) }
        @for action in stop.iter().chain(&retry) { (confirm(action)) }
    }
}

fn about(view: &View, details: &Details) -> Markup {
    let Details { batch, request } = details;
    let mut all = Vec::new();
    if let Some(progress) = &batch.progress {
        all.push(("Progress", bar(progress)));
        for (name, count) in [
            ("Matched", progress.matched),
            ("Done", progress.done),
            ("Skipped", progress.skipped),
            ("Failed", progress.failed),
        ] {
            all.push((name, html! { (format::count(count)) }));
        }
    }
    all.push(("Started", time_and_ago(view, batch.created_at)));
    all.push(("Changed", time_and_ago(view, batch.last_updated_at)));
    all.push(("At most", html! { (request.per_second) " per second" }));
    facts(&all)
}

/// The progress bar. Instances are matched page by page, so it covers only those known so far.
#[expect(clippy::cast_precision_loss, reason = "a bar on the screen")]
fn bar(of: &Progress) -> Markup {
    let ended = of.done + of.skipped + of.failed;
    let words = format!("{} of {} matched so far", format::count(ended), format::count(of.matched));
    progress(ended as f64, of.matched.max(1) as f64, &words)
}

/// The conditions that are set.
fn filter(query: &serde_json::Value) -> serde_json::Value {
    let mut query = query.clone();
    if let Some(conditions) = query.as_object_mut() {
        let is_set = |value: &serde_json::Value| match value {
            serde_json::Value::Null => false,
            serde_json::Value::Array(items) => !items.is_empty(),
            serde_json::Value::Object(members) => !members.is_empty(),
            _ => true,
        };
        conditions.retain(|_, value| is_set(value));
    }
    query
}

fn shown(value: &serde_json::Value) -> Markup {
    let value = Value::parse(&value.to_string()).unwrap_or_else(|_| Value::null());
    json(Json { text: value.as_str(), whole: None })
}

fn errors(view: &View, done: &Progress) -> Markup {
    let head = html! { th { "Instance" } th { "Code" } th { "Reason" } };
    let rows = html! {
        @for error in &done.errors {
            tr {
                td.a { (instance(view, &error.instance_id)) }
                td.m.z { (error.code) }
                td.x.err { (text(&error.detail)) }
            }
        }
    };
    let content = match done.errors.as_slice() {
        [] => empty("No failure", "No instance has refused the action.", &html! {}),
        _ => table("stack rows", "Failures", &head, &rows),
    };
    let shown = done.errors.len() as u64;
    let beside = html! {
        @if done.failed > shown {
            span.q { "the first " (shown) " of " (format::count(done.failed)) }
        }
    };
    section("errors", "Failures", &beside, &content)
}

/// The instances that a dry run has matched.
fn found(view: &View, done: &Progress) -> Markup {
    if done.instance_ids.is_empty() {
        return html! {};
    }
    let head = html! { th { "Instance" } };
    let rows = html! { @for id in &done.instance_ids { tr { td.a { (instance(view, id)) } } } };
    let content = table("stack rows", "Matched instances", &head, &rows);
    let beside = html! { span.q { "the first " (done.instance_ids.len()) } };
    section("found", "Would be acted on", &beside, &content)
}

/// Retries the failures of a batch. Of a stopped batch, only the ids in its progress are known.
fn retry(view: &View, batch: &Batch, failed: u64) -> Action {
    let known = match batch.runtime_status {
        RuntimeStatus::Completed => failed.min(1000),
        _ => failed.min(50),
    };
    let which = if known < failed { "the first " } else { "" };
    let url = view.links.api(format_args!("batches/{}:retry", encode(&batch.id)));
    Action::post("retry", "Retry the failed", url)
        .asks(
            format!("Retry {which}{}?", format::counted(known, "failed instance")),
            "A new batch does the same with them.",
        )
        .keeps("Leave them")
        .then(view.links.to("batches/{id}"))
}

fn stop(view: &View, batch: &Batch) -> Action {
    let url = view.links.api(format_args!("batches/{}:cancel", encode(&batch.id)));
    Action::post("stop", "Stop", url)
        .asks(
            format!("Stop {}?", format::cut(&batch.id, 80)),
            "It ends after the instances it is at. What it has done stays.",
        )
        .keeps("Let it go on")
        .destructive()
}
