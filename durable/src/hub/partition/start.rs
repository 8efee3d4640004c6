//! New instances: started by clients, or by orchestrators and entities through messages.

use std::collections::VecDeque;

use super::messages;
use super::resident::Resident;
use super::{Partition, Stopped};
use crate::definition::display_name;
use crate::hub::commit::write::{Content, Effect};
use crate::hub::error::StartError;
use crate::hub::mail::{Origin, Start};
use crate::hub::telemetry::event::LifecycleKind;
use crate::protocol::{
    ExecutionStarted, FailureDetails, InstanceRecord, Json, MessageId, ParentInstance,
};

impl Partition {
    pub(super) fn start(&mut self, start: Start) -> Result<(), Stopped> {
        let Start { instance_id, started, replaces, origin } = start;
        let existing = match self.residents.get(&instance_id) {
            Some(resident) => Some(resident.record.clone()),
            None => self.read(self.store.instance(&instance_id))?,
        };
        let makes_way = |record: &InstanceRecord| match &origin {
            Origin::Client(_) => replaces.contains(&record.runtime_status),
            Origin::Message(_) => record.runtime_status.is_finished(),
        };
        let mut effects = Vec::new();
        let mut messages = Vec::new();
        if let Some(existing) = &existing {
            if !makes_way(existing) {
                self.refuse(existing, &started, origin);
                return Ok(());
            }
            if !existing.runtime_status.is_finished() {
                let (now, kind) = (self.clock.now(), LifecycleKind::Terminated);
                let why = "another instance was started under its id";
                let notice = self.lifecycle.change(existing, kind, now, Some(why));
                effects.extend(notice.map(Effect::Notify));
                effects.push(Effect::CancelAll(existing.execution_id));
                messages
                    .extend(messages::result_for_parent(existing, Err(messages::terminated(why))));
                if let Some(resident) = self.take_resident(&instance_id)? {
                    messages.extend(self.unlock(&resident)?);
                }
            }
        }
        if let (Origin::Message(id), Some(parent)) = (&origin, &started.parent)
            && self.registry.orchestrator_for(&started.name, started.version.as_deref()).is_none()
        {
            let failure = self.not_registered(&started);
            self.answer(*id, parent, Err(failure));
            return Ok(());
        }
        self.residents.take(&instance_id);
        let now = self.clock.now();
        let record = InstanceRecord {
            parent: started.parent.clone(),
            tags: started.tags.clone(),
            ..InstanceRecord::new(
                instance_id,
                started.execution_id,
                started.name.clone(),
                started.version.clone(),
                now,
            )
        };
        let mut resident = Resident::new(record, self.written);
        resident.replaces = existing.as_ref().map(|existing| existing.execution_id);
        resident.listed_due = existing.and_then(|existing| existing.next_due);
        let consumed = match origin {
            Origin::Client(reply) => {
                effects.push(Effect::Started(reply, Ok(())));
                Vec::new()
            }
            Origin::Message(id) => vec![id],
        };
        let content = Content { consumed, messages, ..Content::default() };
        let episode = self.first_episode(&mut resident, *started, VecDeque::new(), now);
        self.write_episode(&mut resident, episode, content, effects);
        self.residents.put(resident);
        Ok(())
    }

    fn refuse(&mut self, existing: &InstanceRecord, started: &ExecutionStarted, origin: Origin) {
        let (instance_id, status) = (existing.instance_id.clone(), existing.runtime_status);
        match (origin, &started.parent) {
            (Origin::Client(reply), _) => {
                let refused = Err(StartError::AlreadyExists { instance_id, status });
                self.write(Content::default(), vec![Effect::Started(reply, refused)]);
            }
            (Origin::Message(id), Some(parent)) => {
                let message = format!(
                    "instance `{instance_id}` exists already and is {status}; give the \
                     sub-orchestration another id"
                );
                let failure = FailureDetails::new(FailureDetails::INSTANCE_EXISTS, message);
                self.answer(id, parent, Err(failure.non_retriable()));
            }
            (Origin::Message(id), None) => {
                tell!(
                    warn,
                    instance = %instance_id,
                    %status,
                    "an orchestrator started an instance under an id that is taken: not started"
                );
                self.consume(id);
            }
        }
    }

    fn not_registered(&self, started: &ExecutionStarted) -> FailureDetails {
        let message = format!(
            "orchestration {} is not registered; registered: {}",
            display_name(&started.name, started.version.as_deref()),
            self.registry.orchestrator_names()
        );
        FailureDetails::new(FailureDetails::NOT_REGISTERED, message).non_retriable()
    }

    /// Answers a parent instead of doing what the message asks for.
    pub(super) fn answer(
        &mut self,
        id: MessageId,
        parent: &ParentInstance,
        result: Result<Json, FailureDetails>,
    ) {
        let messages = vec![messages::child_result(parent, result)];
        self.write(Content { consumed: vec![id], messages, ..Content::default() }, Vec::new());
    }
}
