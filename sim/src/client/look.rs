//! Checks that are made when no actor can continue.

use std::collections::BTreeSet;
use std::sync::Arc;

use durable::TaskHub;
use durable::protocol::{EventKind, HistoryEvent, InstanceId, PendingKind as Kind, RuntimeStatus};
use durable::store::Store;
use durable::testing::{RecordedHistory, verify_replay, verify_replay_strictly};

use super::Clients;
use crate::rules::Committed;
use crate::trace;

impl Clients {
    /// I14: checks what every running instance waits for. No instance waits for something that has
    /// already happened.
    pub(crate) async fn look(
        self,
        hub: TaskHub,
        ids: Vec<String>,
        store: Arc<dyn Store>,
        committed: Committed,
    ) {
        let mut awaited = BTreeSet::new();
        for id in &ids {
            let Ok(instance) = hub.instance(id) else { continue };
            let Ok(pending) = instance.pending().await else { continue };
            let mut wrong = Vec::new();
            for task in &pending.tasks {
                match &task.kind {
                    Kind::Activity { .. } => wrong.push("an activity that nobody runs".to_owned()),
                    Kind::Timer => wrong.push("a timer that is not due".to_owned()),
                    Kind::SubOrchestration { instance_id, .. } => {
                        awaited.insert((id.clone(), instance_id.to_string()));
                        let child = hub.instance(instance_id.as_str());
                        if let Ok(child) = child
                            && let Ok(status) = child.status().await
                            && !status.runtime_status.is_finished()
                        {
                            continue;
                        }
                        wrong.push(format!("a child that has ended: {instance_id}"));
                    }
                    Kind::EntityCall { .. } | Kind::Lock { .. } => {
                        let is_held =
                            pending.awaited_entities.iter().any(|it| it.locked_by.is_some());
                        if !is_held {
                            wrong.push("an entity that is free".to_owned());
                        }
                    }
                    _ => {}
                }
            }
            // A wait that has received its event is not listed as pending. New code takes effect
            // only with the next event.
            let is_running = pending.status.runtime_status == RuntimeStatus::Running
                && !trace::has_changed(pending.status.execution_id);
            if is_running && pending.tasks.is_empty() && pending.awaited_events.is_empty() {
                wrong.push(format!("nothing, and has {:?}", pending.unread_events));
            }
            for what in wrong {
                self.fail(format!("I14 {id} waits for {what}"));
            }
        }
        // An instance that a client has rewound runs again, although its parent may already have
        // its failure.
        for id in ids.into_iter().filter(|id| !committed.was_rewound(id)) {
            if let Some(wrong) = runs_for_nobody(&*store, &id, &awaited) {
                self.fail(format!("I17 {id} {wrong}"));
            }
        }
    }

    /// I7: a replay of a stored history makes the same requests.
    ///
    /// The code that continues after a failure may do something else without it. A rewind accepts
    /// this if each request has "the same id, kind, name and target" as the recorded one
    /// (ARCHITECTURE.md), so the due times and inputs of a rewound instance may differ.
    pub(crate) async fn replay(self, hub: TaskHub, ids: Vec<String>, committed: Committed) {
        for id in ids {
            let Ok(instance) = hub.instance(&id) else { continue };
            let Ok(history) = RecordedHistory::of(&instance).await else { continue };
            if let Err(differs) = verify_replay_strictly(&history)
                && !(committed.was_rewound(&id) && verify_replay(&history).is_ok())
            {
                self.fail(format!("I7 {id} does something else in a replay: {differs}"));
            }
        }
    }
}

/// I17: a sub-orchestration ends when its parent no longer waits for it, or is terminated with all of
/// its sub-orchestrations.
///
/// "Dropping a task before it is done cancels the call: .. a sub-orchestration is terminated" (`Task`); "terminates the instance
/// and, recursively, all sub-orchestrations that it waits for" (`terminate_recursively`).
fn runs_for_nobody(
    store: &dyn Store,
    id: &str,
    awaited: &BTreeSet<(String, String)>,
) -> Option<&'static str> {
    let record = store.instance(&InstanceId::new(id).ok()?).ok()??;
    let call = record.parent.filter(|_| !record.runtime_status.is_finished())?;
    let parent = store.instance(&call.instance_id).ok()??;
    if parent.execution_id != call.execution_id {
        return None;
    }
    match parent.runtime_status {
        RuntimeStatus::Completed | RuntimeStatus::Failed => Some("runs, and its parent has ended"),
        RuntimeStatus::Running => {
            let is_awaited = awaited.contains(&(call.instance_id.to_string(), id.to_owned()));
            (!is_awaited).then_some("runs, and its parent does not wait for it")
        }
        RuntimeStatus::Terminated => {
            let history = store.history(&call.instance_id, parent.execution_id, 0).ok()?;
            let is_whole = |event: &HistoryEvent| {
                matches!(event.kind, EventKind::ExecutionTerminated { recurse: true, .. })
            };
            let is_whole = history.iter().any(is_whole);
            is_whole.then_some("runs, and its parent was terminated with all that it had called")
        }
        _ => None,
    }
}
