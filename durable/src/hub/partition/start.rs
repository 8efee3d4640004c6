//! New instances: started by clients, or by orchestrations and entities through messages.

use std::collections::VecDeque;

use super::core::{Core, Environment};
use super::episode::first_episode;
use super::manage::unlock;
use super::messages;
use super::reader::Stopped;
use super::resident::Resident;
use super::residents::Residents;
use super::write::write_episode;
use crate::definition::display_name;
use crate::hub::commit::write::{Content, Effect};
use crate::hub::error::StartError;
use crate::hub::mail::{Origin, Start};
use crate::hub::telemetry::event::LifecycleKind;
use crate::protocol::{ExecutionStarted, FailureDetails, InstanceRecord, TaskMessage};

/// Starts an instance, or replies why it is not started.
pub(super) fn start(
    core: &mut Core,
    residents: &mut Residents,
    start: Start,
) -> Result<(), Stopped> {
    let existing =
        if start.is_new_id { None } else { residents.record(&core.store, &start.instance_id)? };
    let may_replace = |existing: &InstanceRecord| match &start.origin {
        Origin::Client(_) => start.replaces.contains(&existing.runtime_status),
        Origin::Message(_) => existing.runtime_status.is_finished(),
    };
    if let Some(existing) = existing.as_ref().filter(|existing| !may_replace(existing)) {
        refuse(core, existing, start);
        return Ok(());
    }
    let (mut content, mut effects) = (Content::default(), Vec::new());
    if let Some(existing) = existing.as_ref().filter(|it| !it.runtime_status.is_finished()) {
        content.messages = terminate_replaced(core, residents, existing, &mut effects)?;
    }
    let Start { instance_id, started, origin, .. } = start;
    if let (Origin::Message(id), Some(parent)) = (&origin, &started.parent)
        && let Some(failure) = not_registered(&core.env, &started)
    {
        let messages = vec![messages::child_result(parent, Err(failure))];
        core.write(Content { consumed: vec![*id], messages, ..content }, effects);
        return Ok(());
    }
    residents.remove(&instance_id);
    let now = core.now();
    let record = InstanceRecord {
        parent: started.parent.clone(),
        tags: started.tags.clone(),
        ..InstanceRecord::new(
            instance_id,
            started.execution_id,
            started.name.clone(),
            started.version.clone(),
            now,
        )
    };
    let mut resident = Resident::new(record, core.outbox.last_write());
    resident.replaces = existing.as_ref().map(|existing| existing.execution_id);
    resident.listed_due = existing.and_then(|existing| existing.next_due);
    match origin {
        Origin::Client(reply) => {
            // Whatever had this id before has been ended or purged by a client.
            core.env.held.release(&resident.record.instance_id);
            effects.push(Effect::Started(reply, Ok(())));
        }
        Origin::Message(id) => content.consumed.push(id),
    }
    let episode = first_episode(&core.env, &mut resident, *started, VecDeque::new(), now);
    write_episode(core, &mut resident, episode, content, effects);
    residents.insert(resident);
    Ok(())
}

/// Terminates a running instance whose id a new instance takes; returns the messages that this
/// sends.
fn terminate_replaced(
    core: &mut Core,
    residents: &mut Residents,
    existing: &InstanceRecord,
    effects: &mut Vec<Effect>,
) -> Result<Vec<TaskMessage>, Stopped> {
    let (now, kind) = (core.now(), LifecycleKind::Terminated);
    let why = "another instance was started under its id";
    let notice = core.env.lifecycle.change(existing, kind, now, Some(why));
    effects.extend(notice.map(Effect::Notify));
    effects.push(Effect::CancelAll(existing.execution_id));
    let failure = messages::terminated(why);
    let mut messages: Vec<_> =
        messages::result_for_parent(existing, Err(failure)).into_iter().collect();
    messages.extend(core.starts_for(existing, kind, now, Some(why)));
    let unlocked = residents.with(core, &existing.instance_id, |core, it| unlock(core, it))?;
    messages.extend(unlocked.transpose()?.unwrap_or_default());
    Ok(messages)
}

fn refuse(core: &mut Core, existing: &InstanceRecord, start: Start) {
    let (instance_id, status) = (existing.instance_id.clone(), existing.runtime_status);
    match (start.origin, &start.started.parent) {
        (Origin::Client(reply), _) => {
            let refused = Err(StartError::AlreadyExists { instance_id, status });
            core.write(Content::default(), vec![Effect::Started(reply, refused)]);
        }
        (Origin::Message(id), Some(parent)) => {
            let message = format!(
                "instance `{instance_id}` exists already and is {status}; give the \
                 sub-orchestration another id"
            );
            let failure = FailureDetails::new(FailureDetails::INSTANCE_EXISTS, message);
            let messages = vec![messages::child_result(parent, Err(failure.non_retriable()))];
            core.write(Content { consumed: vec![id], messages, ..Content::default() }, Vec::new());
        }
        (Origin::Message(id), None) => {
            tell!(
                warn,
                instance = %instance_id,
                %status,
                "an orchestrator started an instance under an id that is taken: not started"
            );
            core.consume(id);
        }
    }
}

fn not_registered(env: &Environment, started: &ExecutionStarted) -> Option<FailureDetails> {
    let (name, version) = (&started.name, started.version.as_deref());
    if env.registry.orchestrator_for(name, version).is_some() {
        return None;
    }
    let message = format!(
        "orchestration {} is not registered; registered: {}",
        display_name(name, version),
        env.registry.orchestrator_names()
    );
    Some(FailureDetails::new(FailureDetails::NOT_REGISTERED, message).non_retriable())
}
