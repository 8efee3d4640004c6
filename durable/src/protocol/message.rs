//! What is on its way to an instance and not yet part of its history.

use serde::{Deserialize, Serialize};

use super::{EventKind, ExecutionId, InstanceId, MessageId, ParentInstance};

/// Something on its way to an instance: it becomes an event in the episode that consumes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMessage {
    /// Names the message until it is consumed.
    pub id: MessageId,
    /// Whom it is for.
    pub instance_id: InstanceId,
    /// For which execution of it, if not for whichever there is.
    pub execution_id: Option<ExecutionId>,
    /// Which task of which instance sends it, if that matters to who gets it.
    pub from: Option<Box<ParentInstance>>,
    /// The event that it becomes.
    pub event: EventKind,
}
