//! The mailboxes of the partitions that this process owns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::admission::{Admission, Permit};
use super::mail::{Delivery, Mail};
use super::ownership::Ownership;
use super::time::virtual_time::{Busy, VirtualTime};
use crate::protocol::{InstanceId, PartitionId};
use crate::store::Epoch;

/// The mailboxes of all partitions. A partition that this process does not own has none.
#[derive(Clone, Debug)]
pub(crate) struct Mailboxes {
    owned: Arc<[RwLock<Option<Arc<Ownership>>>]>,
    is_stopped: Arc<AtomicBool>,
    time: Option<Arc<VirtualTime>>,
    admission: Admission,
}

impl Mailboxes {
    pub(crate) fn new(
        partitions: u16,
        time: Option<Arc<VirtualTime>>,
        admission: Admission,
    ) -> Self {
        let owned = (0..partitions).map(|_| RwLock::default()).collect();
        Self { owned, is_stopped: Arc::default(), time, admission }
    }

    /// From now on, mail to the partition goes to this owner, unless there is a later owner
    /// already. The other owner is told that it has lost the partition, because otherwise it would
    /// wait for mail forever. If the hub has already stopped, the owner is told to stop, too.
    pub(crate) fn open(&self, ownership: &Arc<Ownership>) {
        if let Some(slot) = self.owned.get(usize::from(ownership.partition.0)) {
            let mut slot = slot.write().unwrap_or_else(PoisonError::into_inner);
            let outdated = match &*slot {
                Some(other) if other.epoch > ownership.epoch => Some(Arc::clone(ownership)),
                _ => slot.replace(Arc::clone(ownership)),
            };
            drop(slot);
            if let Some(outdated) = outdated {
                outdated.lose();
                self.send_to(&outdated, Mail::Lost);
            }
        }
        if self.is_stopped.load(Ordering::SeqCst) {
            self.send_to(ownership, Mail::Stop);
        }
    }

    /// Takes no more mail for this owner.
    pub(crate) fn close(&self, ownership: &Ownership) {
        if let Some(slot) = self.owned.get(usize::from(ownership.partition.0)) {
            let mut slot = slot.write().unwrap_or_else(PoisonError::into_inner);
            slot.take_if(|owner| owner.epoch == ownership.epoch);
        }
    }

    /// The partition has another owner now: everything that carries this ownership is void.
    pub(crate) fn lose(&self, ownership: &Ownership) {
        ownership.lose();
        self.close(ownership);
        self.send_to(ownership, Mail::Lost);
    }

    /// The ownership of a partition, if this process owns it.
    pub(crate) fn owner(&self, partition: PartitionId) -> Option<Arc<Ownership>> {
        let slot = self.owned.get(usize::from(partition.0))?;
        slot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ownership of every partition that this process owns.
    pub(crate) fn owners(&self) -> Vec<Arc<Ownership>> {
        (0..self.count()).filter_map(|partition| self.owner(PartitionId(partition))).collect()
    }

    /// Every partition that this process owns, with the epoch of its claim.
    pub(crate) fn owned(&self) -> Vec<(PartitionId, Epoch)> {
        self.owners().iter().map(|owner| (owner.partition, owner.epoch)).collect()
    }

    /// Sends mail that is not a client's request (those go through `TaskHub::request`). Never
    /// blocks.
    pub(crate) fn send(&self, instance_id: &InstanceId, mail: Mail) {
        self.send_with(instance_id, mail, Permit::default());
    }

    /// Mail to a partition that has stopped, or that another process owns, is dropped together with
    /// its reply channel, which tells the sender.
    pub(crate) fn send_with(&self, instance_id: &InstanceId, mail: Mail, permit: Permit) {
        let slot = self.owned.get(usize::from(self.partition(instance_id).0));
        if let Some(slot) = slot
            && let Some(owner) = &*slot.read().unwrap_or_else(PoisonError::into_inner)
        {
            owner.send(Delivery { mail, busy: self.busy(), permit });
        }
    }

    /// Sends mail to this owner of a partition, and to no later one.
    pub(crate) fn send_to(&self, owner: &Ownership, mail: Mail) {
        owner.send(Delivery { mail, busy: self.busy(), permit: Permit::default() });
    }

    /// The back-pressure for client requests.
    pub(crate) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The partition of an instance.
    pub(crate) fn partition(&self, instance_id: &InstanceId) -> PartitionId {
        PartitionId::of(instance_id, self.count())
    }

    /// The number of partitions.
    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.owned.len()).unwrap_or(u16::MAX)
    }

    pub(crate) fn wake_all(&self) {
        self.send_all(|| Mail::Wake);
    }

    pub(crate) fn stop_all(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        self.send_all(|| Mail::Stop);
        self.admission.release_all();
    }

    fn send_all(&self, mail: impl Fn() -> Mail) {
        for slot in &*self.owned {
            if let Some(owner) = &*slot.read().unwrap_or_else(PoisonError::into_inner) {
                self.send_to(owner, mail());
            }
        }
    }

    pub(crate) fn busy(&self) -> Busy {
        Busy::new(self.time.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::TryRecvError;

    use tokio::sync::{TryAcquireError, oneshot};

    use super::*;
    use crate::hub::error::ManageError;
    use crate::hub::reply_to::Replied;
    use crate::protocol::Json;

    fn raise(input: &str) -> (Mail, oneshot::Receiver<Replied<Result<(), ManageError>>>) {
        let (reply, raised) = oneshot::channel();
        let input = Json::parse(input).unwrap();
        let (instance_id, name) = (InstanceId::new("a").unwrap(), "n".to_owned());
        let reply = reply.into();
        (Mail::Raise { instance_id, name, input, ends_work: false, reply }, raised)
    }

    #[test]
    fn a_request_holds_its_permits_until_its_mail_is_dropped() {
        let places = Admission::new(2);
        let mailboxes = Mailboxes::new(1, None, places.clone());
        let (owner, receiver) = Ownership::new(PartitionId(0), Epoch(1));
        mailboxes.open(&owner);
        let id = InstanceId::new("a").unwrap();
        for _ in 0..2 {
            let (mail, gone) = raise("1");
            mailboxes.send_with(&id, mail, places.try_take(1).unwrap());
            drop(gone);
        }
        assert!(
            matches!(places.try_take(1), Err(TryAcquireError::NoPermits)),
            "the clients have gone, their mail has not"
        );
        // Only requests of clients need permits.
        mailboxes.send(&id, Mail::Wake);
        let Delivery { mail, permit, .. } = receiver.recv().unwrap();
        assert!(mail.is_abandoned());
        drop(permit);
        drop(places.try_take(1).expect("one is free"));
        drop(receiver);
        drop(places.try_take(2).expect("mail to a partition that has stopped is gone"));
    }

    #[test]
    fn mail_reaches_the_current_owner_only() {
        let mailboxes = Mailboxes::new(1, None, Admission::new(1));
        let id = InstanceId::new("a").unwrap();
        let (former, mail_of_former) = Ownership::new(PartitionId(0), Epoch(1));
        let (current, mail) = Ownership::new(PartitionId(0), Epoch(3));
        mailboxes.send(&id, Mail::Wake);
        mailboxes.open(&former);
        mailboxes.open(&current);
        mailboxes.close(&former);
        assert_eq!(mailboxes.owned(), [(PartitionId(0), Epoch(3))], "only its own slot is closed");
        mailboxes.send(&id, Mail::Wake);
        mailboxes.send_to(&former, Mail::Stop);
        assert!(matches!(mail.try_recv().map(|it| it.mail), Ok(Mail::Wake)));
        assert!(matches!(mail.try_recv(), Err(TryRecvError::Empty)), "none for the former owner");
        assert!(matches!(mail_of_former.try_recv().map(|it| it.mail), Ok(Mail::Lost)));
        assert!(matches!(mail_of_former.try_recv().map(|it| it.mail), Ok(Mail::Stop)));
    }

    /// A node can gain a partition again while it is starting it.
    #[test]
    fn an_owner_that_is_opened_behind_a_later_one_is_told_that_it_has_lost_the_partition() {
        let mailboxes = Mailboxes::new(1, None, Admission::new(1));
        let (former, mail_of_former) = Ownership::new(PartitionId(0), Epoch(1));
        let (current, mail) = Ownership::new(PartitionId(0), Epoch(3));
        mailboxes.open(&current);
        mailboxes.open(&former);
        assert!(former.is_lost() && !current.is_lost());
        assert_eq!(mailboxes.owned(), [(PartitionId(0), Epoch(3))]);
        assert!(matches!(mail_of_former.try_recv().map(|it| it.mail), Ok(Mail::Lost)));
        assert!(matches!(mail.try_recv(), Err(TryRecvError::Empty)));
    }
}
