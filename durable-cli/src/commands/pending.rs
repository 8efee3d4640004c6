//! What instances wait for, in words. Writing to a `String` cannot fail.
//!
//! Read next: `stuck.rs` (many instances, one per line).

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write;

use durable_http::client::{
    AwaitedEntity, ClientError, InstanceStatus, PendingKind, PendingTask, PendingWork,
};

use super::{parsed, stuck};
use crate::args::Pending;
use crate::error::CliError;
use crate::output::{Table, entity_name, printable};
use crate::session::Session;
use crate::time::Clock;

/// The maximum number of instances that are shown because another one waits for them.
const FOLLOWED: usize = 10;

pub(super) async fn pending(pending: &Pending, session: &mut Session<'_>) -> Result<(), CliError> {
    if pending.ids.is_empty() {
        return stuck::oldest(pending, session).await;
    }
    if !pending.filter.is_empty() {
        return Err(CliError::Usage("give either ids or a filter, not both".to_owned()));
    }
    for id in session.ids(&pending.ids)? {
        let request = session.client.get_pending(&id);
        let text = request.text().await?;
        if !session.is_for_people() {
            session.show_json(parsed(text)?.get())?;
            continue;
        }
        let pending = request.read(&text)?;
        let awaited = show(&pending, session);
        follow(id, awaited, session).await?;
    }
    Ok(())
}

/// Shows what one instance waits for. Returns the instances that it waits for.
fn show(pending: &PendingWork, session: &mut Session<'_>) -> Vec<String> {
    let mut text = describe(pending, &session.clock(), session.is_colored());
    let is_read_only = session.opened.as_ref().is_some_and(|opened| opened.is_read_only);
    if is_read_only && is_unknown(pending) {
        text.push_str(UNKNOWN);
    }
    session.io.write(&text);
    let children = pending.tasks.iter().filter(|task| task.kind == PendingKind::SubOrchestration);
    let children = children.filter_map(|task| task.instance_id.clone());
    let holders = pending.lock_holders().into_iter().map(|(_, holder)| holder.to_owned());
    children.chain(holders).collect()
}

/// The text about an instance in a folder, if this program does not have its code.
const UNKNOWN: &str = "what it waits for is known only with its code: open the folder with the program that has \
                       it, or read the history (durable history)\n";

/// Whether an instance could not be replayed: a running instance always waits for something.
fn is_unknown(pending: &PendingWork) -> bool {
    let PendingWork { status, tasks, awaited_events, .. } = pending;
    let is_active = !status.runtime_status.is_finished() && status.suspension.is_none();
    is_active && tasks.is_empty() && awaited_events.is_empty()
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
                queue.extend(show(&pending, session));
            }
            // A sub-orchestration that has not begun, or one that was purged.
            Err(ClientError::Problem(problem)) if problem.status == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Which instance has locked an awaited entity, for how long, and the place in the queue. `None` if
/// the entity can handle the request next.
pub(super) fn queued(awaited: &AwaitedEntity<'_>, clock: &Clock) -> Option<String> {
    let line = awaited.in_line();
    let Some(holder) = awaited.locked_by else {
        return line.filter(|_| awaited.position != Some(1));
    };
    let since = awaited.locked_since.map(|since| format!(" {}", clock.show_since(since)));
    let line = line.map(|line| format!(", {line}"));
    let parts = [since, line].map(Option::unwrap_or_default).concat();
    Some(format!("locked by {holder}{parts}"))
}

/// One line for each awaited entity.
fn queues(pending: &PendingWork, clock: &Clock) -> Vec<String> {
    let awaited = pending.tasks.iter().filter_map(|task| pending.awaited_entity(task));
    let line = |it: AwaitedEntity<'_>| {
        Some(format!("{} is {}", entity_name(it.entity_id), queued(&it, clock)?))
    };
    let mut lines: Vec<_> = awaited.filter_map(line).collect();
    lines.dedup();
    lines
}

fn describe(pending: &PendingWork, clock: &Clock, is_colored: bool) -> String {
    let mut text = headline(&pending.status);
    if !pending.tasks.is_empty() || !pending.awaited_events.is_empty() {
        text.push_str(&table(pending, clock).text(is_colored));
    }
    for task in &pending.tasks {
        if let Some(failure) = &task.last_failure {
            let failure = printable(&failure.to_string());
            let _ = writeln!(text, "task {}: the last attempt failed: {failure}", task.event_id);
        }
    }
    for line in queues(pending, clock) {
        let _ = writeln!(text, "{}", printable(&line));
    }
    let mut names = |what: &str, names: &[String]| {
        if !names.is_empty() {
            let _ = writeln!(text, "{what}: {}", printable(&names.join(", ")));
        }
    };
    names("received, but not awaited", &pending.unread_events);
    let locked: Vec<_> = pending.locked_entities.iter().map(|it| entity_name(it)).collect();
    names("holds the locks of", &locked);
    for step in next_steps(pending) {
        let _ = writeln!(text, "next: {}", printable(&step));
    }
    text
}

/// The maximum number of events that are listed with the command that raises them.
const EVENTS: usize = 3;

/// Commands that may get the instance going again.
fn next_steps(pending: &PendingWork) -> Vec<String> {
    let id = &pending.status.instance_id;
    match pending.status.suspension.as_ref().map(|it| it.code.as_deref()) {
        Some(None) => return vec![format!("continue it: durable resume {id}")],
        Some(Some("DURABLE0101")) => {
            let step = "run the program with code that fits, such as the old code, or both ways with \
                        `if ctx.patched(..)`; the instance then continues by itself";
            return vec![step.to_owned()];
        }
        Some(Some(_)) => return Vec::new(),
        None => {}
    }
    let misspelt = pending.misspelt_events();
    let mut steps = Vec::new();
    for (received, awaited) in &misspelt {
        steps.push(format!(
            "if `{received}` is `{awaited}` misspelt, deliver it again: durable raise {id} {awaited} \
             -i JSON"
        ));
    }
    let mut others: Vec<_> = pending.awaited_events.iter().map(String::as_str).collect();
    others.retain(|name| misspelt.iter().all(|(_, awaited)| name != awaited));
    others.sort_unstable();
    others.dedup();
    for name in others.into_iter().take(EVENTS) {
        steps.push(format!("deliver `{name}`: durable raise {id} {name} -i JSON"));
    }
    steps
}

/// One line for each task and awaited event. Timers are last, because most are time limits.
fn table(pending: &PendingWork, clock: &Clock) -> Table {
    let columns = ["WAITS FOR", "SINCE", "NEXT", "TASK", "SOURCE"];
    let mut table = Table::new(columns.into_iter());
    let is_timer = |task: &&PendingTask| task.kind == PendingKind::Timer;
    let (timers, tasks): (Vec<_>, Vec<_>) = pending.tasks.iter().partition(is_timer);
    let row = |task: &PendingTask| {
        vec![
            what(task),
            clock.show(task.since),
            clock.show_some(task.retry_at.or(task.due_at)),
            task.event_id.to_string(),
            task.source.clone(),
        ]
    };
    for task in tasks {
        table.add(row(task));
    }
    for (index, name) in pending.awaited_events.iter().enumerate() {
        let mut row = vec![format!("event {name}")];
        if let Some(wait) = pending.event_waits.get(index) {
            let [next, task] = [String::new(), String::new()];
            row.extend([clock.show(wait.since), next, task, wait.source.clone()]);
        }
        table.add(row);
    }
    for task in timers {
        table.add(row(task));
    }
    table
}

fn headline(status: &InstanceStatus) -> String {
    let mut text = format!("{} is {}\n", printable(&status.instance_id), status.runtime_status);
    if let Some(suspension) = &status.suspension {
        let code = suspension.code.as_deref().unwrap_or("by a client");
        let _ = writeln!(text, "suspended: {code}");
        for line in suspension.reason.lines() {
            let _ = writeln!(text, "  {}", printable(line));
        }
    }
    text
}

pub(super) fn what(task: &PendingTask) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    match task.kind {
        PendingKind::Activity => {
            format!("activity {}, attempt {}", text(&task.name), task.attempt.unwrap_or(1))
        }
        PendingKind::SubOrchestration => {
            format!("child {} ({})", text(&task.instance_id), text(&task.name))
        }
        PendingKind::Timer => "timer".to_owned(),
        PendingKind::EntityCall => {
            let entity = task.entity_id.as_deref().map(entity_name).unwrap_or_default();
            format!("entity {entity} {}", text(&task.operation))
        }
        PendingKind::Lock => {
            let entities: Vec<_> = task.entities.iter().map(|it| entity_name(it)).collect();
            format!("lock of {}", entities.join(", "))
        }
        _ => task.kind.to_string(),
    }
}
