//! Checks before opening a hub with new code whether every unfinished instance can continue with
//! it.

use std::thread::{self, ScopedJoinHandle};

use super::open_error::OpenError;
use crate::engine::{Execution, Identity};
use crate::limits::Limits;
use crate::panics;
use crate::protocol::{InstanceId, RuntimeStatus, Suspension};
use crate::quiet::quietly;
use crate::registry::Registry;
use crate::store::{InstanceFilter, Store, StoreError};

/// The page size of the query.
const PAGE: usize = 256;

/// Replays every unfinished instance without changing it.
pub(crate) fn unfinished(
    store: &dyn Store,
    registry: &Registry,
    limits: Limits,
) -> Result<(), OpenError> {
    // On a thread outside the async runtime, as in a partition.
    let found = thread::scope(|scope| {
        let replay = || panics::catch(|| replay(store, registry, limits));
        thread::Builder::new().spawn_scoped(scope, replay).map(ScopedJoinHandle::join)
    });
    let stopped = |panic| StoreError::damaged(format!("a replay {panic}"));
    let replayed = found.map_err(OpenError::Thread)?;
    let found =
        replayed.unwrap_or_else(|_panic| unreachable!("it is caught")).map_err(stopped)??;
    if found.is_empty() { Ok(()) } else { Err(OpenError::IncompatibleInstances(found)) }
}

fn replay(
    store: &dyn Store,
    registry: &Registry,
    limits: Limits,
) -> Result<Vec<(InstanceId, Suspension)>, StoreError> {
    let unfinished = InstanceFilter {
        statuses: vec![RuntimeStatus::Pending, RuntimeStatus::Running, RuntimeStatus::Suspended],
        ..InstanceFilter::default()
    };
    let mut stuck = Vec::new();
    let mut after = None;
    loop {
        let page = store.instances(&unfinished, after.as_ref(), PAGE)?;
        for record in page.instances {
            let past = store.history(&record.instance_id, record.execution_id, 0)?;
            let replayed = Execution::new(registry, Identity::of(&record, limits)).and_then(
                |mut execution| {
                    execution.replay(&past)?;
                    quietly(|| execution.catch_up())
                },
            );
            stuck.extend(replayed.err().map(|suspension| (record.instance_id, suspension)));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(stuck),
        }
    }
}
