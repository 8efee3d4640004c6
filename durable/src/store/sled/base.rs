//! The tree that checkpoints write to, read key by key.
//!
//! Read next: `tree/` (what it is stored in), `keys.rs` (the layout), `stored.rs` and `values.rs`
//! (the values).

use std::collections::BTreeSet;
use std::ops::{Bound, Range};
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use sled::IVec;

use super::body::Head;
use super::disk::Disk;
use super::stored::{self, Parts, Piece, Stored};
use super::tree::{Batch, Tree};
use super::{keys, values};
use crate::protocol::{ExecutionId, InstanceId, PartitionId, Timestamp};
use crate::store::{Epoch, StoreError};

#[derive(Debug)]
pub(super) struct Base {
    pub(super) tree: Tree,
    /// Held while a batch is written, and while values in several pieces are read, because a scan
    /// by sled may see part of a batch.
    pieces: RwLock<()>,
}

impl Base {
    pub(super) fn open(disk: &Disk, path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        Ok(Self { tree: Tree::open(disk, path, cache_bytes)?, pieces: RwLock::default() })
    }

    /// Fails if a write by the tree's own threads has failed. After that the tree writes nothing, and
    /// the error may surface in a read first.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.tree.check()
    }

    /// Allocates space at the end of the tree's file, because sled fails permanently once a write of
    /// its own finds none.
    ///
    /// # Errors
    /// [`StoreError::Exhausted`] if there is too little space.
    pub(super) fn reserve(&self, bytes: u64) -> Result<(), StoreError> {
        self.tree.reserve(bytes)
    }

    /// Makes all writes durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.tree.sync()
    }

    /// The size of the tree's files; 0 if the system does not tell.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.tree.disk_bytes()
    }

    /// Whether no batch is being written, and no value in several pieces read.
    #[cfg(feature = "testing")]
    pub(super) fn is_between_batches(&self) -> bool {
        self.pieces.try_write().is_ok()
    }

    /// While the guard is held, no batch is written. Reads that take the same lock may deadlock.
    pub(super) fn between_batches(&self) -> RwLockReadGuard<'_, ()> {
        self.pieces.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a batch that becomes durable with the next [`sync`](Self::sync), to a tree that is
    /// not used before that.
    pub(super) fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let _whole = self.pieces.write();
        self.tree.apply(batch)
    }

    /// Writes a batch and makes it durable.
    pub(super) fn write_durably(&self, batch: Batch) -> Result<(), StoreError> {
        let keys = batch.keys();
        self.write(batch)?;
        self.tree.sync_batch(&keys)
    }

    /// The last log frame up to which the tree is complete.
    pub(super) fn applied(&self) -> Result<u64, StoreError> {
        match self.get(keys::APPLIED)? {
            Some(bytes) => values::read("the last frame of the tree", &bytes),
            None => Ok(0),
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.tree.get(key)
    }

    /// All keys with this prefix.
    pub(super) fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
        let keys = self.tree.scan_prefix(prefix).keys();
        keys.map(|key| key.map(|key| key.to_vec())).collect()
    }

    pub(super) fn epochs(&self) -> Result<Vec<(PartitionId, Epoch)>, StoreError> {
        let mut epochs = Vec::new();
        for found in self.tree.scan_prefix(keys::EPOCHS) {
            let (key, value) = found?;
            let Some(partition) = key.get(1..).and_then(|key| key.try_into().ok()) else {
                return Err(StoreError::damaged(format!("the key {key:?} names no partition")));
            };
            let partition = PartitionId(u16::from_be_bytes(partition));
            epochs.push((partition, values::read("an epoch", &value)?));
        }
        Ok(epochs)
    }

    pub(super) fn stored(&self, id: &InstanceId) -> Result<Option<Stored>, StoreError> {
        match self.get(&keys::instances(id.as_str()))? {
            Some(first) if first.len() == values::PIECE => {
                let _whole = self.pieces.read();
                self.stored_in_pieces(id)
            }
            Some(first) => Stored::read(id, &first).map(Some),
            None => Ok(None),
        }
    }

    /// Reads an instance while no batch is written.
    fn stored_in_pieces(&self, id: &InstanceId) -> Result<Option<Stored>, StoreError> {
        let Some(first) = self.get(&keys::instances(id.as_str()))? else { return Ok(None) };
        let mut bytes = first.to_vec();
        if first.len() == values::PIECE {
            for piece in self.tree.scan_prefix(keys::rest_of_instance(id)).values() {
                bytes.extend_from_slice(&piece?);
            }
        }
        let is_long = first.len() == values::PIECE;
        Ok(Some(Stored { is_long, ..Stored::read(id, &bytes)? }))
    }

    /// The last frame that touched an instance, and the instance's head.
    pub(super) fn head(&self, id: &InstanceId) -> Result<Option<(u64, Head)>, StoreError> {
        // Both are in the first piece.
        let first = self.get(&keys::instances(id.as_str()))?;
        first.map(|first| stored::head(id, &first)).transpose()
    }

    /// Up to `limit` instances with this id prefix, beginning at the given id.
    pub(super) fn instances(
        &self,
        id_prefix: &str,
        from: Bound<&str>,
        limit: usize,
    ) -> Result<Vec<(InstanceId, Stored)>, StoreError> {
        let prefix = keys::instances(id_prefix);
        let from = match from {
            Bound::Included(id) => keys::instances(id),
            Bound::Excluded(id) => keys::successor(keys::instances(id)),
            Bound::Unbounded => prefix.clone(),
        };
        let mut instances = Vec::new();
        for found in self.tree.range(from..) {
            let (key, first) = found?;
            if !key.starts_with(&prefix) || instances.len() == limit {
                break;
            }
            // A later piece of a value whose first piece was already read.
            if !key.contains(&keys::END) {
                let id = values::id_of_instance(&key)?;
                let stored = if first.len() == values::PIECE {
                    self.stored(&id)?
                } else {
                    Some(Stored::read(&id, &first)?)
                };
                instances.extend(stored.map(|stored| (id, stored)));
            }
        }
        Ok(instances)
    }

    /// The ids of all instances.
    pub(super) fn ids(&self) -> Result<BTreeSet<InstanceId>, StoreError> {
        let keys = self.keys(&keys::instances(""))?;
        let first = keys.iter().filter(|key| !key.contains(&keys::END));
        first.map(|key| values::id_of_instance(key)).collect()
    }

    /// The positions of an execution's episodes that end after event `from` and begin before
    /// `until`. Episodes that end before `from` may be included.
    pub(super) fn parts(
        &self,
        id: &InstanceId,
        execution: ExecutionId,
        from: u64,
        until: u64,
    ) -> Result<Parts, StoreError> {
        let _whole = self.pieces.read();
        let stored = self.stored_in_pieces(id)?;
        let stored = stored.filter(|stored| stored.head.execution == execution);
        let is_in_tail = stored.as_ref().is_some_and(|stored| stored.first <= from);
        let mut chunks = Vec::new()..Vec::new();
        if !is_in_tail {
            let prefix = keys::history(id, execution);
            let first = self.first_of_chunk(&prefix, from)?;
            // Anything after that was left by an interrupted checkpoint.
            let end = stored.as_ref().map_or(until, |stored| stored.first.min(until));
            chunks = keys::chunk(id, execution, first)..keys::chunk(id, execution, end);
        }
        let mut blocks = match stored {
            Some(Stored { first, tail, .. }) => stored::blocks(id, first, tail)?,
            None => Vec::new(),
        };
        blocks.retain(|block| block.first < until);
        Ok(Parts { chunks, until, blocks })
    }

    /// Reads further pieces of chunks, up to this many bytes.
    pub(super) fn pieces(
        &self,
        keys: &Range<Vec<u8>>,
        bytes: usize,
    ) -> Result<Vec<Piece>, StoreError> {
        let _whole = self.pieces.read();
        let (mut pieces, mut read) = (Vec::new(), 0);
        for found in self.tree.range(keys.start.as_slice()..keys.end.as_slice()) {
            let (key, piece) = found?;
            read += piece.len();
            pieces.push((key, piece));
            if read >= bytes {
                break;
            }
        }
        Ok(pieces)
    }

    /// The number of the last value under `prefix` that begins at or before `from`.
    fn first_of_chunk(&self, prefix: &[u8], from: u64) -> Result<u64, StoreError> {
        let last = [prefix, &from.to_be_bytes(), &[u8::MAX; 4]].concat();
        let found = self.tree.range(prefix..last.as_slice()).next_back().transpose()?;
        let number =
            found.as_ref().and_then(|(key, _)| key.strip_prefix(prefix)?.first_chunk::<8>());
        Ok(number.map_or(0, |number| u64::from_be_bytes(*number)))
    }

    pub(super) fn active(&self, partition: PartitionId) -> Result<Vec<InstanceId>, StoreError> {
        let prefix = keys::active(partition);
        let keys = self.tree.scan_prefix(&prefix).keys();
        keys.map(|key| values::instance_id(after_prefix(&key?, &prefix)?)).collect()
    }

    /// The due instances of a partition, in order, after `after`.
    pub(super) fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
    ) -> impl Iterator<Item = Result<(Timestamp, InstanceId), StoreError>> {
        let prefix = keys::due(partition);
        let from = match after {
            Some((at, id)) => Bound::Excluded(keys::due_instance(partition, *at, id)),
            None => Bound::Included(prefix.clone()),
        };
        let keys = self.tree.range((from, Bound::Unbounded)).keys();
        let is_of_it = {
            let prefix = prefix.clone();
            move |key: &Result<IVec, StoreError>| {
                key.as_ref().map_or(true, |key| key.starts_with(&prefix))
            }
        };
        keys.take_while(is_of_it).map(move |key| {
            let key = key?;
            time_and_id(&key, &prefix, keys::read_time)
        })
    }

    /// The first messages of a partition with positions in `positions`; `None` for those that their
    /// first piece shows to be unwanted.
    pub(super) fn messages(
        &self,
        partition: PartitionId,
        positions: Range<u64>,
        limit: usize,
        is_wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<(u64, Option<Bytes>)>, StoreError> {
        let _whole = self.pieces.read();
        let prefix = keys::messages(partition);
        let messages = values::scan(&self.tree, &prefix, positions, limit, is_wanted)?;
        let messages = messages.into_iter();
        Ok(messages.map(|(position, bytes)| (position, bytes.map(Bytes::from))).collect())
    }

    /// One past the position of the last message of a partition.
    pub(super) fn messages_end(&self, partition: PartitionId) -> Result<u64, StoreError> {
        let prefix = keys::messages(partition);
        let last = [&keys::message(partition, u64::MAX), [u8::MAX; 4].as_slice()].concat();
        let last = self.tree.range(prefix.clone()..=last).keys().next_back().transpose()?;
        let last = last.as_ref().and_then(|key| key.strip_prefix(&*prefix)?.first_chunk::<8>());
        Ok(last.map_or(0, |last| u64::from_be_bytes(*last) + 1))
    }

    pub(super) fn partitions_with_messages(&self) -> Result<Vec<PartitionId>, StoreError> {
        let mut partitions = Vec::new();
        let mut next = Some(0);
        while let Some(from) = next.map(PartitionId) {
            let found = self.tree.range(keys::messages(from)..).keys().next();
            let found = found.transpose()?;
            let Some([b'q', high, low, ..]) = found.as_deref() else { break };
            let found = u16::from_be_bytes([*high, *low]);
            partitions.push(PartitionId(found));
            next = found.checked_add(1);
        }
        Ok(partitions)
    }
}

/// The time and the instance in a stored key after its prefix.
fn time_and_id<const N: usize>(
    key: &[u8],
    prefix: &[u8],
    time: impl Fn([u8; N]) -> Option<Timestamp>,
) -> Result<(Timestamp, InstanceId), StoreError> {
    let found = after_prefix(key, prefix)?.split_first_chunk();
    match found.and_then(|(at, id)| Some((time(*at)?, id))) {
        Some((at, id)) => Ok((at, values::instance_id(id)?)),
        None => Err(StoreError::damaged(format!("the key {key:?} names no time"))),
    }
}

/// The part of a stored key after its prefix.
fn after_prefix<'a>(key: &'a [u8], prefix: &[u8]) -> Result<&'a [u8], StoreError> {
    let rest = key.strip_prefix(prefix);
    rest.ok_or_else(|| {
        StoreError::damaged(format!("the key {key:?} does not begin with {prefix:?}"))
    })
}
