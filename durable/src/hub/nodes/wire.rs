//! Requests and answers in the form in which they are sent between nodes.
//!
//! The names of fields and variants are part of the protocol between the processes of a hub, which
//! may be of neighboring releases: add, but do not rename.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::hub::error::{HubError, ManageError, StartError};
use crate::hub::mail::{Ended, EntityReply, Mail, Manage, Managed, Origin, Resumption, Start};
use crate::hub::reply_to::{Encode, Replied, ReplyTo};
use crate::protocol::{
    ExecutionStarted, FailureDetails, InstanceId, Json, ParentInstance, PartitionId, Pending,
    RuntimeStatus, Suspension, TaskMessage,
};
use crate::store::{RequestId, StoreError};

/// A request of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum ClientRequest {
    Start { instance_id: InstanceId, started: Box<ExecutionStarted>, replaces: Vec<RuntimeStatus> },
    Raise { instance_id: InstanceId, name: String, input: Json, ends_work: bool },
    Manage { instance_id: InstanceId, what: Manage },
    Wait { instance_id: InstanceId },
    WaitForStart { instance_id: InstanceId },
    Pending { instance_id: InstanceId },
    Operate { message: Box<TaskMessage>, is_call: bool },
    CancelSignal { id: InstanceId },
    TakeBackLock { entity: InstanceId, owner: Box<ParentInstance> },
    ResumeEntity { id: InstanceId, how: Resumption },
}

/// Sends a request to another node.
pub(super) trait SendRequest: Send + Sync + 'static {
    fn send<T>(self, request: ClientRequest, client: oneshot::Sender<Replied<T>>)
    where
        T: Encode + Decode + Send + 'static;
}

impl ClientRequest {
    /// The request of this mail, which is sent to another node if its reply is dropped. Mail that
    /// is not a request between nodes is returned.
    pub(super) fn repeated(mail: Mail, other: impl SendRequest) -> Result<Mail, Box<Mail>> {
        Ok(match mail {
            Mail::Start(Start {
                instance_id,
                started,
                replaces,
                is_new_id,
                origin: Origin::Client(reply),
            }) => {
                let request = Self::Start {
                    instance_id: instance_id.clone(),
                    started: started.clone(),
                    replaces: replaces.clone(),
                };
                let origin = Origin::Client(request.repeat(reply, other));
                Mail::Start(Start { instance_id, started, replaces, is_new_id, origin })
            }
            Mail::Raise { instance_id, name, input, ends_work, reply } => {
                let request = Self::Raise {
                    instance_id: instance_id.clone(),
                    name: name.clone(),
                    input: input.clone(),
                    ends_work,
                };
                let reply = request.repeat(reply, other);
                Mail::Raise { instance_id, name, input, ends_work, reply }
            }
            Mail::Manage { instance_id, what, reply } => {
                let request = Self::Manage { instance_id: instance_id.clone(), what: what.clone() };
                Mail::Manage { instance_id, what, reply: request.repeat(reply, other) }
            }
            Mail::Wait { instance_id, reply } => {
                let request = Self::Wait { instance_id: instance_id.clone() };
                Mail::Wait { instance_id, reply: request.repeat(reply, other) }
            }
            Mail::WaitForStart { instance_id, reply } => {
                let request = Self::WaitForStart { instance_id: instance_id.clone() };
                Mail::WaitForStart { instance_id, reply: request.repeat(reply, other) }
            }
            Mail::Pending { instance_id, reply } => {
                let request = Self::Pending { instance_id: instance_id.clone() };
                Mail::Pending { instance_id, reply: request.repeat(reply, other) }
            }
            Mail::Operate { message, reply } => Self::repeated_operation(message, reply, other),
            Mail::CancelSignal { id, reply } => {
                let request = Self::CancelSignal { id: id.clone() };
                Mail::CancelSignal { id, reply: request.repeat(reply, other) }
            }
            Mail::TakeBackLock { entity, owner, reply } => {
                let request = Self::TakeBackLock { entity: entity.clone(), owner: owner.clone() };
                Mail::TakeBackLock { entity, owner, reply: request.repeat(reply, other) }
            }
            Mail::ResumeEntity { id, how, reply } => {
                let request = Self::ResumeEntity { id: id.clone(), how };
                Mail::ResumeEntity { id, how, reply: request.repeat(reply, other) }
            }
            // `watch_from_store` serves the first two. Clients do not send the others.
            mail @ (Mail::WatchStatus { .. }
            | Mail::Follow { .. }
            | Mail::Start(Start { origin: Origin::Message(_), .. })
            | Mail::TaskEnded { .. }
            | Mail::Message(_)
            | Mail::BatchEnded { .. }
            | Mail::Continue(_)
            | Mail::Release(_)
            | Mail::Wake
            | Mail::Stop
            | Mail::Lost) => return Err(Box::new(mail)),
        })
    }

    fn repeated_operation(
        message: Box<TaskMessage>,
        reply: EntityReply,
        other: impl SendRequest,
    ) -> Mail {
        let is_call = matches!(reply, EntityReply::Called(_));
        let request = Self::Operate { message: message.clone(), is_call };
        let reply = match reply {
            EntityReply::Called(reply) => EntityReply::Called(request.repeat(reply, other)),
            EntityReply::Signalled(reply) => EntityReply::Signalled(request.repeat(reply, other)),
        };
        Mail::Operate { message, reply }
    }

    fn repeat<T>(self, reply: ReplyTo<T>, other: impl SendRequest) -> ReplyTo<T>
    where
        T: Encode + Decode + Send + 'static,
    {
        reply.repeated(Box::new(move |client| other.send(self, client)))
    }

    /// The request as mail to the owner, which replies to another node.
    pub(super) fn into_mail(self, request: RequestId) -> Mail {
        match self {
            Self::Start { instance_id, started, replaces } => {
                // A request between nodes may arrive again.
                let (is_new_id, origin) = (false, Origin::Client(ReplyTo::Node(request)));
                Mail::Start(Start { instance_id, started, replaces, is_new_id, origin })
            }
            Self::Raise { instance_id, name, input, ends_work } => {
                let reply = ReplyTo::Node(request);
                Mail::Raise { instance_id, name, input, ends_work, reply }
            }
            Self::Manage { instance_id, what } => {
                Mail::Manage { instance_id, what, reply: ReplyTo::Node(request) }
            }
            Self::Wait { instance_id } => Mail::Wait { instance_id, reply: ReplyTo::Node(request) },
            Self::WaitForStart { instance_id } => {
                Mail::WaitForStart { instance_id, reply: ReplyTo::Node(request) }
            }
            Self::Pending { instance_id } => {
                Mail::Pending { instance_id, reply: ReplyTo::Node(request) }
            }
            Self::Operate { message, is_call: true } => {
                Mail::Operate { message, reply: EntityReply::Called(ReplyTo::Node(request)) }
            }
            Self::Operate { message, is_call: false } => {
                Mail::Operate { message, reply: EntityReply::Signalled(ReplyTo::Node(request)) }
            }
            Self::CancelSignal { id } => Mail::CancelSignal { id, reply: ReplyTo::Node(request) },
            Self::TakeBackLock { entity, owner } => {
                Mail::TakeBackLock { entity, owner, reply: ReplyTo::Node(request) }
            }
            Self::ResumeEntity { id, how } => {
                Mail::ResumeEntity { id, how, reply: ReplyTo::Node(request) }
            }
        }
    }

    /// The id of the request. A stored operation has the id of its message, so that its answer
    /// reaches the client wherever the operation is carried out.
    pub(super) fn request_id(&self) -> RequestId {
        match self {
            Self::Operate { message, .. } => RequestId(message.id),
            _ => RequestId::generate(),
        }
    }
}

/// Why an operation was refused.
#[derive(Serialize, Deserialize)]
enum Refusal {
    AlreadyExists {
        instance_id: InstanceId,
        status: RuntimeStatus,
    },
    NoSuchInstance {
        instance_id: InstanceId,
    },
    Finished {
        instance_id: InstanceId,
        status: RuntimeStatus,
    },
    NotFinished {
        instance_id: InstanceId,
        status: RuntimeStatus,
    },
    NotFailed {
        instance_id: InstanceId,
        status: RuntimeStatus,
    },
    CannotRewind {
        instance_id: InstanceId,
        reason: String,
    },
    StillSuspended {
        suspension: Suspension,
    },
    /// An error that the client's own process detects, so no owner of a partition replies with it.
    Other {
        text: String,
    },
}

/// The answer of an owner that cannot read a request.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotUnderstood {
    not_understood: String,
}

/// The answer to a request that this process cannot read, and has not carried out.
pub(super) fn not_understood(reason: String) -> String {
    json(&NotUnderstood { not_understood: reason })
}

/// Reads the answer of the owner of a partition.
pub(super) fn read<T: Decode>(answer: &str, partition: PartitionId) -> Replied<T> {
    // First, because some answers have optional fields only, and could be read from it.
    if let Ok(NotUnderstood { not_understood: reason }) = serde_json::from_str(answer) {
        return Err(HubError::RequestNotUnderstood { partition, reason });
    }
    T::decode(answer).map_err(|error| {
        let reason = error.to_string();
        tell!(error, error = reason, "the answer of another process of the hub cannot be read");
        HubError::AnswerNotUnderstood { partition, reason }
    })
}

pub(super) trait Decode: Sized {
    fn decode(text: &str) -> Result<Self, serde_json::Error>;
}

fn json(value: &impl Serialize) -> String {
    // All keys of the encoded values are strings, so the values always have a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

/// Answers that need no encoding of their own.
trait Plain: Serialize + DeserializeOwned {}
impl Plain for () {}
impl Plain for bool {}
impl Plain for Option<Box<Pending>> {}
impl Plain for Option<Box<Ended>> {}
impl Plain for Result<Json, FailureDetails> {}

impl<T: Plain> Encode for T {
    fn encode(&self) -> String {
        json(self)
    }
}

impl<T: Plain> Decode for T {
    fn decode(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

impl Encode for Result<(), StartError> {
    fn encode(&self) -> String {
        json(&self.as_ref().map_err(|error| match error.clone() {
            StartError::AlreadyExists { instance_id, status } => {
                Refusal::AlreadyExists { instance_id, status }
            }
            error @ (StartError::InvalidInstanceId(_)
            | StartError::NotRegistered { .. }
            | StartError::NoRoom(_)
            | StartError::InvalidTraceContext(_)
            | StartError::CallOption { .. }
            | StartError::InvalidInput { .. }
            | StartError::UnreadableInput { .. }
            | StartError::Hub(_)) => Refusal::Other { text: error.to_string() },
        }))
    }
}

impl Decode for Result<(), StartError> {
    fn decode(text: &str) -> Result<Self, serde_json::Error> {
        let decoded: Result<(), Refusal> = serde_json::from_str(text)?;
        Ok(decoded.map_err(|refusal| match refusal {
            Refusal::AlreadyExists { instance_id, status } => {
                StartError::AlreadyExists { instance_id, status }
            }
            refusal => refusal.as_hub_error().into(),
        }))
    }
}

impl Encode for Managed {
    fn encode(&self) -> String {
        json(&self.as_ref().map_err(|error| match error.clone() {
            ManageError::Finished { instance_id, status } => {
                Refusal::Finished { instance_id, status }
            }
            ManageError::NotFinished { instance_id, status } => {
                Refusal::NotFinished { instance_id, status }
            }
            ManageError::NotFailed { instance_id, status } => {
                Refusal::NotFailed { instance_id, status }
            }
            ManageError::CannotRewind { instance_id, reason } => {
                Refusal::CannotRewind { instance_id, reason }
            }
            ManageError::StillSuspended(suspension) => Refusal::StillSuspended { suspension },
            ManageError::Hub(HubError::NoSuchInstance(instance_id)) => {
                Refusal::NoSuchInstance { instance_id }
            }
            error @ (ManageError::InvalidInstanceId(_)
            | ManageError::InvalidEvent(_)
            | ManageError::NoRoom(_)
            | ManageError::Start(_)
            | ManageError::Hub(_)) => Refusal::Other { text: error.to_string() },
        }))
    }
}

impl Decode for Managed {
    fn decode(text: &str) -> Result<Self, serde_json::Error> {
        let decoded: Result<(), Refusal> = serde_json::from_str(text)?;
        Ok(decoded.map_err(|refusal| match refusal {
            Refusal::Finished { instance_id, status } => {
                ManageError::Finished { instance_id, status }
            }
            Refusal::NotFinished { instance_id, status } => {
                ManageError::NotFinished { instance_id, status }
            }
            Refusal::NotFailed { instance_id, status } => {
                ManageError::NotFailed { instance_id, status }
            }
            Refusal::CannotRewind { instance_id, reason } => {
                ManageError::CannotRewind { instance_id, reason }
            }
            Refusal::StillSuspended { suspension } => ManageError::StillSuspended(suspension),
            refusal => refusal.as_hub_error().into(),
        }))
    }
}

impl Refusal {
    fn as_hub_error(&self) -> HubError {
        match self {
            Self::NoSuchInstance { instance_id } => HubError::NoSuchInstance(instance_id.clone()),
            Self::Other { text } => {
                StoreError::backend("another process of the hub refused", text.clone()).into()
            }
            other => StoreError::backend("another process of the hub refused", json(other)).into(),
        }
    }
}
