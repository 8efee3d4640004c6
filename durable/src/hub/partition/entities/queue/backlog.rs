//! How many messages of an entity exist in the store only, and where to read them.
//!
//! ```text
//! store:   parked signals | in memory, too | the rest
//!          ^ before memory                   ^ behind memory, in the order in which they arrived
//! ```
//! A message is removed from the store when it takes effect. So the store holds, in this order, the
//! parked messages, those in memory, and the rest. The rest is read when memory has no more: then
//! everything that was read before has taken effect or is parked.

use std::ops::Range;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    rest: Rest,
    /// How many signals that wait for code are in the store only, before those in memory.
    parked: u64,
    /// The places of the messages that were read last.
    last_read: Range<u64>,
    /// How many messages of the last read are parked.
    parked_of_read: u64,
}

/// The messages behind those in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    /// There are none: all messages are in memory.
    #[default]
    InMemory,
    /// This many, at least one, are in the store only.
    Behind(u64),
    /// As `Behind`, and the first of them are about to be read. Nothing is begun before that.
    Refilling(u64),
}

/// What to read of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextRead {
    /// The place where to begin.
    pub(crate) from: u64,
    /// How many messages to skip from there: they are parked.
    pub(crate) skip: u64,
    /// How many messages to read behind those, at most.
    pub(crate) count: usize,
    /// When this many bytes are read, no more messages are read.
    pub(crate) bytes: usize,
}

impl Backlog {
    /// How many messages are in the store only.
    pub(super) fn len(&self) -> u64 {
        self.rest() + self.parked
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages are behind those in memory.
    pub(super) fn rest(&self) -> u64 {
        match self.rest {
            Rest::InMemory => 0,
            Rest::Behind(count) | Rest::Refilling(count) => count,
        }
    }

    pub(super) fn is_refilling(&self) -> bool {
        matches!(self.rest, Rest::Refilling(_))
    }

    /// Leaves messages in the store, behind all others.
    pub(super) fn add(&mut self, count: u64) {
        self.rest = match self.rest {
            Rest::InMemory if count == 0 => Rest::InMemory,
            Rest::InMemory => Rest::Behind(count),
            Rest::Behind(before) => Rest::Behind(before + count),
            Rest::Refilling(before) => Rest::Refilling(before + count),
        };
    }

    /// The rest is about to be read.
    pub(super) fn begin_refill(&mut self) {
        if let Rest::Behind(count) = self.rest {
            self.rest = Rest::Refilling(count);
        }
    }

    /// Where to read the first messages of the rest, `count` at most.
    pub(super) fn next_read(&self, count: usize, bytes: usize) -> NextRead {
        let count = usize::try_from(self.rest()).unwrap_or(count).min(count);
        // If nothing of the last read is parked, all of it has left the store.
        let from = match self.parked_of_read {
            0 => self.last_read.end,
            _ => self.last_read.start,
        };
        NextRead { from, skip: self.parked_of_read, count, bytes }
    }

    /// This many messages of the rest were read, at these places.
    pub(super) fn refilled(&mut self, count: u64, places: Option<Range<u64>>) {
        if let Some(places) = places {
            (self.last_read, self.parked_of_read) = (places, 0);
        }
        // If nothing was found, nothing can be waited for.
        let left = if count == 0 { 0 } else { self.rest().saturating_sub(count) };
        self.rest = if left == 0 { Rest::InMemory } else { Rest::Behind(left) };
    }

    /// Parks all stored messages that are in memory.
    pub(super) fn park(&mut self, count: u64) {
        self.parked += count;
        self.parked_of_read += count;
    }

    pub(super) fn has_parked(&self) -> bool {
        self.parked > 0
    }

    /// Makes the parked messages, and with them `in_memory` stored messages that leave memory, part of
    /// the rest, which is read from its beginning again.
    pub(super) fn unpark(&mut self, in_memory: u64) {
        let count = std::mem::take(&mut self.parked) + in_memory;
        self.add(count);
        (self.last_read, self.parked_of_read) = (0..0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: u64, skip: u64, count: usize) -> NextRead {
        NextRead { from, skip, count, bytes: 9 }
    }

    #[test]
    fn the_rest_is_read_from_where_the_last_read_ended() {
        let mut backlog = Backlog::default();
        backlog.add(5);
        backlog.begin_refill();
        assert_eq!(backlog.next_read(3, 9), read(0, 0, 3));
        backlog.refilled(3, Some(10..17));
        assert_eq!(backlog.len(), 2);
        assert_eq!(backlog.next_read(3, 9), read(17, 0, 2));
        backlog.refilled(2, Some(17..20));
        assert!(backlog.is_empty());
    }

    #[test]
    fn messages_that_arrive_while_the_rest_is_about_to_be_read_belong_to_it() {
        let mut backlog = Backlog::default();
        backlog.add(1);
        backlog.begin_refill();
        backlog.add(1);
        assert!(backlog.is_refilling());
        assert_eq!(backlog.next_read(9, 9).count, 2);
        backlog.refilled(2, Some(0..2));
        assert!(!backlog.is_refilling());
    }

    #[test]
    fn parked_messages_are_skipped_and_come_first_when_there_is_code() {
        let mut backlog = Backlog::default();
        backlog.add(4);
        backlog.park(2);
        assert_eq!(backlog.next_read(2, 9), read(0, 2, 2));
        backlog.refilled(2, Some(5..7));
        assert_eq!(backlog.next_read(2, 9), read(7, 0, 2), "all of it took effect");
        backlog.park(1);
        assert_eq!(backlog.next_read(2, 9), read(5, 1, 2), "one of it is parked");
        assert_eq!(backlog.len(), 5);
        backlog.unpark(1);
        assert!(!backlog.has_parked());
        assert_eq!(backlog.next_read(9, 9), read(0, 0, 6));
    }

    #[test]
    fn a_rest_that_is_not_found_is_not_waited_for() {
        let mut backlog = Backlog::default();
        backlog.add(2);
        backlog.begin_refill();
        backlog.refilled(0, None);
        assert!(backlog.is_empty());
        assert!(!backlog.is_refilling());
    }
}
