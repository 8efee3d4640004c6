//! The ownership of a partition, as a value: everything that a partition produces carries it.
//!
//! When the ownership is lost, everything that carries it is void: writes are not committed, and
//! the results of activities and batches are not delivered. A later ownership of the same partition
//! by the same process is another value.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::mail::Delivery;
use crate::protocol::PartitionId;
use crate::store::Epoch;

/// What became of the former owner of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Former {
    /// It gave the partition up, or there was none.
    Released,
    /// It did not: its process has ended, or does not answer.
    Ended,
}

/// The ownership of a partition by this process.
pub(crate) struct Ownership {
    pub(crate) partition: PartitionId,
    pub(crate) epoch: Epoch,
    pub(crate) former: Former,
    /// The number of the last write that is durable.
    pub(crate) durable: Arc<AtomicU64>,
    mailbox: Sender<Delivery>,
    is_lost: AtomicBool,
    has_left: Arc<AtomicBool>,
}

impl Ownership {
    /// A new ownership, and the mail that the partition receives.
    pub(crate) fn new(partition: PartitionId, epoch: Epoch) -> (Arc<Self>, Receiver<Delivery>) {
        Self::after(Former::Released, partition, epoch)
    }

    /// A new ownership after a former one.
    pub(crate) fn after(
        former: Former,
        partition: PartitionId,
        epoch: Epoch,
    ) -> (Arc<Self>, Receiver<Delivery>) {
        let (mailbox, mail) = channel();
        let (durable, has_left) = (Arc::default(), Arc::default());
        let is_lost = AtomicBool::new(false);
        let ownership = Self { partition, epoch, former, durable, mailbox, is_lost, has_left };
        (Arc::new(ownership), mail)
    }

    /// Sends mail to the partition. If it has stopped, the mail is dropped with its reply channel,
    /// which tells the sender.
    pub(crate) fn send(&self, delivery: Delivery) {
        let _ = self.mailbox.send(delivery);
    }

    /// Set when the partition has ended and all that it wrote is committed.
    pub(crate) fn has_left(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_left)
    }

    /// Voids everything that carries this ownership.
    pub(crate) fn lose(&self) {
        self.is_lost.store(true, Ordering::Release);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ownership")
            .field("partition", &self.partition)
            .field("epoch", &self.epoch)
            .field("is_lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}
