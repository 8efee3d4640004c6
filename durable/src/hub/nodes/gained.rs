//! The partitions that this node has gained and not yet started.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::hub::mail::Delivery;
use crate::hub::ownership::Ownership;
use crate::protocol::PartitionId;
use crate::store::PartitionState;

/// A partition to start: its ownership, its mail, and what is found in the store.
pub(crate) type Gained = (Arc<Ownership>, Receiver<Delivery>, PartitionState);

/// Called when a partition has ended and has handed over everything that it wrote.
pub(crate) type AtEnd = Box<dyn FnOnce() + Send>;

/// Starts a partition.
pub(crate) type StartPartition = Box<dyn Fn(Gained, AtEnd) -> std::io::Result<()> + Send>;

/// The partitions that the supervisor has gained and the inbox has not started.
#[derive(Default)]
pub(super) struct NotStarted(Mutex<Vec<Gained>>);

impl NotStarted {
    pub(super) fn add(&self, gained: Gained) {
        self.all().push(gained);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    pub(super) fn owners(&self) -> Vec<Arc<Ownership>> {
        self.all().iter().map(|(owner, ..)| Arc::clone(owner)).collect()
    }

    /// Forgets a partition that has another owner now. Its mailbox is removed only after this,
    /// because the inbox opens the mailbox before it takes the partition.
    pub(super) fn lose(&self, partition: PartitionId) {
        let is_it = |(owner, ..): &mut Gained| owner.partition == partition;
        self.all().extract_if(.., is_it).for_each(|(owner, ..)| owner.lose());
    }

    /// Like [`lose`](Self::lose), but for this ownership only: the partition may have been gained
    /// again.
    pub(super) fn forget(&self, owner: &Ownership) {
        let is_it = |(other, ..): &mut Gained| std::ptr::eq(Arc::as_ptr(other), owner);
        self.all().extract_if(.., is_it).for_each(|(owner, ..)| owner.lose());
    }

    /// Takes the partition of this owner, unless it has been lost in the meantime.
    pub(super) fn take(&self, owner: &Arc<Ownership>) -> Option<Gained> {
        let is_it = |(other, ..): &mut Gained| Arc::ptr_eq(other, owner);
        self.all().extract_if(.., is_it).next()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Gained>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NotStarted").field(&self.owners()).finish()
    }
}
