//! Reading through all layers: the newest overlay, the one that a checkpoint is writing, and the
//! tree.
//!
//! While a view is held, only the tree may change, and only where the older overlay takes
//! precedence, so a view reads one consistent state. Commits wait until it is dropped; slow work,
//! such as decoding, is done after that.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};
use std::sync::{Arc, RwLockReadGuard};

use bytes::Bytes;

use super::address::Address;
use super::base::Base;
use super::body::Head;
use super::creation::{self, Scan};
use super::keys;
use super::overlay::{Overlay, Present, Touched};
use super::stored::Parts;
use crate::protocol::{ExecutionId, InstanceId, PartitionId, Timestamp};
use crate::store::{Creation, CreationOrder, Epoch, StoreError};

/// How many records or messages are read with one view, because commits wait in the meantime.
pub(super) const LOOKED_AT_ONCE: usize = 256;

/// The overlays.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// Receives the changes of commits.
    pub(super) newest: Overlay,
    /// Being written to the tree by a checkpoint.
    pub(super) older: Option<Arc<Overlay>>,
}

impl Layers {
    fn newest_first(&self) -> impl Iterator<Item = &Overlay> {
        std::iter::once(&self.newest).chain(self.older.as_deref())
    }

    /// The state of an instance in the newest overlay that has touched it.
    fn touched(&self, id: &InstanceId) -> Option<&Touched> {
        self.newest_first().find_map(|overlay| overlay.instances.get(id))
    }
}

/// A range of the merged layers, in key order.
pub(super) struct Page<K> {
    /// `None` for removed values.
    pub(super) values: BTreeMap<K, Option<Bytes>>,
    /// The key after which there may be more.
    pub(super) end: Option<K>,
}

impl<K: Ord + Clone> Page<K> {
    /// Merges the next values of each layer, the oldest first: up to `limit` values, or all that it
    /// has.
    fn of(layers: Vec<Vec<(K, Option<Bytes>)>>, limit: usize) -> Self {
        // A layer that returned `limit` values may have more after them, so values of other layers
        // after its last one are left for the next page.
        let is_full = |layer: &&Vec<_>| layer.len() == limit;
        let last = |layer: &Vec<(K, _)>| layer.last().map(|(key, _)| key.clone());
        let end = layers.iter().filter(is_full).filter_map(last).min();
        let mut values: BTreeMap<_, _> = layers.into_iter().flatten().collect();
        if let Some(end) = &end {
            values.retain(|key, _| key <= end);
        }
        Self { values, end }
    }
}

/// Orchestrations in the order of creation.
pub(super) struct Created {
    /// Their positions in the layers, and their records.
    pub(super) found: Vec<(Creation, Option<Bytes>)>,
    /// The position after which there may be more.
    pub(super) end: Option<Creation>,
}

pub(super) struct View<'a> {
    pub(super) layers: RwLockReadGuard<'a, Layers>,
    pub(super) base: &'a Base,
}

impl View<'_> {
    pub(super) fn hub(&self) -> Result<Option<Bytes>, StoreError> {
        match self.layers.newest_first().find_map(|overlay| overlay.hub.clone()) {
            Some(hub) => Ok(Some(hub)),
            None => Ok(self.base.get(keys::HUB)?.map(|hub| Bytes::copy_from_slice(&hub))),
        }
    }

    pub(super) fn epochs(&self) -> Result<BTreeMap<PartitionId, Epoch>, StoreError> {
        let mut epochs: BTreeMap<_, _> = self.base.epochs()?.into_iter().collect();
        for overlay in self.oldest_first() {
            epochs.extend(&overlay.epochs);
        }
        Ok(epochs)
    }

    /// The head of an instance, and the last frame that touched it.
    pub(super) fn head(&self, id: &InstanceId) -> Result<Option<(u64, Head)>, StoreError> {
        match self.layers.touched(id) {
            Some(Touched { present, sequence, .. }) => {
                Ok(present.as_ref().map(|present| (*sequence, present.head.clone())))
            }
            None => self.base.head(id),
        }
    }

    pub(super) fn record(&self, id: &InstanceId) -> Result<Option<Bytes>, StoreError> {
        match self.layers.touched(id) {
            Some(touched) => Ok(record(touched)),
            None => Ok(self.base.stored(id)?.map(|stored| stored.record)),
        }
    }

    /// The positions of an execution's episodes that end after event `from`.
    pub(super) fn parts(
        &self,
        id: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Parts, StoreError> {
        let (mut newer, mut reaches_the_tree) = (Vec::new(), true);
        for touched in self.layers.newest_first().filter_map(|overlay| overlay.instances.get(id)) {
            newer.push(touched.blocks(execution));
            if !touched.keeps(execution) {
                reaches_the_tree = false;
                break;
            }
        }
        let newer = newer.into_iter().rev().flatten();
        // A checkpoint may already have written some of the overlay's episodes to the tree.
        let until = newer.clone().next().map_or(u64::MAX, |block| block.first);
        let mut parts = if reaches_the_tree {
            self.base.parts(id, execution, from, until)?
        } else {
            Parts { chunks: Vec::new()..Vec::new(), until, blocks: Vec::new() }
        };
        parts.blocks.extend(newer.cloned());
        Ok(parts)
    }

    /// The records of the next instances with this id prefix, `None` for purged ones; and the id
    /// after which there may be more.
    pub(super) fn records(
        &self,
        id_prefix: &str,
        from: Bound<&str>,
        limit: usize,
    ) -> Result<Page<InstanceId>, StoreError> {
        let from = match from {
            Bound::Included(id) | Bound::Excluded(id) if id >= id_prefix => from,
            _ => Bound::Included(id_prefix),
        };
        let stored = self.base.instances(id_prefix, from, limit)?;
        let stored = stored.into_iter().map(|(id, stored)| (id, Some(stored.record)));
        let mut found: Vec<Vec<_>> = vec![stored.collect()];
        for overlay in self.oldest_first() {
            let touched = overlay.instances.range::<str, _>((from, Bound::Unbounded));
            let touched = touched.take_while(|(id, _)| id.as_str().starts_with(id_prefix));
            let touched = touched.map(|(id, touched)| (id.clone(), record(touched)));
            found.push(touched.take(limit).collect());
        }
        Ok(Page::of(found, limit))
    }

    /// The next orchestrations of each layer by creation, with their records, and the position after
    /// which there may be more. Positions in an older layer may be stale: a record is `None` if the
    /// instance was purged, and has another creation time if the instance was started again.
    pub(super) fn creations(&self, scan: &Scan, limit: usize) -> Result<Created, StoreError> {
        let order = scan.order;
        let mut layers = vec![creation::first(self.base, scan, limit)?];
        for overlay in self.layers.newest_first() {
            layers.push(scan.of(&overlay.creations, limit));
        }
        // A layer that returned `limit` positions may have more after them, so positions of other
        // layers after its last one are left for the next page.
        let lasts = layers.iter().filter(|layer| layer.len() == limit).filter_map(|it| it.last());
        let end = match order {
            CreationOrder::OldestFirst => lasts.min().cloned(),
            CreationOrder::NewestFirst => lasts.max().cloned(),
        };
        let mut merged: BTreeSet<Creation> = layers.into_iter().flatten().collect();
        if let Some(end) = &end {
            merged.retain(|found| !order.is_after(found, end));
        }
        let read = |creation: Creation| {
            let record = self.record(&creation.1)?;
            Ok((creation, record))
        };
        let found: Result<Vec<_>, StoreError> = match order {
            CreationOrder::OldestFirst => merged.into_iter().map(read).collect(),
            CreationOrder::NewestFirst => merged.into_iter().rev().map(read).collect(),
        };
        Ok(Created { found: found?, end })
    }

    pub(super) fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        let mut due = Vec::new();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let newest = &self.layers.newest;
        for overlay in self.layers.newest_first() {
            let of_it = overlay.due.get(&partition).into_iter();
            let of_it = of_it.flat_map(|due| due.range((from, Bound::Unbounded)));
            let is_newest = std::ptr::eq(overlay, newest);
            let counts = |id| is_newest || !newest.instances.contains_key(id);
            let of_it = of_it.take_while(|(at, _)| *at <= until).filter(|(_, id)| counts(id));
            due.extend(of_it.take(limit).cloned());
        }
        let mut taken = 0;
        for found in self.base.due(partition, after) {
            let (at, id) = found?;
            if at > until || taken == limit {
                break;
            }
            if self.layers.touched(&id).is_none() {
                due.push((at, id));
                taken += 1;
            }
        }
        due.sort_unstable();
        due.truncate(limit);
        Ok(due)
    }

    pub(super) fn active(&self, partition: PartitionId) -> Result<Vec<InstanceId>, StoreError> {
        let mut active: BTreeSet<_> = self.base.active(partition)?.into_iter().collect();
        for (id, touched) in self.oldest_first().flat_map(|overlay| &overlay.instances) {
            let head = touched.present.as_ref().map(|present| &present.head);
            if head.is_some_and(|head| head.active && head.partition == partition) {
                active.insert(id.clone());
            } else {
                active.remove(id);
            }
        }
        Ok(active.into_iter().collect())
    }

    /// The next messages of a partition with positions in `positions`, `None` for consumed ones and
    /// those to another address; and the position after which there may be more.
    pub(super) fn messages(
        &self,
        partition: PartitionId,
        positions: Range<u64>,
        limit: usize,
        to: Option<&Address>,
    ) -> Result<Page<u64>, StoreError> {
        let is_wanted = |message: &[u8]| to.is_none_or(|to| to.may_be_on(message));
        let mut found = vec![self.base.messages(partition, positions.clone(), limit, is_wanted)?];
        for overlay in self.oldest_first() {
            let of_it =
                overlay.messages.range((partition, positions.start)..(partition, positions.end));
            let of_it = of_it.map(|((_, position), message)| {
                let message = message.as_ref().filter(|message| is_wanted(message));
                (*position, message.cloned())
            });
            found.push(of_it.take(limit).collect());
        }
        Ok(Page::of(found, limit))
    }

    /// One past the position of the last message of a partition.
    pub(super) fn messages_end(&self, partition: PartitionId) -> Result<u64, StoreError> {
        let mut end = self.base.messages_end(partition)?;
        for overlay in self.layers.newest_first() {
            let mut of_it = overlay.messages.range((partition, 0)..=(partition, u64::MAX));
            end = end.max(of_it.next_back().map_or(0, |((_, position), _)| position + 1));
        }
        Ok(end)
    }

    /// The ids of all instances, some of which may have been purged. Reads no values.
    pub(super) fn ids(&self) -> Result<BTreeSet<InstanceId>, StoreError> {
        let mut ids = self.base.ids()?;
        for overlay in self.layers.newest_first() {
            ids.extend(overlay.instances.keys().cloned());
        }
        Ok(ids)
    }

    /// The partitions that have, or had, messages.
    pub(super) fn partitions_with_messages(&self) -> Result<BTreeSet<PartitionId>, StoreError> {
        let mut partitions: BTreeSet<_> =
            self.base.partitions_with_messages()?.into_iter().collect();
        for overlay in self.layers.newest_first() {
            partitions.extend(overlay.messages.keys().map(|(partition, _)| *partition));
        }
        Ok(partitions)
    }

    fn oldest_first(&self) -> impl Iterator<Item = &Overlay> {
        self.layers.older.as_deref().into_iter().chain(std::iter::once(&self.layers.newest))
    }
}

fn record(touched: &Touched) -> Option<Bytes> {
    touched.present.as_ref().map(|Present { record, .. }| record.clone())
}
