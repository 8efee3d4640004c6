//! Facts that can be read from a history without replaying it.
//!
//! The functions here read [roles](Role), not kinds of events, so that they handle a new event as
//! soon as it has a role.

use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use crate::limits::Limits;
use crate::protocol::{Answer, EventKind, HistoryEvent, InstanceId, Role};

/// The index of the first event that was recorded since the instance was suspended, or the number
/// of events if it is not suspended. The events from there on are arrivals without effect.
pub(super) fn set_aside_from(past: &[HistoryEvent]) -> usize {
    let (mut episode, mut from, mut is_resumed) = (0, None, false);
    for (index, event) in past.iter().enumerate() {
        match event.kind.role() {
            Role::EpisodeStarted => (episode, is_resumed) = (index, false),
            Role::Resumed => is_resumed = true,
            Role::Suspended => {
                from = from.or(Some(episode));
                is_resumed = false;
            }
            Role::EpisodeCompleted => from = from.filter(|_| !is_resumed),
            Role::Started(_)
            | Role::Terminated
            | Role::Rewound
            | Role::Raised
            | Role::Answered { .. }
            | Role::Requested { .. }
            | Role::Ended
            | Role::Noted
            | Role::EntityState => {}
        }
    }
    from.unwrap_or(past.len())
}

/// The failures of calls that were followed by a decision to retry.
///
/// A failure that arrives while the instance is suspended is recorded as it is, and judged when the
/// instance resumes. The decision to retry is recorded then, and supersedes the failure.
pub(super) struct Retried(BTreeMap<i32, usize>);

impl Retried {
    /// Whether the event at this index is a failure that was retried later.
    pub(super) fn covers(&self, index: usize, kind: &EventKind) -> bool {
        let last = kind.failed_run().and_then(|task| self.0.get(&task));
        last.is_some_and(|last| *last > index)
    }
}

pub(super) fn retried_after(past: &[HistoryEvent]) -> Retried {
    let mut retried = BTreeMap::new();
    for (index, event) in past.iter().enumerate() {
        if let Role::Answered { task, answer: Answer::AttemptFailed } = event.kind.role() {
            retried.insert(task, index);
        }
    }
    Retried(retried)
}

/// The limits under which a history is replayed: those that it recorded, so that opening a hub with
/// other limits does not change which requests were refused.
///
/// Executions that release 0.1 started recorded no limits, and a rewound execution may exceed the
/// limits under which it failed. For these, each limit is the largest of the recorded one, that of
/// `today`, and the maximum that the history itself contains.
pub(super) fn limits_of(past: &[HistoryEvent], today: Limits) -> Limits {
    let recorded = past.iter().find_map(|event| {
        if let Role::Started(started) = event.kind.role() { started.limits } else { None }
    });
    let is_rewound = || past.iter().any(|event| matches!(event.kind.role(), Role::Rewound));
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
        raised += usize::from(matches!(event.kind.role(), Role::Raised));
        limits.actions = limits.actions.max(u32::try_from(event.event_id).map_or(0, |id| id + 1));
        let payload = event.kind.payload().map_or(0, |payload| payload.as_str().len());
        limits.payload = limits.payload.max(payload);
    }
    limits.unread_events = limits.unread_events.max(raised);
    limits
}

/// The sub-orchestrations of a history that have no result.
pub(crate) fn open_children(past: &[HistoryEvent]) -> Vec<(i32, InstanceId)> {
    let (mut open, retried) = (BTreeMap::new(), retried_after(past));
    for (index, event) in past.iter().enumerate() {
        if let EventKind::SubOrchestrationInstanceCreated { instance_id, detached: false, .. } =
            &event.kind
        {
            open.insert(event.event_id, instance_id.clone());
        }
        let Role::Answered { task, answer } = event.kind.role() else { continue };
        match answer {
            Answer::Succeeded | Answer::RunFailed(_) | Answer::OperationFailed => {
                if !retried.covers(index, &event.kind) {
                    open.remove(&task);
                }
            }
            Answer::AttemptFailed => {}
        }
    }
    open.into_iter().collect()
}

/// The action that unlocks the entities of a history whose critical section has not ended.
pub(crate) fn open_section(past: &[HistoryEvent]) -> Option<Action> {
    let requested = past.iter().rev().find_map(|event| {
        let EventKind::EntityLockRequested { lock_set, .. } = &event.kind else { return None };
        Some((event.event_id, lock_set.clone()))
    });
    let (lock, lock_set) = requested?;
    let is_unlock = |kind: &EventKind| {
        matches!(kind, EventKind::EntityUnlockSent { task_scheduled_id, .. }
            if *task_scheduled_id == lock)
    };
    if past.iter().any(|event| is_unlock(&event.kind)) {
        return None;
    }
    let granted = past.iter().any(|event| event.kind.answers() == Some(lock));
    Some(Action::UnlockEntities { lock, lock_set, granted })
}

/// A history that was rewound, so that its failed tasks run again.
pub(crate) struct Rewound {
    /// The history without its end and without the failures of tasks.
    pub(crate) past: Vec<HistoryEvent>,
    /// The number of its events that were recorded before the first failure.
    pub(crate) before: usize,
    /// All tasks that had failed.
    pub(crate) failed: Vec<i32>,
    /// Whether a critical section ended after a failure; it cannot be entered again.
    pub(crate) has_left_section: bool,
}

/// Removes late answers: those to tasks that were already answered.
///
/// While an instance is suspended, a result is recorded even if its task has already timed out.
fn drop_late_answers(past: &mut Vec<HistoryEvent>) {
    let mut answered = BTreeSet::new();
    past.retain(|event| {
        let Role::Answered { task, answer } = event.kind.role() else { return true };
        matches!(answer, Answer::AttemptFailed) || answered.insert(task)
    });
}

pub(crate) fn without_failures(mut past: Vec<HistoryEvent>) -> Rewound {
    let retried = retried_after(&past);
    let mut index = 0..;
    past.retain(|event| index.next().is_none_or(|index| !retried.covers(index, &event.kind)));
    drop_late_answers(&mut past);
    let failure = |kind: &EventKind| {
        let Role::Answered { task, answer } = kind.role() else { return None };
        let is_failure = match answer {
            Answer::RunFailed(_) | Answer::OperationFailed => true,
            Answer::Succeeded | Answer::AttemptFailed => false,
        };
        is_failure.then_some(task)
    };
    let failed: Vec<_> = past.iter().filter_map(|event| failure(&event.kind)).collect();
    let stays = |kind: &EventKind| match kind.role() {
        Role::Ended => false,
        Role::Answered { task, answer } => match answer {
            Answer::RunFailed(_) | Answer::OperationFailed => false,
            Answer::AttemptFailed => !failed.contains(&task),
            Answer::Succeeded => true,
        },
        Role::EpisodeStarted
        | Role::EpisodeCompleted
        | Role::Started(_)
        | Role::Terminated
        | Role::Suspended
        | Role::Resumed
        | Role::Rewound
        | Role::Raised
        | Role::Requested { .. }
        | Role::Noted
        | Role::EntityState => true,
    };
    let has_left_section = past
        .iter()
        .skip_while(|event| event.kind.answers().is_none_or(|task| !failed.contains(&task)))
        .any(|event| matches!(event.kind, EventKind::EntityUnlockSent { .. }));
    let before = past.iter().take_while(|event| failure(&event.kind).is_none());
    let before = before.filter(|event| stays(&event.kind)).count();
    let past = past.into_iter().filter(|event| stays(&event.kind)).collect();
    Rewound { past, before, failed, has_left_section }
}
