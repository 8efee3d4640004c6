//! Mail: the messages to a partition, and their replies.

use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

use super::admission::Permit;
use super::custom_status::WatchReply;
use super::error::{ManageError, StartError};
use super::reply_to::ReplyTo;
use super::time::virtual_time::Busy;
use crate::engine::AttemptId;
use crate::entity::{BatchDone, is_deletion};
use crate::protocol::{
    EventKind, ExecutionId, ExecutionStarted, FailureDetails, InstanceId, InstanceRecord, Json,
    MessageId, ParentInstance, Pending, RuntimeStatus, Suspension, TaskMessage,
};
use crate::weight;

/// A message to a partition. Sending it never blocks.
#[derive(Debug)]
pub(crate) enum Mail {
    Start(Start),
    /// An activity has ended.
    TaskEnded {
        instance_id: InstanceId,
        execution_id: ExecutionId,
        attempt: AttemptId,
        event: EventKind,
    },
    /// A message from another instance; it stays in the store until it is consumed.
    Message(Box<TaskMessage>),
    /// A client raises an event in an instance.
    Raise {
        instance_id: InstanceId,
        name: String,
        input: Json,
        /// Whether the event makes the instance do less, so that it does not count as new work.
        ends_work: bool,
        reply: ManageReply,
    },
    /// A client acts on an instance as a whole.
    Manage {
        instance_id: InstanceId,
        what: Manage,
        reply: ManageReply,
    },
    /// Subscribes to the end of the instance.
    Wait {
        instance_id: InstanceId,
        reply: EndReply,
    },
    /// Subscribes to the start of the instance.
    WaitForStart {
        instance_id: InstanceId,
        reply: StartedReply,
    },
    /// Subscribes to the custom status of the instance.
    WatchStatus {
        instance_id: InstanceId,
        reply: WatchReply,
    },
    /// Reads what the instance waits for.
    Pending {
        instance_id: InstanceId,
        reply: PendingReply,
    },
    /// Subscribes to the episodes of the instance.
    Follow {
        instance_id: InstanceId,
        reply: FollowReply,
    },
    /// A client signals or calls an entity.
    Operate {
        message: Box<TaskMessage>,
        reply: EntityReply,
    },
    /// A client cancels a scheduled signal.
    CancelSignal {
        id: InstanceId,
        reply: Cancelled,
    },
    /// A batch of an entity's operations has ended.
    BatchEnded {
        entity: InstanceId,
        done: Box<BatchDone>,
    },
    /// The writes that an instance or entity waited for are durable, so it continues: an entity
    /// reads messages that it left in the store, and held mail of an instance is handled.
    Continue(InstanceId),
    /// An entity that was held back may run operations again.
    Release(InstanceId),
    /// A client lets an entity run. The reply is whether it was held back or set aside.
    ResumeEntity {
        id: InstanceId,
        how: Resumption,
        reply: EntityResumed,
    },
    /// A client found an entity locked by an orchestration that no longer exists.
    TakeBackLock {
        entity: InstanceId,
        owner: Box<ParentInstance>,
        reply: Unlocked,
    },
    /// A timer may be due.
    Wake,
    /// No more mail will arrive.
    Stop,
    /// Another process owns the partition: it stops at once, and writes nothing more.
    Lost,
}

/// An instance to start.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) instance_id: InstanceId,
    pub(crate) started: Box<ExecutionStarted>,
    /// An existing instance with this id is replaced if it has one of these statuses.
    pub(crate) replaces: Vec<RuntimeStatus>,
    /// Whether the id was generated for this request, which is sent once. So no instance has this
    /// id, and the store need not be asked.
    pub(crate) is_new_id: bool,
    pub(crate) origin: Origin,
}

/// The origin of a start, which receives the reply.
#[derive(Debug)]
pub(crate) enum Origin {
    Client(StartReply),
    Message(MessageId),
}

/// How an entity that was set aside continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Resumption {
    /// It runs the same operation again.
    Retry,
    /// The operation fails, and it runs the one behind it.
    Skip,
}

/// A client's operation on an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Manage {
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
    #[cfg_attr(not(feature = "schedules"), allow(dead_code, reason = "for schedules"))]
    Remove {
        reason: String,
    },
    Purge {
        /// Purges the instance only if it is the sub-orchestration of this call.
        child_of: Option<Box<ParentInstance>>,
    },
}

/// How a client receives the result of an operation.
#[derive(Debug)]
pub(crate) enum EntityReply {
    Signalled(SignalReply),
    Called(CallReply),
}

pub(crate) type SignalReply = ReplyTo<()>;
pub(crate) type CallReply = ReplyTo<Result<Json, FailureDetails>>;
/// Whether the signal was cancelled before it was due.
pub(crate) type Cancelled = ReplyTo<bool>;
/// Whether the lock was still held.
pub(crate) type Unlocked = ReplyTo<bool>;
/// Whether the entity was held back or set aside.
pub(crate) type EntityResumed = ReplyTo<bool>;
pub(crate) type StartReply = ReplyTo<Result<(), StartError>>;
/// The result of a client's operation on an instance.
pub(crate) type Managed = Result<(), ManageError>;
pub(crate) type ManageReply = ReplyTo<Managed>;
/// Replies `None` if the instance does not exist.
pub(crate) type EndReply = ReplyTo<Option<Box<Ended>>>;

/// Replies `None` if the instance does not exist.
pub(crate) type PendingReply = ReplyTo<Option<Box<Pending>>>;

/// Replies `None` if the instance does not exist. The channel is closed if it has ended.
pub(crate) type FollowReply = oneshot::Sender<Option<watch::Receiver<()>>>;

/// The end of an instance, with its record at that time, because the instance may be purged at
/// once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) record: InstanceRecord,
}

/// Whether the instance exists.
pub(crate) type StartedReply = ReplyTo<bool>;

/// How an instance ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// Stops virtual time until the mail is handled.
    pub(crate) busy: Busy,
    /// The permits of a client's request.
    pub(crate) permit: Permit,
}

impl Delivery {
    /// Mail that was read from the store. It is in flight only for the partition that reads it.
    pub(crate) fn of(mail: Mail) -> Self {
        Self { mail, busy: Busy::default(), permit: Permit::default() }
    }
}

/// Which instances an operation applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppliesTo {
    /// Those that have not finished.
    Running,
    Finished,
    Either,
}

impl Manage {
    pub(crate) fn applies_to(&self) -> AppliesTo {
        match self {
            Self::Suspend { .. } | Self::Resume { .. } | Self::Terminate { .. } => {
                AppliesTo::Running
            }
            Self::Rewind { .. } | Self::Purge { .. } => AppliesTo::Finished,
            Self::Remove { .. } => AppliesTo::Either,
        }
    }
}

impl End {
    /// The end that an event records.
    pub(crate) fn of(kind: &EventKind) -> Option<Self> {
        let EventKind::ExecutionCompleted { status, result, failure } = kind else { return None };
        Some(match (status, result, failure) {
            (RuntimeStatus::Completed, Some(result), _) => Self::Completed(result.clone()),
            (RuntimeStatus::Failed, _, Some(failure)) => Self::Failed(failure.clone()),
            _ => Self::Terminated,
        })
    }
}

impl Mail {
    /// The instance or entity that it is for; `None` if it is for the partition.
    pub(crate) fn instance_id(&self) -> Option<&InstanceId> {
        match self {
            Self::Start(Start { instance_id, .. })
            | Self::TaskEnded { instance_id, .. }
            | Self::Raise { instance_id, .. }
            | Self::Manage { instance_id, .. }
            | Self::Wait { instance_id, .. }
            | Self::WaitForStart { instance_id, .. }
            | Self::WatchStatus { instance_id, .. }
            | Self::Pending { instance_id, .. }
            | Self::Follow { instance_id, .. } => Some(instance_id),
            Self::Message(message) | Self::Operate { message, .. } => Some(&message.instance_id),
            Self::CancelSignal { id, .. } | Self::ResumeEntity { id, .. } => Some(id),
            Self::BatchEnded { entity, .. } | Self::TakeBackLock { entity, .. } => Some(entity),
            // `Continue` ends a wait, so it must not wait itself.
            Self::Continue(_) | Self::Release(_) | Self::Wake | Self::Stop | Self::Lost => None,
        }
    }

    /// Whether a request makes the hub write more than it would otherwise. If so, it is rejected
    /// while the store has too little room.
    pub(crate) fn adds_work(&self) -> bool {
        match self {
            Self::Start(Start { origin, .. }) => matches!(origin, Origin::Client(_)),
            Self::Raise { ends_work, .. } => !ends_work,
            Self::Manage { what, .. } => match what {
                Manage::Resume { .. } | Manage::Rewind { .. } => true,
                Manage::Suspend { .. }
                | Manage::Terminate { .. }
                | Manage::Remove { .. }
                | Manage::Purge { .. } => false,
            },
            Self::Operate { message, .. } => !is_deletion(message),
            Self::CancelSignal { .. }
            | Self::TakeBackLock { .. }
            | Self::ResumeEntity { .. }
            | Self::Wait { .. }
            | Self::WaitForStart { .. }
            | Self::WatchStatus { .. }
            | Self::Follow { .. }
            | Self::Pending { .. }
            | Self::TaskEnded { .. }
            | Self::Message(_)
            | Self::BatchEnded { .. }
            | Self::Continue(_)
            | Self::Release(_)
            | Self::Wake
            | Self::Stop
            | Self::Lost => false,
        }
    }

    /// Whether it is a request whose client no longer waits for it.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Start(Start { origin: Origin::Client(reply), .. }) => reply.is_closed(),
            Self::Raise { reply, .. } | Self::Manage { reply, .. } => reply.is_closed(),
            Self::Operate { reply: EntityReply::Signalled(reply), .. } => reply.is_closed(),
            Self::Operate { reply: EntityReply::Called(reply), .. } => reply.is_closed(),
            Self::CancelSignal { reply, .. }
            | Self::TakeBackLock { reply, .. }
            | Self::ResumeEntity { reply, .. }
            | Self::WaitForStart { reply, .. } => reply.is_closed(),
            Self::Wait { reply, .. } => reply.is_closed(),
            Self::WatchStatus { reply, .. } => reply.is_closed(),
            Self::Follow { reply, .. } => reply.is_closed(),
            Self::Pending { reply, .. } => reply.is_closed(),
            Self::Start(Start { origin: Origin::Message(_), .. })
            | Self::TaskEnded { .. }
            | Self::Message(_)
            | Self::BatchEnded { .. }
            | Self::Continue(_)
            | Self::Release(_)
            | Self::Wake
            | Self::Stop
            | Self::Lost => false,
        }
    }

    /// The approximate size of the request's payload.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Start(Start { started, .. }) => weight::of_start(started),
            Self::Raise { name, input, .. } => name.len() + input.as_str().len(),
            Self::Manage { what, .. } => match what {
                Manage::Suspend { reason }
                | Manage::Resume { reason }
                | Manage::Terminate { reason, .. }
                | Manage::Rewind { reason }
                | Manage::Remove { reason } => reason.len(),
                Manage::Purge { .. } => 0,
            },
            Self::Operate { message, .. } => weight::of_content(&message.event),
            Self::CancelSignal { .. }
            | Self::TakeBackLock { .. }
            | Self::ResumeEntity { .. }
            | Self::Wait { .. }
            | Self::WaitForStart { .. }
            | Self::WatchStatus { .. }
            | Self::Follow { .. }
            | Self::Pending { .. }
            | Self::TaskEnded { .. }
            | Self::Message(_)
            | Self::BatchEnded { .. }
            | Self::Continue(_)
            | Self::Release(_)
            | Self::Wake
            | Self::Stop
            | Self::Lost => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::admission::{Admission, BYTES_PER_PLACE};

    #[test]
    fn large_requests_take_more_permits_up_to_the_total() {
        let places = Admission::new(8);
        assert_eq!(places.needed_for(0), 1);
        assert_eq!(places.needed_for(2 * BYTES_PER_PLACE), 2);
        assert_eq!(places.needed_for(usize::MAX), 8);
        let input = Json::parse(&format!("\"{}\"", "x".repeat(3 * BYTES_PER_PLACE))).unwrap();
        let (instance_id, name) = (InstanceId::new("a").unwrap(), "n".to_owned());
        let reply = oneshot::channel().0.into();
        let long = Mail::Raise { instance_id, name, input, ends_work: false, reply };
        assert_eq!(places.needed_for(long.bytes()), 3);
    }
}
