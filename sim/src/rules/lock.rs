//! I11: locks have living owners.
//!
//! "They survive crashes, and end with the instance, however it ends" (`lock_entities`).

use std::collections::BTreeSet;

use durable::protocol::{EventKind, ParentInstance};
use durable::store::{InstanceFilter, Store};

/// When no actor can continue, each lock is held by a critical section that has not ended. Returns
/// the keys of the locked entities.
pub(super) fn owners_live(store: &dyn Store) -> Result<BTreeSet<u8>, String> {
    let mut locked = BTreeSet::new();
    let mut entities = InstanceFilter::default();
    entities.entities = true;
    let all = store.instances(&entities, None, usize::MAX);
    for record in all.map_err(|error| error.to_string())?.instances {
        let Some(key) = super::entity::key(&record.instance_id) else { continue };
        let history = store.history(&record.instance_id, record.execution_id, 0);
        let Some(EventKind::EntityState(state)) =
            history.map_err(|error| error.to_string())?.pop().map(|event| event.kind)
        else {
            continue;
        };
        let Some(owner) = &state.locked_by else { continue };
        locked.insert(key);
        if !is_held(store, owner)? {
            let (entity, owner) = (&record.instance_id, &owner.instance_id);
            return Err(format!("I11 {entity} is locked by {owner}, which has left the section"));
        }
    }
    Ok(locked)
}

fn is_held(store: &dyn Store, owner: &ParentInstance) -> Result<bool, String> {
    let record = store.instance(&owner.instance_id).map_err(|error| error.to_string())?;
    let Some(record) = record else { return Ok(false) };
    if record.execution_id != owner.execution_id || record.runtime_status.is_finished() {
        return Ok(false);
    }
    let history = store.history(&owner.instance_id, owner.execution_id, 0);
    let history = history.map_err(|error| error.to_string())?;
    let has_left = history.iter().any(|event| {
        matches!(&event.kind, EventKind::EntityUnlockSent { task_scheduled_id, .. }
            if *task_scheduled_id == owner.task_scheduled_id)
    });
    Ok(!has_left)
}
