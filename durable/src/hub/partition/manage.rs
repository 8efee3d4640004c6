//! Operations on an instance from outside: suspend, resume, terminate, rewind, remove, purge.

use super::core::Core;
use super::episode::events_of;
use super::messages;
use super::reader::Stopped;
use super::resident::Resident;
use super::residents::Residents;
use super::resume::resume;
use super::rewind::rewind;
use super::write::{notify, write_episode};
use crate::engine::{Episode, Outcome, open_children, open_section};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::error::ManageError;
use crate::hub::mail::{AppliesTo, Manage, Managed};
use crate::hub::telemetry::event::LifecycleKind;
use crate::protocol::{
    EventKind, InstanceId, InstanceRecord, RuntimeStatus, Suspension, TaskMessage,
};

/// Carries out a request on an instance. The resulting writes are made before this returns, and
/// contain `content` if the request succeeds.
pub(super) fn manage(
    core: &mut Core,
    residents: &mut Residents,
    id: &InstanceId,
    what: Manage,
    content: Content,
) -> Result<Managed, Stopped> {
    let managed = residents.with(core, id, |core, it| manage_resident(core, it, what, content))?;
    managed.unwrap_or_else(|| Ok(Err(ManageError::no_such_instance(id.clone()))))
}

fn manage_resident(
    core: &mut Core,
    resident: &mut Resident,
    what: Manage,
    content: Content,
) -> Result<Managed, Stopped> {
    let instance_id = resident.record.instance_id.clone();
    if let Manage::Purge { child_of: Some(parent) } = &what
        && resident.record.parent.as_ref().is_none_or(|known| !known.is_same_call(parent))
    {
        mark!("purge: an instance that another one started is spared");
        return Ok(Err(ManageError::no_such_instance(instance_id)));
    }
    let status = resident.record.runtime_status;
    match (what.applies_to(), status.is_finished()) {
        (AppliesTo::Running, true) => {
            return Ok(Err(ManageError::Finished { instance_id, status }));
        }
        (AppliesTo::Finished, false) => {
            return Ok(Err(ManageError::NotFinished { instance_id, status }));
        }
        (AppliesTo::Running, false) | (AppliesTo::Finished, true) | (AppliesTo::Either, _) => {}
    }
    match what {
        Manage::Suspend { reason } => suspend(core, resident, reason),
        Manage::Resume { reason } => return resume_for_client(core, resident, &reason),
        Manage::Terminate { reason, recurse } => {
            terminate(core, resident, reason, recurse, content)?;
        }
        Manage::Rewind { reason } => return rewind(core, resident, &reason, content),
        Manage::Remove { reason } => remove(core, resident, &reason)?,
        Manage::Purge { .. } => purge(core, resident, status, Content::default(), Vec::new()),
    }
    Ok(Ok(()))
}

fn suspend(core: &mut Core, resident: &mut Resident, reason: String) {
    if resident.record.suspension.is_none() {
        let suspension = Suspension { code: None, reason };
        let episode = Episode::set_aside(core.now(), [], suspension, true);
        write_episode(core, resident, episode, Content::default(), Vec::new());
    }
}

fn resume_for_client(
    core: &mut Core,
    resident: &mut Resident,
    reason: &str,
) -> Result<Managed, Stopped> {
    if resident.record.suspension.is_none() {
        return Ok(Ok(()));
    }
    core.env.held.release(&resident.record.instance_id);
    resume(core, resident, reason)?;
    let suspension = resident.record.suspension.clone();
    Ok(suspension.map_or(Ok(()), |suspension| Err(ManageError::StillSuspended(suspension))))
}

/// Terminates an instance that has not finished, and with `recurse` its sub-orchestrations.
pub(super) fn terminate(
    core: &mut Core,
    resident: &mut Resident,
    reason: String,
    recurse: bool,
    mut content: Content,
) -> Result<(), Stopped> {
    if recurse {
        let children = match &resident.execution {
            Some(execution) => execution.open_children(),
            None => open_children(&core.store.history(&resident.record)?),
        };
        content.messages.extend(children.into_iter().map(|(task, child)| {
            let reason = reason.clone();
            resident.to_child(task, child, EventKind::ExecutionTerminated { reason, recurse })
        }));
    }
    content.messages.extend(unlock(core, resident)?);
    let effects = vec![Effect::CancelAll(resident.record.execution_id)];
    let status = RuntimeStatus::Terminated;
    let failure = Some(messages::terminated(&reason));
    let kinds = vec![
        EventKind::ExecutionTerminated { reason, recurse },
        EventKind::ExecutionCompleted { status, result: None, failure },
    ];
    let episode = Episode {
        events: events_of(core.now(), kinds),
        actions: Vec::new(),
        outcome: Outcome::Finished(status),
    };
    resident.past.clear();
    write_episode(core, resident, episode, content, effects);
    Ok(())
}

/// The messages that end the critical section of an instance that will not continue, if it is in
/// one.
pub(super) fn unlock(core: &Core, resident: &Resident) -> Result<Vec<TaskMessage>, Stopped> {
    let unlock = match &resident.execution {
        Some(execution) => execution.unlock(),
        None => open_section(&core.store.history(&resident.record)?),
    };
    let mut content = Content::default();
    if let Some(unlock) = unlock {
        resident.act(unlock, &mut content, &mut Vec::new());
    }
    Ok(content.messages)
}

/// Purges an instance; one that has not finished is terminated by the same write.
fn remove(core: &mut Core, resident: &mut Resident, reason: &str) -> Result<(), Stopped> {
    let (mut content, mut effects) = (Content::default(), Vec::new());
    let record = &resident.record;
    let mut status = record.runtime_status;
    if !status.is_finished() {
        status = RuntimeStatus::Terminated;
        let (now, kind) = (core.now(), LifecycleKind::Terminated);
        let notice = core.env.lifecycle.change(record, kind, now, Some(reason));
        effects.extend(notice.map(Effect::Notify));
        content.messages.extend(core.starts_for(record, kind, now, Some(reason)));
        effects.push(Effect::CancelAll(record.execution_id));
        let failure = messages::terminated(reason);
        content.messages.extend(messages::result_for_parent(record, Err(failure)));
        content.messages.extend(unlock(core, resident)?);
        let ended = InstanceRecord {
            runtime_status: status,
            last_updated_at: now,
            suspension: None,
            active: false,
            next_due: None,
            ..record.clone()
        };
        core.waiters.answer_removed(&ended, &mut effects);
    }
    purge(core, resident, status, content, effects);
    Ok(())
}

/// Purges an instance that has finished with this status, in one write with `content` and
/// `effects`.
fn purge(
    core: &mut Core,
    resident: &mut Resident,
    runtime_status: RuntimeStatus,
    mut content: Content,
    mut effects: Vec<Effect>,
) {
    resident.is_purged = true;
    let id = &resident.record.instance_id;
    core.due.set(id, (resident.listed_due, None), None);
    let record = InstanceRecord { runtime_status, ..resident.record.clone() };
    let (now, kind) = (core.now(), LifecycleKind::Purged);
    let notice = core.env.lifecycle.change(&record, kind, now, None);
    notify(&mut effects, notice.map(Effect::Notify));
    content.messages.extend(core.starts_for(&record, kind, now, None));
    core.write(Content { purged: vec![id.clone()], ..content }, effects);
}
