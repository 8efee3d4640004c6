//! An orchestration instance in memory, and how an episode changes it.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use lru::DefaultHasher;

use super::cache::Cached;
use super::due::WrittenBy;
use super::messages;
use crate::engine::{Action, AttemptId, Continuation, Execution, Outcome, ScheduledTask};
use crate::hub::built_in;
use crate::hub::commit::write::{Content, Effect};
use crate::hub::mail::End;
use crate::hub::recovery::held::is_reported;
use crate::hub::settings::{Retention, Settings};
use crate::hub::work::job::Job;
use crate::orchestration::UnreadEvent;
use crate::protocol::{
    EventKind, ExecutionId, ExecutionStarted, HistoryEvent, InstanceId, InstanceRecord,
    ParentInstance, REPLAY_VERSION, RuntimeStatus, TaskMessage, Timestamp,
};
use crate::weight;

/// An instance in memory.
pub(crate) struct Resident {
    pub(super) record: InstanceRecord,
    /// Its live execution; `None` if it is suspended or has finished.
    pub(super) execution: Option<Execution>,
    /// How it came to a stop, if it has.
    pub(super) end: Option<End>,
    /// The number of its last write.
    pub(super) last_write: u64,
    /// The execution whose history its next write replaces.
    pub(super) replaces: Option<ExecutionId>,
    /// The due time under which the due list has it.
    pub(super) listed_due: Option<Timestamp>,
    /// The write that contains the due time of the record; `None` if only memory knows it.
    pub(super) due_written_by: WrittenBy,
    /// Whether it was made from its record and has not updated the due list since. The list may
    /// already have returned the record's due time, while the instance was in memory before.
    pub(super) is_fresh: bool,
    /// Whether its parent has terminated it, and so waits for no result.
    pub(super) is_abandoned: bool,
    /// Whether it was purged.
    pub(super) is_purged: bool,
    /// Its whole history, kept only if every episode is verified by a replay.
    pub(super) past: Vec<HistoryEvent>,
}

impl Resident {
    /// An instance from its record, without an execution.
    pub(super) fn new(record: InstanceRecord, last_write: u64) -> Box<Self> {
        let listed_due = record.next_due;
        Box::new(Self {
            record,
            execution: None,
            end: None,
            last_write,
            replaces: None,
            listed_due,
            due_written_by: Some(last_write),
            is_fresh: true,
            is_abandoned: false,
            is_purged: false,
            past: Vec::new(),
        })
    }

    /// Whether operations on it start from its stored history: a suspended instance is resumed from
    /// there, and a failed one is rewound. No other instance without an execution needs it.
    pub(super) fn starts_from_history(&self) -> bool {
        matches!(self.record.runtime_status, RuntimeStatus::Suspended | RuntimeStatus::Failed)
    }

    /// Drops the results of earlier attempts, and second results of the same attempt. The start of
    /// an attempt is not recorded, so after a crash an attempt may run twice; its second result
    /// would count for the next attempt. Each event comes with its attempt, if it is an attempt's
    /// result.
    pub(super) fn without_stale_results(
        &self,
        events: Vec<(EventKind, Option<AttemptId>)>,
    ) -> Vec<EventKind> {
        // Most episodes have one event, which needs no set to exclude duplicates.
        let is_alone = events.len() == 1;
        let room = if is_alone { 0 } else { events.len() };
        let mut seen = HashSet::with_capacity_and_hasher(room, DefaultHasher::default());
        let mut is_current = |(event, attempt): &(EventKind, Option<AttemptId>)| {
            let (Some(attempt), Some(task)) = (attempt, event.answers()) else { return true };
            let running = self.execution.as_ref().and_then(|execution| execution.attempt(task));
            let is_stale = running.is_some_and(|running| *attempt < running);
            mark!(is_stale, "partition: the result of an earlier attempt arrives");
            !is_stale && (is_alone || seen.insert((task, *attempt)))
        };
        // Collecting in place would be slower: the vector would have to be shrunk.
        let mut current = Vec::with_capacity(events.len());
        current.extend(events.into_iter().filter(|it| is_current(it)).map(|(event, _)| event));
        current
    }

    /// Keeps the history, if every episode is verified against it.
    pub(super) fn keep_history(&mut self, settings: &Settings, past: Vec<HistoryEvent>) {
        if settings.verify {
            self.past = past;
        }
    }

    /// The activity that a task asks for.
    pub(super) fn job(&self, task: ScheduledTask) -> Arc<Job> {
        let InstanceRecord { instance_id, execution_id, .. } = &self.record;
        Arc::new(Job { instance_id: instance_id.clone(), execution_id: *execution_id, task })
    }

    /// The result that is sent to the parent of a finished instance.
    pub(super) fn result_for_parent(&self) -> Option<TaskMessage> {
        if self.is_abandoned {
            return None;
        }
        let result = match self.end.as_ref()? {
            End::Completed(result) => Ok(result.clone()),
            End::Failed(failure) => Err(failure.clone()),
            End::Terminated => Err(messages::terminated("")),
            End::Suspended(_) => return None,
        };
        messages::result_for_parent(&self.record, result)
    }

    /// Turns an action into a message, or into an effect that happens once the episode is durable.
    pub(super) fn act(&self, action: Action, content: &mut Content, effects: &mut Vec<Effect>) {
        let execution_id = self.record.execution_id;
        match action {
            Action::ScheduleTask(task) => effects.push(Effect::Run(self.job(task))),
            Action::CancelTask { event_id } => {
                effects.push(Effect::Cancel((execution_id, event_id)));
            }
            Action::StartOrchestration { instance_id, started } => {
                content.messages.push(messages::start(instance_id, started));
            }
            Action::TerminateOrchestration { instance_id, event_id } => {
                let reason = "its result is no longer needed".to_owned();
                let event = EventKind::ExecutionTerminated { reason, recurse: true };
                content.messages.push(self.to_child(event_id, instance_id, event));
            }
            Action::SendEvent { instance_id, name, input } => {
                content.messages.push(messages::raise(instance_id, name, input));
            }
            Action::CallEntity { task, asked, section } => {
                content.messages.push(messages::call(self.as_caller(task), asked, section));
            }
            Action::SignalEntity { asked, at } => {
                content.messages.push(messages::signal(asked, at));
            }
            Action::LockEntities { lock, lock_set } => {
                content.messages.extend(messages::lock_request(self.as_caller(lock), lock_set));
            }
            Action::UnlockEntities { lock, lock_set, granted } => {
                let section = self.as_caller(lock);
                if granted {
                    // All are locked, so each can be told directly.
                    let alone = lock_set.into_iter().map(|entity_id| vec![entity_id]);
                    let unlock = |set| messages::unlock(section.clone(), set);
                    content.messages.extend(alone.filter_map(unlock));
                } else {
                    content.messages.extend(messages::unlock(section, lock_set));
                }
            }
        }
    }

    /// A message to a sub-orchestration that this task has started.
    pub(super) fn to_child(&self, task: i32, child: InstanceId, event: EventKind) -> TaskMessage {
        messages::to_child(self.as_caller(task), child, event)
    }

    /// The instance as the parent that waits for this task.
    fn as_caller(&self, task_scheduled_id: i32) -> ParentInstance {
        let InstanceRecord { instance_id, execution_id, name, version, .. } = &self.record;
        ParentInstance {
            instance_id: instance_id.clone(),
            execution_id: *execution_id,
            name: name.clone(),
            version: version.clone(),
            task_scheduled_id,
        }
    }

    /// Updates the instance for an episode with these events.
    pub(super) fn settle(
        &mut self,
        events: &[HistoryEvent],
        outcome: Outcome,
        retention: &Retention,
    ) {
        let record = &mut self.record;
        let now = events.first().map_or(record.created_at, |event| event.timestamp);
        record.last_episode = record.history_len;
        record.history_len += events.len() as u64;
        record.last_updated_at = now;
        record.suspension = None;
        record.next_due = self.execution.as_ref().and_then(Execution::next_due);
        record.active = self.execution.as_ref().is_some_and(Execution::has_running_activities);
        if let Some(execution) = &self.execution {
            execution.custom_status().put(&mut record.custom_status);
        }
        match outcome {
            // A next generation that was run at once is settled here, not the one before it.
            Outcome::Waiting | Outcome::ContinuedAsNew(_) => {
                // A later generation that waits for its turn counts as running.
                let is_first = record.generation == 0;
                let begun = self.execution.as_ref().is_none_or(Execution::has_begun);
                record.runtime_status = if is_first && !begun {
                    RuntimeStatus::Pending
                } else {
                    RuntimeStatus::Running
                };
                self.end = None;
            }
            Outcome::Finished(status) => {
                record.runtime_status = status;
                record.active = false;
                let is_transient =
                    status == RuntimeStatus::Completed && built_in::is_transient(record);
                let kept = if is_transient { Some(Duration::ZERO) } else { retention.of(status) };
                record.next_due = kept.map(|time| now.after(time));
                self.execution = None;
                self.end = events.iter().rev().find_map(|event| End::of(&event.kind));
            }
            Outcome::Suspended(suspension) => {
                record.runtime_status = RuntimeStatus::Suspended;
                record.suspension = Some(suspension.clone());
                record.next_due = None;
                record.active = suspension.code.is_some();
                self.execution = None;
                self.end = None;
                if is_reported(&suspension) {
                    self.end = Some(End::Suspended(suspension));
                }
            }
        }
    }

    /// The start of the next generation, and the external events that it inherits.
    pub(super) fn next_generation(
        &mut self,
        continuation: Continuation,
    ) -> Option<(ExecutionStarted, VecDeque<UnreadEvent>)> {
        let execution = self.execution.as_ref()?;
        execution.custom_status().put(&mut self.record.custom_status);
        let before = execution.started()?.clone();
        let Continuation { next, unread } = continuation;
        let started = ExecutionStarted {
            name: next.name.to_owned(),
            version: next.version,
            input: next.input,
            execution_id: ExecutionId::generate(),
            scheduled_start: None,
            generation: before.generation + 1,
            replay_version: REPLAY_VERSION,
            ..before
        };
        Some((started, unread))
    }

    /// Turns it into an instance with an empty history, of another execution.
    pub(super) fn reset_for(&mut self, started: &ExecutionStarted) {
        // The first history that was written is the one to replace; later ones exist in memory
        // only.
        self.replaces = self.replaces.or(Some(self.record.execution_id));
        let record = &mut self.record;
        record.execution_id = started.execution_id;
        record.version.clone_from(&started.version);
        record.generation = started.generation;
        record.history_len = 0;
        record.last_episode = 0;
        record.runtime_status = RuntimeStatus::Running;
        self.execution = None;
        self.past.clear();
    }
}

impl Cached for Resident {
    fn id(&self) -> &InstanceId {
        &self.record.instance_id
    }

    fn last_write(&self) -> u64 {
        self.last_write
    }

    fn is_disposable(&self) -> bool {
        self.record.runtime_status.is_finished()
    }

    fn is_pinned(&self) -> bool {
        false
    }

    fn is_removed(&self) -> bool {
        self.is_purged
    }

    fn bytes(&self) -> usize {
        let InstanceRecord { instance_id, name, tags, custom_status, .. } = &self.record;
        size_of::<Self>()
            + instance_id.as_str().len()
            + name.len()
            + tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
            + custom_status.as_ref().map_or(0, |status| status.as_str().len())
            + self.execution.as_ref().map_or(0, Execution::bytes)
            + weight::of_events(&self.past)
    }
}
