//! The page of one schedule: when it ticks, what it starts, and actions.

use maud::{Markup, html};

use super::{Schedule, form, last_run, run, state};
use crate::api::Failure;
use crate::api::model::Instance;
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{
    Action, Field, Input, Json, ago, confirm, copy, facts, json, open, section, tag, text, time,
    time_and_ago,
};
use crate::query::{Query, encode};

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) schedule: Schedule,
    pub(crate) last: Option<Instance>,
}

pub(super) async fn answer(call: &Call, id: &str) -> Result<Page, Failure> {
    let path = format!("schedules/{}", encode(id));
    let schedule: Schedule = call.api.get(&path, &Query::default()).await?;
    let last = last_run(call, &schedule).await?;
    let model = Model { schedule, last };
    let word = quoted(id);
    let page = Page::new(id, Place::Schedules, screen(&call.view, &model));
    Ok(page.follows_hub("").commands([
        Command::get("This schedule", format!("durable schedule get {word}"), &path),
        Command::post(
            "Pause",
            format!("durable schedule pause {word}"),
            format_args!("{path}:pause"),
        ),
        Command::post("Run now", format!("durable schedule trigger {word}"), "instances"),
    ]))
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    let schedule = &model.schedule;
    let actions = actions(view, schedule);
    html! {
        nav.crumb aria-label="Where this is" {
            a href=(view.links.to("schedules")) { "Schedules" }
            span aria-hidden="true" { "/" }
        }
        div.head {
            h1.row { (text(&schedule.id)) (copy("id", &schedule.id)) }
            (state(&schedule.status))
            span.sp {}
            @if !actions.is_empty() {
                div.row.scr { @for action in &actions { (open(action, "")) } }
            }
        }
        div #facts data-part { (about(view, model)) }
        div.cols {
            (section("next", "Next ticks", &html! {}, &ticks(view, schedule)))
            (section("starts", "Starts", &html! {}, &starts(view, schedule)))
        }
        @for action in &actions { (confirm(action)) }
    }
}

fn about(view: &View, model: &Model) -> Markup {
    let Model { schedule, last } = model;
    let mut all = vec![
        ("Rule", html! { (text(&schedule.rule())) }),
        ("Pattern", html! { span.m { (text(&schedule.pattern())) } " " span.q { "in UTC" } }),
    ];
    if let Some(at) = schedule.last_run_at {
        all.push(("Last run", time_and_ago(view, at)));
    }
    if let Some(last) = last {
        all.push(("Last instance", run(view, last)));
    }
    let runs = view.links.instances("tag", &format!("durable.schedule:{}", schedule.id));
    all.push(("Runs", html! { a href=(runs) { (format::count(schedule.runs)) } }));
    for (name, at) in [("From", schedule.start_at), ("Until", schedule.end_at)] {
        if let Some(at) = at {
            all.push((name, time_and_ago(view, at)));
        }
    }
    let late =
        if schedule.start_immediately_if_late { "run the last at once" } else { "skip them" };
    all.push(("Missed ticks", html! { (late) }));
    all.push(("Created", time_and_ago(view, schedule.created_at)));
    facts(&all)
}

fn ticks(view: &View, schedule: &Schedule) -> Markup {
    html! {
        @if schedule.next_runs.is_empty() {
            p.q2.pad2 {
                @match schedule.status.as_str() {
                    "Paused" => "None while it is paused.",
                    "Suspended" => "None while it is suspended.",
                    _ => "None: it has ended.",
                }
            }
        } @else {
            ol.list {
                @for tick in &schedule.next_runs {
                    li { (time(view, *tick)) " " span.q { (ago(view, *tick)) } }
                }
            }
        }
    }
}

fn starts(view: &View, schedule: &Schedule) -> Markup {
    let link = view.links.instances("name", &schedule.orchestration);
    let prefix = format!("{}-", schedule.prefix());
    html! {
        (facts(&[
            ("Orchestration", html! { a.m href=(link) { (text(&schedule.starts())) } }),
            ("Ids begin with", html! { span.m { (text(&prefix)) } }),
        ]))
        @if !schedule.tags.is_empty() {
            p.row.scr { @for (key, value) in &schedule.tags { (tag(view, key, value)) } }
        }
        p.q2 { "Input" }
        (json(Json { text: schedule.input.as_str(), whole: None }))
    }
}

fn actions(view: &View, schedule: &Schedule) -> Vec<Action> {
    let mut actions = Vec::new();
    let url =
        |suffix: &str| view.links.api(format_args!("schedules/{}{suffix}", encode(&schedule.id)));
    let shown = format::cut(&schedule.id, 80);
    if view.access.may_operate() {
        match schedule.status.as_str() {
            "Active" => actions.push(
                Action::post("pause", "Pause", url(":pause"))
                    .asks(format!("Pause {shown}?"), "It skips its ticks until it is resumed."),
            ),
            "Paused" => actions.push(
                Action::post("resume", "Resume", url(":resume"))
                    .asks(format!("Resume {shown}?"), "It goes on with its next tick."),
            ),
            _ => {}
        }
        actions.push(run_now(view, schedule));
        if schedule.status != "Ended" {
            actions.push(form::edit(view, schedule));
        }
    }
    if view.access.may_delete() {
        actions.push(
            Action::post("delete", "Delete", url(""))
                .method("DELETE")
                .asks(format!("Delete {shown}?"), "The instances that it has started stay.")
                .keeps("Keep it")
                .destructive()
                .then(view.links.to("schedules")),
        );
    }
    actions
}

/// Starts the orchestration of the schedule, apart from its ticks.
fn run_now(view: &View, schedule: &Schedule) -> Action {
    let hidden = |name: &str, value: String| Field::new(name, name, Input::Hidden).value(value);
    let as_json = |text: &str| serde_json::Value::from(text).to_string();
    let effect = format!(
        "It starts one instance of {} at once, with the input and tags of the schedule. The ticks \
         stay as they are.",
        schedule.starts()
    );
    let mut action = Action::post("run", "Run now", view.links.api("instances"))
        .asks(format!("Run {} now?", format::cut(&schedule.id, 80)), effect)
        .field(hidden("name", as_json(&schedule.orchestration)))
        .field(hidden("input", schedule.input.as_str().to_owned()));
    if let Some(version) = &schedule.version {
        action = action.field(hidden("version", as_json(version)));
    }
    if !schedule.tags.is_empty() {
        let tags: serde_json::Map<_, _> =
            schedule.tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        action = action.field(hidden("tags", serde_json::Value::from(tags).to_string()));
    }
    action.then(format!("{}/{{instanceId}}", view.links.to("instances")))
}
