//! Rewinding: a failed instance continues from before its failure.
//!
//! Rules:
//! 1. After a rewind, each open task of the history is in flight or answered. Activities run again.
//!    The results of sub-orchestrations are requested again (`children.rs`). Timers and events
//!    arrive as usual. The rewind is refused if an entity call has no answer, because it may have
//!    been carried out, or if the instance was in a critical section, because that has ended.
//! 2. All writes of the instance are durable before it is rewound: the new history is made of the
//!    stored one.

use super::core::Core;
use super::episode::{self, events_of, replay_rewound};
use super::reader::Stopped;
use super::resident::Resident;
use super::write::write_episode;
use crate::engine::{Action, Episode, Execution, KEPT, Outcome, Rewound, without_failures};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::error::ManageError;
use crate::hub::mail::Managed;
use crate::protocol::{EventKind, ExecutionId, ExecutionStarted, RuntimeStatus, TaskMessage};

/// Removes the failures from the history of a failed instance, and continues from there.
pub(super) fn rewind(
    core: &mut Core,
    resident: &mut Resident,
    reason: &str,
    mut content: Content,
) -> Result<Managed, Stopped> {
    let instance_id = resident.record.instance_id.clone();
    let status = resident.record.runtime_status;
    if status != RuntimeStatus::Failed {
        return Ok(Err(ManageError::NotFailed { instance_id, status }));
    }
    let now = core.now();
    let Rewound { mut past, before, failed, has_left_section } =
        without_failures(core.store.history(&resident.record)?);
    let kind = EventKind::ExecutionRewound { reason: reason.to_owned(), start: None };
    past.extend(events_of(now, vec![kind]));
    let replayed = match replay_rewound(&core.env, &resident.record, &past, before) {
        Ok(execution) => {
            let calls = execution.open_calls();
            match unanswered(&execution, &calls, &failed) {
                None => Ok((execution, calls)),
                Some(reason) => Err(reason),
            }
        }
        Err(suspension) if has_left_section => Err(format!(
            "  it failed in a critical section, which has ended: others may have changed its \
             entities\n{}",
            without_remedy(&suspension.reason)
        )),
        Err(suspension) => Err(without_remedy(&suspension.reason).to_owned()),
    };
    let (mut execution, calls) = match replayed {
        Ok(replayed) => replayed,
        Err(reason) => {
            mark!("rewind: it is refused");
            return Ok(Err(ManageError::CannotRewind { instance_id, reason }));
        }
    };
    let running = execution.running_tasks();
    let effects = running.into_iter().map(|task| Effect::Run(resident.job(task))).collect();
    content.messages.extend(rewind_children(resident, &execution, reason));
    let (more, actions, outcome) =
        match episode::run(&resident.record, &mut execution, now, Vec::new()) {
            Some(Episode { events, actions, outcome }) => (events, actions, outcome),
            None => (Vec::new(), Vec::new(), Outcome::Waiting),
        };
    past.extend(more);
    replace_history(resident, execution);
    let actions = calls.into_iter().chain(actions).collect();
    let episode = Episode { events: past, actions, outcome };
    write_episode(core, resident, episode, content, effects);
    Ok(Ok(()))
}

/// A report of a mismatch without its last line: nothing is suspended.
fn without_remedy(reason: &str) -> &str {
    reason.strip_suffix(KEPT).unwrap_or(reason).trim_end()
}

/// Makes the next write of an instance replace its whole history.
fn replace_history(resident: &mut Resident, execution: Execution) {
    resident.execution = Some(execution);
    resident.end = None;
    resident.past.clear();
    resident.replaces = Some(resident.record.execution_id);
    resident.record.history_len = 0;
}

/// Requests the result of each sub-orchestration that has not returned one.
fn rewind_children(resident: &Resident, execution: &Execution, reason: &str) -> Vec<TaskMessage> {
    let ask = |(task, child, mut started): (i32, _, Box<ExecutionStarted>)| {
        // Results of the tasks of the earlier execution may still arrive.
        started.execution_id = ExecutionId::generate();
        let (reason, start) = (reason.to_owned(), Some(started));
        resident.to_child(task, child, EventKind::ExecutionRewound { reason, start })
    };
    execution.child_starts().into_iter().map(ask).collect()
}

/// Why an instance cannot be rewound: a reply that arrived after it had failed was dropped and will
/// not be sent again. The calls that failed are made again.
fn unanswered(execution: &Execution, calls: &[Action], failed: &[i32]) -> Option<String> {
    if execution.unlock().is_some() {
        return Some(
            "  it was in a critical section, or waited for one, when it failed".to_owned(),
        );
    }
    calls.iter().find_map(|call| {
        let Action::CallEntity { task, asked, .. } = call else { return None };
        let (operation, entity) = (&asked.operation, &asked.entity_id);
        (!failed.contains(task)).then(|| {
            format!(
                "  it had called `{operation}` of entity `{entity}`, and had no answer when it failed"
            )
        })
    })
}
