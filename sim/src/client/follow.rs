//! I29: what the clients receive that follow an instance.
//!
//! "Each event is returned once, however slow the follower is"; "the stream ends when the instance has
//! ended and its last event was returned" (`follow_history`). "First the current one, then each new one
//! once it is durable" (`watch_custom_status`).

use std::sync::Arc;

use durable::client::{FollowedEvent, InstanceHandle};
use durable::protocol::HistoryEvent;
use durable::store::Store;

use super::act::{Checked, holds};
use crate::rules::Committed;

/// Follows the history of an instance until its end.
pub(super) async fn follow_history(
    instance: InstanceHandle,
    store: Arc<dyn Store>,
    committed: Committed,
) -> Checked {
    let id = instance.instance_id().as_str();
    let mut history = instance.follow_history(0);
    let mut last: Option<FollowedEvent> = None;
    while let Ok(next) = history.try_next().await {
        // A rewind may have removed events since they were read.
        let is_unchanged = !committed.was_rewound(id);
        let Some(event) = next else {
            let rest = last.and_then(|last| recorded(&instance, &*store, &last, 1));
            return holds(rest.is_none_or(|rest| rest.is_empty() || !is_unchanged), || {
                format!("I29 a follower of {id} misses the last events")
            });
        };
        let is_next = |last: &FollowedEvent| {
            last.execution_id == event.execution_id && last.index + 1 == event.index
        };
        holds(event.index == 0 || last.as_ref().is_some_and(is_next), || {
            format!("I29 a follower of {id} gets event {} after {last:?}", event.index)
        })?;
        let stored = recorded(&instance, &*store, &event, 0);
        holds(stored.is_none_or(|it| it.first() == Some(&event.event) || !is_unchanged), || {
            format!("I29 a follower of {id} gets {event:?}, which is not recorded")
        })?;
        last = Some(event);
    }
    // The instance was purged, or the hub has stopped.
    Ok(())
}

/// What is recorded from this event on, or from so many events later, if it is still the same history.
fn recorded(
    instance: &InstanceHandle,
    store: &dyn Store,
    event: &FollowedEvent,
    later: u64,
) -> Option<Vec<HistoryEvent>> {
    let id = instance.instance_id();
    let record = store.instance(id).ok()??;
    let from = event.index + later;
    let is_same = record.execution_id == event.execution_id;
    is_same.then(|| store.history(id, event.execution_id, from).ok()).flatten()
}

/// Watches the custom status of an instance until its end.
pub(super) async fn watch_status(instance: InstanceHandle, committed: Committed) -> Checked {
    let id = instance.instance_id().as_str();
    let mut place = committed.last_custom_status(id);
    let Ok(mut watch) = instance.watch_custom_status::<u8>().await else { return Ok(()) };
    while let Ok(Some(status)) = watch.next().await {
        let found = committed.custom_status(id, place, status);
        let told = || format!("I29 custom status {status} of {id} is delivered out of order");
        place = found.ok_or_else(told)? + 1;
    }
    Ok(())
}
