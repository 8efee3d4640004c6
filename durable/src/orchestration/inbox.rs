//! External events of an execution: those that came and were not read, and who waits for which.
//!
//! Rules:
//! 1. Names are compared without regard to case.
//! 2. An event goes to the oldest wait for its name; if there is none, it is kept for the next.
//! 3. A wait that is dropped takes nothing with it: an event that was meant for it goes to the next
//!    wait, or is kept at its old place.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::Slot;
use crate::protocol::Json;

/// An event that nobody has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnreadEvent {
    pub(crate) name: String,
    pub(crate) input: Json,
}

/// A wait that has its event now, and the place from which it is polled.
#[derive(Debug)]
pub(super) struct Woken(pub(super) Option<Slot>);

#[derive(Debug, Default)]
pub(super) struct Inbox {
    names: BTreeMap<String, OfName>,
    waits: BTreeMap<u64, Wait>,
    next_wait: u64,
    next_event: u64,
    unread: usize,
    /// How many waits have no event.
    unmet: usize,
}

/// What there is of one name; waits and events are in the order of their numbers.
#[derive(Debug, Default)]
struct OfName {
    kept: BTreeMap<u64, UnreadEvent>,
    waiting: BTreeSet<u64>,
}

#[derive(Debug)]
struct Wait {
    /// In lower case.
    name: String,
    waiter: Option<Slot>,
    event: Option<(u64, UnreadEvent)>,
}

impl Inbox {
    pub(super) fn is_waited_for(&self) -> bool {
        self.unmet > 0
    }

    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    /// The place that an event has woken, if there was one to wake.
    pub(super) fn deliver(&mut self, name: &str, input: Json) -> Option<Woken> {
        let event = (self.next_event, UnreadEvent { name: name.to_owned(), input });
        self.next_event += 1;
        self.unread += 1;
        self.give(&name.to_lowercase(), event)
    }

    fn give(&mut self, name: &str, event: (u64, UnreadEvent)) -> Option<Woken> {
        let of_name = self.names.entry(name.to_owned()).or_default();
        let oldest = of_name.waiting.pop_first().and_then(|wait| self.waits.get_mut(&wait));
        if let Some(wait) = oldest {
            wait.event = Some(event);
            self.unmet -= 1;
            return Some(Woken(wait.waiter));
        }
        of_name.kept.insert(event.0, event.1);
        None
    }

    pub(super) fn wait(&mut self, name: &str) -> u64 {
        let (id, name) = (self.next_wait, name.to_lowercase());
        self.next_wait += 1;
        let of_name = self.names.entry(name.clone()).or_default();
        let event = of_name.kept.pop_first();
        if event.is_none() {
            of_name.waiting.insert(id);
            self.unmet += 1;
        }
        self.waits.insert(id, Wait { name, waiter: None, event });
        id
    }

    pub(super) fn take(&mut self, id: u64, polling: Option<Slot>) -> Option<Json> {
        let wait = self.waits.get_mut(&id)?;
        wait.waiter = polling;
        let (_, event) = wait.event.take()?;
        self.unread -= 1;
        self.remove(id);
        Some(event.input)
    }

    /// The place that is woken by the event that the wait leaves behind, if there is one.
    pub(super) fn stop(&mut self, id: u64) -> Option<Woken> {
        let wait = self.remove(id)?;
        self.give(&wait.name, wait.event?)
    }

    pub(super) fn take_unread(&mut self) -> Vec<UnreadEvent> {
        let kept = std::mem::take(&mut self.names).into_values().flat_map(|of_name| of_name.kept);
        let given = self.waits.values_mut().filter_map(|wait| wait.event.take());
        let all: BTreeMap<u64, UnreadEvent> = kept.chain(given).collect();
        self.unread = 0;
        all.into_values().collect()
    }

    fn remove(&mut self, id: u64) -> Option<Wait> {
        let wait = self.waits.remove(&id)?;
        if let Some(of_name) = self.names.get_mut(&wait.name) {
            if of_name.waiting.remove(&id) {
                self.unmet -= 1;
            }
            if of_name.kept.is_empty() && of_name.waiting.is_empty() {
                self.names.remove(&wait.name);
            }
        }
        Some(wait)
    }
}
