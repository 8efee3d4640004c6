//! The page of one entity: state, lock, queue, scheduled signals, and actions.

use chrono::{DateTime, Utc};
use durable::EntityId;
use durable::protocol::Json as Value;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Entity, Sender, part, registered};
use crate::api::registered::Function;
use crate::api::{Failure, model::Items};
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{
    Action, Field, Input, Json, Note, ago, confirm, copy, entity_name, facts, icon, id, instance,
    json, note, open, preview, table, text, time, time_and_ago,
};
use crate::query::{Query, encode};

/// Requests and signals that are shown.
const LIMIT: usize = 100;

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) entity: Entity,
    pub(crate) queue: Vec<Queued>,
    pub(crate) signals: Vec<Signal>,
    /// The code, if it is registered.
    pub(crate) function: Option<Function>,
}

/// A request that the entity has not handled yet.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Queued {
    pub(crate) kind: String,
    pub(crate) operation: Option<String>,
    pub(crate) from: Option<Sender>,
}

/// A signal that is not due yet.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Signal {
    pub(crate) operation: String,
    pub(crate) input: Value,
    pub(crate) due_at: DateTime<Utc>,
}

pub(super) async fn answer(call: &Call, name: &str, key: &str) -> Result<Page, Failure> {
    let path = format!("entities/{}/{}", encode(name), encode(key));
    let entity: Entity = call.api.get(&path, &Query::default()).await?;
    let limit = Query::default().with("limit", LIMIT);
    let queue: Items<Queued> = call.api.get(&format!("{path}/queue"), &limit).await?;
    let of_entity = limit.with("name", name).with("key", entity.id.key());
    // An empty key cannot be asked for.
    let signals: Items<Signal> = match entity.id.key() {
        "" => Items { items: Vec::new(), next: None },
        _ => call.api.get("signals", &of_entity).await?,
    };
    let functions = registered(call).await?;
    let function = functions.into_iter().find(|it| it.name == entity.id.name());
    let model = Model { entity, queue: queue.items, signals: signals.items, function };
    let shown = entity_name(&model.entity.id);
    let word = quoted(&shown);
    let page = Page::new(shown, Place::Entities, screen(&call.view, &model));
    Ok(page.commands([
        Command::get("This entity", format!("durable entity get {word}"), &path),
        Command::get(
            "Its queue",
            format!("durable entity queue {word}"),
            format_args!("{path}/queue"),
        ),
        Command::post(
            "Signal",
            format!("durable entity signal {word} OPERATION -i JSON"),
            format_args!("{path}:signal/OPERATION"),
        ),
        Command::post(
            "Call",
            format!("durable entity call {word} OPERATION -i JSON"),
            format_args!("{path}:call/OPERATION"),
        ),
    ]))
}

fn api(view: &View, of: &EntityId, action: &str) -> String {
    let key = if of.key().is_empty() { "$" } else { of.key() };
    view.links.api(format_args!("entities/{}/{}{action}", encode(of.name()), encode(key)))
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    let of = &model.entity.id;
    let of_name = view.links.page("entities", &Query::default().with("name", of.name()));
    let actions = if view.access.may_operate() { actions(view, model) } else { Vec::new() };
    html! {
        nav.crumb aria-label="Where this is" {
            a href=(view.links.to("entities")) { "Entities" }
            span aria-hidden="true" { "/" }
            a href=(of_name) { (text(of.name())) }
        }
        div.head {
            h1.row { (id(&entity_name(of))) (copy("id", &entity_name(of))) }
            @if model.entity.locked_by.is_some() {
                span.st.st-suspended { (icon("lock")) "Locked" }
            }
            @if model.entity.suspension.is_some() { span.st.st-failed { "Set aside" } }
            span.sp {}
            @if !actions.is_empty() {
                div.row.scr { @for action in &actions { (open(action, "")) } }
            }
        }
        div #facts data-part { (about(view, model)) (set_aside(model)) (lock(view, model)) }
        div.cols {
            (state(view, model))
            div {
                (queue(view, model))
                @if !model.signals.is_empty() { (signals(view, model)) }
            }
        }
        @for action in &actions { (confirm(action)) }
    }
}

fn about(view: &View, model: &Model) -> Markup {
    let entity = &model.entity;
    let state = entity.state.as_ref().map(|state| format::bytes(state.as_str().len() as u64));
    let source = html! {
        @match &model.function {
            Some(function) => span.m { (text(&function.source())) },
            None => span.wrn { "not registered in this hub" },
        }
    };
    facts(&[
        ("Created", time_and_ago(view, entity.created_at)),
        ("Changed", time_and_ago(view, entity.last_modified)),
        ("State", html! { (state.unwrap_or_else(|| "none".to_owned())) }),
        ("Source", source),
    ])
}

fn set_aside(model: &Model) -> Markup {
    let Some(suspension) = &model.entity.suspension else { return html! {} };
    let content = html! {
        h2 { "Set aside: " (suspension.code.as_deref().unwrap_or_default()) }
        pre.msg { (text(&suspension.reason)) }
    };
    note(Note::Bad, &content)
}

fn lock(view: &View, model: &Model) -> Markup {
    let Some(holder) = &model.entity.locked_by else { return html! {} };
    let name = Query::default().with("name", model.entity.id.name());
    let locks = view.links.page("locks", &name);
    let content = html! {
        h2 { "Locked by " (instance(view, &holder.instance_id)) }
        p {
            "Only its critical section can use the entity until it ends. "
            a href=(locks) { "See who waits" }
        }
    };
    note(Note::Wait, &content)
}

fn state(view: &View, model: &Model) -> Markup {
    let whole = api(view, &model.entity.id, "");
    let content = match &model.entity.state {
        Some(state) => json(Json { text: state.as_str(), whole: Some(&whole) }),
        None => html! { p.q2.pad2 { "It has none: it was deleted, or no operation has set one." } },
    };
    part("state", "State", "", &content)
}

fn queue(view: &View, model: &Model) -> Markup {
    let beside = match model.queue.len() {
        0 => String::new(),
        LIMIT.. => format!("the first {LIMIT}, in the order of arrival"),
        some => format!("{some}, in the order of arrival"),
    };
    let head = html! { th.n { "#" } th { "Request" } th { "From" } th { "Kind" } };
    let rows = html! {
        @for (index, request) in model.queue.iter().enumerate() {
            tr {
                td.n.q.h { (index + 1) }
                td.a { b { (text(request.operation.as_deref().unwrap_or("lock"))) } }
                td.x {
                    @match &request.from {
                        Some(from) => (instance(view, &from.instance_id)),
                        None => span.q2 { "not an orchestration that waits" },
                    }
                }
                td.q2.z {
                    @match request.kind.as_str() {
                        "Lock" => "waits for the lock",
                        "Call" => "call",
                        _ => "signal",
                    }
                }
            }
        }
    };
    let content = match model.queue.as_slice() {
        [] => html! { p.q2.pad2 { "Nothing waits." } },
        _ => table("stack", "Queue", &head, &rows),
    };
    part("queue", "Queue", &beside, &content)
}

fn signals(view: &View, model: &Model) -> Markup {
    let head = html! { th { "Signal" } th { "Input" } th.n { "Due" } th.n { "In" } };
    let rows = html! {
        @for signal in &model.signals {
            tr {
                td.a { b { (text(&signal.operation)) } }
                td.x { (preview(signal.input.as_str())) }
                td.n.h { (time(view, signal.due_at)) }
                td.n.z.q { (ago(view, signal.due_at)) }
            }
        }
    };
    part("signals", "Scheduled signals", "", &table("stack", "Scheduled signals", &head, &rows))
}

fn actions(view: &View, model: &Model) -> Vec<Action> {
    let of = &model.entity.id;
    let names = model.function.iter().flat_map(|it| &it.operations);
    let names: Vec<_> = names.map(|it| it.name.clone()).collect();
    let operation = Field::new("{operation}", "Operation", Input::Suggested(names)).required();
    let input = Field::new("", "Input, as JSON", Input::Json);
    let shown = format::cut(&entity_name(of), 80);
    let send = |id: &str, verb: &str, effect: &str| {
        Action::post(id, verb, api(view, of, &format!(":{id}/{{operation}}")))
            .asks(format!("{verb} {shown}"), effect)
            .field(operation.clone())
            .field(input.clone())
    };
    let delete = Action::post("delete", "Delete", api(view, of, ""))
        .method("DELETE")
        .asks(
            format!("Delete {shown}?"),
            "Its next operation finds it as if it had never existed. If it is locked, that happens \
             after the critical section.",
        )
        .keeps("Keep it")
        .destructive()
        .then(view.links.to("entities"));
    let mut all = Vec::new();
    if model.entity.suspension.is_some() {
        let of_shown = |verb: &str| format!("{verb} {shown}?");
        all.push(
            Action::post("resume", "Resume", api(view, of, ":resume"))
                .asks(of_shown("Resume"), "It repeats the operation that crashed the process."),
        );
        all.push(
            Action::post("skip", "Skip operation", api(view, of, ":skip"))
                .asks(
                    of_shown("Skip the next operation of"),
                    "The operation that crashed the process fails, and its caller gets the error.",
                )
                .destructive(),
        );
    }
    all.extend([
        send("signal", "Signal", "The operation is carried out once; its result is not shown."),
        send("call", "Call", "The operation is carried out; an error of it is shown here."),
        delete,
    ]);
    all
}
