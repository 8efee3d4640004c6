//! What clients want of an instance: suspend, resume, terminate, rewind, purge.

use tokio::sync::oneshot;

use super::episode::events_of;
use super::messages;
use super::resident::Resident;
use super::{End, Partition, Stopped};
use crate::engine::{Episode, Outcome, open_children, open_section};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::error::ManageError;
use crate::hub::mail::{Ended, Manage};
use crate::hub::telemetry::event::LifecycleKind;
use crate::protocol::{
    EventKind, HistoryEvent, InstanceId, InstanceRecord, MessageId, ParentInstance, RuntimeStatus,
    Suspension, TaskMessage,
};

pub(super) use crate::hub::mail::Managed;

impl Partition {
    /// Does what somebody wants of an instance; what it leads to is written before it is answered,
    /// and `content` with it.
    pub(super) fn manage(
        &mut self,
        id: &InstanceId,
        what: Manage,
        content: Content,
    ) -> Result<Managed, Stopped> {
        let Some(mut resident) = self.take_resident(id)? else {
            return Ok(Err(ManageError::no_such_instance(id.clone())));
        };
        if let Manage::Purge { child_of: Some(parent) } = &what
            && resident.record.parent.as_ref().is_none_or(|known| !known.is_same_call(parent))
        {
            self.residents.put(resident);
            return Ok(Err(ManageError::no_such_instance(id.clone())));
        }
        if let Manage::Remove { reason } = &what {
            self.remove(&resident, reason)?;
            return Ok(Ok(()));
        }
        let status = resident.record.runtime_status;
        let finished = status.is_finished();
        let wants_finished = matches!(what, Manage::Rewind { .. } | Manage::Purge { .. });
        if finished != wants_finished {
            self.residents.put(resident);
            let instance_id = id.clone();
            return Ok(Err(if finished {
                ManageError::Finished { instance_id, status }
            } else {
                ManageError::NotFinished { instance_id, status }
            }));
        }
        let managed = match what {
            // Raised with what else comes in for the instance.
            Manage::Raise { .. } | Manage::Remove { .. } => Ok(()),
            Manage::Suspend { reason } => {
                self.suspend_for_client(&mut resident, reason);
                Ok(())
            }
            Manage::Resume { reason } => return self.resume_for_client(resident, &reason),
            Manage::Terminate { reason, recurse } => {
                self.terminate(&mut resident, reason, recurse, content)?;
                Ok(())
            }
            Manage::Rewind { reason } => self.rewind(&mut resident, &reason, content)?,
            Manage::Purge { .. } => {
                self.purge(&resident, status, Content::default(), Vec::new());
                return Ok(Ok(()));
            }
        };
        self.residents.put(resident);
        Ok(managed)
    }

    /// Purges an instance that has ended with this status, by a write that contains `content` and
    /// `effects`.
    fn purge(
        &mut self,
        resident: &Resident,
        runtime_status: RuntimeStatus,
        content: Content,
        mut effects: Vec<Effect>,
    ) {
        let id = &resident.record.instance_id;
        self.due.set(id, (resident.listed_due, None), None);
        let (now, kind) = (self.clock.now(), LifecycleKind::Purged);
        // Observers learn of the purge before anybody who waits for the end is answered.
        let told = effects.iter().take_while(|it| matches!(it, Effect::Notify(_))).count();
        let record = InstanceRecord { runtime_status, ..resident.record.clone() };
        let notice = self.lifecycle.change(&record, kind, now, None);
        effects.splice(told..told, notice.map(Effect::Notify));
        self.write(Content { purged: vec![id.clone()], ..content }, effects);
    }

    /// Purges an instance; one that has not ended is terminated by the same write.
    fn remove(&mut self, resident: &Resident, reason: &str) -> Result<(), Stopped> {
        let (mut content, mut effects) = (Content::default(), Vec::new());
        let record = &resident.record;
        let mut status = record.runtime_status;
        if !status.is_finished() {
            status = RuntimeStatus::Terminated;
            let (now, kind) = (self.clock.now(), LifecycleKind::Terminated);
            let notice = self.lifecycle.change(record, kind, now, Some(reason));
            effects.extend(notice.map(Effect::Notify));
            effects.push(Effect::CancelAll(record.execution_id));
            content
                .messages
                .extend(messages::result_for_parent(record, Err(messages::terminated(reason))));
            content.messages.extend(self.unlock(resident)?);
            let ended = InstanceRecord {
                runtime_status: status,
                last_updated_at: now,
                suspension: None,
                active: false,
                next_due: None,
                ..record.clone()
            };
            self.answer_last(&ended, &mut effects);
        }
        self.purge(resident, status, content, effects);
        Ok(())
    }

    /// Answers all that wait for an instance, which is terminated and removed by one write.
    fn answer_last(&mut self, record: &InstanceRecord, effects: &mut Vec<Effect>) {
        let Some(waiters) = self.waiters.remove(&record.instance_id) else { return };
        effects.extend(waiters.start.into_iter().map(|reply| Effect::Begun(reply, true)));
        effects.extend(waiters.end.into_iter().map(|reply| {
            let ended = Ended { end: End::Terminated, record: record.clone() };
            Effect::Ended(reply, Some(Box::new(ended)))
        }));
        if let Some(mut watched) = waiters.status {
            let changes = watched.changes(record);
            effects.extend(changes.map(|(sender, status)| Effect::Said(sender, status)));
        }
    }

    /// Terminates a sub-orchestration whose parent waits for it no more, by this message.
    pub(super) fn terminate_child(
        &mut self,
        id: &InstanceId,
        reason: String,
        recurse: bool,
        parent: Option<&ParentInstance>,
        message: MessageId,
    ) -> Result<(), Stopped> {
        if self.is_child(id, parent)?
            && let Some(mut resident) = self.take_resident(id)?
        {
            if !resident.record.runtime_status.is_finished() {
                resident.is_abandoned = parent.is_some();
                let content = Content { consumed: vec![message], ..Content::default() };
                self.terminate(&mut resident, reason, recurse, content)?;
                self.residents.put(resident);
                return Ok(());
            }
            self.residents.put(resident);
        }
        self.consume(message);
        Ok(())
    }

    /// Whether an instance is the sub-orchestration of who sent a message to it.
    pub(super) fn is_child(
        &self,
        id: &InstanceId,
        parent: Option<&ParentInstance>,
    ) -> Result<bool, Stopped> {
        let Some(parent) = parent else { return Ok(true) };
        let known = match self.residents.peek(id) {
            Some(resident) => resident.record.parent.clone(),
            None => self.read(self.store.instance(id))?.and_then(|record| record.parent),
        };
        Ok(known.is_some_and(|known| known.is_same_call(parent)))
    }

    /// Whether an event can be raised in an instance.
    pub(super) fn can_raise(&mut self, id: &InstanceId) -> Result<Managed, Stopped> {
        Ok(match self.status(id)? {
            None => Err(ManageError::no_such_instance(id.clone())),
            Some(status) if status.is_finished() => {
                Err(ManageError::Finished { instance_id: id.clone(), status })
            }
            Some(_) => Ok(()),
        })
    }

    fn suspend_for_client(&mut self, resident: &mut Resident, reason: String) {
        if resident.record.suspension.is_none() {
            let suspension = Suspension { code: None, reason };
            let episode = Episode::set_aside(self.clock.now(), [], suspension, true);
            self.write_episode(resident, episode, Content::default(), Vec::new());
        }
    }

    fn resume_for_client(
        &mut self,
        resident: Box<Resident>,
        reason: &str,
    ) -> Result<Managed, Stopped> {
        let id = resident.record.instance_id.clone();
        if resident.record.suspension.is_none() {
            self.residents.put(resident);
            return Ok(Ok(()));
        }
        self.wait_until_durable(&resident)?;
        self.resume_from_store(resident.record, reason)?;
        let suspension = self.residents.get(&id).and_then(|it| it.record.suspension.clone());
        Ok(suspension.map_or(Ok(()), |suspension| Err(ManageError::StillSuspended(suspension))))
    }

    fn terminate(
        &mut self,
        resident: &mut Resident,
        reason: String,
        recurse: bool,
        mut content: Content,
    ) -> Result<(), Stopped> {
        if recurse {
            let children = match &resident.execution {
                Some(execution) => execution.open_children(),
                None => open_children(&self.durable_history(resident)?),
            };
            content.messages = children
                .into_iter()
                .map(|(task, child)| {
                    let reason = reason.clone();
                    let event = EventKind::ExecutionTerminated { reason, recurse };
                    resident.to_child(task, child, event)
                })
                .collect();
        }
        content.messages.extend(self.unlock(resident)?);
        let effects = vec![Effect::CancelAll(resident.record.execution_id)];
        let status = RuntimeStatus::Terminated;
        let failure = Some(messages::terminated(&reason));
        let kinds = vec![
            EventKind::ExecutionTerminated { reason, recurse },
            EventKind::ExecutionCompleted { status, result: None, failure },
        ];
        let episode = Episode {
            events: events_of(self.clock.now(), kinds),
            actions: Vec::new(),
            outcome: Outcome::Finished(status),
        };
        resident.past.clear();
        self.write_episode(resident, episode, content, effects);
        Ok(())
    }

    /// What ends the critical section of an instance that goes no further, if it is in one.
    pub(super) fn unlock(&mut self, resident: &Resident) -> Result<Vec<TaskMessage>, Stopped> {
        let unlock = match &resident.execution {
            Some(execution) => execution.unlock(),
            None => open_section(&self.durable_history(resident)?),
        };
        let mut content = Content::default();
        if let Some(unlock) = unlock {
            resident.act(unlock, &mut content, &mut Vec::new());
        }
        Ok(content.messages)
    }

    /// The whole history of an instance, the last write included.
    pub(super) fn durable_history(
        &mut self,
        resident: &Resident,
    ) -> Result<Vec<HistoryEvent>, Stopped> {
        self.wait_until_durable(resident)?;
        self.history(&resident.record)
    }

    /// Waits for the committer, so that the store has what was written last.
    fn wait_until_durable(&mut self, resident: &Resident) -> Result<(), Stopped> {
        while !self.residents.is_durable(resident) {
            if self.health.has_failed() {
                return Err(Stopped);
            }
            let (reply, durable) = oneshot::channel();
            self.write(Content::default(), vec![Effect::Durable(reply)]);
            self.outbox.hand_over();
            if durable.blocking_recv().is_err() {
                return Err(Stopped);
            }
        }
        Ok(())
    }
}
