//! Requests of an orchestrator, before they are recorded.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::panic::Location;
use std::time::Duration;

use crate::protocol::{EntityId, EventKind, InstanceId, Json, Tags, Timestamp};
use crate::retry::RetryPolicy;

/// A request of an orchestrator, and its source location.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) ask: Ask,
    pub(crate) source: &'static Location<'static>,
}

/// The kinds of requests.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Activity(FunctionCall),
    /// Without an instance id, the child's id is derived from that of the requesting execution.
    SubOrchestration {
        call: FunctionCall,
        instance_id: Option<InstanceId>,
        child: ChildOptions,
    },
    Timer {
        fire_at: Timestamp,
        /// The time from the request to `fire_at`, if the timer is the limit of a `timeout`.
        limit: Option<Duration>,
    },
    SendEvent {
        instance_id: InstanceId,
        name: String,
        input: Json,
    },
    CallEntity {
        asked: OperationRequest,
        /// The id of the lock request, if the call is made in a critical section.
        section: Option<i32>,
    },
    SignalEntity {
        asked: OperationRequest,
        /// When the signal is delivered, if not at once.
        at: Option<Timestamp>,
    },
    /// Entities to lock, in the order in which they are locked.
    LockEntities(Vec<EntityId>),
    /// The end of a critical section that has begun.
    UnlockEntities {
        lock: i32,
        lock_set: Vec<EntityId>,
    },
}

/// An operation of an entity, with its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OperationRequest {
    pub(crate) entity_id: EntityId,
    pub(crate) operation: Cow<'static, str>,
    pub(crate) input: Json,
}

/// A function to run, with its input.
#[derive(Clone, Debug)]
pub(crate) struct FunctionCall {
    /// Borrowed from a definition, or owned if it comes from a record.
    pub(crate) name: Cow<'static, str>,
    pub(crate) version: Option<String>,
    pub(crate) input: Json,
    pub(crate) options: TaskOptions,
}

/// How a call is carried out.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskOptions {
    pub(crate) retry: Option<RetryPolicy>,
    /// The limit of the whole call, over all attempts.
    pub(crate) timeout: Option<Duration>,
    /// The limit of each attempt.
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) tags: Tags,
}

/// The options of a sub-orchestration that activities do not have.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChildOptions {
    /// Whether it is started without waiting for its result.
    pub(crate) detached: bool,
    pub(crate) start_at: Option<Timestamp>,
}

impl Request {
    /// The request with what its recording fixes: the time of a timer, the id of a child, the
    /// entity of a call. If the request is made again, it goes to the same target.
    pub(crate) fn recorded_as(mut self: Box<Self>, recorded: &EventKind) -> Box<Self> {
        match &mut self.ask {
            Ask::Timer { fire_at, .. } => {
                if let EventKind::TimerCreated { fire_at: recorded, .. } = recorded {
                    *fire_at = *recorded;
                }
            }
            Ask::SubOrchestration { instance_id, .. } => {
                if let EventKind::SubOrchestrationInstanceCreated { instance_id: id, .. } = recorded
                {
                    *instance_id = Some(id.clone());
                }
            }
            Ask::CallEntity { asked, .. } => {
                if let EventKind::EntityOperationCalled { entity_id, .. } = recorded {
                    asked.entity_id = entity_id.clone();
                }
            }
            // These are not repeated, or have no content that could differ.
            Ask::Activity(_)
            | Ask::SendEvent { .. }
            | Ask::SignalEntity { .. }
            | Ask::LockEntities(_)
            | Ask::UnlockEntities { .. } => {}
        }
        self
    }

    /// The name of the request's payload in error texts.
    pub(crate) fn payload_name(&self) -> impl fmt::Display {
        fmt::from_fn(|f| match &self.ask {
            Ask::Activity(call) => write!(f, "the input of activity `{}`", call.name),
            Ask::SubOrchestration { call, .. } => {
                write!(f, "the input of orchestration `{}`", call.name)
            }
            Ask::CallEntity { asked, .. } | Ask::SignalEntity { asked, .. } => {
                let OperationRequest { operation, entity_id, .. } = asked;
                write!(f, "the input of operation `{operation}` of `{entity_id}`")
            }
            Ask::SendEvent { name, .. } => write!(f, "the payload of event `{name}`"),
            Ask::Timer { .. } | Ask::LockEntities(_) | Ask::UnlockEntities { .. } => {
                f.write_str("the input")
            }
        })
    }

    /// Where in the source code the request is made, as `file:line`.
    pub(crate) fn source(&self) -> String {
        let (file, line) = (self.source.file(), self.source.line());
        // `format!` would guess the capacity and grow it twice, for every request.
        let mut source = String::with_capacity(file.len() + ":12345".len());
        let _ = write!(source, "{file}:{line}");
        source
    }

    /// The function that is called, if it is a call.
    pub(crate) fn call(&self) -> Option<&FunctionCall> {
        match &self.ask {
            Ask::Activity(call) | Ask::SubOrchestration { call, .. } => Some(call),
            Ask::Timer { .. }
            | Ask::SendEvent { .. }
            | Ask::CallEntity { .. }
            | Ask::SignalEntity { .. }
            | Ask::LockEntities(_)
            | Ask::UnlockEntities { .. } => None,
        }
    }

    /// The payload of the request, if it has one.
    pub(crate) fn payload(&self) -> Option<&Json> {
        match &self.ask {
            Ask::Activity(call) | Ask::SubOrchestration { call, .. } => Some(&call.input),
            Ask::CallEntity { asked, .. } | Ask::SignalEntity { asked, .. } => Some(&asked.input),
            Ask::SendEvent { input, .. } => Some(input),
            Ask::Timer { .. } | Ask::LockEntities(_) | Ask::UnlockEntities { .. } => None,
        }
    }

    /// Whether the request has no result.
    pub(crate) fn is_one_way(&self) -> bool {
        match &self.ask {
            Ask::Activity(_)
            | Ask::Timer { .. }
            | Ask::CallEntity { .. }
            | Ask::LockEntities(_) => false,
            Ask::SubOrchestration { child, .. } => child.detached,
            Ask::SendEvent { .. } | Ask::SignalEntity { .. } | Ask::UnlockEntities { .. } => true,
        }
    }
}
