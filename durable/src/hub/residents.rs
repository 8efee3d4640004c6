//! The instances that a partition has in memory, the least recently used of which make room.
//!
//! An instance whose last write is not durable yet stays, since the store does not have it.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lru::LruCache;

use super::mail::End;
use crate::engine::Execution;
use crate::protocol::{
    EventKind, ExecutionId, HistoryEvent, InstanceId, InstanceRecord, Timestamp,
};
use crate::weight;

/// An instance in memory.
pub(super) struct Resident {
    pub(super) record: InstanceRecord,
    /// Its live execution; none if it is suspended or has finished.
    pub(super) execution: Option<Execution>,
    /// How it came to a stop, if it has.
    pub(super) end: Option<End>,
    /// The number of the last write of it.
    pub(super) written: u64,
    /// The execution whose history its next write replaces.
    pub(super) replaces: Option<ExecutionId>,
    /// When it was due as of its last write.
    pub(super) due_before: Option<Timestamp>,
    /// Its whole history, where every episode is verified against it.
    pub(super) past: Vec<HistoryEvent>,
    /// About how many bytes of memory it takes, as of when it was put among the others.
    bytes: usize,
}

impl Resident {
    /// An instance as its record says; its execution, if it has one, is not there yet.
    pub(super) fn new(record: InstanceRecord, written: u64) -> Box<Self> {
        let due_before = record.next_due;
        Box::new(Self {
            record,
            execution: None,
            end: None,
            written,
            replaces: None,
            due_before,
            past: Vec::new(),
            bytes: 0,
        })
    }

    /// Events without the results of attempts that are over: an attempt may run twice, since that it
    /// has begun is written nowhere, and its second result must not count for the next.
    pub(super) fn current(&self, events: Vec<(EventKind, Option<u32>)>) -> Vec<EventKind> {
        let (mut seen, is_alone) = (HashSet::new(), events.len() == 1);
        let mut is_current = |(event, attempt): &(EventKind, Option<u32>)| {
            let (Some(attempt), Some(task)) = (attempt, event.answers()) else { return true };
            let present = self.execution.as_ref().and_then(|execution| execution.attempt(task));
            let is_over = present.is_some_and(|present| *attempt < present);
            !is_over && (is_alone || seen.insert((task, *attempt)))
        };
        events.into_iter().filter(|event| is_current(event)).map(|(event, _)| event).collect()
    }

    /// About how many bytes of memory it takes.
    fn weigh(&self) -> usize {
        let InstanceRecord { instance_id, name, tags, custom_status, .. } = &self.record;
        size_of::<Self>()
            + instance_id.as_str().len()
            + name.len()
            + tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
            + custom_status.as_ref().map_or(0, |status| status.as_str().len())
            + self.execution.as_ref().map_or(0, Execution::bytes)
            + weight::of_events(&self.past)
    }

    /// Keeps the history, if episodes are to be verified against it.
    pub(super) fn remember(&mut self, verify: bool, past: Vec<HistoryEvent>) {
        if verify {
            self.past = past;
        }
    }
}

/// How many instances there may be in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) instances: usize,
    pub(super) bytes: usize,
}

impl Room {
    /// What each of several partitions has.
    pub(super) fn share(self, count: usize) -> Self {
        Self { instances: self.instances.div_ceil(count), bytes: self.bytes.div_ceil(count) }
    }
}

pub(super) struct Residents {
    instances: LruCache<InstanceId, Box<Resident>>,
    /// Instances that have finished, which stay only until that is durable.
    finished: VecDeque<(u64, InstanceId)>,
    /// About how many bytes of memory they take.
    bytes: usize,
    max: Room,
    durable: Arc<AtomicU64>,
}

impl Residents {
    pub(super) fn new(max: Room, durable: Arc<AtomicU64>) -> Self {
        let (instances, finished) = (LruCache::unbounded(), VecDeque::new());
        Self { instances, finished, bytes: 0, max, durable }
    }

    pub(super) fn get(&mut self, id: &InstanceId) -> Option<&Resident> {
        self.instances.get(id).map(|resident| &**resident)
    }

    /// An instance, without counting as a use of it.
    pub(super) fn peek(&self, id: &InstanceId) -> Option<&Resident> {
        self.instances.peek(id).map(|resident| &**resident)
    }

    /// Takes an instance out, to be [put](Self::put) back.
    pub(super) fn take(&mut self, id: &InstanceId) -> Option<Box<Resident>> {
        let taken = self.instances.pop(id)?;
        self.bytes -= taken.bytes;
        Some(taken)
    }

    pub(super) fn put(&mut self, mut resident: Box<Resident>) {
        resident.bytes = resident.weigh();
        self.bytes += resident.bytes;
        let id = resident.record.instance_id.clone();
        if resident.record.runtime_status.is_finished() {
            self.finished.push_back((resident.written, id.clone()));
        }
        if let Some(before) = self.instances.put(id, resident) {
            self.bytes -= before.bytes;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.instances.len()
    }

    /// Whether the store has what was last written of an instance.
    pub(super) fn is_durable(&self, resident: &Resident) -> bool {
        resident.written <= self.durable.load(Ordering::Acquire)
    }

    /// Makes room.
    pub(super) fn evict(&mut self) {
        let durable = self.durable.load(Ordering::Acquire);
        while self.finished.front().is_some_and(|(written, _)| *written <= durable) {
            // Another one may have been started under its id meanwhile.
            if let Some((written, id)) = self.finished.pop_front()
                && self.instances.peek(&id).is_some_and(|resident| resident.written == written)
            {
                self.take(&id);
            }
        }
        while self.instances.len() > self.max.instances || self.bytes > self.max.bytes {
            match self.instances.peek_lru() {
                Some((id, resident)) if resident.written <= durable => {
                    let id = id.clone();
                    self.take(&id);
                }
                _ => break,
            }
        }
    }
}

impl fmt::Debug for Residents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, bytes) = (self.instances.len(), self.bytes);
        write!(f, "{count} instances with {bytes} bytes, of at most {:?}", self.max)
    }
}
