//! Messages: on their way to an instance, and not yet part of its history.

use serde::{Deserialize, Serialize};

use super::{EventKind, ExecutionId, InstanceId, MessageId, ParentInstance};

/// A message on its way to an instance: it becomes an event in the episode that consumes it.
///
/// ```
/// use durable::InstanceId;
/// use durable::protocol::{EventKind, MessageId, TaskMessage};
///
/// let event = EventKind::ExecutionSuspended { reason: "maintenance".to_owned() };
/// let message = TaskMessage::new(MessageId::from_u128(1), InstanceId::new("order-17")?, event);
/// assert_eq!(message.from, None); // a client sent it
/// # Ok::<(), durable::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskMessage {
    /// The id of the message, until it is consumed.
    pub id: MessageId,
    /// The receiver.
    pub instance_id: InstanceId,
    /// The execution of the receiver that the message is for; `None` for the current one.
    pub execution_id: Option<ExecutionId>,
    /// The sending task and its instance, if the receiver needs it.
    pub from: Option<Box<ParentInstance>>,
    /// The event that the message becomes.
    pub event: EventKind,
}

impl TaskMessage {
    /// Creates a message to the current execution of the instance, without a sender.
    ///
    /// ```
    /// use durable::InstanceId;
    /// use durable::protocol::{EventKind, MessageId, TaskMessage};
    ///
    /// let id = MessageId::from_u128(7);
    /// let to = InstanceId::new("order-17")?;
    /// let message = TaskMessage::new(id, to, EventKind::OrchestratorStarted);
    /// assert_eq!(message.execution_id, None);
    /// # Ok::<(), durable::protocol::InvalidInstanceId>(())
    /// ```
    pub fn new(id: MessageId, instance_id: InstanceId, event: EventKind) -> Self {
        Self { id, instance_id, execution_id: None, from: None, event }
    }
}
