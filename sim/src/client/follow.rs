//! I29: what clients receive that follow an instance.
//!
//! "First the events that are recorded, then each new one once it is durable"; "each event is returned
//! once, however slow the follower is"; "the stream ends when the instance has ended and its last event
//! was returned" (`follow_history`). "First the current one, if there is one, then each new one once it is
//! durable" (`watch_custom_status`).

use std::sync::Arc;

use durable::client::{FollowedEvent, HubError, InstanceHandle};
use durable::protocol::{ExecutionId, HistoryEvent, InstanceId};
use durable::store::Store;

use super::Clients;
use super::act::{Checked, holds};
use crate::rules::Committed;

/// How far a client has followed the history of an instance.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    id: InstanceId,
    execution_id: ExecutionId,
    /// The number of its events that the client has received.
    events: u64,
}

impl Progress {
    fn is_behind(&self, store: &dyn Store) -> bool {
        let record = store.instance(&self.id).ok().flatten();
        record.is_some_and(|record| {
            record.execution_id != self.execution_id || record.history_len > self.events
        })
    }
}

/// A client that follows a history.
struct Follower {
    clients: Clients,
    number: u64,
}

impl Follower {
    fn new(clients: &Clients) -> Self {
        let mut state = clients.state();
        state.waits += 1;
        Self { clients: clients.clone(), number: state.waits }
    }

    fn receives(&self, id: &InstanceId, event: &FollowedEvent) {
        let (execution_id, events) = (event.execution_id, event.index + 1);
        let progress = Progress { id: id.clone(), execution_id, events };
        self.clients.state().followed.insert(self.number, progress);
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.clients.state().followed.remove(&self.number);
    }
}

impl Clients {
    /// Checks that every follower has received all that is recorded. No actor can continue.
    pub(crate) fn have_followed(&self, store: &dyn Store) -> Result<(), String> {
        let followed: Vec<_> = self.state().followed.values().cloned().collect();
        match followed.iter().find(|progress| progress.is_behind(store)) {
            Some(Progress { id, events, .. }) => {
                Err(format!("I29 a follower of {id} has {events} events, and there are more"))
            }
            None => Ok(()),
        }
    }
}

/// Follows the history of an instance until its end.
pub(super) async fn follow_history(
    clients: Clients,
    instance: InstanceHandle,
    store: Arc<dyn Store>,
    committed: Committed,
) -> Checked {
    let follower = Follower::new(&clients);
    let id = instance.instance_id().as_str();
    let mut history = instance.follow_history(0);
    let mut last: Option<FollowedEvent> = None;
    loop {
        let next = match history.try_next().await {
            Ok(next) => next,
            // The instance was purged, or the hub has stopped.
            Err(error) => return has_shut_down(&instance, &error).await,
        };
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
        follower.receives(instance.instance_id(), &event);
        last = Some(event);
    }
}

/// Checks that a hub that is said to have shut down does not answer any more.
async fn has_shut_down(instance: &InstanceHandle, error: &HubError) -> Checked {
    let is_open = matches!(error, HubError::ShutDown) && instance.status().await.is_ok();
    let id = instance.instance_id();
    holds(!is_open, || format!("I29 who follows {id} is told of a shutdown, and the hub is open"))
}

/// The events recorded from `later` events after this one on, if it is still the same history.
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
    let mut watch = match instance.watch_custom_status::<u8>().await {
        Ok(watch) => watch,
        Err(error) => return has_shut_down(&instance, &error).await,
    };
    loop {
        let status = match watch.next().await {
            Ok(Some(status)) => status,
            Ok(None) => return Ok(()),
            Err(error) => return has_shut_down(&instance, &error).await,
        };
        let found = committed.custom_status(id, place, status);
        let told = || format!("I29 custom status {status} of {id} is delivered out of order");
        place = found.ok_or_else(told)? + 1;
    }
}
