//! Requests and their answers as they are sent between nodes.
//!
//! The names of fields and variants are part of the protocol between the processes of a hub, which
//! may be of neighbouring releases: add, but do not rename.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::hub::error::{HubError, ManageError, StartError};
use crate::hub::mail::{Ended, EntityReply, Mail, Manage, Managed, Origin, Resumption, Start};
use crate::hub::reply_to::{Encode, ReplyTo};
use crate::protocol::{
    ExecutionStarted, FailureDetails, InstanceId, Json, ParentInstance, Pending, RuntimeStatus,
    Suspension, TaskMessage,
};
use crate::store::{RequestId, StoreError};

/// A request of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    Start {
        instance_id: InstanceId,
        started: Box<ExecutionStarted>,
        replaces: Vec<RuntimeStatus>,
        /// Not sent to other nodes: a request between nodes may arrive again.
        #[serde(skip)]
        is_new_id: bool,
    },
    Raise {
        instance_id: InstanceId,
        name: String,
        input: Json,
        ends_work: bool,
    },
    Manage {
        instance_id: InstanceId,
        what: Manage,
    },
    Wait {
        instance_id: InstanceId,
    },
    WaitForStart {
        instance_id: InstanceId,
    },
    Pending {
        instance_id: InstanceId,
    },
    Operate {
        message: Box<TaskMessage>,
        is_call: bool,
    },
    CancelSignal {
        id: InstanceId,
    },
    TakeBackLock {
        entity: InstanceId,
        owner: Box<ParentInstance>,
    },
    ResumeEntity {
        id: InstanceId,
        how: Resumption,
    },
}

/// Where the owner of a partition replies to.
#[derive(Debug)]
pub(super) enum To {
    Client(oneshot::Sender<String>),
    Node(RequestId),
}

/// A client of this process that waits for an answer.
pub(super) trait Asker: Send {
    /// Passes the answer on; returns whether it can be read.
    fn answer(self: Box<Self>, answer: &str) -> bool;
    /// Waits until the client is gone.
    fn gone(&mut self) -> Gone<'_>;
}

type Gone<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Ask {
    /// What is asked, and who asks. Mail that is not a request between nodes comes back.
    pub(super) fn of(mail: Mail) -> Result<(Self, Box<dyn Asker>), Box<Mail>> {
        Ok(match mail {
            Mail::Start(Start {
                instance_id,
                started,
                replaces,
                is_new_id,
                origin: Origin::Client(reply),
            }) => (Self::Start { instance_id, started, replaces, is_new_id }, Box::new(reply)),
            Mail::Raise { instance_id, name, input, ends_work, reply } => {
                (Self::Raise { instance_id, name, input, ends_work }, Box::new(reply))
            }
            Mail::Manage { instance_id, what, reply } => {
                (Self::Manage { instance_id, what }, Box::new(reply))
            }
            Mail::Wait { instance_id, reply } => (Self::Wait { instance_id }, Box::new(reply)),
            Mail::WaitForStart { instance_id, reply } => {
                (Self::WaitForStart { instance_id }, Box::new(reply))
            }
            Mail::Pending { instance_id, reply } => {
                (Self::Pending { instance_id }, Box::new(reply))
            }
            Mail::Operate { message, reply: EntityReply::Called(reply) } => {
                (Self::Operate { message, is_call: true }, Box::new(reply))
            }
            Mail::Operate { message, reply: EntityReply::Signalled(reply) } => {
                (Self::Operate { message, is_call: false }, Box::new(reply))
            }
            Mail::CancelSignal { id, reply } => (Self::CancelSignal { id }, Box::new(reply)),
            Mail::TakeBackLock { entity, owner, reply } => {
                (Self::TakeBackLock { entity, owner }, Box::new(reply))
            }
            Mail::ResumeEntity { id, how, reply } => {
                (Self::ResumeEntity { id, how }, Box::new(reply))
            }
            mail => return Err(Box::new(mail)),
        })
    }

    /// As mail to the owner.
    pub(super) fn into_mail(self, to: To) -> Mail {
        match self {
            Self::Start { instance_id, started, replaces, is_new_id } => {
                let origin = Origin::Client(to.into());
                Mail::Start(Start { instance_id, started, replaces, is_new_id, origin })
            }
            Self::Raise { instance_id, name, input, ends_work } => {
                Mail::Raise { instance_id, name, input, ends_work, reply: to.into() }
            }
            Self::Manage { instance_id, what } => {
                Mail::Manage { instance_id, what, reply: to.into() }
            }
            Self::Wait { instance_id } => Mail::Wait { instance_id, reply: to.into() },
            Self::WaitForStart { instance_id } => {
                Mail::WaitForStart { instance_id, reply: to.into() }
            }
            Self::Pending { instance_id } => Mail::Pending { instance_id, reply: to.into() },
            Self::Operate { message, is_call: true } => {
                Mail::Operate { message, reply: EntityReply::Called(to.into()) }
            }
            Self::Operate { message, is_call: false } => {
                Mail::Operate { message, reply: EntityReply::Signalled(to.into()) }
            }
            Self::CancelSignal { id } => Mail::CancelSignal { id, reply: to.into() },
            Self::TakeBackLock { entity, owner } => {
                Mail::TakeBackLock { entity, owner, reply: to.into() }
            }
            Self::ResumeEntity { id, how } => Mail::ResumeEntity { id, how, reply: to.into() },
        }
    }

    /// The id of the request. An operation that is stored has the id of its message, so that its
    /// answer finds the client wherever it is carried out.
    pub(super) fn request_id(&self) -> RequestId {
        match self {
            Self::Operate { message, .. } => RequestId(message.id),
            _ => RequestId::generate(),
        }
    }
}

impl<T> From<To> for ReplyTo<T> {
    fn from(to: To) -> Self {
        match to {
            To::Client(client) => Self::Encoded(client),
            To::Node(request) => Self::Node(request),
        }
    }
}

impl<T: Encode + Decode + Send> Asker for ReplyTo<T> {
    fn answer(self: Box<Self>, answer: &str) -> bool {
        match T::decode(answer) {
            Ok(answer) => {
                self.send(answer);
                true
            }
            Err(_unreadable) => false,
        }
    }

    fn gone(&mut self) -> Gone<'_> {
        Box::pin(self.closed())
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
    /// An error that the owner of a partition does not give today.
    Other {
        text: String,
    },
}

pub(super) trait Decode: Sized {
    fn decode(text: &str) -> Result<Self, serde_json::Error>;
}

fn json(value: &impl Serialize) -> String {
    // What is encoded has string keys only, so it always has a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

/// Answers that are encoded as they are.
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
            error => Refusal::Other { text: error.to_string() },
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
            error => Refusal::Other { text: error.to_string() },
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
