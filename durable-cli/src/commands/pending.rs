//! What instances wait for, in words. Writing to a `String` cannot fail.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write;

use durable_http::client::{ClientError, InstanceStatus, PendingKind, PendingTask, PendingWork};

use super::parsed;
use crate::args::Get;
use crate::error::CliError;
use crate::output::Table;
use crate::session::Session;
use crate::time::Clock;

/// The most instances that are shown because another one waits for them.
const FOLLOWED: usize = 10;

pub(super) async fn pending(get: &Get, session: &mut Session<'_>) -> Result<(), CliError> {
    for id in session.ids(&get.ids)? {
        let request = session.client.get_pending(&id);
        let text = request.text().await?;
        if !session.is_for_people() {
            session.show_json(parsed(text)?.get())?;
            continue;
        }
        let pending = request.read(&text)?;
        let awaited = show(&pending, session).await?;
        follow(id, awaited, session).await?;
    }
    Ok(())
}

/// Shows what one instance waits for. Returns the instances that it waits for.
async fn show(pending: &PendingWork, session: &mut Session<'_>) -> Result<Vec<String>, CliError> {
    let holders = holders(pending, session).await?;
    let text = describe(pending, &holders, &session.clock(), session.is_coloured());
    session.io.write(&text);
    let children = pending.tasks.iter().filter(|task| task.kind == PendingKind::SubOrchestration);
    let children = children.filter_map(|task| task.instance_id.clone());
    Ok(children.chain(holders.into_iter().map(|(_, holder)| holder)).collect())
}

/// Shows the instances that `id` waits for, and those that they wait for. The cause is at the end of
/// this chain.
async fn follow(
    id: String,
    awaited: Vec<String>,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    let mut shown = BTreeSet::from([id]);
    let mut queue = VecDeque::from(awaited);
    while let Some(id) = queue.pop_front() {
        if !shown.insert(id.clone()) {
            continue;
        }
        if shown.len() > FOLLOWED + 1 {
            session.io.tell("more instances are waited for, which are not shown\n");
            break;
        }
        match session.client.get_pending(&id).send().await {
            Ok(pending) => {
                session.io.write("\n");
                queue.extend(show(&pending, session).await?);
            }
            // A sub-orchestration that has not begun, or one that was purged.
            Err(ClientError::Problem(problem)) if problem.status == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The instances that hold the locks that are waited for, with their entities.
async fn holders(
    pending: &PendingWork,
    session: &Session<'_>,
) -> Result<Vec<(String, String)>, CliError> {
    let mut holders = Vec::new();
    let locks = pending.tasks.iter().filter(|task| task.kind == PendingKind::Lock);
    for entity in locks.flat_map(|task| &task.entities) {
        let Ok(id) = durable::EntityId::try_from(entity.clone()) else { continue };
        match session.client.get_entity(&id).await {
            Ok(found) => {
                let holder = found.locked_by.map(|it| it.instance_id);
                let holder = holder.filter(|it| *it != pending.status.instance_id);
                holders.extend(holder.map(|holder| (entity.clone(), holder)));
            }
            Err(ClientError::Problem(problem)) if problem.status == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(holders)
}

fn describe(
    pending: &PendingWork,
    holders: &[(String, String)],
    clock: &Clock,
    is_coloured: bool,
) -> String {
    let mut text = headline(&pending.status);
    if !pending.tasks.is_empty() {
        let columns = ["TASK", "WAITS FOR", "SINCE", "NEXT", "SOURCE"];
        let mut table = Table::new(columns.into_iter());
        for task in &pending.tasks {
            table.add(vec![
                task.event_id.to_string(),
                what(task),
                clock.show(task.since),
                clock.show_some(task.retry_at.or(task.due_at)),
                task.source.clone(),
            ]);
        }
        text.push_str(&table.text(is_coloured));
    }
    for task in &pending.tasks {
        if let Some(failure) = &task.last_failure {
            let failure = crate::output::printable(&failure.to_string());
            let _ = writeln!(text, "task {}: the last attempt failed: {failure}", task.event_id);
        }
    }
    for (entity, holder) in holders {
        let _ = writeln!(text, "{entity} is locked by {holder}");
    }
    let mut names = |what: &str, names: &[String]| {
        if !names.is_empty() {
            let names = crate::output::printable(&names.join(", "));
            let _ = writeln!(text, "{what}: {names}");
        }
    };
    names("waits for the events", &pending.awaited_events);
    names("received, but not awaited", &pending.unread_events);
    names("holds the locks of", &pending.locked_entities);
    text
}

fn headline(status: &InstanceStatus) -> String {
    let mut text = format!("{} is {}\n", status.instance_id, status.runtime_status);
    if let Some(suspension) = &status.suspension {
        let code = suspension.code.as_deref().unwrap_or("by a client");
        let _ = writeln!(text, "suspended: {code}");
        for line in suspension.reason.lines() {
            let _ = writeln!(text, "  {}", crate::output::printable(line));
        }
    }
    text
}

fn what(task: &PendingTask) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    match task.kind {
        PendingKind::Activity => {
            format!("activity {}, attempt {}", text(&task.name), task.attempt.unwrap_or(1))
        }
        PendingKind::SubOrchestration => {
            format!("{} ({})", text(&task.instance_id), text(&task.name))
        }
        PendingKind::Timer => "timer".to_owned(),
        PendingKind::EntityCall => {
            format!("entity {} {}", text(&task.entity_id), text(&task.operation))
        }
        PendingKind::Lock => format!("lock of {}", task.entities.join(", ")),
        _ => task.kind.to_string(),
    }
}
