//! I5 and I6 for external events: none is lost, read twice or overtaken.
//!
//! "Unread events go with it" (`continue_as_new`), unless it discards them; "the waits for
//! one name receive its events in order" (`ExternalEventWait`).
//!
//! The events of clients carry numbers, which increase with each operation of a client and identify
//! the client. The events of orchestrations carry 0, and are ignored.

use std::collections::{BTreeMap, BTreeSet};

use durable::protocol::{EventKind, ExecutionId, InstanceId};
use durable::store::EpisodeWrite;

use crate::client::CLIENTS_MAX;
use crate::program::Program;
use crate::trace;

/// The last operation of each client that has taken effect.
#[derive(Debug, Default)]
pub(super) struct Order(BTreeMap<u64, u64>);

impl Order {
    /// Checks that the operations of a client take effect in their order.
    pub(super) fn next(&mut self, number: u64) -> Result<(), String> {
        if !trace::is_ordered(number) {
            return Ok(());
        }
        let client = number % u64::from(CLIENTS_MAX);
        match self.0.insert(client, number) {
            Some(before) if before > number => {
                Err(format!("{number} after {before}, and client {client} did it before"))
            }
            _ => Ok(()),
        }
    }
}

/// The current history of an instance.
#[derive(Debug)]
struct Latest {
    execution: ExecutionId,
    events: Vec<u64>,
    order: Order,
    has_ended: bool,
}

#[derive(Debug, Default)]
pub(super) struct Events {
    /// The events in histories, by number, with the executions that recorded them.
    raised: BTreeMap<u64, BTreeSet<(InstanceId, ExecutionId)>>,
    /// The events in the current history of each instance.
    latest: BTreeMap<InstanceId, Latest>,
    /// The instances that may have discarded events.
    discarding: BTreeSet<String>,
}

impl Events {
    /// Whether the event with this number is in a history, or may have been in one.
    pub(super) fn has_raised(&self, id: &InstanceId, number: u64) -> bool {
        self.raised.contains_key(&number)
            || trace::has_read(id, number)
            || self.discarding.contains(id.as_str())
    }

    /// Checks an episode. If `may_be_replaced`, its instance may differ from the earlier one of
    /// that id.
    pub(super) fn episode(
        &mut self,
        episode: &EpisodeWrite,
        may_be_replaced: bool,
    ) -> Result<(), String> {
        let (record, id) = (&episode.record, &episode.record.instance_id);
        if id.as_str().starts_with('@') {
            return Ok(());
        }
        let new: Vec<u64> = episode.events.iter().filter_map(|event| number(&event.kind)).collect();
        for number in &new {
            let key = (id.clone(), record.execution_id);
            let is_new = self.raised.entry(*number).or_default().insert(key);
            if !is_new && episode.replaces.is_none() {
                return Err(format!("I5 event {number} is recorded twice by {id}"));
            }
        }
        let execution = record.execution_id;
        let is_later =
            record.generation > 0 && self.latest.get(id).is_none_or(|it| it.execution != execution);
        if is_later && discards(episode) != Some(false) {
            self.discarding.insert(id.to_string());
        }
        let before = self.latest.remove(id);
        // A start that replaces a running instance also discards the events that the instance
        // received in the same turn and has not recorded.
        let is_other = |it: &Latest| it.execution != execution && !it.has_ended;
        if record.generation == 0 && before.as_ref().is_some_and(is_other) {
            self.discarding.insert(id.to_string());
        }
        if let Some(before) = &before
            && before.execution != execution
            && record.generation > 0
            && !(before.has_ended || may_be_replaced)
        {
            Self::continues(episode, &before.events, &new)?;
        }
        let is_same = |it: &Latest| it.execution == execution && episode.replaces.is_none();
        let mut latest = before.filter(is_same).unwrap_or_else(|| Latest {
            execution,
            events: Vec::new(),
            order: Order::default(),
            has_ended: false,
        });
        latest.has_ended = record.runtime_status.is_finished();
        for number in new {
            latest.order.next(number).map_err(|wrong| format!("I6 {id} has event {wrong}"))?;
            latest.events.push(number);
        }
        self.latest.insert(id.clone(), latest);
        Ok(())
    }

    /// Checks an instance that continues as new, by the events in its history before and after.
    fn continues(episode: &EpisodeWrite, before: &[u64], now: &[u64]) -> Result<(), String> {
        let id = &episode.record.instance_id;
        let Some(discards) = discards(episode) else { return Ok(()) };
        if discards {
            return match before.iter().find(|number| now.contains(number)) {
                Some(number) => Err(format!("I5 event {number} was discarded, and {id} has it")),
                None => Ok(()),
            };
        }
        let is_lost = |number: &&u64| !now.contains(number) && !trace::has_read(id, **number);
        match before.iter().find(is_lost) {
            Some(number) => Err(format!(
                "I5 {id} continues as new, and event {number}, which it has not read, is lost"
            )),
            None => Ok(()),
        }
    }
}

/// Whether the program discards unread events; `None` if the episode does not show it.
fn discards(episode: &EpisodeWrite) -> Option<bool> {
    let started = episode.events.iter().find_map(|event| match &event.kind {
        EventKind::ExecutionStarted(started) => Some(started),
        _ => None,
    })?;
    let (program, _) = started.input.read::<(Program, u32)>().ok()?;
    Some(program.discards)
}

fn number(kind: &EventKind) -> Option<u64> {
    let EventKind::EventRaised { input, .. } = kind else { return None };
    input.read::<u64>().ok().filter(|number| *number > 0)
}
