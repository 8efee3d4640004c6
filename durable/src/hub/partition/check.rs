//! What a simulation checks between the turns of a partition.

use std::collections::BTreeSet;

use super::core::Core;
use super::residents::Residents;
use crate::protocol::{InstanceId, Timestamp};
use crate::store::Store;

/// Checks that every due time is in memory, or else in the store beyond the horizon.
pub(super) fn due_times(
    core: &Core,
    residents: &Residents,
    store: &dyn Store,
) -> Result<(), String> {
    // What was due has left the list. The next write of its instance changes the store.
    let now = core.now();
    let stored = store.due(core.env.partition, None, Timestamp::MAX, usize::MAX);
    let stored: BTreeSet<_> = stored.unwrap_or_default().into_iter().collect();
    let check = |id: &InstanceId, due: Timestamp| {
        let entry = (due, id.clone());
        if core.due.will_return(&entry, stored.contains(&entry)) {
            return Ok(());
        }
        let partition = core.env.partition;
        Err(format!("I12 a due time is lost: `{id}` of partition {partition} is due at {due}"))
    };
    for resident in residents.iter() {
        if let Some(due) = resident.listed_due.filter(|due| *due > now) {
            check(&resident.record.instance_id, due)?;
        }
        let next = resident.execution.as_ref().and_then(crate::engine::Execution::next_due);
        if next.is_some_and(|next| next > now) && next != resident.listed_due {
            let id = &resident.record.instance_id;
            return Err(format!("I12 `{id}` is due at {next:?}, and listed at another time"));
        }
    }
    // A purge that is on its way has left the list, but not the store.
    if !core.outbox.is_durable(core.outbox.last_write()) {
        return Ok(());
    }
    for (due, id) in &stored {
        if *due > now && residents.peek(id).is_none() {
            check(id, *due)?;
        }
    }
    Ok(())
}
