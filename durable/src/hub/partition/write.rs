//! What an episode leaves: what is written of it, what is sent, what happens once that is durable.

use super::Partition;
use super::due::WrittenBy;
use super::resident::Resident;
use crate::engine::{Episode, Execution};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::mail::Ended;
use crate::hub::telemetry::lifecycle::Before;
use crate::protocol::{RuntimeStatus, Timestamp};
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
            resident.settle(&episode.events, episode.outcome, &self.settings.retention);
            // Behind what is told already, and before anybody who waits for it is answered.
            let is_told = |effect: &&Effect| matches!(effect, Effect::Notify(_));
            let told = effects.iter().take_while(is_told).count();
            let (record, events) = (&resident.record, &episode.events);
            let failed = failed.unwrap_or_default();
            let notices = self.lifecycle.changes(before, record, events, failed);
            effects.splice(told..told, notices.into_iter().map(Effect::Notify));
            content.messages.extend(resident.result_for_parent());
            self.answer_waiters(resident, was_pending, &mut effects);
            self.set_due(resident, resident.record.next_due, Some(self.next_write()));
            content.episode = Some(EpisodeWrite {
                partition: self.id,
                record: resident.record.clone(),
                events: episode.events,
                replaces: resident.replaces.take(),
            });
            resident.last_write = self.next_write();
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
        let is_listed = resident.listed_due == due && resident.due_written_by.is_some();
        if !is_listed {
            self.due.set(&resident.record.instance_id, (resident.listed_due, due), written_by);
            resident.listed_due = due;
            resident.due_written_by = written_by;
            resident.record.next_due = due;
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
            let changes = watched.changes(&resident.record);
            effects.extend(changes.map(|(sender, status)| Effect::Said(sender, status)));
            if !watched.goes_on(&resident.record) {
                waiters.status = None;
            }
        }
        if waiters.is_empty() {
            self.waiters.remove(id);
        }
    }
}
