//! What an execution waits for, for people who want to know why it does not continue.

use super::execution::Execution;
use super::open::Open;
use super::translate;
use crate::orchestration::request::Ask;
use crate::protocol::{Pending, PendingKind, PendingTask};

impl Execution {
    /// What it waits for. The failures of earlier attempts are left out: they are in the history.
    pub(crate) fn pending(&self) -> Pending {
        let open = self.open.iter().filter(|(id, _)| !self.scope.is_cancelled(*id));
        let tasks = open.filter_map(|(id, open)| self.pending_task(id, open)).collect();
        let (event_waits, mut unread_events) = self.scope.event_waits();
        let awaited_events = event_waits.iter().map(|wait| wait.name.clone()).collect();
        unread_events.extend(self.inherited.iter().map(|event| event.name.clone()));
        let locked_entities = self.scope.locked_entities().unwrap_or_default();
        Pending { tasks, awaited_events, unread_events, locked_entities, event_waits }
    }

    fn pending_task(&self, id: i32, open: &Open) -> Option<PendingTask> {
        let (attempt, last_failure) = (open.attempt, None);
        let kind = match &open.request.ask {
            Ask::Activity(call) => PendingKind::Activity {
                name: call.name.clone().into_owned(),
                version: call.version.clone(),
                attempt,
                retry_at: open.retry_at(),
                last_failure,
            },
            Ask::SubOrchestration { call, instance_id, .. } => PendingKind::SubOrchestration {
                instance_id: translate::child_id(instance_id.as_ref(), id, self.requester()?),
                name: call.name.clone().into_owned(),
                version: call.version.clone(),
                attempt,
                last_failure,
            },
            Ask::Timer { .. } => PendingKind::Timer,
            Ask::CallEntity { asked, .. } => PendingKind::EntityCall {
                entity_id: asked.entity_id.clone(),
                operation: asked.operation.clone().into_owned(),
                position: None,
            },
            Ask::LockEntities(entities) => {
                let (entities, waits_for) = (entities.clone(), None);
                PendingKind::Lock { entities, waits_for, position: None }
            }
            // They have no result.
            Ask::SendEvent { .. } | Ask::SignalEntity { .. } | Ask::UnlockEntities { .. } => {
                return None;
            }
        };
        let (source, since) = (open.request.source(), open.since);
        Some(PendingTask { event_id: id, source, since, due_at: open.deadline(), kind })
    }
}
