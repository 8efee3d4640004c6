//! Locks: the instances that hold them, and the instances that wait for them.
//!
//! Read next: `read.rs` (the model), `graph.rs` (the picture).

mod graph;
mod read;

use chrono::{DateTime, Utc};
use durable::EntityId;
use maud::{Markup, html};

use crate::api::Failure;
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place, quoted};
use crate::links::entity_path;
use crate::parts::{
    Action, Note, confirm, empty, entity, entity_name, find, icon, instance, next_page,
    none_so_far, note, open, section, since, table, text, time,
};
use crate::query::{Query, encode};

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) query: Query,
    /// The locks, grouped by holder.
    pub(crate) locks: Vec<Locked>,
    pub(crate) next: Option<String>,
}

/// An entity that a critical section has locked.
#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) entity: EntityId,
    pub(crate) holder: Part,
    /// What the holder waits for.
    pub(crate) holder_waits: Option<String>,
    /// The waiting instances, in the order in which they get the lock.
    pub(crate) waiters: Vec<Part>,
}

/// An instance that holds a lock, or waits for it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) instance: String,
    /// `None` if its history has changed since the lock was read.
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) source: Option<String>,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let model = read::model(call).await?;
    let page = Page::new("Locks", Place::Locks, screen(&call.view, &model));
    Ok(page.follows_hub("").commands(commands(&model)))
}

fn commands(model: &Model) -> Vec<Command> {
    let mut commands = Vec::new();
    let given = |name| Some((name, model.query.get(name)?));
    let (mut options, mut query) = (String::new(), Query::default());
    for (name, value) in ["name", "prefix", "after"].into_iter().filter_map(given) {
        options.extend([" --", name, " ", &quoted(value)]);
        query = query.with(name, value);
    }
    let list = format!("durable locks{options}");
    commands.push(Command::get("These locks", list, format_args!("locks{query}")));
    if let Some(lock) = model.locks.first() {
        let entity = quoted(&entity_name(&lock.entity));
        commands.push(Command::get(
            "The queue of an entity",
            format!("durable entity queue {entity}"),
            format_args!("{}/queue", entity_path(&lock.entity)),
        ));
        let holder = &lock.holder.instance;
        commands.push(Command::post(
            "End a holder",
            format!("durable terminate {} --reason TEXT", quoted(holder)),
            format_args!("instances/{}:terminate", encode(holder)),
        ));
    }
    commands
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    let holders = holders(model);
    let waiting: usize = model.locks.iter().map(|lock| lock.waiters.len()).sum();
    let locked = match model.locks.len() {
        1 => "1 entity".to_owned(),
        many => format!("{} entities", format::count(many as u64)),
    };
    let instances = format::counted(holders.len() as u64, "instance");
    let release = (view.access.may_delete() && !model.locks.is_empty()).then(|| release(view));
    html! {
        div.head {
            h1 { "Locks" }
            @if !model.locks.is_empty() {
                span.q2 { (locked) " held by " (instances) ", " (waiting) " waiting" }
            }
            span.sp {}
            @if let Some(release) = &release { (open(release, "")) }
            (find(view, "locks", &model.query, ("name", "Name of the entities"), None))
        }
        @if model.locks.is_empty() {
            div #locks-s data-part { (nothing(view, model)) }
        } @else {
            (longest(view, model))
            (picture(view, model))
            (as_table(view, model))
            div.foot { span.sp {} (next_page(view, "locks", &model.query, model.next.as_deref())) }
            @if let Some(release) = &release { (confirm(release)) }
            @if view.access.may_operate() {
                @for (index, lock) in holders.iter().enumerate() {
                    (confirm(&end(view, index, lock)))
                }
            }
        }
    }
}

/// Releases orphaned locks. Locks can outlive their holder only if a store was repaired by hand.
fn release(view: &View) -> Action {
    Action::post("release", "Release orphaned locks", view.links.api("entities:clean"))
        .asks(
            "Release the locks whose holder no longer exists?",
            "Every entity is read. Locks of instances that exist stay.",
        )
        .keeps("Leave them")
}

fn nothing(view: &View, model: &Model) -> Markup {
    if let Some(next) = &model.next {
        return none_so_far(view, "locks", &model.query, next);
    }
    match model.query.get("name") {
        Some(name) => {
            let all = html! { a.b href=(view.links.to("locks")) { "All locks" } };
            let why =
                format!("No critical section has locked an entity `{}`.", format::cut(name, 40));
            empty("No lock matches", &why, &all)
        }
        None => empty("No entity is locked", "No critical section runs now.", &html! {}),
    }
}

/// The first lock of each holder.
fn holders(model: &Model) -> Vec<&Locked> {
    let mut holders: Vec<&Locked> = Vec::new();
    for lock in &model.locks {
        if holders.iter().all(|it| it.holder.instance != lock.holder.instance) {
            holders.push(lock);
        }
    }
    holders
}

/// The instance that has waited longest, and why.
fn longest(view: &View, model: &Model) -> Markup {
    let waiters = model.locks.iter().flat_map(|lock| lock.waiters.iter().map(move |it| (lock, it)));
    let longest = waiters.filter_map(|(lock, waiter)| Some((waiter.since?, lock, waiter)));
    let Some((from, lock, waiter)) = longest.min_by_key(|(from, ..)| *from) else {
        return html! { div #longest-s data-part {} };
    };
    let content = html! {
        h2 { "Longest wait: " (since(view, from)) }
        p {
            (instance(view, &waiter.instance)) " waits for " (entity(view, &lock.entity))
            ". Its holder " (instance(view, &lock.holder.instance)) " "
            @match &lock.holder_waits {
                Some(waits) => { "waits for " b { (text(waits)) } "." }
                None => "waits for nothing: it runs.",
            }
        }
        p.q2 { "No circle is possible: every critical section locks its entities in one order." }
    };
    html! { div #longest-s data-part { (note(Note::Wait, &content)) } }
}

fn picture(view: &View, model: &Model) -> Markup {
    let legend = html! {
        div.legend.deskonly aria-hidden="true" {
            @for (class, word) in [("hold", "holds"), ("wait", "waits")] {
                span {
                    svg.gr aria-hidden="true" { line class=(class) x1="0" x2="20" y1="6" y2="6" {} }
                    (word)
                }
            }
        }
    };
    let content = html! {
        div.pad2 {
            (graph::draw(view, &model.locks))
            p.mobonly.q2 { "The graph needs a wider window. The table says the same." }
        }
    };
    section("graph", "Who holds, who waits", &legend, &content)
}

fn as_table(view: &View, model: &Model) -> Markup {
    let head = html! {
        th { "Entity" } th { "Part" } th { "Instance" } th.n { "Position" } th.n { "Since" }
        th.n { "For" } th { "Source" }
        @if view.access.may_operate() { th { span.vh { "Action" } } }
    };
    let holders = holders(model);
    let rows = html! {
        @for lock in &model.locks {
            @let of = |it: &&Locked| it.holder.instance == lock.holder.instance;
            @let button = holders.iter().position(of).map(|index| end(view, index, lock));
            (row(view, lock, &lock.holder, None, button.as_ref()))
            @for (index, waiter) in lock.waiters.iter().enumerate() {
                (row(view, lock, waiter, Some(index + 1), None))
            }
        }
    };
    let content = table("stack rows", "Locks", &head, &rows);
    section("table", "As a table", &html! {}, &content)
}

/// A row of a lock. `position` is the place of a waiter in the queue.
fn row(
    view: &View,
    lock: &Locked,
    part: &Part,
    position: Option<usize>,
    action: Option<&Action>,
) -> Markup {
    html! {
        tr {
            td.a {
                @match position {
                    None => (entity(view, &lock.entity)),
                    Some(_) => span.q { (text(&entity_name(&lock.entity))) },
                }
            }
            td {
                @match position {
                    None => span.st.st-running { (icon("lock")) "Holds" },
                    Some(_) => span.st.st-pending { (icon("pending")) "Waits" },
                }
            }
            td.x { (instance(view, &part.instance)) }
            td.n.h { @if let Some(position) = position { (position) } }
            td.n.h { @if let Some(from) = part.since { (time(view, from)) } }
            td.n.z { @if let Some(from) = part.since { (since(view, from)) } }
            td.h.m { @if let Some(source) = &part.source { (text(source)) } }
            @if view.access.may_operate() {
                td { @if let Some(action) = action { (open(action, "s")) } }
            }
        }
    }
}

/// Terminates a holder, which releases its locks.
fn end(view: &View, index: usize, lock: &Locked) -> Action {
    let holder = &lock.holder.instance;
    let url = view.links.api(format_args!("instances/{}:terminate", encode(holder)));
    let effect = "It ends without running further code, and its locks are released. Operations that \
                  it has carried out stay.";
    Action::post(&format!("end-{index}"), "Terminate", url)
        .asks(format!("Terminate {}?", format::cut(holder, 80)), effect)
        .keeps("Keep it running")
        .reason()
        .destructive()
}
