//! The header: the position of the instance, its status, its actions, and facts about it.

use durable::protocol::TraceContext;
use maud::{Markup, html};

use super::actions;
use super::model::Details;
use super::why::Waits;
use crate::api::registered::{Function, Functions};
use crate::call::View;
use crate::format;
use crate::parts::{
    confirm, copy, facts, full_custom_status, icon, id, instance, open, status, tag, text,
    time_and_ago,
};
use crate::query::{Query, encode};

pub(super) fn head(
    view: &View,
    details: &Details,
    waits: &Waits,
    registered: &Functions,
) -> Markup {
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
            (about(view, details, registered))
        }
        @for action in actions.main.iter().chain(actions.more.iter().map(|(action, _)| action)) {
            (confirm(action))
        }
    }
}

/// An entry of the menu. An entry that is refused says why.
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

/// A note that the orchestrator has changed since this execution began; `None` if it has not.
fn code(details: &Details, registered: &Functions) -> Option<Markup> {
    let then = details.code_hash.as_ref()?;
    let is_its = |it: &&Function| (&it.name, &it.version) == (&details.name, &details.version);
    let now = registered.orchestrators.iter().find(is_its)?;
    (now.code_hash != *then).then(|| {
        html! {
            span.wrn title="A change that alters the order of its calls stops it at the next replay." {
                (icon("suspended")) "changed since it began"
            }
            " " span.m { (text(&now.source())) }
        }
    })
}

fn trace(view: &View, context: &TraceContext) -> Markup {
    let id = context.trace_id();
    html! {
        span.row {
            @match view.trace_link(id) {
                Some(link) => { a.m href=(link) target="_blank" rel="noopener" { (id) } }
                None => { span.m { (id) } }
            }
            (copy("the trace id", id))
        }
    }
}

fn about(view: &View, details: &Details, registered: &Functions) -> Markup {
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
    about.extend(code(details, registered).map(|shown| ("Code", shown)));
    if let Some(context) = &details.trace_context {
        about.push(("Trace", trace(view, context)));
    }
    about.push(("Execution", html! { span.m { (details.execution_id) } }));
    if !details.tags.is_empty() {
        let tags = html! {
            span.row { @for (key, value) in &details.tags { (tag(view, key, value)) } }
        };
        about.push(("Tags", tags));
    }
    if let Some(status) = details.custom_status.as_ref().filter(|it| it.as_str() != "null") {
        about.push(("Custom status", full_custom_status(status)));
    }
    facts(&about)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::screens::tests::{of_api, view};

    fn details(more: &serde_json::Value) -> Details {
        let mut value = json!({
            "instanceId": "order-1", "executionId": "e", "name": "checkout", "version": "3",
            "runtimeStatus": "Running", "createdAt": "2026-11-28T14:06:20Z",
            "lastUpdatedAt": "2026-11-28T14:29:03Z", "input": null,
        });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of_api(value)
    }

    fn shown(details: &Details, registered: &Functions) -> String {
        about(&view(), details, registered).into_string()
    }

    #[test]
    fn code_that_has_changed_since_an_instance_began_is_shown() {
        let registered = of_api(json!({ "orchestrators": [
            { "name": "checkout", "version": "2", "file": "old.rs", "line": 1, "codeHash": "02" },
            { "name": "checkout", "version": "3", "file": "new.rs", "line": 7, "codeHash": "03" },
        ]}));
        let changed = details(&json!({ "codeHash": "02" }));
        let page = shown(&changed, &registered);
        assert!(page.contains("changed since it began") && page.contains("new.rs:7"), "{page}");
        for same in [json!({ "codeHash": "03" }), json!({ "codeHash": null }), json!({})] {
            assert!(!shown(&details(&same), &registered).contains("changed"), "{same}");
        }
        assert!(
            !shown(&changed, &Functions::default()).contains("changed"),
            "it is not registered"
        );
    }

    #[test]
    fn a_trace_is_a_link_if_there_is_a_page_for_traces() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let traced =
            details(&json!({ "traceContext": { "traceparent": parent, "tracestate": null } }));
        let id = "0af7651916cd43dd8448eb211c80319c";
        let page = shown(&traced, &Functions::default());
        assert!(page.contains(id) && !page.contains("target"), "{page}");
        let url = Some("https://traces.example/{trace_id}?x=\"".to_owned());
        let view = View { trace_url: url, ..view() };
        let page = about(&view, &traced, &Functions::default()).into_string();
        let link = format!("href=\"https://traces.example/{id}?x=&quot;\"");
        assert!(page.contains(&link), "{page}");
    }

    #[test]
    fn a_custom_status_that_is_text_is_markdown() {
        let status = details(&json!({ "customStatus": "**packed**, see [it](https://e.example)" }));
        let page = shown(&status, &Functions::default());
        assert!(
            page.contains("<strong>packed</strong>, see <a href=\"https://e.example\""),
            "{page}"
        );
        let steps = details(&json!({ "customStatus": { "done": 1, "of": 2 } }));
        assert!(shown(&steps, &Functions::default()).contains("1 of 2"));
    }
}
