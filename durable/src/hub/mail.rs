//! What reaches a partition, and how it is answered.

use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;

use super::client::progress::WatchReply;
use super::client::requests::{Place, Places};
use super::error::{ManageError, StartError};
use super::time::virtual_time::{Busy, VirtualTime};
use crate::entity::BatchDone;
use crate::protocol::{
    EventKind, ExecutionId, ExecutionStarted, FailureDetails, InstanceId, InstanceRecord, Json,
    MessageId, ParentInstance, PartitionId, RuntimeStatus, Suspension, TaskMessage,
};

/// Something for a partition to do. Nobody waits to put it there.
#[derive(Debug)]
pub(crate) enum Mail {
    Start(Start),
    /// An activity has ended.
    TaskEnded {
        instance_id: InstanceId,
        execution_id: ExecutionId,
        attempt: u32,
        event: EventKind,
    },
    /// What another instance sent; it is in the store until it is consumed.
    Message(Box<TaskMessage>),
    /// What a client wants of an instance.
    Manage {
        instance_id: InstanceId,
        what: Manage,
        reply: ManageReply,
    },
    /// Somebody wants to know how the instance ends.
    Wait {
        instance_id: InstanceId,
        reply: EndReply,
    },
    /// Somebody wants to know when the instance has begun.
    WaitForStart {
        instance_id: InstanceId,
        reply: StartedReply,
    },
    /// Somebody watches the custom status of the instance from now on.
    WatchStatus {
        instance_id: InstanceId,
        reply: WatchReply,
    },
    /// What a client wants of an entity.
    Operate {
        message: Box<TaskMessage>,
        reply: EntityReply,
    },
    /// A client does not want a signal any more that is not due.
    CancelSignal {
        id: InstanceId,
        reply: Cancelled,
    },
    /// A batch of an entity's operations has ended.
    BatchEnded {
        entity: InstanceId,
        done: Box<BatchDone>,
    },
    /// What is left of an entity's messages in the store is to be read.
    Refill(InstanceId),
    /// A client found that a critical section has an entity locked, and is gone.
    TakeBackLock {
        entity: InstanceId,
        owner: Box<ParentInstance>,
        reply: Unlocked,
    },
    /// Something may be due.
    Wake,
    /// There is nothing more to come.
    Stop,
}

/// An instance to start.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) instance_id: InstanceId,
    pub(crate) started: Box<ExecutionStarted>,
    /// Statuses of an instance with this id that make way.
    pub(crate) replaces: Vec<RuntimeStatus>,
    pub(crate) origin: Origin,
}

/// Where a start comes from, and so who is to know that it is done.
#[derive(Debug)]
pub(crate) enum Origin {
    Client(StartReply),
    Message(MessageId),
}

/// What a client can do to an instance.
#[derive(Clone, Debug)]
pub(crate) enum Manage {
    Raise {
        name: String,
        input: Json,
        /// Whether the event makes the instance do less, so that it counts as no new work.
        ends_work: bool,
    },
    Suspend {
        reason: String,
    },
    Resume {
        reason: String,
    },
    Terminate {
        reason: String,
        recurse: bool,
    },
    Rewind {
        reason: String,
    },
    /// Ends an instance if it has not ended, and purges it.
    Remove {
        reason: String,
    },
    Purge {
        /// Purges the instance only if it is the sub-orchestration of this call.
        child_of: Option<Box<ParentInstance>>,
    },
}

/// How a client learns what has become of an operation.
#[derive(Debug)]
pub(crate) enum EntityReply {
    Signalled(SignalReply),
    Called(CallReply),
}

pub(crate) type SignalReply = oneshot::Sender<()>;
pub(crate) type CallReply = oneshot::Sender<Result<Json, FailureDetails>>;
/// Whether the signal was still waiting for its time.
pub(crate) type Cancelled = oneshot::Sender<bool>;
/// Whether the lock was still there.
pub(crate) type Unlocked = oneshot::Sender<bool>;
pub(crate) type StartReply = oneshot::Sender<Result<(), StartError>>;
/// What has become of what a client wants of an instance.
pub(crate) type Managed = Result<(), ManageError>;
pub(crate) type ManageReply = oneshot::Sender<Managed>;
/// `None` if there is no such instance.
pub(crate) type EndReply = oneshot::Sender<Option<Box<Ended>>>;

/// How an instance has come to a stop, with its record as of then: it may be purged at once.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) record: InstanceRecord,
}

/// Whether there is such an instance.
pub(crate) type StartedReply = oneshot::Sender<bool>;

/// How an instance came to a stop.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Completed(Json),
    Failed(FailureDetails),
    Terminated,
    Suspended(Suspension),
}

/// Mail on its way to a partition.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) mail: Mail,
    /// Keeps time from passing until the mail is dealt with.
    pub(crate) busy: Busy,
    /// What a request of a client takes of the places for these.
    pub(crate) place: Place,
}

/// The mailboxes of all partitions.
#[derive(Clone, Debug)]
pub(crate) struct Mailboxes {
    boxes: Vec<mpsc::Sender<Delivery>>,
    time: Option<Arc<VirtualTime>>,
    places: Places,
}

impl Mailboxes {
    /// As many mailboxes as there are partitions, and where their mail arrives.
    pub(crate) fn new(
        partitions: u16,
        time: Option<Arc<VirtualTime>>,
        places: Places,
    ) -> (Self, Vec<(PartitionId, mpsc::Receiver<Delivery>)>) {
        let (boxes, receivers): (Vec<_>, Vec<_>) = (0..partitions).map(|_| mpsc::channel()).unzip();
        (Self { boxes, time, places }, (0..partitions).map(PartitionId).zip(receivers).collect())
    }

    /// Sends what is no request of a client; those go through `TaskHub::request`. Nothing holds it up.
    pub(crate) fn send(&self, instance_id: &InstanceId, mail: Mail) {
        self.send_with(instance_id, mail, Place::default());
    }

    /// Mail to a partition that has stopped is dropped, and with it the reply that it carries:
    /// which is how the sender learns of it.
    pub(crate) fn send_with(&self, instance_id: &InstanceId, mail: Mail, place: Place) {
        let partition = self.partition(instance_id);
        if let Some(mailbox) = self.boxes.get(usize::from(partition.0)) {
            let _ = mailbox.send(Delivery { mail, busy: self.busy(), place });
        }
    }

    /// The places for requests of clients.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// The partition of an instance.
    pub(crate) fn partition(&self, instance_id: &InstanceId) -> PartitionId {
        PartitionId::of(instance_id, u16::try_from(self.boxes.len()).unwrap_or(u16::MAX))
    }

    pub(crate) fn wake_all(&self) {
        self.send_all(|| Mail::Wake);
    }

    pub(crate) fn stop_all(&self) {
        self.send_all(|| Mail::Stop);
        self.places.open_up();
    }

    fn send_all(&self, mail: impl Fn() -> Mail) {
        for mailbox in &self.boxes {
            let place = Place::default();
            let _ = mailbox.send(Delivery { mail: mail(), busy: self.busy(), place });
        }
    }

    pub(crate) fn busy(&self) -> Busy {
        Busy::new(self.time.as_ref())
    }
}
