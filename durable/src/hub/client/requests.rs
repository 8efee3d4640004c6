//! Requests of clients on their way to a partition: how many there may be, which are refused, and
//! which are dropped.
//!
//! Rules:
//! 1. A request has places from before it is sent until its partition has handed over what it leads
//!    to, even if the client has gone meanwhile. A client that finds no place waits for it.
//! 2. Only clients need places. What activities and partitions send is never held up: a partition
//!    that waits for the committer would wait for itself otherwise.
//! 3. While the store has too little room, a request that [has more written](Mail::adds_work) is
//!    refused.
//! 4. A request whose client [has gone](Mail::is_given_up) before the partition takes it in is dropped.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::event::ExternalEvent;
use crate::hub::error::{EntityError, HubError, ManageError, StartError};
use crate::hub::mail::{EntityReply, Mail, Manage, Origin, Start};
use crate::hub::partition::is_deletion;
use crate::hub::{InstanceHandle, TaskHub};
use crate::protocol::InstanceId;
use crate::store::StoreError;
use crate::{panics, weight};

/// How many requests may be on their way.
pub(crate) const REQUESTS: usize = 16_384;
/// A request has one place for each so many bytes that it carries, and one at least.
const BYTES_PER_PLACE: usize = 16 << 10;

/// The places for requests.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    all: u32,
}

/// The places of a request; none for other mail. Dropping it lets others have them.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<OwnedSemaphorePermit>);

impl Places {
    pub(crate) fn new(count: usize) -> Self {
        let all = u32::try_from(count.min(Semaphore::MAX_PERMITS / 2)).unwrap_or(u32::MAX);
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// How many places a request of this size has. The largest has all, rather than none.
    fn needed_for(&self, bytes: usize) -> u32 {
        u32::try_from(bytes / BYTES_PER_PLACE).unwrap_or(u32::MAX).clamp(1, self.all)
    }

    fn try_take(&self, count: u32) -> Result<Place, TryAcquireError> {
        Arc::clone(&self.free).try_acquire_many_owned(count).map(|permit| Place(Some(permit)))
    }

    /// Those who wait longest are served first.
    async fn take(&self, count: u32) -> Place {
        // The semaphore is never closed.
        Place(Arc::clone(&self.free).acquire_many_owned(count).await.ok())
    }

    /// The hub stops: nobody waits for a place any more.
    pub(crate) fn open_up(&self) {
        // It is called few times. Closing the semaphore would call wakers under its lock.
        panics::shield(|| self.free.add_permits(Semaphore::MAX_PERMITS / 16));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // That wakes whoever waits for a place, and the waker may be of the user's making.
        if let Some(permit) = self.0.take() {
            panics::shield(|| drop(permit));
        }
    }
}

/// Why a request was not sent.
#[derive(Debug)]
pub(crate) enum NotSent {
    NoRoom(StoreError),
    Hub(HubError),
}

impl TaskHub {
    /// Sends a client's request to the partition of an instance, once there is a place for it.
    pub(crate) async fn request(
        &self,
        instance_id: &InstanceId,
        mail: Mail,
    ) -> Result<(), NotSent> {
        self.check().map_err(NotSent::Hub)?;
        self.check_room_for(&mail)?;
        let places = self.inner.mailboxes.places();
        let count = places.needed_for(mail.bytes());
        let place = match places.try_take(count) {
            Ok(place) => place,
            Err(_) => {
                let place = places.take(count).await;
                self.check().map_err(NotSent::Hub)?;
                self.check_room_for(&mail)?;
                place
            }
        };
        self.inner.mailboxes.send_with(instance_id, mail, place);
        Ok(())
    }

    fn check_room_for(&self, mail: &Mail) -> Result<(), NotSent> {
        if !mail.adds_work() {
            return Ok(());
        }
        let store = self.store().ok_or(NotSent::Hub(HubError::ShutDown))?;
        store.check_room().map_err(NotSent::NoRoom)
    }
}

impl InstanceHandle {
    /// As [`raise`](Self::raise), for what makes the instance do less: it is not refused while the disk
    /// is nearly full.
    pub(crate) async fn raise_to_end_work<T: ExternalEvent>(
        &self,
        event: &T,
    ) -> Result<(), ManageError> {
        let input = self.typed_event_json(event).map_err(ManageError::invalid_event)?;
        self.manage(Manage::Raise { name: T::NAME.to_owned(), input, ends_work: true }).await
    }

    pub(crate) async fn manage(&self, what: Manage) -> Result<(), ManageError> {
        let managed = self.hub.manage(&self.instance_id, what).await?;
        managed.await.map_err(|_gone| self.hub.error())?
    }

    /// Ends the instance if it has not ended, and removes it, in one commit.
    pub(crate) async fn remove(&self, reason: &str) -> Result<(), ManageError> {
        self.manage(Manage::Remove { reason: reason.to_owned() }).await
    }
}

impl Mail {
    /// Whether a request has the hub write more than it would otherwise, and is refused while the
    /// store has too little room. What ends work or frees room is not.
    fn adds_work(&self) -> bool {
        match self {
            Self::Start(Start { origin, .. }) => matches!(origin, Origin::Client(_)),
            Self::Manage { what, .. } => match what {
                Manage::Raise { ends_work, .. } => !ends_work,
                Manage::Resume { .. } | Manage::Rewind { .. } => true,
                Manage::Suspend { .. }
                | Manage::Terminate { .. }
                | Manage::Remove { .. }
                | Manage::Purge { .. } => false,
            },
            Self::Operate { message, .. } => !is_deletion(message),
            Self::CancelSignal { .. }
            | Self::TakeBackLock { .. }
            | Self::Wait { .. }
            | Self::WaitForStart { .. }
            | Self::WatchStatus { .. }
            | Self::TaskEnded { .. }
            | Self::Message(_)
            | Self::BatchEnded { .. }
            | Self::Refill(_)
            | Self::Wake
            | Self::Stop => false,
        }
    }

    /// Whether it is the request of a client that waits for it no more.
    pub(crate) fn is_given_up(&self) -> bool {
        match self {
            Self::Start(Start { origin: Origin::Client(reply), .. }) => reply.is_closed(),
            Self::Manage { reply, .. } => reply.is_closed(),
            Self::Operate { reply: EntityReply::Signalled(reply), .. } => reply.is_closed(),
            Self::Operate { reply: EntityReply::Called(reply), .. } => reply.is_closed(),
            Self::CancelSignal { reply, .. } | Self::TakeBackLock { reply, .. } => {
                reply.is_closed()
            }
            Self::Wait { reply, .. } => reply.is_closed(),
            Self::WaitForStart { reply, .. } => reply.is_closed(),
            Self::WatchStatus { reply, .. } => reply.is_closed(),
            Self::Start(Start { origin: Origin::Message(_), .. })
            | Self::TaskEnded { .. }
            | Self::Message(_)
            | Self::BatchEnded { .. }
            | Self::Refill(_)
            | Self::Wake
            | Self::Stop => false,
        }
    }

    /// About how many bytes a request carries that may be many.
    fn bytes(&self) -> usize {
        match self {
            Self::Start(Start { started, .. }) => weight::of_start(started),
            Self::Manage { what, .. } => match what {
                Manage::Raise { name, input, .. } => name.len() + input.as_str().len(),
                Manage::Suspend { reason }
                | Manage::Resume { reason }
                | Manage::Terminate { reason, .. }
                | Manage::Rewind { reason }
                | Manage::Remove { reason } => reason.len(),
                Manage::Purge { .. } => 0,
            },
            Self::Operate { message, .. } => weight::of_content(&message.event),
            _ => 0,
        }
    }
}

impl From<NotSent> for StartError {
    fn from(error: NotSent) -> Self {
        match error {
            NotSent::NoRoom(error) => Self::NoRoom(error),
            NotSent::Hub(error) => Self::Hub(error),
        }
    }
}

impl From<NotSent> for ManageError {
    fn from(error: NotSent) -> Self {
        match error {
            NotSent::NoRoom(error) => Self::NoRoom(error),
            NotSent::Hub(error) => Self::Hub(error),
        }
    }
}

impl<E> From<NotSent> for EntityError<E> {
    fn from(error: NotSent) -> Self {
        match error {
            NotSent::NoRoom(error) => Self::NoRoom(error),
            NotSent::Hub(error) => Self::Hub(error),
        }
    }
}

/// For requests that need no room.
impl From<NotSent> for HubError {
    fn from(error: NotSent) -> Self {
        match error {
            NotSent::NoRoom(error) => Self::Store(error),
            NotSent::Hub(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::hub::mail::{Delivery, Mailboxes};
    use crate::protocol::Json;

    fn raise(input: &str) -> (Mail, oneshot::Receiver<Result<(), ManageError>>) {
        let (reply, raised) = oneshot::channel();
        let input = Json::parse(input).unwrap();
        let what = Manage::Raise { name: "n".to_owned(), input, ends_work: false };
        (Mail::Manage { instance_id: InstanceId::new("a").unwrap(), what, reply }, raised)
    }

    #[test]
    fn a_request_keeps_its_places_until_its_mail_is_gone() {
        let places = Places::new(2);
        let (mailboxes, receivers) = Mailboxes::new(1, None, places.clone());
        let id = InstanceId::new("a").unwrap();
        for _ in 0..2 {
            let (mail, gone) = raise("1");
            mailboxes.send_with(&id, mail, places.try_take(1).unwrap());
            drop(gone);
        }
        assert!(places.try_take(1).is_err(), "the clients have gone, their mail has not");
        // What is no client's needs no place.
        mailboxes.send(&id, Mail::Wake);
        let Delivery { mail, place, .. } = receivers[0].1.recv().unwrap();
        assert!(mail.is_given_up());
        drop(place);
        drop(places.try_take(1).expect("one is free"));
        drop(receivers);
        drop(places.try_take(2).expect("mail to a partition that has stopped is gone"));
    }

    #[test]
    fn large_requests_take_more_places_but_never_more_than_there_are() {
        let places = Places::new(8);
        assert_eq!(places.needed_for(0), 1);
        assert_eq!(places.needed_for(2 * BYTES_PER_PLACE), 2);
        assert_eq!(places.needed_for(usize::MAX), 8);
        let long = format!("\"{}\"", "x".repeat(3 * BYTES_PER_PLACE));
        assert_eq!(places.needed_for(raise(&long).0.bytes()), 3);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_place_when_the_hub_stops() {
        let places = Places::new(1);
        let taken = places.try_take(1).unwrap();
        let waiting = places.take(1);
        places.open_up();
        drop(waiting.await);
        drop(taken);
    }
}
