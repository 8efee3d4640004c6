//! The header: where the instance is, its status, its actions, and facts about it.

use maud::{Markup, html};

use super::actions;
use super::model::Details;
use super::why::Waits;
use crate::call::View;
use crate::format;
use crate::parts::{
    confirm, copy, custom_status, facts, icon, id, instance, open, status, tag, text, time_and_ago,
};
use crate::query::{Query, encode};

pub(super) fn head(view: &View, details: &Details, waits: &Waits) -> Markup {
    let actions = actions::of(view, details, waits);
    let whole = &details.instance_id;
    html! {
        div #head data-part {
            nav.crumb aria-label="Where this is" {
                a href=(view.links.to("instances")) { "Instances" }
                span aria-hidden="true" { "/" }
                @if let Some(parent) = &details.parent {
                    span { "child of " (instance(view, &parent.instance_id)) }
                }
                span.m { (text(&details.name_and_version())) }
            }
            div.head {
                h1.row { (id(whole)) (copy("id", whole)) }
                (status(details.runtime_status))
                span.sp {}
                div.row.scr {
                    @for action in &actions.main { (open(action, "")) }
                    details.menu #more {
                        summary.b aria-label="More actions" { "More" (icon("down")) }
                        ul {
                            @for (action, refused) in &actions.more {
                                li { (entry(action, *refused)) }
                            }
                            @if view.access.may_operate() {
                                li { a href=(again(view, whole)) { "Start again with another input" } }
                            }
                            li { a href=(grid(view, &details.name)) { "Last runs, task by task" } }
                            li { a href=(compare(view, whole)) { "Compare with another run" } }
                            li { a href=(file(view, whole)) download="history.json" { "Download history" } }
                        }
                    }
                }
            }
            (about(view, details))
        }
        @for action in actions.main.iter().chain(actions.more.iter().map(|(action, _)| action)) {
            (confirm(action))
        }
    }
}

/// An entry of the menu; one that is refused says why.
fn entry(action: &crate::parts::Action, refused: Option<&str>) -> Markup {
    let class = if action.is_destructive { "d" } else { "" };
    html! {
        @match refused {
            Some(why) => { button class=(class) type="button" disabled { (action.verb) ": " (why) } }
            None => {
                button class=(class) type="button" data-open=(format_args!("do-{}", action.id)) {
                    (action.verb)
                }
            }
        }
    }
}

/// The form with the input of this instance.
fn again(view: &View, id: &str) -> String {
    view.links.page("start", &Query::default().with("from", id))
}

fn grid(view: &View, name: &str) -> String {
    view.links.page("grid", &Query::default().with("name", name))
}

fn compare(view: &View, id: &str) -> String {
    let query = Query::default().with("a", id);
    view.links.page("compare", &query)
}

fn file(view: &View, id: &str) -> String {
    view.links.api(format_args!("instances/{}/history.json", encode(id)))
}

fn about(view: &View, details: &Details) -> Markup {
    let mut about = vec![
        (
            "Name",
            html! {
                a href=(view.links.instances("name", &details.name)) { (text(&details.name)) }
                @if let Some(version) = &details.version { "@" (text(version)) }
            },
        ),
        ("Started", time_and_ago(view, details.created_at)),
        ("Updated", time_and_ago(view, details.last_updated_at)),
    ];
    if let Some(ended) = details.ended_at() {
        about.push(("Took", html! { (format::duration(ended - details.created_at)) }));
    }
    about.push(("Generation", html! { (details.generation + 1) }));
    about.push(("History", html! { (format::counted(details.history_len, "event")) }));
    about.push(("Execution", html! { span.m { (details.execution_id) } }));
    if !details.tags.is_empty() {
        let tags = html! {
            span.row { @for (key, value) in &details.tags { (tag(view, key, value)) } }
        };
        about.push(("Tags", tags));
    }
    if let Some(status) = details.custom_status.as_ref().filter(|it| it.as_str() != "null") {
        about.push(("Custom status", html! { span.row { (custom_status(status)) } }));
    }
    facts(&about)
}
