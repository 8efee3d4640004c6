//! I5: each message takes effect once.
//!
//! "Activities and entity operations may run more than once; their results, state changes and
//! messages take effect exactly once" (ARCHITECTURE.md, the life of an episode).

use std::collections::{BTreeMap, BTreeSet};

use durable::protocol::{EventKind, InstanceId, MessageId};
use durable::store::Commit;

#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The messages that were sent and not consumed.
    on_their_way: BTreeMap<MessageId, (InstanceId, EventKind)>,
    consumed: BTreeSet<MessageId>,
    /// What this commit consumes.
    taken: Vec<(InstanceId, EventKind)>,
}

impl Messages {
    pub(super) fn before(&mut self, commit: &Commit) -> Result<(), String> {
        self.taken.clear();
        // Messages of the same commit may be consumed by a later one only.
        for (_, id) in &commit.consumed {
            if let Some(message) = self.on_their_way.remove(id) {
                self.taken.push(message);
                self.consumed.insert(*id);
            } else if self.consumed.contains(id) {
                return Err(format!("I5 message {id:?} takes effect twice"));
            }
        }
        for (_, message) in &commit.messages {
            let content = (message.instance_id.clone(), message.event.clone());
            let is_consumed = self.consumed.contains(&message.id);
            if is_consumed || self.on_their_way.insert(message.id, content).is_some() {
                let to = &message.instance_id;
                return Err(format!("I5 message {:?} to {to} is sent twice", message.id));
            }
        }
        Ok(())
    }

    /// The messages that the present commit consumes.
    pub(super) fn taken(&self) -> &[(InstanceId, EventKind)] {
        &self.taken
    }

    /// Only messages to an entity that is locked may wait.
    pub(super) fn at_rest(&self) -> Result<(), String> {
        let forgotten = self.on_their_way.values().find(|(to, _)| !to.as_str().starts_with('@'));
        match forgotten {
            Some((to, event)) => {
                Err(format!("I14 a message to {to} is never handled: {}", event.type_name()))
            }
            None => Ok(()),
        }
    }
}
