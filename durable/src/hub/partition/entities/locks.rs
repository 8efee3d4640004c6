//! Locks of critical sections. Entities are locked one after another in the order of their ids: each
//! asks the next one, and the last one tells the orchestration.

use super::live::Live;
use super::queue::Queued;
use crate::hub::commit::write::Content;
use crate::hub::partition::messages;
use crate::protocol::{EntityId, EventKind, TaskMessage, Timestamp};

/// Locks an entity for a critical section and asks the next entity for its lock. Returns whether the
/// entity has changed.
pub(super) fn begin_section(
    live: &mut Live,
    queued: Queued,
    now: Timestamp,
    content: &mut Content,
) -> bool {
    let TaskMessage { id, from, event, .. } = queued.message;
    content.consumed.push(id);
    let (Some(owner), EventKind::EntityLockRequested { mut lock_set, .. }) = (from, event) else {
        return false;
    };
    let owner = *owner;
    live.kept.locked_by = Some(owner.clone());
    live.kept.locked_since = Some(now);
    let others = all_but_first(&mut lock_set);
    content.messages.push(match messages::lock_request(owner.clone(), others) {
        Some(request) => request,
        None => messages::lock_granted(&owner),
    });
    true
}

/// Releases the lock of an entity.
pub(super) fn release(live: &mut Live) {
    live.kept.locked_by = None;
    live.kept.locked_since = None;
}

/// Consumes an unlock, and sends it on to the next entity of the critical section.
pub(super) fn pass_on_unlock(queued: Queued, content: &mut Content) {
    let TaskMessage { id, from, event, .. } = queued.message;
    content.consumed.push(id);
    if let (Some(owner), EventKind::EntityUnlockSent { mut lock_set, .. }) = (from, event) {
        content.messages.extend(messages::unlock(*owner, all_but_first(&mut lock_set)));
    }
}

fn all_but_first(lock_set: &mut Vec<EntityId>) -> Vec<EntityId> {
    lock_set.split_off(lock_set.len().min(1))
}
