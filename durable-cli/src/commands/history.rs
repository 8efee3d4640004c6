//! The history of an instance, and its timeline.

use durable_http::client::{Event, InstanceEvent};
use durable_http::timeline::TextOptions;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{PAGE, parsed};
use crate::args::{Format, History, Timeline};
use crate::error::CliError;
use crate::output::{Show, Table};
use crate::session::Session;

/// The kinds of events that record a failure.
const FAILURES: [&str; 6] = [
    "TaskFailed",
    "TaskAttemptFailed",
    "SubOrchestrationInstanceFailed",
    "EntityOperationFailed",
    "ExecutionTerminated",
    "ExecutionSuspended",
];
/// The maximum number of characters of an event's data that are shown without `--full`.
const DATA_MAX: usize = 80;

pub(super) async fn history(history: &History, session: &mut Session<'_>) -> Result<(), CliError> {
    if history.follow {
        return follow(history, session).await;
    }
    let events = read(history, session).await?;
    show(&events, history.full, session)
}

/// The events in the requested order; those before the index `--from` are left out.
async fn read(history: &History, session: &Session<'_>) -> Result<Vec<Box<RawValue>>, CliError> {
    #[derive(Deserialize)]
    struct Raw {
        items: Vec<Box<RawValue>>,
        next: Option<u64>,
    }

    let most = history.limit.unwrap_or(usize::MAX);
    let words = history.search.as_ref().map(|words| words.to_lowercase());
    let is_wanted = |event: &RawValue| words.as_ref().is_none_or(|words| has(event, words));
    let mut events = Vec::new();
    let mut from = (!history.reverse).then_some(history.from);
    loop {
        let limit = if words.is_some() { PAGE } else { PAGE.min(most - events.len()).max(1) };
        let mut request = session.client.get_history(&history.id).limit(limit);
        if history.reverse {
            request = request.query("order", "desc");
        }
        if let Some(from) = from {
            request = request.from(from);
        }
        let text = request.kinds(kinds(history)).text().await?;
        let page: Raw = serde_json::from_str(&text)
            .map_err(|source| CliError::Json { what: "the answer of the hub".into(), source })?;
        for event in page.items {
            if history.reverse && crate::output::read::<Event>(&event)?.index < history.from {
                return Ok(events);
            }
            events.extend(is_wanted(&event).then_some(event));
        }
        events.truncate(most);
        match page.next {
            Some(next) if events.len() < most => from = Some(next),
            _ => return Ok(events),
        }
    }
}

/// Whether the kind or the data of an event has this text, which is in lower case.
fn has(event: &RawValue, words: &str) -> bool {
    let Ok(event) = crate::output::read::<Event>(event) else { return false };
    event.kind.to_lowercase().contains(words) || event.data.as_str().to_lowercase().contains(words)
}

fn kinds(history: &History) -> Vec<String> {
    let failures = FAILURES.iter().filter(|_| history.failed).map(|kind| (*kind).to_owned());
    history.kind.iter().cloned().chain(failures).collect()
}

fn show(
    events: &[Box<RawValue>],
    is_full: bool,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    if is_full || !session.is_for_people() || !session.global.fields.is_empty() {
        return session.show_list::<Event>(events);
    }
    let mut table = Table::new(Event::COLUMNS.iter().copied());
    for event in events {
        let event: Event = crate::output::read(event)?;
        table.add(row(&event, session));
    }
    let text = table.text(session.is_colored());
    session.io.write(&text);
    Ok(())
}

fn row(event: &Event, session: &Session<'_>) -> Vec<String> {
    let mut row = event.row(&session.clock());
    if let Some(data) = row.last_mut()
        && data.chars().count() > DATA_MAX
    {
        *data = data.chars().take(DATA_MAX - 1).chain(['\u{2026}']).collect();
    }
    row
}

/// Prints live events, one per line.
async fn follow(history: &History, session: &mut Session<'_>) -> Result<(), CliError> {
    let kinds = kinds(history);
    let words = history.search.as_ref().map(|words| words.to_lowercase());
    let mut events = session.client.follow_instance(&history.id, history.from).await?;
    while let Some(event) = events.next().await? {
        match event {
            InstanceEvent::History(followed) => {
                let event = followed.event;
                let text = serde_json::to_string(&event).unwrap_or_default();
                let is_found =
                    words.as_ref().is_none_or(|words| text.to_lowercase().contains(words));
                if !is_found || !kinds.is_empty() && !kinds.contains(&event.kind) {
                    continue;
                }
                if session.is_for_people() {
                    let line = if history.full {
                        event.row(&session.clock())
                    } else {
                        row(&event, session)
                    };
                    let line = crate::output::printable(&line.join("  "));
                    session.io.write(&format!("{line}\n"));
                } else {
                    session.io.write(&format!("{text}\n"));
                }
            }
            InstanceEvent::End(Some(status)) => {
                session.io.tell(&format!("{} is {}\n", history.id, status.runtime_status));
            }
            InstanceEvent::End(None) => {
                session.io.tell(&format!("{} was removed\n", history.id));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) async fn timeline(
    timeline: &Timeline,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    let mut request = session.client.get_timeline(&timeline.id);
    let Timeline { children, failed, critical, .. } = timeline;
    for (name, is_set) in [("children", children), ("failed", failed), ("critical", critical)] {
        if *is_set {
            request = request.query(name, "true");
        }
    }
    for (name, moment) in [("from", &timeline.from), ("to", &timeline.to)] {
        if let Some(moment) = moment {
            let time = moment.before(session.io.now());
            request =
                request.query(name, time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
        }
    }
    if let Some(lane) = &timeline.lane {
        request = request.query("lane", lane);
    }
    if !timeline.lanes.is_empty() {
        request = request.query("lanes", timeline.lanes.join(","));
    }
    let text = request.text().await?;
    if matches!(session.global.output, Format::Table | Format::Wide | Format::Name) {
        let mut options = TextOptions::default();
        options.width = timeline.width;
        let text = durable_http::timeline::text(&request.read(&text)?, &options);
        session.io.write(&text);
        return Ok(());
    }
    session.show_json(parsed(text)?.get())
}
