//! New instances: from clients, from orchestrators, and from themselves when they begin anew.

use std::collections::VecDeque;
use std::time::Duration;

use super::residents::Resident;
use super::{Partition, Stopped};
use crate::engine::{Continuation, Episode, Outcome};
use crate::hub::commit::committer::{Content, Effect};
use crate::hub::error::StartError;
use crate::hub::mail::{Origin, Start};
use crate::hub::telemetry::lifecycle::LifecycleKind;
use crate::hub::telemetry::spans;
use crate::orchestration::UnreadEvent;
use crate::protocol::{
    EventKind, ExecutionId, ExecutionStarted, FailureDetails, InstanceRecord, Json, MessageId,
    ParentInstance, REPLAY_VERSION, RuntimeStatus, TaskMessage, Timestamp,
};
use crate::registry::display_name;

/// How many executions of an instance may follow each other in one turn, before others get theirs.
///
/// The last one of a turn is written with all unread events. So that reading one event in each
/// execution does not write a large backlog again and again, a turn grows with the backlog: to write
/// eight events takes about as long as to run one execution, so the turn then takes no longer than
/// the write behind it.
fn generations_at_once(unread: usize) -> usize {
    (unread / 8).clamp(64, 16_384)
}

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
                effects.extend(self.lifecycle.change(existing, kind, now, Some(why)));
                effects.push(Effect::CancelAll(existing.execution_id));
                messages.extend(answer_parent(existing, Err(terminated(why))));
                if let Some(resident) = self.resident(&instance_id)? {
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
        resident.due_before = existing.and_then(|existing| existing.next_due);
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

    /// The first episode of an execution; `unread` are the external events that it inherits.
    fn first_episode(
        &mut self,
        resident: &mut Resident,
        mut started: ExecutionStarted,
        unread: VecDeque<UnreadEvent>,
        now: Timestamp,
    ) -> Episode {
        let found = self.registry.orchestrator_for(&started.name, started.version.as_deref());
        started.code_hash = found.map(|entry| entry.code_hash);
        started.limits = Some(self.settings.limits.recorded());
        let start = EventKind::from(started);
        match self.begin(&resident.record) {
            Ok(mut execution) => {
                execution.inherit(unread);
                let episode = spans::episode(&resident.record, &mut execution, now, vec![start]);
                resident.execution = Some(execution);
                // A start is an event, so something has happened.
                episode.unwrap_or_else(Episode::nothing)
            }
            Err(suspension) => {
                let unread = unread.into_iter().map(EventKind::from);
                let events: Vec<_> = std::iter::once(start).chain(unread).collect();
                Episode::set_aside(now, events, suspension, true)
            }
        }
    }

    /// Begins an instance anew, as often as it wants to at once; gives the first episode of the
    /// execution that stays. What those before it wanted done goes to `content` and `effects`.
    pub(super) fn continue_as_new(
        &mut self,
        resident: &mut Resident,
        mut episode: Episode,
        content: &mut Content,
        effects: &mut Vec<Effect>,
    ) -> Episode {
        let mut turn = 0;
        while let Outcome::ContinuedAsNew(continuation) = episode.outcome {
            turn += 1;
            for action in episode.actions {
                resident.act(action, content, effects);
            }
            let Some((mut started, unread)) = resident.next_execution(*continuation) else {
                return Episode::nothing();
            };
            started.properties = self.settings.properties.as_ref().clone();
            let now = self.clock.now();
            if turn > generations_at_once(unread.len()) {
                started.scheduled_start = Some(now.after(Duration::from_micros(1)));
            }
            resident.begin_anew(&started);
            let first = self.first_episode(resident, started, unread, now);
            episode = self.verified(resident, first);
        }
        episode
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
        let messages = vec![answer(parent, result)];
        self.write(Content { consumed: vec![id], messages, ..Content::default() }, Vec::new());
    }
}

/// The message that tells the parent of an instance, if it has one, how it ended.
pub(super) fn answer_parent(
    record: &InstanceRecord,
    result: Result<Json, FailureDetails>,
) -> Option<TaskMessage> {
    record.parent.as_ref().map(|parent| answer(parent, result))
}

/// The message that tells a parent how its sub-orchestration ended.
pub(super) fn answer(parent: &ParentInstance, result: Result<Json, FailureDetails>) -> TaskMessage {
    TaskMessage {
        id: MessageId::generate(),
        instance_id: parent.instance_id.clone(),
        execution_id: Some(parent.execution_id),
        from: None,
        event: EventKind::child_result(parent.task_scheduled_id, result),
    }
}

/// Why a terminated instance has no result.
pub(super) fn terminated(reason: &str) -> FailureDetails {
    let message = if reason.is_empty() {
        "it was terminated".to_owned()
    } else {
        format!("it was terminated: {reason}")
    };
    FailureDetails::new(FailureDetails::TERMINATED, message).non_retriable()
}

impl Resident {
    /// The start of the execution that follows, and the events that it inherits.
    fn next_execution(
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

    /// Makes it an instance with an empty history, of another execution.
    fn begin_anew(&mut self, started: &ExecutionStarted) {
        // What is written is replaced, and what was not written never was.
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

#[cfg(test)]
mod tests {
    use super::generations_at_once;

    /// How many events are written while a backlog is read, one event in each execution.
    fn written(backlog: usize) -> usize {
        let (mut unread, mut turn, mut written) = (backlog, 0, 0);
        while unread > 0 {
            unread -= 1;
            turn += 1;
            if turn > generations_at_once(unread) {
                (turn, written) = (0, written + unread);
            }
        }
        written
    }

    #[test]
    fn a_backlog_is_written_in_proportion_to_its_length() {
        for backlog in [1, 100, 1_000, 10_000, 100_000, 1_000_000] {
            let written = written(backlog);
            assert!(written <= 32 * backlog, "{written} events for a backlog of {backlog}");
        }
    }
}
