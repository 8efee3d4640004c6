//! What an episode leaves: what is written of it, what is sent, what happens once that is durable.

use super::due::WrittenBy;
use super::residents::Resident;
use super::start::{answer_parent, terminated};
use super::{End, Partition};
use crate::engine::{Action, Episode, Execution, Outcome, ScheduledTask};
use crate::entity::Asked;
use crate::hub::commit::committer::{Content, Effect};
use crate::hub::mail::Ended;
use crate::hub::settings::Settings;
use crate::hub::telemetry::lifecycle::Before;
use crate::hub::telemetry::lines::Line;
use crate::hub::work::activities::Job;
use crate::protocol::{
    EntityId, EventKind, HistoryEvent, InstanceId, InstanceRecord, MessageId, ParentInstance,
    RuntimeStatus, TaskMessage, Timestamp,
};
use crate::store::EpisodeWrite;

impl Partition {
    /// Writes an episode with what follows from it, and `content` and `effects` with it.
    pub(super) fn write_episode(
        &mut self,
        resident: &mut Resident,
        episode: Episode,
        mut content: Content,
        mut effects: Vec<Effect>,
    ) {
        let before = Before::of(&resident.record);
        let episode = self.verified(resident, episode);
        let episode = self.continue_as_new(resident, episode, &mut content, &mut effects);
        for action in episode.actions {
            resident.act(action, &mut content, &mut effects);
        }
        if episode.events.is_empty() {
            // An attempt has begun, which is no event. What is due next is in no write.
            self.keep_due(resident);
        } else {
            let was_pending = resident.record.runtime_status == RuntimeStatus::Pending;
            let failed = resident.execution.as_mut().map(Execution::take_failed_attempts);
            resident.settle(&episode.events, episode.outcome, &self.settings);
            // Behind what is told already, and before anybody who waits for it is answered.
            let is_told = |effect: &&Effect| matches!(effect, Effect::Tell(_) | Effect::Log(_));
            let told = effects.iter().take_while(is_told).count();
            let (record, events) = (&resident.record, &episode.events);
            let attempts = Line::of_attempts(record, failed.unwrap_or_default(), events);
            let news = attempts.chain(self.lifecycle.changes(before, record, events));
            effects.splice(told..told, news);
            content.messages.extend(resident.news_for_parent());
            self.answer_waiters(resident, was_pending, &mut effects);
            self.set_due(resident, resident.record.next_due, Some(self.written + 1));
            content.episode = Some(EpisodeWrite {
                partition: self.id,
                record: resident.record.clone(),
                events: episode.events,
                replaces: resident.replaces.take(),
            });
            resident.written = self.written + 1;
        }
        self.write(content, effects);
    }

    /// Keeps in the due list what is due next for an instance of which nothing is written.
    pub(super) fn keep_due(&mut self, resident: &mut Resident) {
        let Some(execution) = &resident.execution else { return };
        let due = execution.next_due();
        let is_known = due == resident.record.next_due;
        let written_by = if is_known { resident.due_written_by } else { None };
        self.set_due(resident, due, written_by);
    }

    /// The instance is due at this time, which the write `written_by` contains.
    pub(super) fn set_due(
        &mut self,
        resident: &mut Resident,
        due: Option<Timestamp>,
        written_by: WrittenBy,
    ) {
        let is_listed = resident.due_before == due && resident.due_written_by.is_some();
        if !is_listed {
            self.due.set(&resident.record.instance_id, (resident.due_before, due), written_by);
            resident.due_before = due;
            resident.due_written_by = written_by;
            resident.record.next_due = due;
        }
    }

    /// Replays the history with this episode from scratch; one that cannot be done twice is not
    /// written, but what came in is.
    pub(super) fn verified(&self, resident: &mut Resident, episode: Episode) -> Episode {
        let is_written = !matches!(episode.outcome, Outcome::Suspended(_));
        if !self.settings.verify || !is_written || episode.events.is_empty() {
            return episode;
        }
        resident.past.extend_from_slice(&episode.events);
        if matches!(episode.outcome, Outcome::ContinuedAsNew(_)) {
            return episode;
        }
        let verified =
            self.begin(&resident.record).and_then(|execution| execution.verify(&resident.past));
        match (verified, episode.events.first()) {
            (Err(suspension), Some(first)) => {
                let now = first.timestamp;
                Episode::set_aside(now, episode.into_incoming(), suspension, true)
            }
            _ => episode,
        }
    }

    fn answer_waiters(
        &mut self,
        resident: &Resident,
        was_pending: bool,
        effects: &mut Vec<Effect>,
    ) {
        let id = &resident.record.instance_id;
        let Some(waiters) = self.waiters.get_mut(id) else { return };
        if was_pending && resident.record.runtime_status != RuntimeStatus::Pending {
            effects.extend(waiters.start.drain(..).map(|reply| Effect::Begun(reply, true)));
        }
        if let Some(end) = &resident.end {
            let answer = |reply| {
                let ended = Ended { end: end.clone(), record: resident.record.clone() };
                Effect::Ended(reply, Some(Box::new(ended)))
            };
            effects.extend(waiters.end.drain(..).map(answer));
        }
        if let Some(watched) = &mut waiters.status {
            effects.extend(watched.changes(&resident.record));
            if !watched.goes_on(&resident.record) {
                waiters.status = None;
            }
        }
        if waiters.is_empty() {
            self.waiters.remove(id);
        }
    }
}

impl Resident {
    pub(super) fn job(&self, task: ScheduledTask) -> Box<Job> {
        let InstanceRecord { instance_id, execution_id, .. } = &self.record;
        Box::new(Job { instance_id: instance_id.clone(), execution_id: *execution_id, task })
    }

    /// What the parent of an instance is told when it has ended.
    fn news_for_parent(&self) -> Option<TaskMessage> {
        if self.is_abandoned {
            return None;
        }
        let result = match self.end.as_ref()? {
            End::Completed(result) => Ok(result.clone()),
            End::Failed(failure) => Err(failure.clone()),
            End::Terminated => Err(terminated("")),
            End::Suspended(_) => return None,
        };
        answer_parent(&self.record, result)
    }

    /// What an action becomes: a message, or something to do once the episode is durable.
    pub(super) fn act(&self, action: Action, content: &mut Content, effects: &mut Vec<Effect>) {
        let execution_id = self.record.execution_id;
        match action {
            Action::ScheduleTask(task) => effects.push(Effect::Run(self.job(task))),
            Action::CancelTask { event_id } => {
                effects.push(Effect::Cancel((execution_id, event_id)));
            }
            Action::StartOrchestration { instance_id, started } => {
                content.messages.push(message(instance_id, EventKind::ExecutionStarted(started)));
            }
            Action::TerminateOrchestration { instance_id, event_id } => {
                let reason = "nobody waits for it any more".to_owned();
                let event = EventKind::ExecutionTerminated { reason, recurse: true };
                content.messages.push(self.to_child(event_id, instance_id, event));
            }
            Action::SendEvent { instance_id, name, input } => {
                content.messages.push(message(instance_id, EventKind::EventRaised { name, input }));
            }
            Action::CallEntity { task, asked, section } => {
                let from = Some(Box::new(self.as_parent(task)));
                content.messages.push(TaskMessage { from, ..call(asked, section) });
            }
            Action::SignalEntity { asked, at } => content.messages.push(signal(asked, at)),
            Action::LockEntities { lock, lock_set } => {
                content.messages.extend(lock_request(self.as_parent(lock), lock_set));
            }
            Action::UnlockEntities { lock, lock_set, granted } => {
                let section = self.as_parent(lock);
                if granted {
                    let alone = lock_set.into_iter().map(|entity_id| vec![entity_id]);
                    content.messages.extend(alone.filter_map(|set| unlock(section.clone(), set)));
                } else {
                    content.messages.extend(unlock(section, lock_set));
                }
            }
        }
    }

    /// A message for a sub-orchestration, which must be one of this instance when it gets there.
    pub(super) fn to_child(
        &self,
        task_scheduled_id: i32,
        instance_id: InstanceId,
        event: EventKind,
    ) -> TaskMessage {
        let from = Some(Box::new(self.as_parent(task_scheduled_id)));
        TaskMessage { from, ..message(instance_id, event) }
    }

    /// The instance as who waits for one of its tasks.
    fn as_parent(&self, task_scheduled_id: i32) -> ParentInstance {
        let InstanceRecord { instance_id, execution_id, name, version, .. } = &self.record;
        ParentInstance {
            instance_id: instance_id.clone(),
            execution_id: *execution_id,
            name: name.clone(),
            version: version.clone(),
            task_scheduled_id,
        }
    }

    /// What an episode makes of the instance.
    fn settle(&mut self, events: &[HistoryEvent], outcome: Outcome, settings: &Settings) {
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
            // What begins anew has begun by now.
            Outcome::Waiting | Outcome::ContinuedAsNew(_) => {
                // A later generation that waits for its turn is an instance that runs.
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
                record.next_due = settings.retention.of(status).map(|time| now.after(time));
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
                if suspension.code.is_some() {
                    self.end = Some(End::Suspended(suspension));
                }
            }
        }
    }
}

/// What calls an operation of an entity.
fn call(asked: Asked, critical_section: Option<i32>) -> TaskMessage {
    let Asked { entity_id, operation, input } = asked;
    let (id, operation, source) = (entity_id.instance_id().clone(), operation.into_owned(), None);
    let event =
        EventKind::EntityOperationCalled { entity_id, operation, input, source, critical_section };
    message(id, event)
}

/// What signals an operation to an entity.
pub(super) fn signal(asked: Asked, scheduled_time: Option<Timestamp>) -> TaskMessage {
    let Asked { entity_id, operation, input } = asked;
    let (id, operation, source) = (entity_id.instance_id().clone(), operation.into_owned(), None);
    let event =
        EventKind::EntityOperationSignaled { entity_id, operation, input, scheduled_time, source };
    message(id, event)
}

/// The message that asks the first of several entities for its lock.
pub(super) fn lock_request(
    section: ParentInstance,
    lock_set: Vec<EntityId>,
) -> Option<TaskMessage> {
    let first = lock_set.first()?.instance_id().clone();
    let event = EventKind::EntityLockRequested { lock_set, source: None };
    Some(TaskMessage { from: Some(Box::new(section)), ..message(first, event) })
}

/// The message that unlocks entities, one after another.
pub(super) fn unlock(section: ParentInstance, lock_set: Vec<EntityId>) -> Option<TaskMessage> {
    let first = lock_set.first()?.instance_id().clone();
    let task_scheduled_id = section.task_scheduled_id;
    let event = EventKind::EntityUnlockSent { task_scheduled_id, lock_set };
    Some(TaskMessage { from: Some(Box::new(section)), ..message(first, event) })
}

pub(super) fn message(instance_id: InstanceId, event: EventKind) -> TaskMessage {
    TaskMessage { id: MessageId::generate(), instance_id, execution_id: None, from: None, event }
}
