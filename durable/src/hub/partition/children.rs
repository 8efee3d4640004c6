//! Requests of a parent to its sub-orchestration: to terminate, or to be rewound with it.
//!
//! Rules:
//! 1. A parent that terminates its sub-orchestration gets no result, because the parent may have
//!    been rewound since, and be waiting for the result of the next one.
//! 2. A rewound parent requests the result again. A completed sub-orchestration answers with its
//!    result; a failed one is rewound; a terminated or purged one starts again; a running one
//!    answers when it ends.
//! 3. A message is consumed by the write that carries it out, because a rewind that is repeated
//!    after a crash would be refused.

use super::core::Core;
use super::manage::{manage, terminate};
use super::messages;
use super::reader::Stopped;
use super::residents::Residents;
use super::start::start;
use crate::hub::commit::write::Content;
use crate::hub::error::ManageError;
use crate::hub::mail::{End, Manage, Origin, Start};
use crate::protocol::{
    ExecutionStarted, InstanceId, Json, MessageId, ParentInstance, RuntimeStatus,
};

/// The effect of a parent's rewind on its sub-orchestration.
#[derive(Debug)]
pub(super) struct ChildRewind {
    pub(super) reason: String,
    /// What starts it again. Messages of release 0.1 lack it.
    pub(super) start: Option<Box<ExecutionStarted>>,
    pub(super) parent: Option<Box<ParentInstance>>,
    pub(super) message: MessageId,
}

/// Terminates a sub-orchestration whose parent no longer waits for it.
pub(super) fn terminate_child(
    core: &mut Core,
    residents: &mut Residents,
    id: &InstanceId,
    (reason, recurse): (String, bool),
    (parent, message): (Option<&ParentInstance>, MessageId),
) -> Result<(), Stopped> {
    if !is_child(core, residents, id, parent)? {
        core.consume(message);
        return Ok(());
    }
    let terminated = residents.with(core, id, |core, resident| {
        if resident.record.runtime_status.is_finished() {
            core.consume(message);
            return Ok(());
        }
        resident.is_abandoned = parent.is_some();
        let content = Content { consumed: vec![message], ..Content::default() };
        terminate(core, resident, reason, recurse, content)
    })?;
    if terminated.transpose()?.is_none() {
        core.consume(message);
    }
    Ok(())
}

/// Rewinds a sub-orchestration with its parent (rule 2).
pub(super) fn rewind_child(
    core: &mut Core,
    residents: &mut Residents,
    id: &InstanceId,
    asked: ChildRewind,
) -> Result<(), Stopped> {
    let ChildRewind { reason, start: again, parent, message } = asked;
    let is_child = is_child(core, residents, id, parent.as_deref())?;
    let status = if is_child { residents.status(&core.store, id)? } else { None };
    let content = || Content { consumed: vec![message], ..Content::default() };
    let result = match (status, again) {
        (Some(RuntimeStatus::Pending | RuntimeStatus::Running | RuntimeStatus::Suspended), _) => {
            mark!("rewind: a child runs still");
            core.consume(message);
            return Ok(());
        }
        (None | Some(RuntimeStatus::Terminated), Some(started)) => {
            mark!(status.is_none(), "rewind: a child that is gone starts again");
            mark!(status.is_some(), "rewind: a terminated child starts again");
            let (instance_id, origin) = (id.clone(), Origin::Message(message));
            let asked =
                Start { instance_id, started, replaces: Vec::new(), is_new_id: false, origin };
            return start(core, residents, asked);
        }
        (Some(RuntimeStatus::Completed), _) => {
            mark!("rewind: a completed child answers again");
            result_of(core, residents, id)?
        }
        (Some(RuntimeStatus::Failed | RuntimeStatus::Terminated), _) => {
            mark!("rewind: a failed child is rewound");
            match manage(core, residents, id, Manage::Rewind { reason }, content())? {
                Ok(()) => return Ok(()),
                Err(error) => Err(error),
            }
        }
        (None, None) => Err(ManageError::no_such_instance(id.clone())),
    };
    let failed = |error| messages::terminated(&format!("it could not be rewound: {error}"));
    let result = result.map_err(failed);
    let messages = parent.map(|parent| messages::child_result(&parent, result));
    core.write(Content { messages: messages.into_iter().collect(), ..content() }, Vec::new());
    Ok(())
}

/// Whether an instance is the sub-orchestration of the sender of a message to it.
fn is_child(
    core: &Core,
    residents: &Residents,
    id: &InstanceId,
    parent: Option<&ParentInstance>,
) -> Result<bool, Stopped> {
    let Some(parent) = parent else { return Ok(true) };
    let known = match residents.peek(id) {
        Some(resident) => resident.record.parent.clone(),
        None => core.store.instance(id)?.and_then(|record| record.parent),
    };
    Ok(known.is_some_and(|known| known.is_same_call(parent)))
}

/// The result of an instance that has completed.
fn result_of(
    core: &Core,
    residents: &mut Residents,
    id: &InstanceId,
) -> Result<Result<Json, ManageError>, Stopped> {
    Ok(match residents.end(&core.store, id)? {
        Some((_, Some(End::Completed(result)))) => Ok(result),
        _ => Err(ManageError::no_such_instance(id.clone())),
    })
}
