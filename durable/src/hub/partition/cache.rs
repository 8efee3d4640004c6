//! What a partition holds in memory of its instances: a cache that evicts the least recently used.
//!
//! An item stays until its last write is durable, because until then the store lacks it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lru::LruCache;

use crate::protocol::InstanceId;

/// What can be evicted from memory and read from the store again.
pub(crate) trait Cached {
    fn id(&self) -> &InstanceId;

    /// The number of its last write.
    fn last_write(&self) -> u64;

    /// Whether it is evicted as soon as its last write is durable, however much room is left.
    fn is_disposable(&self) -> bool;

    /// Whether it has state that exists in memory only, so that it cannot be evicted.
    fn is_pinned(&self) -> bool;

    /// Approximate size in memory, in bytes.
    fn bytes(&self) -> usize;
}

/// How much a cache may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) instances: usize,
    pub(crate) bytes: usize,
}

impl Capacity {
    /// The part of each of `count` caches.
    pub(crate) fn share(self, count: usize) -> Self {
        Self { instances: self.instances.div_ceil(count), bytes: self.bytes.div_ceil(count) }
    }
}

/// How many pinned items one eviction skips at most, to bound its time.
const SKIPPED_MAX: usize = 16;

pub(crate) struct Cache<T> {
    items: LruCache<InstanceId, Weighed<T>>,
    /// Disposable items by their last write, oldest first.
    disposable: VecDeque<(u64, InstanceId)>,
    /// Approximate size of all items.
    bytes: usize,
    capacity: Capacity,
    /// The number of the last durable write.
    durable: Arc<AtomicU64>,
}

struct Weighed<T> {
    item: Box<T>,
    /// Its size when it was put in.
    bytes: usize,
}

impl<T: Cached> Cache<T> {
    pub(crate) fn new(capacity: Capacity, durable: Arc<AtomicU64>) -> Self {
        let (items, disposable) = (LruCache::unbounded(), VecDeque::new());
        Self { items, disposable, bytes: 0, capacity, durable }
    }

    /// An item, which becomes the most recently used.
    pub(crate) fn get(&mut self, id: &InstanceId) -> Option<&T> {
        self.items.get(id).map(|weighed| &*weighed.item)
    }

    /// An item, without counting as a use of it.
    pub(crate) fn peek(&self, id: &InstanceId) -> Option<&T> {
        self.items.peek(id).map(|weighed| &*weighed.item)
    }

    /// Takes an item out, to be [put](Self::put) back.
    pub(crate) fn take(&mut self, id: &InstanceId) -> Option<Box<T>> {
        let Weighed { item, bytes } = self.items.pop(id)?;
        self.bytes -= bytes;
        Some(item)
    }

    pub(crate) fn put(&mut self, item: Box<T>) {
        let bytes = item.bytes();
        self.bytes += bytes;
        let id = item.id().clone();
        if item.is_disposable() {
            self.disposable.push_back((item.last_write(), id.clone()));
        }
        if let Some(before) = self.items.put(id, Weighed { item, bytes }) {
            self.bytes -= before.bytes;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether the last write of an item is durable.
    pub(crate) fn is_durable(&self, item: &T) -> bool {
        item.last_write() <= self.durable.load(Ordering::Acquire)
    }

    /// Evicts what is disposable, and then as much as exceeds the capacity.
    pub(crate) fn evict(&mut self) {
        let durable = self.durable.load(Ordering::Acquire);
        while self.disposable.front().is_some_and(|(write, _)| *write <= durable) {
            // It may have been written again since.
            if let Some((write, id)) = self.disposable.pop_front()
                && self.peek(&id).is_some_and(|it| it.last_write() == write && it.is_disposable())
            {
                self.take(&id);
            }
        }
        let mut skipped = 0;
        while self.items.len() > self.capacity.instances || self.bytes > self.capacity.bytes {
            match self.items.peek_lru() {
                Some((id, it)) if it.item.is_pinned() && skipped < SKIPPED_MAX => {
                    let id = id.clone();
                    self.items.promote(&id);
                    skipped += 1;
                }
                Some((id, it)) if !it.item.is_pinned() && it.item.last_write() <= durable => {
                    let id = id.clone();
                    self.take(&id);
                }
                _ => break,
            }
        }
    }
}

impl<T> fmt::Debug for Cache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, bytes) = (self.items.len(), self.bytes);
        write!(f, "{count} items of {bytes} bytes, capacity {:?}", self.capacity)
    }
}
