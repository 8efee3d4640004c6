//! The instances of a partition in memory: a cache that evicts the least recently used.
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

    /// Whether it is evicted as soon as its last write is durable, even if there is room.
    fn is_disposable(&self) -> bool;

    /// Whether it has state that exists in memory only, so that it cannot be evicted.
    fn is_pinned(&self) -> bool;

    /// Whether it was removed from the partition, so that it does not go back into its cache.
    fn is_removed(&self) -> bool {
        false
    }

    /// Approximate size in memory, in bytes.
    fn bytes(&self) -> usize;
}

/// The capacity of a cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) instances: usize,
    pub(crate) bytes: usize,
}

impl Capacity {
    /// The share of each of `count` caches.
    pub(crate) fn share(self, count: usize) -> Self {
        Self { instances: self.instances.div_ceil(count), bytes: self.bytes.div_ceil(count) }
    }
}

/// The maximum number of pinned items that one eviction skips, to bound its time.
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

    /// Lends an item to `f`: from memory, or else what `load` makes. It stays in the cache unless
    /// `f` removes it.
    ///
    /// `load` and `f` receive `context` and cannot access the cache itself.
    pub(crate) fn with_loaded<C, R, E>(
        &mut self,
        context: &mut C,
        id: &InstanceId,
        load: impl FnOnce(&mut C) -> Result<Box<T>, E>,
        f: impl FnOnce(&mut C, &mut T) -> R,
    ) -> Result<R, E> {
        match self.lend(context, id, f) {
            Ok(result) => Ok(result),
            Err(f) => {
                let item = load(context)?;
                Ok(self.lend_new(context, item, f))
            }
        }
    }

    /// Like [`with_loaded`](Self::with_loaded), but returns `None` if the item does not exist.
    pub(crate) fn with<C, R, E>(
        &mut self,
        context: &mut C,
        id: &InstanceId,
        load: impl FnOnce(&mut C) -> Result<Option<Box<T>>, E>,
        f: impl FnOnce(&mut C, &mut T) -> R,
    ) -> Result<Option<R>, E> {
        match self.lend(context, id, f) {
            Ok(result) => Ok(Some(result)),
            Err(f) => Ok(load(context)?.map(|item| self.lend_new(context, item, f))),
        }
    }

    /// Lends an item that is in memory. Gives `f` back if it is not.
    fn lend<C, R, F: FnOnce(&mut C, &mut T) -> R>(
        &mut self,
        context: &mut C,
        id: &InstanceId,
        f: F,
    ) -> Result<R, F> {
        let Some(lent) = self.items.get_mut(id) else { return Err(f) };
        let result = f(context, &mut lent.item);
        if lent.item.is_removed() {
            self.remove(id);
            return Ok(result);
        }
        let bytes = lent.item.bytes();
        self.bytes += bytes;
        self.bytes -= std::mem::replace(&mut lent.bytes, bytes);
        if lent.item.is_disposable() {
            self.disposable.push_back((lent.item.last_write(), id.clone()));
        }
        Ok(result)
    }

    /// Lends an item that was loaded, and adds it.
    fn lend_new<C, R>(
        &mut self,
        context: &mut C,
        mut item: Box<T>,
        f: impl FnOnce(&mut C, &mut T) -> R,
    ) -> R {
        let result = f(context, &mut item);
        if !item.is_removed() {
            self.insert(item);
        }
        result
    }

    /// Adds an item; replaces the one with the same id.
    pub(crate) fn insert(&mut self, item: Box<T>) {
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

    /// Takes an item out for good.
    pub(crate) fn remove(&mut self, id: &InstanceId) -> Option<Box<T>> {
        let Weighed { item, bytes } = self.items.pop(id)?;
        self.bytes -= bytes;
        Some(item)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|(_, weighed)| &*weighed.item)
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Evicts disposable items, then items until the cache fits its capacity.
    pub(crate) fn evict(&mut self) {
        let durable = self.durable.load(Ordering::Acquire);
        while self.disposable.front().is_some_and(|(write, _)| *write <= durable) {
            // It may have been written again since.
            if let Some((write, id)) = self.disposable.pop_front()
                && self.peek(&id).is_some_and(|it| it.last_write() == write && it.is_disposable())
            {
                self.remove(&id);
            }
        }
        let mut skipped = 0;
        while self.items.len() > self.capacity.instances
            || self.bytes > self.capacity.bytes
            || maybe!("cache: an item is evicted early")
        {
            match self.items.peek_lru() {
                Some((id, it)) if it.item.is_pinned() && skipped < SKIPPED_MAX => {
                    let id = id.clone();
                    mark!("cache: an item in use is passed over");
                    self.items.promote(&id);
                    skipped += 1;
                }
                Some((id, it)) if !it.item.is_pinned() && it.item.last_write() <= durable => {
                    let id = id.clone();
                    self.remove(&id);
                }
                _ => {
                    mark!(!self.items.is_empty(), "cache: nothing can be evicted yet");
                    break;
                }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;
    use crate::chance;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Item {
        id: InstanceId,
        last_write: u64,
        is_finished: bool,
        is_pinned: bool,
        is_purged: bool,
        bytes: usize,
    }

    impl Cached for Item {
        fn id(&self) -> &InstanceId {
            &self.id
        }

        fn last_write(&self) -> u64 {
            self.last_write
        }

        fn is_disposable(&self) -> bool {
            self.is_finished
        }

        fn is_pinned(&self) -> bool {
            self.is_pinned
        }

        fn is_removed(&self) -> bool {
            self.is_purged
        }

        fn bytes(&self) -> usize {
            self.bytes
        }
    }

    fn id(name: &(impl ToString + ?Sized)) -> InstanceId {
        InstanceId::new(name.to_string()).unwrap()
    }

    fn item(name: &(impl ToString + ?Sized), last_write: u64) -> Item {
        let (is_finished, is_pinned, is_purged) = (false, false, false);
        Item { id: id(name), last_write, is_finished, is_pinned, is_purged, bytes: 1 }
    }

    fn cache(instances: usize, bytes: usize, durable: u64) -> (Cache<Item>, Arc<AtomicU64>) {
        let durable = Arc::new(AtomicU64::new(durable));
        (Cache::new(Capacity { instances, bytes }, Arc::clone(&durable)), durable)
    }

    fn change(cache: &mut Cache<Item>, name: &str, change: impl FnOnce(&mut Item)) {
        let missing = |(): &mut ()| Ok::<_, Infallible>(None);
        cache.with(&mut (), &id(name), missing, |(), item| change(item)).unwrap().unwrap();
    }

    fn names(cache: &Cache<Item>) -> Vec<String> {
        let mut names: Vec<_> = cache.items.iter().map(|(id, _)| id.to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_least_recently_used_item_is_evicted() {
        let (mut cache, _) = cache(2, 99, 0);
        for name in ["a", "b", "c"] {
            cache.insert(Box::new(item(name, 0)));
        }
        assert!(cache.get(&id("a")).is_some());
        assert!(cache.peek(&id("b")).is_some(), "a peek is no use");
        cache.evict();
        assert_eq!(names(&cache), ["a", "c"]);
    }

    #[test]
    fn an_item_that_the_store_lacks_stays() {
        let (mut cache, durable) = cache(0, 0, 0);
        cache.insert(Box::new(item("a", 1)));
        cache.evict();
        assert_eq!(names(&cache), ["a"]);
        durable.store(1, Ordering::Release);
        cache.evict();
        assert_eq!((cache.len(), cache.bytes), (0, 0));
    }

    #[test]
    fn pinned_items_stay_and_do_not_prevent_other_evictions() {
        let (mut cache, _) = cache(1, 99, 0);
        for name in ["a", "b", "c"] {
            cache.insert(Box::new(item(name, 0)));
        }
        change(&mut cache, "a", |item| item.is_pinned = true);
        cache.evict();
        assert_eq!(names(&cache), ["a"]);
    }

    #[test]
    fn a_finished_item_is_evicted_once_its_last_write_is_durable() {
        let (mut cache, durable) = cache(9, 99, 0);
        for name in ["a", "b"] {
            cache.insert(Box::new(Item { is_finished: true, ..item(name, 1) }));
        }
        change(&mut cache, "b", |item| (item.last_write, item.is_finished) = (2, false));
        cache.evict();
        assert_eq!(names(&cache), ["a", "b"]);
        durable.store(2, Ordering::Release);
        cache.evict();
        assert_eq!(names(&cache), ["b"]);
    }

    #[test]
    fn a_lent_item_returns_with_its_new_size_unless_removed() {
        let (mut cache, _) = cache(9, 99, 0);
        cache.insert(Box::new(item("a", 0)));
        change(&mut cache, "a", |item| item.bytes = 7);
        assert_eq!(cache.bytes, 7);
        change(&mut cache, "a", |item| item.is_purged = true);
        assert_eq!((cache.len(), cache.bytes), (0, 0));
    }

    #[test]
    fn a_missing_item_is_loaded_once() {
        let (mut cache, _) = cache(9, 99, 0);
        let mut loaded = 0;
        for _ in 0..2 {
            let load = |loaded: &mut i32| {
                *loaded += 1;
                Ok::<_, Infallible>(Box::new(item("a", 0)))
            };
            cache.with_loaded(&mut loaded, &id("a"), load, |_, _| ()).unwrap();
        }
        assert_eq!(loaded, 1);
    }

    /// The cache against a plain map of the stored versions: no item that the store lacks is
    /// evicted.
    #[test]
    fn no_unwritten_item_is_evicted() {
        for seed in 0..1_000 {
            let (capacity, drawn) = (usize::try_from(seed % 5).unwrap(), std::cell::Cell::new(0));
            let (mut cache, durable) = cache(capacity, capacity * 3, 0);
            let draw = |end: u64| {
                drawn.set(drawn.get() + 1);
                chance::number(seed, drawn.get()) % end
            };
            let (mut written, mut latest) = (0, BTreeMap::<u64, Item>::new());
            for _ in 0..100 {
                let name = draw(8);
                match draw(6) {
                    0 => {
                        let until = durable.load(Ordering::Acquire);
                        durable.store(until + draw(written - until + 1), Ordering::Release);
                    }
                    1 => cache.evict(),
                    2 => assert!(cache.get(&id(&name)).is_none_or(|it| *it == latest[&name])),
                    _ => {
                        written += 1;
                        let (is_finished, bytes) = (draw(4) == 0, 1 + draw(4));
                        let load = |latest: &mut BTreeMap<u64, Item>| {
                            let known = latest.get(&name).cloned();
                            let is_durable =
                                |it: &Item| it.last_write <= durable.load(Ordering::Acquire);
                            assert!(known.as_ref().is_none_or(is_durable), "seed {seed}: lost");
                            Ok::<_, Infallible>(Box::new(known.unwrap_or_else(|| item(&name, 0))))
                        };
                        let write = |latest: &mut BTreeMap<u64, Item>, item: &mut Item| {
                            item.last_write = written;
                            item.is_finished = is_finished;
                            item.bytes = usize::try_from(bytes).unwrap();
                            latest.insert(name, item.clone());
                        };
                        cache.with_loaded(&mut latest, &id(&name), load, write).unwrap();
                    }
                }
                let bytes: usize = cache.items.iter().map(|(_, it)| it.bytes).sum();
                assert_eq!(cache.bytes, bytes, "seed {seed}");
            }
            durable.store(written, Ordering::Release);
            cache.evict();
            assert!(cache.len() <= capacity && cache.bytes <= capacity * 3, "seed {seed}");
        }
    }
}
