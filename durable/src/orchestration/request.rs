//! What an orchestrator asks for, before it is recorded.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::panic::Location;
use std::time::Duration;

use crate::entity::Asked;
use crate::protocol::{EntityId, EventKind, InstanceId, Json, Tags, Timestamp};
use crate::retry::RetryPolicy;

/// What an orchestrator asks for, and where in its source.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) ask: Ask,
    pub(crate) source: &'static Location<'static>,
}

/// The kinds of things that can be asked for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Activity(FunctionCall),
    /// None stands for an id that is derived from the asking execution.
    SubOrchestration {
        call: FunctionCall,
        instance_id: Option<InstanceId>,
        child: ChildOptions,
    },
    Timer {
        fire_at: Timestamp,
        /// The time from the request to `fire_at`, if the timer limits the time of something else.
        limit: Option<Duration>,
    },
    SendEvent {
        instance_id: InstanceId,
        name: String,
        input: Json,
    },
    /// Of the critical section whose request has this number, if it is in one.
    CallEntity {
        asked: Asked,
        section: Option<i32>,
    },
    /// None stands for at once.
    SignalEntity {
        asked: Asked,
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

/// A function to be run, with its input.
#[derive(Clone, Debug)]
pub(crate) struct FunctionCall {
    /// That of a definition, or one that was recorded.
    pub(crate) name: Cow<'static, str>,
    pub(crate) version: Option<String>,
    pub(crate) input: Json,
    pub(crate) options: TaskOptions,
}

/// How a call is to be carried out.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskOptions {
    pub(crate) retry: Option<RetryPolicy>,
    /// Of the whole call.
    pub(crate) timeout: Option<Duration>,
    /// Of each attempt.
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) tags: Tags,
}

/// What there is to say of a sub-orchestration only.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChildOptions {
    /// Whether nobody waits for its result.
    pub(crate) detached: bool,
    pub(crate) start_at: Option<Timestamp>,
}

impl Request {
    /// The same request with what was recorded of it: once a timer is set, its time stays, and what is
    /// asked for again goes to whom it went before.
    pub(crate) fn recorded_as(mut self: Box<Self>, recorded: &EventKind) -> Box<Self> {
        match (&mut self.ask, recorded) {
            (Ask::Timer { fire_at, .. }, EventKind::TimerCreated { fire_at: recorded, .. }) => {
                *fire_at = *recorded;
            }
            (
                Ask::SubOrchestration { instance_id, .. },
                EventKind::SubOrchestrationInstanceCreated { instance_id: recorded, .. },
            ) => *instance_id = Some(recorded.clone()),
            (
                Ask::CallEntity { asked, .. },
                EventKind::EntityOperationCalled { entity_id: recorded, .. },
            ) => asked.entity_id = recorded.clone(),
            _ => {}
        }
        self
    }

    /// Whose input is handed over, for people.
    pub(crate) fn what_is_handed_over(&self) -> impl fmt::Display {
        fmt::from_fn(|f| match &self.ask {
            Ask::Activity(call) => write!(f, "the input of activity `{}`", call.name),
            Ask::SubOrchestration { call, .. } => {
                write!(f, "the input of orchestration `{}`", call.name)
            }
            Ask::CallEntity { asked, .. } | Ask::SignalEntity { asked, .. } => {
                let Asked { operation, entity_id, .. } = asked;
                write!(f, "the input of operation `{operation}` of `{entity_id}`")
            }
            _ => f.write_str("the input"),
        })
    }

    /// Where it was asked for, as `file:line`.
    pub(crate) fn source(&self) -> String {
        let (file, line) = (self.source.file(), self.source.line());
        // `format!` would begin with a guess and grow twice, for every request.
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

    /// What is handed over, if anything is.
    pub(crate) fn handed_over(&self) -> Option<&Json> {
        match &self.ask {
            Ask::CallEntity { asked, .. } | Ask::SignalEntity { asked, .. } => Some(&asked.input),
            Ask::SendEvent { input, .. } => Some(input),
            _ => self.call().map(|call| &call.input),
        }
    }

    /// Whether nothing comes back.
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
