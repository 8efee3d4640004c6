//! Before a hub is opened with new code: would every unfinished instance go on with it?

use std::thread;

use super::error::OpenError;
use crate::engine::Execution;
use crate::protocol::{InstanceId, PartitionId, Suspension};
use crate::registry::Registry;
use crate::store::{Store, StoreError};

/// Replays every unfinished instance, and changes nothing.
pub(super) fn unfinished(
    store: &dyn Store,
    partitions: u16,
    registry: &Registry,
) -> Result<(), OpenError> {
    // On a thread outside of the async runtime, as partitions are.
    let found = thread::scope(|scope| {
        let replays = scope.spawn(|| {
            (0..partitions)
                .map(|partition| replay(store, PartitionId(partition), registry))
                .collect::<Result<Vec<_>, _>>()
        });
        replays.join()
    });
    let stopped = |_panic| StoreError::damaged("a replay panicked");
    let found: Vec<_> = found.map_err(stopped)??.into_iter().flatten().collect();
    if found.is_empty() { Ok(()) } else { Err(OpenError::WouldNotGoOn(found)) }
}

fn replay(
    store: &dyn Store,
    partition: PartitionId,
    registry: &Registry,
) -> Result<Vec<(InstanceId, Suspension)>, StoreError> {
    let mut stuck = Vec::new();
    for id in store.load(partition)?.unfinished {
        let Some(record) = store.instance(&id)? else { continue };
        let past = store.history(&id, record.execution_id, 0)?;
        let name = (record.name.as_str(), record.version.as_deref());
        let replayed = Execution::new(registry, name, &id, record.execution_id, record.created_at)
            .and_then(|mut execution| execution.replay(&past));
        stuck.extend(replayed.err().map(|suspension| (id, suspension)));
    }
    Ok(stuck)
}
