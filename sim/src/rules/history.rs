//! I2: what was recorded never changes. I3: histories are well formed.
//!
//! History events are facts, and a request has at most one answer.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use durable::protocol::{EventKind, ExecutionId, HistoryEvent, InstanceId, Timestamp};

/// The length and a hash of each history.
#[derive(Debug, Default)]
pub(super) struct Histories(BTreeMap<InstanceId, (ExecutionId, usize, u64)>);

impl Histories {
    /// Called when the history of an instance is replaced, or the instance is purged.
    pub(super) fn forget(&mut self, id: &InstanceId) {
        self.0.remove(id);
    }

    pub(super) fn grows(
        &mut self,
        id: &InstanceId,
        execution: ExecutionId,
        history: &[HistoryEvent],
    ) -> Result<(), String> {
        if let Some((before, length, hash)) = self.0.get(id)
            && *before == execution
            && (history.len() < *length || hash_of(&history[..*length]) != *hash)
        {
            return Err(format!("I2 the history of {id} has changed"));
        }
        self.0.insert(id.clone(), (execution, history.len(), hash_of(history)));
        Ok(())
    }
}

fn hash_of(history: &[HistoryEvent]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for event in history {
        event.event_id.hash(&mut hasher);
        event.timestamp.hash(&mut hasher);
        format!("{:?}", event.kind).hash(&mut hasher);
    }
    hasher.finish()
}

/// Checks that each request is answered once, nothing follows the end, no timer fires early,
/// attempts are counted from 1, and requests from 0.
pub(super) fn is_well_formed(history: &[HistoryEvent]) -> Result<(), String> {
    let mut timers: BTreeMap<i32, Timestamp> = BTreeMap::new();
    let mut answered = BTreeSet::new();
    let mut attempts: BTreeMap<i32, u32> = BTreeMap::new();
    let mut requests = BTreeSet::new();
    // While an instance is suspended, a result is recorded even if its task has timed out.
    let (mut has_ended, mut is_suspended) = (false, false);
    let is_start = |event: &HistoryEvent| matches!(event.kind, EventKind::ExecutionStarted(_));
    if !history.iter().take(2).any(is_start) {
        return Err("it does not begin with its start".to_owned());
    }
    for event in history {
        if has_ended && !matches!(event.kind, EventKind::OrchestratorCompleted) {
            return Err(format!("{:?} follows the end", event.kind));
        }
        if event.event_id >= 0 && !requests.insert(event.event_id) {
            return Err(format!("request {} is recorded twice", event.event_id));
        }
        if is_suspended
            && (event.event_id >= 0 || matches!(event.kind, EventKind::TimerFired { .. }))
        {
            return Err(format!("{:?} happens during a suspension", event.kind));
        }
        if let Some(task) = answers(&event.kind)
            && !requests.contains(&task)
        {
            return Err(format!("{:?} answers no request", event.kind));
        }
        match &event.kind {
            EventKind::TimerCreated { fire_at, .. } => {
                timers.insert(event.event_id, *fire_at);
            }
            EventKind::TimerFired { timer_id, fire_at } => {
                if *fire_at > event.timestamp {
                    return Err(format!("timer {timer_id} fires before {fire_at}"));
                }
                let is_rewound =
                    history.iter().any(|it| matches!(it.kind, EventKind::ExecutionRewound { .. }));
                let was_set = timers.remove(timer_id);
                if *timer_id >= 0 && (was_set.is_none() || !is_rewound && was_set != Some(*fire_at))
                {
                    return Err(format!("timer {timer_id} fires twice, or was not set"));
                }
            }
            EventKind::TaskAttemptFailed { task_scheduled_id, attempt, .. } => {
                let last = attempts.entry(*task_scheduled_id).or_default();
                *last += 1;
                if attempt != last {
                    return Err(format!(
                        "task {task_scheduled_id}: attempt {attempt} in the place of {last}"
                    ));
                }
                // A failure that arrived during a suspension is handled when the instance resumes.
                answered.remove(task_scheduled_id);
            }
            EventKind::ExecutionCompleted { .. } => has_ended = true,
            EventKind::ExecutionSuspended { .. } => is_suspended = true,
            EventKind::ExecutionResumed { .. } => is_suspended = false,
            kind => {
                if let Some(task) = answers(kind)
                    && !answered.insert(task)
                    && !is_suspended
                {
                    return Err(format!("task {task} is answered twice"));
                }
            }
        }
    }
    Ok(())
}

/// The request that an event answers.
fn answers(kind: &EventKind) -> Option<i32> {
    match kind {
        EventKind::TaskCompleted { task_scheduled_id, .. }
        | EventKind::TaskFailed { task_scheduled_id, .. }
        | EventKind::TaskAttemptFailed { task_scheduled_id, .. }
        | EventKind::SubOrchestrationInstanceCompleted { task_scheduled_id, .. }
        | EventKind::SubOrchestrationInstanceFailed { task_scheduled_id, .. }
        | EventKind::EntityOperationCompleted { task_scheduled_id, .. }
        | EventKind::EntityOperationFailed { task_scheduled_id, .. }
        | EventKind::EntityLockGranted { task_scheduled_id } => Some(*task_scheduled_id),
        _ => None,
    }
}
