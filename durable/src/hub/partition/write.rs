//! Writes episodes: the events, the messages and effects that follow, and the due time.

use super::core::Core;
use super::due::{DueList, WrittenBy};
use super::episode::verified;
use super::generations::continue_as_new;
use super::messages;
use super::resident::Resident;
use crate::engine::{Episode, Execution};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::telemetry::lifecycle::Before;
use crate::protocol::Timestamp;
use crate::store::EpisodeWrite;

/// Writes an episode and its consequences, in one write with `content` and `effects`.
pub(super) fn write_episode(
    core: &mut Core,
    resident: &mut Resident,
    episode: Episode,
    mut content: Content,
    mut effects: Vec<Effect>,
) {
    let before = Before::of(&resident.record);
    let status_before = resident.record.runtime_status;
    let episode = verified(&core.env, resident, episode);
    let episode = continue_as_new(&core.env, resident, episode, &mut content, &mut effects);
    for action in episode.actions {
        resident.act(action, &mut content, &mut effects);
    }
    if episode.events.is_empty() {
        // The start of an attempt is not recorded, so no write contains the next due time.
        keep_due(&mut core.due, resident);
    } else {
        let failed = resident.execution.as_mut().map(Execution::take_failed_attempts);
        resident.settle(&episode.events, episode.outcome, &core.env.settings.retention);
        let (record, events) = (&resident.record, &episode.events);
        let failed = failed.unwrap_or_default();
        let notices = core.env.lifecycle.changes(before, record, events, failed);
        notify(&mut effects, notices.into_iter().map(Effect::Notify));
        if let Some(hooks) = &core.env.settings.hooks {
            content.messages.extend(messages::starts(hooks.of_write(before, record, events)));
        }
        content.messages.extend(resident.result_for_parent());
        core.waiters.answer(record, resident.end.as_ref(), status_before, &mut effects);
        let (next_due, write) = (record.next_due, core.outbox.next_write());
        set_due(&mut core.due, resident, next_due, Some(write));
        content.episode = Some(EpisodeWrite {
            partition: core.env.partition,
            record: resident.record.clone(),
            events: episode.events,
            replaces: resident.replaces.take(),
        });
        resident.last_write = write;
    }
    core.write(content, effects);
}

/// Adds notices to the effects of a write: after earlier notices and before any reply, so that
/// observers see a change before the waiting client does.
pub(super) fn notify(effects: &mut Vec<Effect>, notices: impl IntoIterator<Item = Effect>) {
    let mut notices = notices.into_iter().peekable();
    if notices.peek().is_none() {
        return;
    }
    let earlier = effects.iter().take_while(|it| matches!(it, Effect::Notify(_))).count();
    effects.splice(earlier..earlier, notices);
}

/// Updates the due list for an instance that is not written.
pub(super) fn keep_due(list: &mut DueList, resident: &mut Resident) {
    let Some(execution) = &resident.execution else { return };
    #[cfg(feature = "testing")]
    if let Some(stored) = resident.record.next_due.filter(|it| execution.next_due() != Some(*it)) {
        list.note_stale((stored, resident.record.instance_id.clone()));
    }
    let due = execution.next_due();
    let is_known = due == resident.record.next_due;
    let written_by = if is_known { resident.due_written_by } else { None };
    set_due(list, resident, due, written_by);
}

/// Sets the due time of an instance, which the write `written_by` contains.
pub(super) fn set_due(
    list: &mut DueList,
    resident: &mut Resident,
    due: Option<Timestamp>,
    written_by: WrittenBy,
) {
    let is_listed = resident.listed_due == due && resident.due_written_by.is_some();
    if !is_listed || std::mem::take(&mut resident.is_fresh) {
        list.set(&resident.record.instance_id, (resident.listed_due, due), written_by);
        resident.listed_due = due;
        resident.due_written_by = written_by;
        resident.record.next_due = due;
    }
}
