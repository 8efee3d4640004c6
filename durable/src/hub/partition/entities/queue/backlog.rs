//! The messages of an entity that exist only in the store: their number, and where to read them.
//!
//! ```text
//! store:   parked signals | also in memory | the rest
//!          ^ before memory                   ^ after memory, in the order of arrival
//! ```
//! A message is removed from the store when it takes effect. The store therefore holds, in this
//! order, the parked messages, those in memory, and the rest. The rest is read when memory is
//! empty: by then every message of the previous read has taken effect or is parked.

use std::ops::Range;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    rest: Rest,
    /// Number of parked signals: they wait for code, in the store only, before the messages in
    /// memory.
    parked: u64,
    /// The places of the messages of the last read.
    last_read: Range<u64>,
    /// Number of parked messages of the last read.
    parked_of_read: u64,
}

/// The messages after those in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    /// All messages are in memory.
    #[default]
    InMemory,
    /// This many, at least one, are in the store only.
    Behind(u64),
    /// Like `Behind`, but the first of them are about to be read. No operation begins before that.
    Refilling(u64),
}

/// The next read of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextRead {
    /// The place where to begin.
    pub(crate) from: u64,
    /// Number of messages to skip from there, because they are parked.
    pub(crate) skip: u64,
    /// The maximum number of messages to read after those.
    pub(crate) count: usize,
    /// The read ends after the message with which it reaches this many bytes.
    pub(crate) bytes: usize,
}

impl Backlog {
    /// Number of messages that are in the store only.
    pub(super) fn len(&self) -> u64 {
        self.rest() + self.parked
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of messages after those in memory.
    pub(super) fn rest(&self) -> u64 {
        match self.rest {
            Rest::InMemory => 0,
            Rest::Behind(count) | Rest::Refilling(count) => count,
        }
    }

    pub(super) fn is_refilling(&self) -> bool {
        matches!(self.rest, Rest::Refilling(_))
    }

    /// Leaves messages in the store, after all others.
    pub(super) fn add(&mut self, count: u64) {
        self.rest = match self.rest {
            Rest::InMemory if count == 0 => Rest::InMemory,
            Rest::InMemory => Rest::Behind(count),
            Rest::Behind(before) => Rest::Behind(before + count),
            Rest::Refilling(before) => Rest::Refilling(before + count),
        };
    }

    /// Notes that a read of the rest is pending.
    pub(super) fn begin_refill(&mut self) {
        if let Rest::Behind(count) = self.rest {
            self.rest = Rest::Refilling(count);
        }
    }

    /// Where to read the first messages of the rest, at most `count`.
    pub(super) fn next_read(&self, count: usize, bytes: usize) -> NextRead {
        let count = usize::try_from(self.rest()).unwrap_or(count).min(count);
        // If no message of the last read is parked, all of them have left the store.
        let from = match self.parked_of_read {
            0 => self.last_read.end,
            _ => self.last_read.start,
        };
        NextRead { from, skip: self.parked_of_read, count, bytes }
    }

    /// Notes that `count` messages of the rest were read, at these places.
    pub(super) fn refilled(&mut self, count: u64, places: Option<Range<u64>>) {
        if let Some(places) = places {
            (self.last_read, self.parked_of_read) = (places, 0);
        }
        // If nothing was found, waiting for more would never end.
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

    /// Adds the parked messages and the `in_memory` stored messages, which leave memory, to the
    /// rest. The rest is read from its beginning again.
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
    fn messages_that_arrive_while_a_refill_is_pending_join_the_rest() {
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
    fn parked_messages_are_skipped_and_come_first_once_there_is_code() {
        let mut backlog = Backlog::default();
        backlog.add(4);
        backlog.park(2);
        assert_eq!(backlog.next_read(2, 9), read(0, 2, 2));
        backlog.refilled(2, Some(5..7));
        assert_eq!(
            backlog.next_read(2, 9),
            read(7, 0, 2),
            "every message of the last read took effect"
        );
        backlog.park(1);
        assert_eq!(
            backlog.next_read(2, 9),
            read(5, 1, 2),
            "one message of the last read is parked"
        );
        assert_eq!(backlog.len(), 5);
        backlog.unpark(1);
        assert!(!backlog.has_parked());
        assert_eq!(backlog.next_read(9, 9), read(0, 0, 6));
    }

    #[test]
    fn a_refill_that_finds_nothing_is_not_repeated() {
        let mut backlog = Backlog::default();
        backlog.add(2);
        backlog.begin_refill();
        backlog.refilled(0, None);
        assert!(backlog.is_empty());
        assert!(!backlog.is_refilling());
    }
}
