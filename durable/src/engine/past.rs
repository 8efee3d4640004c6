//! What a history tells without being replayed.

use std::collections::BTreeMap;

use super::action::Action;
use crate::limits::Limits;
use crate::protocol::{EventKind, HistoryEvent, InstanceId};

/// Where the episodes begin that were recorded while the instance was set aside, as it still is: of
/// them nothing took effect but what came in.
pub(super) fn set_aside_from(past: &[HistoryEvent]) -> usize {
    let (mut episode, mut from, mut is_resumed) = (0, None, false);
    for (index, event) in past.iter().enumerate() {
        match event.kind {
            EventKind::OrchestratorStarted => (episode, is_resumed) = (index, false),
            EventKind::ExecutionResumed { .. } => is_resumed = true,
            EventKind::ExecutionSuspended { .. } => {
                from = from.or(Some(episode));
                is_resumed = false;
            }
            EventKind::OrchestratorCompleted if is_resumed => from = None,
            _ => {}
        }
    }
    from.unwrap_or(past.len())
}

/// Which failures of calls were followed by the decision to retry.
///
/// What fails while the instance is suspended is recorded as it came in, and judged when the instance
/// goes on. A decision to retry is recorded then, and counts instead of the failure before it.
pub(super) struct Retried(BTreeMap<i32, usize>);

impl Retried {
    /// Whether the event at this index is a failure that was retried later on.
    pub(super) fn covers(&self, index: usize, kind: &EventKind) -> bool {
        let last = kind.failed_call().and_then(|task| self.0.get(&task));
        last.is_some_and(|last| *last > index)
    }
}

pub(super) fn retried_after(past: &[HistoryEvent]) -> Retried {
    let retried = past.iter().enumerate().filter_map(|(index, event)| match event.kind {
        EventKind::TaskAttemptFailed { task_scheduled_id, .. } => Some((task_scheduled_id, index)),
        _ => None,
    });
    Retried(retried.collect())
}

/// The limits under which a history is replayed: those that it has recorded, so that a hub that is
/// opened with others changes nothing of what was refused and what was not.
///
/// What release 0.1 has started has recorded none, and what was rewound may do more than it could
/// when it failed: there the limits of `today` count, where they are wider than what was recorded
/// and wide enough for what is on record.
pub(super) fn limits_of(past: &[HistoryEvent], today: Limits) -> Limits {
    let recorded = past.iter().find_map(|event| match &event.kind {
        EventKind::ExecutionStarted(started) => started.limits,
        _ => None,
    });
    let is_rewound = || past.iter().any(|it| matches!(it.kind, EventKind::ExecutionRewound { .. }));
    let mut limits = today;
    if let Some(recorded) = recorded {
        let recorded = Limits { episode: today.episode, ..Limits::of(recorded) };
        if !is_rewound() {
            return recorded;
        }
        limits = limits.or_wider(recorded);
    }
    let mut raised = 0;
    for event in past {
        raised += usize::from(matches!(event.kind, EventKind::EventRaised { .. }));
        limits.actions = limits.actions.max(u32::try_from(event.event_id).map_or(0, |id| id + 1));
        let handed_over = event.kind.handed_over().map_or(0, |input| input.as_str().len());
        limits.payload = limits.payload.max(handed_over);
    }
    limits.unread_events = limits.unread_events.max(raised);
    limits
}

/// The sub-orchestrations of a history that have no result.
pub(crate) fn open_children(past: &[HistoryEvent]) -> Vec<(i32, InstanceId)> {
    let (mut open, retried) = (BTreeMap::new(), retried_after(past));
    for (index, event) in past.iter().enumerate() {
        match &event.kind {
            kind if retried.covers(index, kind) => {}
            EventKind::SubOrchestrationInstanceCreated { instance_id, detached: false, .. } => {
                open.insert(event.event_id, instance_id.clone());
            }
            EventKind::SubOrchestrationInstanceCompleted { task_scheduled_id, .. }
            | EventKind::SubOrchestrationInstanceFailed { task_scheduled_id, .. } => {
                open.remove(task_scheduled_id);
            }
            _ => {}
        }
    }
    open.into_iter().collect()
}

/// What unlocks the entities of a history whose critical section has not ended.
pub(crate) fn open_section(past: &[HistoryEvent]) -> Option<Action> {
    let requested = past.iter().rev().find_map(|event| match &event.kind {
        EventKind::EntityLockRequested { lock_set, .. } => Some((event.event_id, lock_set.clone())),
        _ => None,
    });
    let (lock, lock_set) = requested?;
    let mut granted = false;
    for event in past {
        match event.kind {
            EventKind::EntityUnlockSent { task_scheduled_id, .. } if task_scheduled_id == lock => {
                return None;
            }
            EventKind::EntityLockGranted { task_scheduled_id } if task_scheduled_id == lock => {
                granted = true;
            }
            _ => {}
        }
    }
    Some(Action::UnlockEntities { lock, lock_set, granted })
}

/// A history whose failures are to be tried again.
pub(crate) struct Rewound {
    /// Without its end and without the failures of tasks.
    pub(crate) past: Vec<HistoryEvent>,
    /// All tasks that had failed.
    pub(crate) failed: Vec<i32>,
    /// Whether a critical section has ended behind a failure: it cannot be entered again.
    pub(crate) has_left_section: bool,
}

pub(crate) fn without_failures(mut past: Vec<HistoryEvent>) -> Rewound {
    let retried = retried_after(&past);
    let mut index = 0..;
    past.retain(|event| index.next().is_none_or(|index| !retried.covers(index, &event.kind)));
    let failed: Vec<_> = past
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::EntityOperationFailed { task_scheduled_id, .. } => Some(task_scheduled_id),
            _ => event.kind.failed_call(),
        })
        .collect();
    let stays = |kind: &EventKind| match kind {
        EventKind::ExecutionCompleted { .. }
        | EventKind::TaskFailed { .. }
        | EventKind::EntityOperationFailed { .. }
        | EventKind::SubOrchestrationInstanceFailed { .. } => false,
        EventKind::TaskAttemptFailed { task_scheduled_id, .. } => {
            !failed.contains(task_scheduled_id)
        }
        _ => true,
    };
    let has_left_section = past
        .iter()
        .skip_while(|event| event.kind.answers().is_none_or(|task| !failed.contains(&task)))
        .any(|event| matches!(event.kind, EventKind::EntityUnlockSent { .. }));
    let past = past.into_iter().filter(|event| stays(&event.kind)).collect();
    Rewound { past, failed, has_left_section }
}
