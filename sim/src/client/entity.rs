//! Operations on entities.

use chrono::TimeDelta;
use durable::EntityId;
use durable::client::{EntityError, ScheduledSignalQuery};
use durable::prelude::*;

use super::act::{Checked, holds};
use crate::interpret::{Counter, FAILS, counter};
use crate::program::{self, OpKind, When};
use crate::rules::{Committed, token_of};

/// The token of a client's operation. Tokens of orchestrators are hashes, and therefore much
/// larger.
fn token(number: u64) -> u64 {
    number
}

pub(super) async fn signal(
    hub: &TaskHub,
    op: program::Op,
    at: Option<When>,
    number: u64,
    committed: &Committed,
) -> Checked {
    let (counter, token) = (counter(op.key), token(number));
    macro_rules! send {
        ($operation:expr) => {
            match at {
                None => hub.signal_entity($operation).await.is_ok(),
                Some(When::Min) => hub.signal_entity_at(TimeDelta::MIN, $operation).await.is_ok(),
                Some(when) => hub.signal_entity_at(when.duration(), $operation).await.is_ok(),
            }
        };
    }
    if op.kind == OpKind::Delete {
        committed.asks_delete(op.key);
    }
    if at.is_none() {
        committed.sends(op.key, token);
    }
    let is_sent = match op.kind {
        OpKind::Add | OpKind::Get => send!(counter.add(token)),
        OpKind::Fail => send!(counter.fail(token | FAILS)),
        OpKind::Panic => send!(counter.fall(token | FAILS)),
        OpKind::Spoil => send!(counter.spoil(token | FAILS)),
        OpKind::PassOn(other) => send!(counter.pass_on(token, other, false)),
        OpKind::PassOnLater(other) => send!(counter.pass_on(token, other, true)),
        OpKind::PassOnAndFail(other) => send!(counter.pass_on_and_fail(token | FAILS, other)),
        OpKind::Begin(id) => send!(counter.begin(token, id)),
        OpKind::Delete => send!(counter.remove()),
    };
    match op.kind {
        OpKind::Add | OpKind::Get if is_sent => committed.expects(op.key, token),
        OpKind::Delete if is_sent => committed.confirms_delete(op.key),
        _ => {}
    }
    Ok(())
}

/// Cancels the first scheduled signal to an entity.
pub(super) async fn cancel_signal(hub: &TaskHub, key: u8, committed: &Committed) -> Checked {
    let Ok(entity) = EntityId::new("counter", key.to_string()) else { return Ok(()) };
    let query = ScheduledSignalQuery::new().entity(&entity).page_size(1);
    let Ok(page) = hub.query(&query).await else { return Ok(()) };
    let Some(signal) = page.items.first() else { return Ok(()) };
    let token = token_of(&signal.input);
    if let Some(token) = token {
        committed.asks_cancel(key, token);
    }
    match (hub.cancel_scheduled_signal(&signal.id).await, token) {
        (Ok(true), Some(token)) => committed.cancels(key, token),
        _ => Ok(()),
    }
}

pub(super) async fn entity_state(hub: &TaskHub, key: u8, committed: &Committed) -> Checked {
    let since = committed.commits();
    let state = match hub.entity_state::<Counter>(key.to_string()).await {
        Ok(state) => state.map(|state| state.tokens).unwrap_or_default(),
        Err(EntityError::Unreadable(_)) => {
            return Err(format!("I24 the state of entity {key} cannot be read"));
        }
        Err(_) => return Ok(()),
    };
    let seen = committed.seen_entity(key, since);
    holds(seen.was(|it| *it == state), || {
        format!("I16 entity {key} is shown as {state:?}, and was {seen:?}")
    })
}

pub(super) async fn call_entity(
    hub: &TaskHub,
    op: program::Op,
    number: u64,
    committed: &Committed,
) -> Checked {
    let (counter, token, key) = (counter(op.key), token(number), op.key);
    if op.kind == OpKind::Delete {
        committed.asks_delete(key);
    }
    committed.sends(key, token);
    match op.kind {
        OpKind::Add | OpKind::Get => {
            let Ok(place) = hub.call_entity(counter.add(token)).await else { return Ok(()) };
            holds(!committed.is_elsewhere(key, token, place), || {
                format!("I10 operation {token} of entity {key} has the answer of another")
            })?;
            return holds(committed.has_token(key, token), || {
                format!("I1 operation {token} of entity {key} was answered, and is not stored")
            });
        }
        OpKind::Fail => drop(hub.call_entity(counter.fail(token | FAILS)).await),
        OpKind::Panic => drop(hub.call_entity(counter.fall(token | FAILS)).await),
        OpKind::Spoil => {
            let spoiled = hub.call_entity(counter.spoil(token | FAILS)).await;
            return holds(spoiled.is_err(), || {
                format!("I24 entity {key} has a state that cannot be read back")
            });
        }
        OpKind::PassOn(other) => drop(hub.call_entity(counter.pass_on(token, other, false)).await),
        OpKind::PassOnLater(other) => {
            drop(hub.call_entity(counter.pass_on(token, other, true)).await);
        }
        OpKind::PassOnAndFail(other) => {
            drop(hub.call_entity(counter.pass_on_and_fail(token | FAILS, other)).await);
        }
        OpKind::Begin(id) => drop(hub.call_entity(counter.begin(token, id)).await),
        OpKind::Delete => {
            if hub.call_entity(counter.remove()).await.is_ok() {
                committed.confirms_delete(key);
            }
        }
    }
    Ok(())
}
