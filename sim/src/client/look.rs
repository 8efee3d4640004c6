//! What is looked at when nobody can go on.

use durable::TaskHub;
use durable::protocol::{PendingKind as Kind, RuntimeStatus};
use durable::testing::{RecordedHistory, verify_replay_strictly};

use super::Clients;

impl Clients {
    /// I14: looks at what every running instance waits for. Nobody waits for what has happened.
    pub(crate) async fn look(self, hub: TaskHub, ids: Vec<String>) {
        for id in ids {
            let Ok(instance) = hub.instance(&id) else { continue };
            let Ok(pending) = instance.pending().await else { continue };
            let mut wrong = Vec::new();
            for task in &pending.tasks {
                match &task.kind {
                    Kind::Activity { .. } => wrong.push("an activity that nobody runs".to_owned()),
                    Kind::Timer => wrong.push("a timer that is not due".to_owned()),
                    Kind::SubOrchestration { instance_id, .. } => {
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
            // A wait that has its event is not among those that are awaited.
            let is_running = pending.status.runtime_status == RuntimeStatus::Running;
            if is_running && pending.tasks.is_empty() && pending.awaited_events.is_empty() {
                wrong.push(format!("nothing, and has {:?}", pending.unread_events));
            }
            for what in wrong {
                self.fail(format!("I14 {id} waits for {what}"));
            }
        }
    }

    /// I7: a replay of a stored history asks for the same things.
    pub(crate) async fn replay(self, hub: TaskHub, ids: Vec<String>) {
        for id in ids {
            let Ok(instance) = hub.instance(&id) else { continue };
            let Ok(history) = RecordedHistory::of(&instance).await else { continue };
            if let Err(differs) = verify_replay_strictly(&history) {
                self.fail(format!("I7 {id} does something else in a replay: {differs}"));
            }
        }
    }
}
