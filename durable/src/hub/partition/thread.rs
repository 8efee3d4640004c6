//! The thread of a partition: waits for mail and due times, and lets the partition take its turns.
//!
//! It is outside any async runtime, so that an orchestrator that needs one is detected.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};

use super::Partition;
use super::outbox::Outlet;
use super::reader::Stopped;
use crate::hub::commit::committer::Committer;
use crate::hub::commit::write::Write;
use crate::hub::mail::Delivery;
use crate::hub::ownership::Ownership;
use crate::hub::time::clock::Clock;
use crate::hub::time::virtual_time::{Busy, VirtualTime};
use crate::hub::time::wait::Patience;
use crate::hub::work::batches::{BatchJob, Batches};
use crate::protocol::{PartitionId, Timestamp};
use crate::store::PartitionState;

/// The maximum number of messages that are received before episodes run.
const MAIL_PER_TURN: usize = 1024;

/// What drives a partition on a thread.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) partition: PartitionId,
    pub(crate) clock: Clock,
    /// Whether it may spin for a moment before it sleeps.
    pub(crate) spins: bool,
    /// The virtual time of a test.
    pub(crate) time: Option<Arc<VirtualTime>>,
}

/// Recovers a partition, then serves its mail until it has stopped. `opening` keeps virtual time
/// from passing until it is recovered.
pub(crate) fn run_partition(
    mut partition: Partition,
    driver: &Driver,
    mail: &Receiver<Delivery>,
    found: PartitionState,
    opening: Busy,
) {
    let recovered = partition.recover(found);
    driver.announce_due(&partition);
    drop(opening);
    // A failure is recorded by now. Waiting clients receive it when the partition is dropped.
    let _stopped = recovered.and_then(|()| serve(&mut partition, driver, mail));
}

fn serve(
    partition: &mut Partition,
    driver: &Driver,
    mail: &Receiver<Delivery>,
) -> Result<(), Stopped> {
    let (mut patience, mut next) = (Patience::new(driver.spins), None);
    while !partition.has_stopped() {
        let first = match next.take() {
            Some(first) => Some(first),
            None => match driver.wait(&mut patience, mail, partition.next_due()) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            },
        };
        partition.turn(first.into_iter().chain(mail.try_iter().take(MAIL_PER_TURN)))?;
        driver.announce_due(partition);
        next = mail.try_recv().ok();
        partition.end_turn(next.is_none());
    }
    Ok(())
}

impl Driver {
    /// Waits for mail, or until an instance is due.
    fn wait(
        &self,
        patience: &mut Patience,
        mail: &Receiver<Delivery>,
        due: Option<Timestamp>,
    ) -> Result<Delivery, RecvTimeoutError> {
        let wait = self.clock.wait_until(due);
        let look = || match mail.try_recv() {
            Ok(mail) => Some(Ok(mail)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(RecvTimeoutError::Disconnected)),
        };
        patience.wait(look, || match wait {
            Some(wait) => mail.recv_timeout(wait),
            None => mail.recv().map_err(|_gone| RecvTimeoutError::Disconnected),
        })
    }

    /// Reports the next due time to the virtual clock of a test.
    fn announce_due(&self, partition: &Partition) {
        if let Some(time) = &self.time {
            time.set_due(self.partition, partition.next_due());
        }
    }
}

/// The outlet of a partition that runs on a thread.
#[derive(Debug)]
pub(crate) struct ThreadOutlet {
    committer: Arc<Committer>,
    batches: Arc<Batches>,
    owner: Arc<Ownership>,
}

impl ThreadOutlet {
    pub(crate) fn new(
        committer: Arc<Committer>,
        batches: Arc<Batches>,
        owner: Arc<Ownership>,
    ) -> Self {
        committer.writes.join();
        Self { committer, batches, owner }
    }
}

impl Outlet for ThreadOutlet {
    fn hand_over(&mut self, writes: &mut Vec<Write>) {
        self.committer.writes.add(writes);
    }

    fn commit(&mut self, writes: &mut Vec<Write>) {
        self.committer.commit_at_once(writes);
    }

    fn run(&mut self, batch: BatchJob) {
        self.batches.submit(batch, &self.owner);
    }
}

impl Drop for ThreadOutlet {
    fn drop(&mut self) {
        self.committer.writes.leave();
    }
}
