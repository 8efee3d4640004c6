//! What reaches a partition, and how it is answered.

use std::sync::mpsc;

use tokio::sync::oneshot;

use super::error::StartError;
use crate::protocol::{
    EventKind, ExecutionId, FailureDetails, InstanceId, Json, MessageId, PartitionId, Suspension,
};

/// Something for a partition to do. Nobody waits to put it there.
#[derive(Debug)]
pub(super) enum Mail {
    Start(Start),
    /// An activity has ended.
    TaskEnded {
        instance_id: InstanceId,
        execution_id: ExecutionId,
        event: EventKind,
    },
    /// Somebody wants to know how the instance ends.
    Wait {
        instance_id: InstanceId,
        reply: EndReply,
    },
    /// There is nothing more to come.
    Stop,
}

/// An instance to start; the event is its `ExecutionStarted`.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) instance_id: InstanceId,
    pub(super) event: EventKind,
    pub(super) origin: Origin,
}

/// Where a start comes from, and so who is to know that it is done.
#[derive(Debug)]
pub(super) enum Origin {
    Client(StartReply),
    Message(MessageId),
}

pub(super) type StartReply = oneshot::Sender<Result<(), StartError>>;
/// `None` if there is no such instance.
pub(super) type EndReply = oneshot::Sender<Option<End>>;

/// How an instance came to a stop.
#[derive(Clone, Debug)]
pub(super) enum End {
    Completed(Json),
    Failed(FailureDetails),
    Terminated,
    Suspended(Suspension),
}

/// The mailboxes of all partitions.
#[derive(Clone, Debug)]
pub(super) struct Mailboxes(Vec<mpsc::Sender<Mail>>);

impl Mailboxes {
    /// As many mailboxes as there are partitions, and where their mail arrives.
    pub(super) fn new(partitions: u16) -> (Self, Vec<(PartitionId, mpsc::Receiver<Mail>)>) {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..partitions).map(|_| mpsc::channel()).unzip();
        (Self(senders), (0..partitions).map(PartitionId).zip(receivers).collect())
    }

    /// Mail to a partition that has stopped is dropped, and with it the reply that it carries:
    /// which is how the sender learns of it.
    pub(super) fn send(&self, instance_id: &InstanceId, mail: Mail) {
        let count = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        let partition = PartitionId::of(instance_id, count);
        if let Some(mailbox) = self.0.get(usize::from(partition.0)) {
            let _ = mailbox.send(mail);
        }
    }

    pub(super) fn stop_all(&self) {
        for mailbox in &self.0 {
            let _ = mailbox.send(Mail::Stop);
        }
    }
}
