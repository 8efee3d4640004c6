//! I10: entities are serial and transactional, and each operation is carried out once.
//!
//! "An operation of an entity failed and had no effect" (`EntityOperationFailed`); "their results,
//! state changes and messages take effect exactly once" (ARCHITECTURE.md).
//!
//! The state of an entity is the list of the operations that it carried out.

use std::collections::{BTreeMap, BTreeSet};

use durable::protocol::{EventKind, HistoryEvent, InstanceId, Json};
use durable::store::Commit;

use super::event::Order;
use super::message::Messages;
use crate::interpret::{Counter, FAILS};

#[derive(Debug, Default)]
pub(super) struct Entities {
    all: BTreeMap<u8, Entity>,
    /// The delayed signals that delete an entity and are not due yet, with the entity's key.
    delayed_deletes: BTreeMap<InstanceId, u8>,
}

#[derive(Debug, Default)]
struct Entity {
    tokens: Vec<u64>,
    /// Everything that the entity ever carried out.
    seen: BTreeSet<u64>,
    /// The operations that a client was promised.
    expected: BTreeSet<u64>,
    /// The operations that a client has asked to cancel, and those that were cancelled.
    may_be_cancelled: BTreeSet<u64>,
    cancelled: BTreeSet<u64>,
    /// The operations of clients that must take effect in order, and those that have taken effect.
    sent: BTreeSet<u64>,
    order: Order,
    /// The index of each operation in the state.
    places: BTreeMap<u64, usize>,
    /// The number of times that its deletion was requested, and that its state was removed.
    deletes: u32,
    losses: u32,
    /// The number of deletions that clients have requested but that were not confirmed. Such a
    /// deletion may be part of any batch, and no message shows it.
    unconfirmed_deletes: u32,
}

pub(super) fn key(id: &InstanceId) -> Option<u8> {
    id.as_str().strip_prefix("@counter@")?.parse().ok()
}

/// The key of the entity for which a delayed signal is kept.
fn key_of_delayed(id: &InstanceId) -> Option<u8> {
    id.as_str().strip_prefix("@counter@")?.split_once('#')?.0.parse().ok()
}

fn is_delete(event: &EventKind) -> bool {
    matches!(event, EventKind::EntityOperationCalled { operation, .. }
        | EventKind::EntityOperationSignaled { operation, .. }
        if matches!(operation.as_str(), "remove" | "delete"))
}

impl Entities {
    fn of(&mut self, key: u8) -> &mut Entity {
        self.all.entry(key).or_default()
    }

    pub(super) fn has_seen(&self, key: u8, token: u64) -> bool {
        self.all.get(&key).is_some_and(|entity| entity.seen.contains(&token))
    }

    /// Whether the deletion of the entity was requested.
    pub(super) fn was_deleted(&self, key: u8) -> bool {
        self.all.get(&key).is_some_and(|entity| entity.deletes > 0)
    }

    pub(super) fn expect(&mut self, key: u8, token: u64) {
        self.of(key).expected.insert(token);
    }

    /// Notes a cancellation. Its answer may be lost, so from now on the operation is no longer
    /// promised.
    pub(super) fn ask_cancel(&mut self, key: u8, token: u64) {
        self.of(key).may_be_cancelled.insert(token);
    }

    pub(super) fn cancel(&mut self, key: u8, token: u64) -> Result<(), String> {
        if self.has_seen(key, token) {
            return Err(format!(
                "I10 operation {token} of entity {key} was carried out and cancelled"
            ));
        }
        self.of(key).cancelled.insert(token);
        Ok(())
    }

    pub(super) fn sends(&mut self, key: u8, token: u64) {
        self.of(key).sent.insert(token);
    }

    pub(super) fn is_elsewhere(&self, key: u8, token: u64, place: usize) -> bool {
        let known = self.all.get(&key).and_then(|entity| entity.places.get(&token));
        known.is_some_and(|known| *known != place)
    }

    pub(super) fn ask_delete(&mut self, key: u8) {
        let entity = self.of(key);
        entity.deletes += 1;
        entity.unconfirmed_deletes += 1;
    }

    /// Called when a client was told that its deletion took effect, or that it is stored as a
    /// message or as a delayed signal.
    pub(super) fn confirm_delete(&mut self, key: u8) {
        let entity = self.of(key);
        entity.unconfirmed_deletes = entity.unconfirmed_deletes.saturating_sub(1);
    }

    /// Returns the states that entities have had, in their order.
    pub(super) fn commit(
        &mut self,
        commit: &Commit,
        messages: &Messages,
    ) -> Result<Vec<(u8, Vec<u64>)>, String> {
        for (_, message) in &commit.messages {
            let (EventKind::EntityOperationCalled { operation, .. }
            | EventKind::EntityOperationSignaled { operation, .. }) = &message.event
            else {
                continue;
            };
            if let Some(key) = key(&message.instance_id).filter(|_| operation == "remove") {
                self.of(key).deletes += 1;
            }
        }
        let (mut lost, mut states) = (BTreeSet::new(), Vec::new());
        let mut change = |entity: &mut Entity, key: u8, tokens: Vec<u64>| {
            let losses = entity.losses;
            states.push((key, tokens.clone()));
            entity.become_(tokens).map_err(|wrong| format!("I10 entity {key}: {wrong}"))?;
            if entity.losses > losses {
                lost.insert(key);
            }
            Ok::<_, String>(())
        };
        for episode in &commit.episodes {
            let Some(key) = key(&episode.record.instance_id) else { continue };
            for event in &episode.events {
                let EventKind::EntityState(state) = &event.kind else { continue };
                let tokens = match &state.state {
                    Some(state) => tokens(state).ok_or_else(|| {
                        format!("I24 the state of entity {key} cannot be read: {state:?}")
                    })?,
                    None => Vec::new(),
                };
                change(self.all.entry(key).or_default(), key, tokens)?;
            }
        }
        for (_, id) in &commit.purged {
            if let Some(key) = key(id) {
                change(self.all.entry(key).or_default(), key, Vec::new())?;
            }
        }
        let deleted = self.deleted(commit, messages);
        for (key, name, token) in
            messages.taken().iter().filter_map(|(to, event)| operation(to, event))
        {
            let succeeds = matches!(name, "add" | "pass_on" | "begin");
            // An entity that is created and deleted in one batch is never written.
            let may_be_deleted = lost.contains(&key)
                || deleted.contains(&key)
                || self.of(key).unconfirmed_deletes > 0;
            if succeeds && !may_be_deleted && !self.has_seen(key, token) {
                return Err(format!("I10 operation {token} of entity {key} is lost"));
            }
        }
        Ok(states)
    }

    /// The entities that a message or a delayed signal deletes in this commit.
    fn deleted(&mut self, commit: &Commit, messages: &Messages) -> BTreeSet<u8> {
        for episode in &commit.episodes {
            let id = &episode.record.instance_id;
            let is_delete = |event: &HistoryEvent| is_delete(&event.kind);
            if let Some(key) = key_of_delayed(id).filter(|_| episode.events.iter().any(is_delete)) {
                self.delayed_deletes.insert(id.clone(), key);
            }
        }
        // This includes a delayed signal, which may be due at once.
        let taken = messages.taken().iter().filter(|(_, event)| is_delete(event));
        let mut deleted: BTreeSet<u8> = taken.filter_map(|(to, _)| key(to)).collect();
        let purged = commit.purged.iter();
        deleted.extend(purged.filter_map(|(_, id)| self.delayed_deletes.remove(id)));
        deleted
    }

    /// Checks that every operation that a client was promised has been carried out, unless a
    /// critical section waits forever.
    pub(super) fn at_rest(&self, locked: &BTreeSet<u8>) -> Result<(), String> {
        for (key, entity) in self.all.iter().filter(|(key, _)| !locked.contains(key)) {
            let mut promised = entity.expected.difference(&entity.may_be_cancelled);
            let missing = promised.find(|token| !entity.seen.contains(token));
            if let Some(token) = missing.filter(|_| entity.deletes == 0) {
                return Err(format!("I10 signal {token} to entity {key} is lost"));
            }
        }
        Ok(())
    }
}

impl Entity {
    fn become_(&mut self, tokens: Vec<u64>) -> Result<(), String> {
        let mut new = &tokens[..];
        if let Some(more) = tokens.strip_prefix(&self.tokens[..]) {
            new = more;
        } else {
            self.losses += 1;
            if self.losses > self.deletes {
                return Err(format!("its state goes from {:?} to {tokens:?}", self.tokens));
            }
        }
        let first = tokens.len() - new.len();
        for (place, token) in (first..).zip(new) {
            self.places.insert(*token, place);
            if self.sent.contains(token) {
                let next = self.order.next(*token);
                next.map_err(|wrong| format!("it carries out {wrong}"))?;
            }
            if self.cancelled.contains(token) {
                return Err(format!("operation {token} was cancelled and is carried out"));
            }
            if token & FAILS != 0 {
                return Err(format!("operation {token:x} has failed, and has an effect"));
            }
            if !self.seen.insert(*token) {
                return Err(format!("operation {token} is carried out twice"));
            }
        }
        self.tokens = tokens;
        Ok(())
    }
}

fn tokens(state: &Json) -> Option<Vec<u64>> {
    state.read::<Counter>().ok().map(|counter| counter.tokens)
}

/// The operation that a message requests, and its token.
fn operation<'a>(to: &InstanceId, event: &'a EventKind) -> Option<(u8, &'a str, u64)> {
    let (EventKind::EntityOperationCalled { operation, input, .. }
    | EventKind::EntityOperationSignaled { operation, input, .. }) = event
    else {
        return None;
    };
    let is_delayed =
        matches!(event, EventKind::EntityOperationSignaled { scheduled_time: Some(_), .. });
    // It becomes a message again at its time.
    let key = key(to).filter(|_| !is_delayed)?;
    Some((key, operation, token_of(input).unwrap_or(0)))
}

/// The token that an operation was given.
pub(crate) fn token_of(input: &Json) -> Option<u64> {
    let input = input.read::<serde_json::Value>().ok()?;
    input.as_u64().or_else(|| input[0].as_u64())
}
