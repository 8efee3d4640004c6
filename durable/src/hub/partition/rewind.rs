//! Rewinding: a failed instance goes on from before its failure.
//!
//! Rules:
//! 1. After a rewind, each task that the history leaves open is under way, or is answered. Activities
//!    run again. Sub-orchestrations are asked, as below. Timers and events come as they would have.
//!    An entity call without an answer cannot be told from one that was carried out, and a critical
//!    section has ended: with one of these the rewind is refused.
//! 2. A sub-orchestration that is asked has completed, and answers with its result; or has failed, and
//!    is rewound; or was terminated or purged, and starts again; or is still running, and answers when
//!    it ends.
//! 3. A parent that terminates its sub-orchestration gets no answer: it may have been rewound
//!    meanwhile, and wait for the next one.

use super::episode::{self, events_of};
use super::manage::Managed;
use super::messages;
use super::resident::Resident;
use super::{End, Partition, Stopped};
use crate::engine::{Action, Episode, Execution, Outcome, Rewound, without_failures};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::error::ManageError;
use crate::hub::mail::{Manage, Origin, Start};
use crate::protocol::{
    EventKind, ExecutionId, ExecutionStarted, InstanceId, Json, MessageId, ParentInstance,
    RuntimeStatus,
};

/// What the rewind of a parent asks of its sub-orchestration.
#[derive(Debug)]
pub(super) struct ChildRewind {
    pub(super) reason: String,
    /// What starts it again; none in a message of release 0.1.
    pub(super) start: Option<Box<ExecutionStarted>>,
    pub(super) parent: Option<Box<ParentInstance>>,
    pub(super) message: MessageId,
}

impl Partition {
    /// Takes out of a history what made the instance fail, and goes on from there.
    pub(super) fn rewind(
        &mut self,
        resident: &mut Resident,
        reason: &str,
        content: Content,
    ) -> Result<Managed, Stopped> {
        let instance_id = resident.record.instance_id.clone();
        if resident.record.runtime_status != RuntimeStatus::Failed {
            let status = resident.record.runtime_status;
            return Ok(Err(ManageError::NotFailed { instance_id, status }));
        }
        let now = self.clock.now();
        let Rewound { mut past, failed, has_left_section } =
            without_failures(self.durable_history(resident)?);
        let rewound = EventKind::ExecutionRewound { reason: reason.to_owned(), start: None };
        past.extend(events_of(now, vec![rewound]));
        let mut execution = match self.replay(&resident.record, &past) {
            Ok(execution) => execution,
            Err(suspension) if has_left_section => {
                let reason = format!(
                    "  it failed in a critical section, which has ended: others may have changed its \
                     entities\n{}",
                    suspension.reason
                );
                return Ok(Err(ManageError::CannotRewind { instance_id, reason }));
            }
            Err(suspension) => {
                let reason = suspension.reason;
                return Ok(Err(ManageError::CannotRewind { instance_id, reason }));
            }
        };
        let (running, calls) = (execution.running_tasks(), execution.open_calls());
        if let Some(reason) = unanswered(&execution, &calls, &failed) {
            return Ok(Err(ManageError::CannotRewind { instance_id, reason }));
        }
        let effects = running.into_iter().map(|task| Effect::Run(resident.job(task))).collect();
        let messages = execution
            .child_starts()
            .into_iter()
            .map(|(task, child, mut started)| {
                // Another execution than that of before, whose tasks may still be answered.
                started.execution_id = ExecutionId::generate();
                let (reason, start) = (reason.to_owned(), Some(started));
                resident.to_child(task, child, EventKind::ExecutionRewound { reason, start })
            })
            .collect();
        let (more, actions, outcome) =
            match episode::run(&resident.record, &mut execution, now, Vec::new()) {
                Some(Episode { events, actions, outcome }) => (events, actions, outcome),
                None => (Vec::new(), Vec::new(), Outcome::Waiting),
            };
        past.extend(more);
        resident.execution = Some(execution);
        resident.end = None;
        resident.past.clear();
        resident.replaces = Some(resident.record.execution_id);
        resident.record.history_len = 0;
        let content = Content { messages, ..content };
        let actions = calls.into_iter().chain(actions).collect();
        let episode = Episode { events: past, actions, outcome };
        self.write_episode(resident, episode, content, effects);
        Ok(Ok(()))
    }

    /// Rewinds a sub-orchestration with its parent (rule 2).
    ///
    /// The message is consumed by the write that does what it asks for: a rewind that was asked for
    /// again after a crash would be refused.
    pub(super) fn rewind_child(
        &mut self,
        id: &InstanceId,
        asked: ChildRewind,
    ) -> Result<(), Stopped> {
        let ChildRewind { reason, start, parent, message } = asked;
        let is_child = self.is_child(id, parent.as_deref())?;
        let status = if is_child { self.status(id)? } else { None };
        let content = || Content { consumed: vec![message], ..Content::default() };
        let result = match (status, start) {
            (
                Some(RuntimeStatus::Pending | RuntimeStatus::Running | RuntimeStatus::Suspended),
                _,
            ) => {
                self.consume(message);
                return Ok(());
            }
            (None | Some(RuntimeStatus::Terminated), Some(started)) => {
                let (instance_id, origin) = (id.clone(), Origin::Message(message));
                return self.start(Start { instance_id, started, replaces: Vec::new(), origin });
            }
            (Some(RuntimeStatus::Completed), _) => self.end_of(id)?,
            (Some(_), _) => match self.manage(id, Manage::Rewind { reason }, content())? {
                Ok(()) => return Ok(()),
                Err(error) => Err(error),
            },
            (None, None) => Err(ManageError::no_such_instance(id.clone())),
        };
        let failed = |error| messages::terminated(&format!("it could not be rewound: {error}"));
        let answer = parent.map(|parent| messages::child_result(&parent, result.map_err(failed)));
        let messages = answer.into_iter().collect();
        self.write(Content { messages, ..content() }, Vec::new());
        Ok(())
    }

    /// What an instance that has completed came to.
    fn end_of(&mut self, id: &InstanceId) -> Result<Result<Json, ManageError>, Stopped> {
        let end = match self.residents.get(id) {
            Some(resident) => resident.end.clone(),
            None => match self.read(self.store.instance(id))? {
                Some(record) => self.stored_end(&record)?,
                None => None,
            },
        };
        Ok(match end {
            Some(End::Completed(result)) => Ok(result),
            _ => Err(ManageError::no_such_instance(id.clone())),
        })
    }
}

/// What a failed instance waited for and was not told, since it had ended: nobody tells it again. The
/// calls that have failed are made again.
fn unanswered(execution: &Execution, calls: &[Action], failed: &[i32]) -> Option<String> {
    if execution.unlock().is_some() {
        return Some(
            "  it was in a critical section, or waited for one, when it failed".to_owned(),
        );
    }
    calls.iter().find_map(|call| match call {
        Action::CallEntity { task, asked, .. } if !failed.contains(task) => {
            let (operation, entity) = (&asked.operation, &asked.entity_id);
            Some(format!(
                "  it had called `{operation}` of entity `{entity}`, and had no answer when it failed"
            ))
        }
        _ => None,
    })
}
