//! Resumes an instance from its stored history after a suspension, or if activities were running
//! when its hub stopped.

use super::core::Core;
use super::episode::{self, replay};
use super::reader::Stopped;
use super::resident::Resident;
use super::write::{keep_due, write_episode};
use crate::engine::{Episode, Execution};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::mail::End;
use crate::hub::recovery::held::is_reported;
use crate::protocol::{EventKind, HistoryEvent, Suspension};

/// Replays an instance and restarts the activities that its history leaves open. If its history
/// does not fit its code, it is suspended. All its writes must be durable.
pub(super) fn resume(
    core: &mut Core,
    resident: &mut Resident,
    reason: &str,
) -> Result<(), Stopped> {
    let past = core.store.history(&resident.record)?;
    let execution = replay(&core.env, &resident.record, &past).and_then(|mut execution| {
        episode::catch_up(&resident.record, &mut execution)?;
        Ok(execution)
    });
    match execution {
        Ok(execution) => continue_execution(core, resident, execution, past, reason),
        Err(suspension) => suspend(core, resident, suspension),
    }
    Ok(())
}

fn continue_execution(
    core: &mut Core,
    resident: &mut Resident,
    mut execution: Execution,
    past: Vec<HistoryEvent>,
    reason: &str,
) {
    let mut events = Vec::new();
    if resident.record.suspension.is_some() {
        events.push(EventKind::ExecutionResumed { reason: reason.to_owned() });
    }
    let running = execution.running_tasks();
    let episode = episode::run(&resident.record, &mut execution, core.now(), events);
    resident.execution = Some(execution);
    resident.end = None;
    resident.keep_history(&core.env.settings, past);
    let effects: Vec<_> = running.into_iter().map(|task| Effect::Run(resident.job(task))).collect();
    match episode {
        Some(episode) => write_episode(core, resident, episode, Content::default(), effects),
        None => {
            keep_due(&mut core.due, resident);
            core.write(Content::default(), effects);
        }
    }
}

fn suspend(core: &mut Core, resident: &mut Resident, suspension: Suspension) {
    if resident.record.suspension.as_ref() == Some(&suspension) {
        resident.end = is_reported(&suspension).then_some(End::Suspended(suspension));
    } else {
        let episode = Episode::set_aside(core.now(), [], suspension, true);
        write_episode(core, resident, episode, Content::default(), Vec::new());
    }
}
