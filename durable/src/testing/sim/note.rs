//! What the trace and the log contain about a commit.

use std::fmt::Write as _;

use super::world::World;
use crate::hub::met;
use crate::protocol::{EventKind as Kind, HistoryEvent, InstanceId};
use crate::store::Commit;

impl World {
    pub(super) fn note_commit(&self, commit: &Commit) {
        for episode in &commit.episodes {
            let record = &episode.record;
            self.mix_id(&record.instance_id);
            self.mix(record.last_episode);
            for event in &episode.events {
                met::event(&event.kind);
                self.mix(u64::from(event.event_id.unsigned_abs()));
                self.mix(event.timestamp.to_datetime().timestamp_micros().unsigned_abs());
                let _ = write!(Mixed(self), "{:?}", event.kind);
            }
            self.say(|| {
                let (id, status) = (&record.instance_id, record.runtime_status);
                let is_told = |event: &&HistoryEvent| {
                    let kind = &event.kind;
                    !matches!(kind, Kind::OrchestratorStarted | Kind::OrchestratorCompleted)
                };
                let events = episode.events.iter().filter(is_told).map(|event| {
                    let name = event.kind.type_name();
                    match event.kind.answers() {
                        Some(task) => format!("{name} of {task}"),
                        None if event.event_id >= 0 => format!("{name} {}", event.event_id),
                        None => name.to_owned(),
                    }
                });
                let due = record.next_due.map(|due| format!(", due {due}")).unwrap_or_default();
                format!("{id} {status}{due}: {}", events.collect::<Vec<_>>().join(", "))
            });
        }
        for (_, id) in &commit.purged {
            self.mix_id(id);
            self.say(|| format!("{id} is purged"));
        }
        self.mix(commit.consumed.len() as u64);
        for (partition, message) in &commit.messages {
            self.mix_id(&message.instance_id);
            let (to, kind) = (&message.instance_id, message.event.type_name());
            self.say(|| format!("{kind} is sent to {to} in {partition}"));
        }
        for (from, partition, message) in &commit.sent {
            self.mix_id(&message.instance_id);
            let (to, kind) = (&message.instance_id, message.event.type_name());
            self.say(|| format!("{kind} is sent by {from} to {to} in {partition}, on its way"));
        }
        for received in &commit.received {
            let (to, kind) = (&received.message.instance_id, received.message.event.type_name());
            self.say(|| format!("{kind} to {to} is received"));
        }
        self.mix((commit.received.len() + commit.taken.len() + commit.answers.len()) as u64);
        for (request, answer) in &commit.answers {
            self.say(|| format!("request {} is answered: {answer}", request.0));
        }
        for request in &commit.taken {
            self.say(|| format!("request {} is stored", request.0));
        }
    }

    fn mix_id(&self, id: &InstanceId) {
        id.as_str().bytes().for_each(|byte| self.mix(u64::from(byte)));
    }
}

/// A text that becomes part of the trace.
struct Mixed<'a>(&'a World);

impl std::fmt::Write for Mixed<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        text.bytes().for_each(|byte| self.0.mix(u64::from(byte)));
        Ok(())
    }
}
