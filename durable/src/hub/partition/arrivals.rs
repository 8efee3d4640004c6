//! The mail of a turn, sorted by instance: each instance runs one episode for all its events.

use std::collections::HashMap;

use lru::DefaultHasher;

use crate::engine::AttemptId;
use crate::hub::commit::write::Effect;
use crate::protocol::{EventKind, InstanceId, MessageId};

/// How large a vector may be to be kept for the next turn.
const REUSED_MAX: usize = 1024;

/// What arrived for one instance.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    /// Each event with the number of the attempt whose result it is, if it is one.
    pub(super) events: Vec<(EventKind, Option<AttemptId>)>,
    pub(super) consumed: Vec<MessageId>,
    pub(super) effects: Vec<Effect>,
}

/// What arrived, by instance, in the order in which the first event of each instance came.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    all: Vec<(InstanceId, Arrival)>,
    indices: HashMap<InstanceId, usize, DefaultHasher>,
}

impl Arrival {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.consumed.is_empty() && self.effects.is_empty()
    }
}

impl Arrivals {
    pub(super) fn of(&mut self, id: &InstanceId) -> &mut Arrival {
        let index = *self.indices.entry(id.clone()).or_insert_with(|| {
            self.all.push((id.clone(), Arrival::default()));
            self.all.len() - 1
        });
        &mut self.all[index].1
    }

    /// Takes what arrived for one instance.
    pub(super) fn take(&mut self, id: &InstanceId) -> Option<Arrival> {
        let index = self.indices.remove(id)?;
        Some(std::mem::take(&mut self.all[index].1))
    }

    /// Takes all arrivals. [`reuse`](Self::reuse) returns the empty vector.
    pub(super) fn take_all(&mut self) -> Vec<(InstanceId, Arrival)> {
        self.indices.clear();
        std::mem::take(&mut self.all)
    }

    /// Keeps the room of a vector for the next turn.
    pub(super) fn reuse(&mut self, emptied: Vec<(InstanceId, Arrival)>) {
        if self.all.is_empty() && emptied.capacity() <= REUSED_MAX {
            self.all = emptied;
        }
    }
}
