//! What is on its way to an instance and not yet part of its history.

use serde::{Deserialize, Serialize};

use super::{EventKind, InstanceId, MessageId};

/// Something on its way to an instance: it becomes an event in the episode that consumes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMessage {
    /// Names the message until it is consumed.
    pub id: MessageId,
    /// Whom it is for.
    pub instance_id: InstanceId,
    /// The event that it becomes.
    pub event: EventKind,
}
