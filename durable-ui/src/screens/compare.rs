//! Two runs side by side: where they first differ, and how long each task took.

use durable_http::timeline::{Lane, Timeline};
use maud::{Markup, html};

use super::instance::Details;
use crate::api::Failure;
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{empty, icon, instance, section, status, table, text};
use crate::query::{Query, encode};
use crate::timeline::{kind_word, state_word};

/// The maximum number of rows.
const ROWS_MAX: usize = 2000;

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let (a, b) = (call.query.get("a"), call.query.get("b"));
    let (Some(a), Some(b)) = (a, b) else {
        let body = html! { div.head { h1 { "Compare" } } (form(a, b)) };
        return Ok(Page::new("Compare", Place::Instances, body));
    };
    let (first, second) = (run(call, a).await?, run(call, b).await?);
    let body = html! {
        div.head { h1 { "Compare" } }
        (form(Some(a), Some(b)))
        (compared(&call.view, &first, &second))
    };
    let (left, right) = (quoted(a), quoted(b));
    let page = Page::new("Compare", Place::Instances, body);
    let timeline = |word: &str, id: &str| {
        let command = format!("durable timeline {word}");
        Command::get("One of them", command, format_args!("instances/{}/timeline", encode(id)))
    };
    let diff = Command::get(
        "Where they differ first",
        format!("durable diff {left} {right}"),
        format_args!("instances/{}/timeline", encode(a)),
    );
    Ok(page.commands([diff, timeline(&left, a), timeline(&right, b)]))
}

/// A run with its timeline.
type Run = (Details, Timeline);

async fn run(call: &Call, id: &str) -> Result<Run, Failure> {
    let route = format!("instances/{}", encode(id));
    let details = call.api.get(&route, &Query::default()).await?;
    let timeline = call.api.get(&format!("{route}/timeline"), &Query::default()).await?;
    Ok((details, timeline))
}

fn form(a: Option<&str>, b: Option<&str>) -> Markup {
    html! {
        form.row method="get" {
            label.row { "Instance" input.in.m name="a" required value=(a.unwrap_or_default()) size="32"; }
            label.row { "with" input.in.m name="b" required value=(b.unwrap_or_default()) size="32"; }
            button.b.p type="submit" { "Compare" }
        }
    }
}

/// A task of one run, paired with the task of the same number in the other run.
#[derive(Debug)]
struct Pair<'a> {
    left: Option<&'a Lane>,
    right: Option<&'a Lane>,
}

impl Pair<'_> {
    fn differs(&self) -> bool {
        let (Some(left), Some(right)) = (self.left, self.right) else { return true };
        (left.kind, &left.name, left.state) != (right.kind, &right.name, right.state)
            || (&left.output, &left.error) != (&right.output, &right.error)
    }
}

/// The tasks of both, by number.
fn pairs<'a>(left: &'a Timeline, right: &'a Timeline) -> Vec<Pair<'a>> {
    let mut pairs = std::collections::BTreeMap::<i32, Pair<'a>>::new();
    let task = |lane: &Lane| lane.tasks.first().map(|(id, _)| *id);
    for (lane, is_left) in
        left.lanes.iter().map(|lane| (lane, true)).chain(right.lanes.iter().map(|it| (it, false)))
    {
        let Some(id) = task(lane) else { continue };
        let pair = pairs.entry(id).or_insert(Pair { left: None, right: None });
        if is_left { pair.left = Some(lane) } else { pair.right = Some(lane) }
    }
    pairs.into_values().collect()
}

fn compared(view: &View, left: &Run, right: &Run) -> Markup {
    let pairs = pairs(&left.1, &right.1);
    let first = pairs.iter().position(Pair::differs);
    html! {
        (section("runs", "Runs", &html! {}, &runs(view, &left.0, &right.0)))
        p.lead {
            @match first.and_then(|index| pairs.get(index)) {
                Some(pair) => { "They differ first at " b { (name(pair)) } "." }
                None => { "Their tasks are the same." }
            }
            " The inputs are " (alike(&left.0.input, &right.0.input))
            ", the outputs are " (alike(&left.0.output, &right.0.output)) "."
        }
        (section("tasks", "Tasks", &html! {}, &tasks(&pairs, left, right)))
    }
}

fn alike<T: PartialEq>(left: &T, right: &T) -> &'static str {
    if left == right { "the same" } else { "different" }
}

fn name(pair: &Pair<'_>) -> String {
    let lane = pair.left.or(pair.right);
    lane.map(|lane| format!("{} {}", kind_word(lane.kind).to_lowercase(), lane.title()))
        .unwrap_or_default()
}

fn runs(view: &View, left: &Details, right: &Details) -> Markup {
    let head =
        html! { th { "Instance" } th { "Name" } th { "Status" } th.n { "Took" } th.n { "Events" } };
    let rows = html! {
        @for run in [left, right] {
            tr {
                td.a { (instance(view, &run.instance_id)) }
                td { (text(&run.name_and_version())) }
                td.z { (status(run.runtime_status)) }
                td.n { (format::duration(run.ended_at().unwrap_or(view.now) - run.created_at)) }
                td.n { (format::count(run.history_len)) }
            }
        }
    };
    table("stack", "Runs", &head, &rows)
}

fn tasks(pairs: &[Pair<'_>], left: &Run, right: &Run) -> Markup {
    if pairs.is_empty() {
        return empty("No tasks.", "Neither of the two has requested anything.", &html! {});
    }
    let head = html! {
        th.n { "Task" } th { "What" } th.n { "First took" } th.n { "Second took" } th { "First" } th { "Second" }
    };
    let cell = |lane: Option<&Lane>| {
        html! {
            td.x2 {
                @match lane {
                    None => span.q { "not requested" },
                    Some(lane) => {
                        (state_word(lane.state)) " "
                        @if let Some(error) = &lane.error { span.m.err { (text(&format::cut(error, 100))) } }
                        @else if let Some(output) = &lane.output { span.m.q { (text(&format::cut(output, 100))) } }
                    }
                }
            }
        }
    };
    let took = |run: &Run, lane: Option<&Lane>| {
        let took = lane.and_then(|lane| lane.took(run.1.now));
        took.and_then(|took| chrono::TimeDelta::from_std(took).ok())
            .map(format::duration)
            .unwrap_or_default()
    };
    let rows = html! {
        @for pair in pairs.iter().take(ROWS_MAX) {
            @let lane = pair.left.or(pair.right);
            @let id = lane.and_then(|lane| lane.tasks.first()).map(|(id, _)| *id).unwrap_or_default();
            tr .cur[pair.differs()] {
                td.n.q { (id) }
                td.a { @if pair.differs() { (icon("mark")) " " } b { (text(&name(pair))) } }
                td.n { (took(left, pair.left)) }
                td.n { (took(right, pair.right)) }
                (cell(pair.left))
                (cell(pair.right))
            }
        }
    };
    table("stack rows", "Tasks", &head, &rows)
}
