//! The instances and entities that a partition has in memory, the least recently used of which make
//! room.
//!
//! One whose last write is not durable yet stays, since the store does not have it.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lru::LruCache;

use super::due::WrittenBy;
use crate::engine::Execution;
use crate::hub::mail::End;
use crate::protocol::{
    EventKind, ExecutionId, HistoryEvent, InstanceId, InstanceRecord, Timestamp,
};
use crate::weight;

/// An instance in memory.
pub(crate) struct Resident {
    pub(crate) record: InstanceRecord,
    /// Its live execution; none if it is suspended or has finished.
    pub(crate) execution: Option<Execution>,
    /// How it came to a stop, if it has.
    pub(crate) end: Option<End>,
    /// The number of the last write of it.
    pub(crate) written: u64,
    /// The execution whose history its next write replaces.
    pub(crate) replaces: Option<ExecutionId>,
    /// The due time under which the due list has it.
    pub(crate) due_before: Option<Timestamp>,
    /// The write that contains the due time of the record; none if only memory knows it.
    pub(crate) due_written_by: WrittenBy,
    /// Whether it is terminated by its parent, which therefore gets no answer.
    pub(crate) is_abandoned: bool,
    /// Its whole history, where every episode is verified against it.
    pub(crate) past: Vec<HistoryEvent>,
}

/// What can be in memory, and in the store at other times.
pub(crate) trait Lives {
    fn id(&self) -> &InstanceId;

    /// The number of the last write of it.
    fn written(&self) -> u64;

    /// Whether it stays only until its last write is durable.
    fn is_over(&self) -> bool;

    /// Whether there is something that only memory knows.
    fn is_in_use(&self) -> bool;

    /// About how many bytes of memory it takes.
    fn weigh(&self) -> usize;
}

impl Resident {
    /// An instance as its record says; its execution, if it has one, is not there yet.
    pub(crate) fn new(record: InstanceRecord, written: u64) -> Box<Self> {
        let due_before = record.next_due;
        Box::new(Self {
            record,
            execution: None,
            end: None,
            written,
            replaces: None,
            due_before,
            due_written_by: Some(written),
            is_abandoned: false,
            past: Vec::new(),
        })
    }

    /// Events without the results of attempts that are over: an attempt may run twice, since that it
    /// has begun is written nowhere, and its second result must not count for the next.
    pub(crate) fn current(&self, events: Vec<(EventKind, Option<u32>)>) -> Vec<EventKind> {
        let (mut seen, is_alone) = (HashSet::new(), events.len() == 1);
        let mut is_current = |(event, attempt): &(EventKind, Option<u32>)| {
            let (Some(attempt), Some(task)) = (attempt, event.answers()) else { return true };
            let present = self.execution.as_ref().and_then(|execution| execution.attempt(task));
            let is_over = present.is_some_and(|present| *attempt < present);
            !is_over && (is_alone || seen.insert((task, *attempt)))
        };
        events.into_iter().filter(|event| is_current(event)).map(|(event, _)| event).collect()
    }

    /// Keeps the history, if episodes are to be verified against it.
    pub(crate) fn remember(&mut self, verify: bool, past: Vec<HistoryEvent>) {
        if verify {
            self.past = past;
        }
    }
}

impl Lives for Resident {
    fn id(&self) -> &InstanceId {
        &self.record.instance_id
    }

    fn written(&self) -> u64 {
        self.written
    }

    fn is_over(&self) -> bool {
        self.record.runtime_status.is_finished()
    }

    fn is_in_use(&self) -> bool {
        false
    }

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
}

/// How many instances there may be in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) instances: usize,
    pub(crate) bytes: usize,
}

impl Room {
    /// What each of several partitions has.
    pub(crate) fn share(self, count: usize) -> Self {
        Self { instances: self.instances.div_ceil(count), bytes: self.bytes.div_ceil(count) }
    }
}

/// How many that are in use are passed over at once, to find one that is not.
const PASSED_OVER: usize = 16;

pub(crate) struct Residents<R> {
    all: LruCache<InstanceId, Weighed<R>>,
    /// Those that are over, which stay only until that is durable.
    over: VecDeque<(u64, InstanceId)>,
    /// About how many bytes of memory they take.
    bytes: usize,
    max: Room,
    durable: Arc<AtomicU64>,
}

struct Weighed<R> {
    resident: Box<R>,
    /// As of when it was put among the others.
    bytes: usize,
}

impl<R: Lives> Residents<R> {
    pub(crate) fn new(max: Room, durable: Arc<AtomicU64>) -> Self {
        let (all, over) = (LruCache::unbounded(), VecDeque::new());
        Self { all, over, bytes: 0, max, durable }
    }

    pub(crate) fn get(&mut self, id: &InstanceId) -> Option<&R> {
        self.all.get(id).map(|weighed| &*weighed.resident)
    }

    /// One of them, without counting as a use of it.
    pub(crate) fn peek(&self, id: &InstanceId) -> Option<&R> {
        self.all.peek(id).map(|weighed| &*weighed.resident)
    }

    /// Takes one out, to be [put](Self::put) back.
    pub(crate) fn take(&mut self, id: &InstanceId) -> Option<Box<R>> {
        let Weighed { resident, bytes } = self.all.pop(id)?;
        self.bytes -= bytes;
        Some(resident)
    }

    pub(crate) fn put(&mut self, resident: Box<R>) {
        let bytes = resident.weigh();
        self.bytes += bytes;
        let id = resident.id().clone();
        if resident.is_over() {
            self.over.push_back((resident.written(), id.clone()));
        }
        if let Some(before) = self.all.put(id, Weighed { resident, bytes }) {
            self.bytes -= before.bytes;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether the store has what was last written of one of them.
    pub(crate) fn is_durable(&self, resident: &R) -> bool {
        resident.written() <= self.durable.load(Ordering::Acquire)
    }

    /// Makes room.
    pub(crate) fn evict(&mut self) {
        let durable = self.durable.load(Ordering::Acquire);
        while self.over.front().is_some_and(|(written, _)| *written <= durable) {
            // It may have begun again meanwhile.
            if let Some((written, id)) = self.over.pop_front()
                && self.peek(&id).is_some_and(|it| it.written() == written && it.is_over())
            {
                self.take(&id);
            }
        }
        let mut passed_over = 0;
        while self.all.len() > self.max.instances || self.bytes > self.max.bytes {
            match self.all.peek_lru() {
                Some((id, it)) if it.resident.is_in_use() && passed_over < PASSED_OVER => {
                    let id = id.clone();
                    self.all.promote(&id);
                    passed_over += 1;
                }
                Some((id, it)) if !it.resident.is_in_use() && it.resident.written() <= durable => {
                    let id = id.clone();
                    self.take(&id);
                }
                _ => break,
            }
        }
    }
}

impl<R> fmt::Debug for Residents<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, bytes) = (self.all.len(), self.bytes);
        write!(f, "{count} in memory with {bytes} bytes, of at most {:?}", self.max)
    }
}
