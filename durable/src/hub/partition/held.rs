//! Mail that waits until the last write of its instance is durable.
//!
//! An operation on a suspended or failed instance starts from its stored history, and the store
//! lacks writes that are not committed yet. The partition does not wait for the commit: it holds
//! the mail and serves other instances until then.
//!
//! **Invariant:** mail of an instance is handled in the order of arrival. While mail of an instance
//! is held, all further mail of that instance is held after it.

use std::collections::{HashMap, VecDeque};

use lru::DefaultHasher;

use crate::hub::mail::Delivery;
use crate::protocol::InstanceId;

#[derive(Debug, Default)]
pub(super) struct Held(HashMap<InstanceId, VecDeque<Delivery>, DefaultHasher>);

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether mail of this instance is held.
    pub(super) fn has(&self, id: &InstanceId) -> bool {
        self.0.contains_key(id)
    }

    /// Holds mail of an instance, after its mail that is already held.
    pub(super) fn hold(&mut self, id: InstanceId, delivery: Delivery) {
        self.0.entry(id).or_default().push_back(delivery);
    }

    /// The mail of an instance, in its order, which is no longer held.
    pub(super) fn release(&mut self, id: &InstanceId) -> VecDeque<Delivery> {
        self.0.remove(id).unwrap_or_default()
    }
}
