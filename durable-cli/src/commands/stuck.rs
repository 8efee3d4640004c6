//! The instances that have not ended for the longest time, each with what it waits for.

use durable::RuntimeStatus;
use durable_http::client::{ClientError, InstanceOrder, InstanceStatus, PendingCause, PendingWork};
use serde_json::value::RawValue;

use super::{all, parsed, pending};
use crate::args::{Format, Pending};
use crate::error::CliError;
use crate::output::{Table, entity_name, read, reason};
use crate::session::Session;
use crate::time::Clock;

pub(super) async fn oldest(of: &Pending, session: &mut Session<'_>) -> Result<(), CliError> {
    let mut filter = of.filter.instances(session.io.now());
    if filter.status.is_empty() {
        filter.status = vec![RuntimeStatus::Running, RuntimeStatus::Suspended];
    }
    let request = session.client.list_instances(&filter).order(InstanceOrder::OldestFirst);
    let (items, has_more) = all(request, of.limit).await?;
    let mut found: Vec<(Box<RawValue>, PendingWork)> = Vec::new();
    for item in items {
        let id = read::<InstanceStatus>(&item)?.instance_id;
        let request = session.client.get_pending(&id);
        match request.text().await {
            Ok(text) => {
                let pending = request.read(&text)?;
                found.push((parsed(text)?, pending));
            }
            // It has been purged in the meantime.
            Err(ClientError::Problem(problem)) if problem.status == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !session.is_for_people() || !session.global.fields.is_empty() {
        if session.global.output == Format::Name {
            for (_, pending) in &found {
                session.io.write(&format!("{}\n", pending.status.instance_id));
            }
            return Ok(());
        }
        let found: Vec<_> = found.into_iter().map(|(raw, _)| raw).collect();
        return session.show_list::<PendingWork>(&found);
    }
    let mut table = Table::new(["ID", "NAME", "STATUS", "CREATED", "WAITS FOR"].into_iter());
    for (_, pending) in &found {
        let waits = in_words(pending, &session.clock());
        let status = &pending.status;
        table.add(vec![
            status.instance_id.clone(),
            status.name.clone(),
            status.runtime_status.to_string(),
            session.clock().show(status.created_at),
            waits,
        ]);
    }
    let text = table.text(session.is_colored());
    session.io.write(&text);
    if has_more {
        let limit = of.limit;
        session.io.tell(&format!("only the {limit} oldest; `--limit` shows more\n"));
    }
    Ok(())
}

/// The cause in a line.
pub(super) fn in_words(pending: &PendingWork, clock: &Clock) -> String {
    if let Some(suspension) = &pending.status.suspension {
        return format!("suspended: {}", reason(suspension));
    }
    let mut text = cause(pending, clock);
    for (received, _) in pending.misspelt_events() {
        text.extend(["; `", received, "` was received: misspelt?"]);
    }
    if !text.is_empty() && !pending.locked_entities.is_empty() {
        let held: Vec<_> = pending.locked_entities.iter().map(|it| entity_name(it)).collect();
        text.extend(["; it has locked ", &held.join(", ")]);
    }
    text
}

fn cause(pending: &PendingWork, clock: &Clock) -> String {
    let task = match pending.cause() {
        Some(PendingCause::Event(name)) => return format!("event {name}"),
        Some(PendingCause::Task(task)) => task,
        _ => return String::new(),
    };
    let mut text = pending::what(task);
    if let Some(next) = task.retry_at.or(task.due_at) {
        text.extend([" ", &clock.show(next)]);
    }
    if let Some(awaited) = pending.awaited_entity(task)
        && let Some(queued) = pending::queued(&awaited, clock)
    {
        if task.entities.len() > 1 {
            text.extend(["; ", &entity_name(awaited.entity_id), " is ", &queued]);
        } else {
            text.extend([", ", &queued]);
        }
    }
    if let Some(failure) = &task.last_failure {
        text.extend(["; the last one failed: ", &failure.to_string()]);
    }
    text
}
