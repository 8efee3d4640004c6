//! Client requests on their way to a partition: back-pressure, rejection and dropping.
//!
//! Rules:
//! 1. A request holds permits from before it is sent until its partition has handed its writes to
//!    the committer, even if the client has gone by then. Without a permit, the client waits.
//! 2. Only clients need permits. Mail from activities and partitions is never held up, because a
//!    partition that waits for the committer could wait for itself.
//! 3. While the store has too little room, a request that [adds work](Mail::adds_work) is rejected.
//! 4. A request whose client [has gone](Mail::is_abandoned) before the partition accepts it is
//!    dropped.

use tokio::sync::oneshot;

use super::instance::InstanceHandle;
use crate::event::{ExternalEvent, InvalidEvent};
use crate::hub::admission::Permit;
use crate::hub::error::{EntityError, HubError, ManageError, StartError};
use crate::hub::mail::{Mail, Manage};
use crate::hub::reply_to::Replied;
use crate::hub::task_hub::TaskHub;
use crate::protocol::{InstanceId, Json};
use crate::store::StoreError;

/// Why a request was not sent.
#[derive(Debug)]
pub(crate) enum NotSent {
    NoRoom(StoreError),
    Hub(HubError),
}

impl TaskHub {
    /// Sends a client's request to the partition of an instance, once it has a permit.
    pub(crate) async fn request(
        &self,
        instance_id: &InstanceId,
        mail: Mail,
    ) -> Result<(), NotSent> {
        let permit = self.admit(&mail).await?;
        self.send_admitted(instance_id, mail, permit);
        Ok(())
    }

    /// Waits for the permit of a client's request.
    pub(crate) async fn admit(&self, mail: &Mail) -> Result<Permit, NotSent> {
        self.check().map_err(NotSent::Hub)?;
        self.check_room_for(mail)?;
        let admission = self.inner.mailboxes.admission();
        let count = admission.needed_for(mail.bytes());
        if let Ok(permit) = admission.try_take(count) {
            return Ok(permit);
        }
        let permit = admission.take(count).await;
        self.check().map_err(NotSent::Hub)?;
        self.check_room_for(mail)?;
        Ok(permit)
    }

    /// Sends a request that has a permit.
    pub(crate) fn send_admitted(&self, instance_id: &InstanceId, mail: Mail, permit: Permit) {
        let mailboxes = &self.inner.mailboxes;
        match &self.inner.nodes {
            None => mailboxes.send_with(instance_id, mail, permit),
            Some(nodes) => {
                self.ask_owner(nodes, mailboxes.partition(instance_id), mail, permit);
            }
        }
    }

    /// Waits for the reply to a request.
    pub(crate) async fn replied<T>(
        &self,
        reply: oneshot::Receiver<Replied<T>>,
    ) -> Result<T, HubError> {
        reply.await.unwrap_or_else(|_stopped| Err(self.error()))
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
    /// Like [`raise`](Self::raise), but for events that end work: they are accepted even while the
    /// disk is nearly full.
    #[cfg_attr(not(feature = "schedules"), allow(dead_code, reason = "for schedules"))]
    pub(crate) async fn raise_to_end_work<T: ExternalEvent>(
        &self,
        event: &T,
    ) -> Result<(), ManageError> {
        let input = self.typed_event_json(event).map_err(InvalidEvent::from)?;
        self.send_event(T::NAME, input, true).await
    }

    /// Raises an event; `ends_work` means that it makes the instance do less.
    pub(crate) async fn send_event(
        &self,
        name: &str,
        input: Json,
        ends_work: bool,
    ) -> Result<(), ManageError> {
        let (instance_id, name) = (self.instance_id.clone(), name.to_owned());
        let (reply, raised) = oneshot::channel();
        let reply = reply.into();
        let mail = Mail::Raise { instance_id, name, input, ends_work, reply };
        self.hub.request(&self.instance_id, mail).await?;
        self.hub.replied(raised).await?
    }

    pub(crate) async fn manage(&self, what: Manage) -> Result<(), ManageError> {
        let managed = self.hub.manage(&self.instance_id, what).await?;
        self.hub.replied(managed).await?
    }

    /// Terminates the instance if it has not ended, and removes it, in one commit.
    #[cfg_attr(not(feature = "schedules"), allow(dead_code, reason = "for schedules"))]
    pub(crate) async fn remove(&self, reason: &str) -> Result<(), ManageError> {
        self.manage(Manage::Remove { reason: reason.to_owned() }).await
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

/// For requests that are accepted without room.
impl From<NotSent> for HubError {
    fn from(error: NotSent) -> Self {
        match error {
            NotSent::NoRoom(error) => Self::Store(error),
            NotSent::Hub(error) => error,
        }
    }
}
