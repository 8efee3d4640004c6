//! What must be true of every commit, whatever the hub does.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use durable::InstanceId;
use durable::protocol::{EventKind, ExecutionId, HistoryEvent, MessageId, Timestamp};
use durable::store::{Commit, Store};
use durable::testing::sim::Observer;

/// What was committed, shared by the rules, the clients and the end of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Committed(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The events that clients raised, by the number in their input, with the executions that
    /// recorded them.
    raised: BTreeMap<u64, BTreeSet<(InstanceId, ExecutionId)>>,
    /// The messages that were sent and not consumed.
    on_their_way: BTreeSet<MessageId>,
    consumed: BTreeSet<MessageId>,
    /// The instances that have continued as new, in which earlier events are not recorded.
    continued: BTreeSet<InstanceId>,
    /// The length and a hash of each history.
    histories: BTreeMap<InstanceId, (ExecutionId, usize, u64)>,
    /// How many episodes were committed.
    pub(crate) episodes: u64,
    /// The instance of the last episode.
    pub(crate) last: Option<InstanceId>,
}

impl Committed {
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the event of this number is in a history, or may have been in one.
    pub(crate) fn has_raised(&self, id: &str, number: u64) -> bool {
        let known = self.known();
        known.raised.contains_key(&number) || known.continued.iter().any(|it| it.as_str() == id)
    }
}

impl Observer for Committed {
    fn before(&mut self, commit: &Commit, _store: &dyn Store) -> Result<(), String> {
        let known = &mut *self.known();
        // Messages of the same commit may be consumed by a later one only.
        for (_, id) in &commit.consumed {
            if known.on_their_way.remove(id) {
                known.consumed.insert(*id);
            } else if known.consumed.contains(id) {
                return Err(format!("I5 message {id:?} takes effect twice"));
            }
        }
        for (_, message) in &commit.messages {
            if known.consumed.contains(&message.id) || !known.on_their_way.insert(message.id) {
                let to = &message.instance_id;
                return Err(format!("I5 message {:?} to {to} is sent twice", message.id));
            }
        }
        for episode in &commit.episodes {
            known.episodes += 1;
            let record = &episode.record;
            known.last = Some(record.instance_id.clone());
            if episode.replaces.is_some() || record.generation > 0 {
                known.continued.insert(record.instance_id.clone());
            }
            for event in &episode.events {
                let EventKind::EventRaised { input, .. } = &event.kind else { continue };
                let Ok(number) = input.read::<u64>() else { continue };
                let key = (record.instance_id.clone(), record.execution_id);
                if number > 0 && !known.raised.entry(number).or_default().insert(key) {
                    let id = &record.instance_id;
                    return Err(format!("I5 event {number} is recorded twice by {id}"));
                }
            }
            if let Some(suspension) = &record.suspension
                && let Some(code) = &suspension.code
            {
                let id = &record.instance_id;
                return Err(format!("I27 {id} is suspended with {code}: {}", suspension.reason));
            }
        }
        Ok(())
    }

    fn after(&mut self, commit: &Commit, store: &dyn Store) -> Result<(), String> {
        for (_, id) in &commit.purged {
            self.known().histories.remove(id);
        }
        for episode in &commit.episodes {
            let id = &episode.record.instance_id;
            // A later episode of the same group may have replaced this one.
            let Ok(Some(record)) = store.instance(id) else {
                return Err(format!("I2 {id} was committed and is not there"));
            };
            if !id.as_str().starts_with('@') {
                let read = store.history(id, record.execution_id, 0);
                let history = read.map_err(|error| error.to_string())?;
                if episode.replaces.is_some() {
                    self.known().histories.remove(id);
                }
                self.grows(id, record.execution_id, &history)?;
                is_well_formed(&history).map_err(|wrong| format!("I3 {id}: {wrong}"))?;
            }
        }
        Ok(())
    }
}

impl Committed {
    /// I2: what was recorded never changes.
    fn grows(
        &self,
        id: &InstanceId,
        execution: ExecutionId,
        history: &[HistoryEvent],
    ) -> Result<(), String> {
        let known = &mut self.known().histories;
        if let Some((before, length, hash)) = known.get(id)
            && *before == execution
            && (history.len() < *length || hash_of(&history[..*length]) != *hash)
        {
            return Err(format!("I2 the history of {id} has changed"));
        }
        known.insert(id.clone(), (execution, history.len(), hash_of(history)));
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

/// I3: each request is answered once, nothing follows the end, no timer fires early, and attempts
/// are counted from 1.
fn is_well_formed(history: &[HistoryEvent]) -> Result<(), String> {
    let mut timers: BTreeMap<i32, Timestamp> = BTreeMap::new();
    let mut answered = BTreeSet::new();
    let mut attempts: BTreeMap<i32, u32> = BTreeMap::new();
    // While it is suspended, a late result is recorded before anybody looks at it.
    let (mut has_ended, mut is_suspended) = (false, false);
    let is_start = |event: &HistoryEvent| matches!(event.kind, EventKind::ExecutionStarted(_));
    if !history.iter().take(2).any(is_start) {
        return Err("it does not begin with its start".to_owned());
    }
    for event in history {
        if has_ended && !matches!(event.kind, EventKind::OrchestratorCompleted) {
            return Err(format!("{:?} follows the end", event.kind));
        }
        match &event.kind {
            EventKind::TimerCreated { fire_at, .. } => {
                timers.insert(event.event_id, *fire_at);
            }
            EventKind::TimerFired { timer_id, fire_at } => {
                if *fire_at > event.timestamp {
                    return Err(format!("timer {timer_id} fires before {fire_at}"));
                }
                if *timer_id >= 0 && timers.remove(timer_id) != Some(*fire_at) {
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
                answered.remove(task_scheduled_id);
            }
            EventKind::TaskCompleted { task_scheduled_id, .. }
            | EventKind::TaskFailed { task_scheduled_id, .. }
            | EventKind::SubOrchestrationInstanceCompleted { task_scheduled_id, .. }
            | EventKind::SubOrchestrationInstanceFailed { task_scheduled_id, .. }
            | EventKind::EntityOperationCompleted { task_scheduled_id, .. }
            | EventKind::EntityOperationFailed { task_scheduled_id, .. }
            | EventKind::EntityLockGranted { task_scheduled_id } => {
                let is_first = answered.insert(*task_scheduled_id);
                if !is_first && !is_suspended {
                    return Err(format!("task {task_scheduled_id} is answered twice"));
                }
            }
            EventKind::ExecutionCompleted { .. } => has_ended = true,
            EventKind::ExecutionSuspended { .. } => is_suspended = true,
            EventKind::ExecutionResumed { .. } => is_suspended = false,
            _ => {}
        }
    }
    Ok(())
}
