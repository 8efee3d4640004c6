//! The lane that a request opens.

use durable::protocol::{EntityId, EventKind, HistoryEvent};

use super::LaneKind::{Activity, Child, EntityCall, Lock, Sent, Signal, Timer};
use super::draft::Draft;

/// The lane of a request; `None` if the event is not one.
pub(super) fn draft(index: usize, event: &HistoryEvent) -> Option<Draft> {
    let draft = |kind, name: &str| {
        let id = event.event_id;
        let id = if id < 0 { format!("x{index}") } else { format!("t{id}") };
        Draft::new(id, kind, name, index, event.timestamp)
    };
    let (draft, source) = match &event.kind {
        EventKind::TaskScheduled { name, version, source, .. } => {
            let mut draft = draft(Activity, name);
            draft.lane.version.clone_from(version);
            (draft, source)
        }
        EventKind::SubOrchestrationInstanceCreated {
            instance_id,
            name,
            version,
            source,
            detached,
            ..
        } => {
            let mut draft = draft(Child, name);
            draft.lane.version.clone_from(version);
            draft.lane.detail = Some(instance_id.to_string());
            draft.lane.instance_id = Some(instance_id.clone());
            if *detached {
                draft.sent();
            }
            (draft, source)
        }
        EventKind::TimerCreated { fire_at, source } => {
            let mut draft = draft(Timer, "");
            draft.lane.due_at = Some(*fire_at);
            (draft, source)
        }
        EventKind::EventSent { instance_id, name, source, .. } => {
            let mut draft = draft(Sent, name);
            draft.lane.detail = Some(instance_id.to_string());
            draft.lane.instance_id = Some(instance_id.clone());
            draft.sent();
            (draft, source)
        }
        EventKind::EntityOperationCalled { entity_id, operation, source, .. } => {
            let mut draft = draft(EntityCall, entity_id.as_str());
            draft.lane.detail = Some(operation.clone());
            (draft, source)
        }
        EventKind::EntityOperationSignaled { entity_id, operation, source, .. } => {
            let mut draft = draft(Signal, entity_id.as_str());
            draft.lane.detail = Some(operation.clone());
            draft.sent();
            (draft, source)
        }
        EventKind::EntityLockRequested { lock_set, source } => {
            (draft(Lock, &names(lock_set)), source)
        }
        EventKind::EntityUnlockSent { lock_set, .. } => {
            let mut draft = draft(Lock, &names(lock_set));
            draft.sent();
            (draft, &None)
        }
        _ => return None,
    };
    let mut draft = draft;
    draft.lane.source.clone_from(source);
    Some(draft)
}

/// The entities of a critical section.
fn names(entities: &[EntityId]) -> String {
    let names: Vec<_> = entities.iter().map(EntityId::as_str).collect();
    names.join(", ")
}
