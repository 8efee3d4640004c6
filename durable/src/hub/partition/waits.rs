//! Requests of clients that wait for an instance or watch it: answered at once where possible.

use tokio::sync::watch;

use super::core::Core;
use super::episode::replay;
use super::reader::Stopped;
use super::resident::Resident;
use super::residents::Residents;
use crate::engine::Execution;
use crate::hub::commit::write::{Content, Effect};
use crate::hub::custom_status::{WatchReply, Watched};
use crate::hub::mail::{EndReply, Ended, FollowReply, PendingReply, StartedReply};
use crate::protocol::{InstanceId, InstanceRecord, Pending, RuntimeStatus};

pub(super) fn wait_for_end(
    core: &mut Core,
    residents: &mut Residents,
    id: InstanceId,
    reply: EndReply,
) -> Result<(), Stopped> {
    let answer = match residents.end(&core.store, &id)? {
        Some((record, Some(end))) => Some(Box::new(Ended { end, record })),
        Some((_, None)) => {
            core.waiters.add_for_end(id, reply);
            return Ok(());
        }
        None => None,
    };
    core.write(Content::default(), vec![Effect::Ended(reply, answer)]);
    Ok(())
}

pub(super) fn wait_for_start(
    core: &mut Core,
    residents: &mut Residents,
    id: InstanceId,
    reply: StartedReply,
) -> Result<(), Stopped> {
    match residents.status(&core.store, &id)? {
        Some(RuntimeStatus::Pending) => core.waiters.add_for_start(id, reply),
        status => {
            core.write(Content::default(), vec![Effect::Begun(reply, status.is_some())]);
        }
    }
    Ok(())
}

pub(super) fn watch_status(
    core: &mut Core,
    residents: &mut Residents,
    id: InstanceId,
    reply: WatchReply,
) -> Result<(), Stopped> {
    let record = residents.record(&core.store, &id)?;
    let watched = record.map(|InstanceRecord { runtime_status, custom_status, .. }| {
        if runtime_status.is_finished() {
            Watched::ended(custom_status)
        } else {
            core.waiters.watch(id, custom_status)
        }
    });
    core.write(Content::default(), vec![Effect::Watching(reply, watched)]);
    Ok(())
}

pub(super) fn follow(
    core: &mut Core,
    residents: &mut Residents,
    id: InstanceId,
    reply: FollowReply,
) -> Result<(), Stopped> {
    let episodes = match residents.status(&core.store, &id)? {
        None => None,
        // No episode follows, so the channel has no sender.
        Some(status) if status.is_finished() => Some(watch::channel(()).1),
        Some(_) => Some(core.waiters.follow(id)),
    };
    // Behind the episodes so far: when the client has this reply, it can read them.
    core.write(Content::default(), vec![Effect::Following(reply, episodes)]);
    Ok(())
}

pub(super) fn pending(
    core: &mut Core,
    residents: &mut Residents,
    id: &InstanceId,
    reply: PendingReply,
) -> Result<(), Stopped> {
    // Loading suspends an instance that does not fit its code, which this store could not record.
    let pending = if core.store.is_read_only() {
        let record = residents.record(&core.store, id)?;
        record.map(|record| pending_of(core, &record, None)).transpose()?
    } else {
        let of = |core: &mut Core, resident: &mut Resident| {
            pending_of(core, &resident.record, resident.execution.as_ref())
        };
        residents.with(core, id, of)?.transpose()?
    };
    core.write(Content::default(), vec![Effect::Pending(reply, pending.map(Box::new))]);
    Ok(())
}

fn pending_of(
    core: &Core,
    record: &InstanceRecord,
    execution: Option<&Execution>,
) -> Result<Pending, Stopped> {
    if record.runtime_status.is_finished() {
        return Ok(Pending::default());
    }
    if let Some(execution) = execution {
        return Ok(execution.pending());
    }
    // A suspended instance has no execution in memory, and is not to continue with this one.
    let past = core.store.history(record)?;
    Ok(replay(&core.env, record, &past).map(|it| it.pending()).unwrap_or_default())
}
