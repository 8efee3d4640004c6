//! Messages and requests between the nodes of a hub, as a commit names them.

use serde::{Deserialize, Serialize};

use crate::protocol::{MessageId, PartitionId, TaskMessage};

/// A message from a partition of another node.
///
/// ```
/// use durable::InstanceId;
/// use durable::protocol::{EventKind, MessageId, PartitionId, TaskMessage};
/// use durable::store::ReceivedMessage;
///
/// let event = EventKind::ExecutionResumed { reason: "repaired".to_owned() };
/// let message = TaskMessage::new(MessageId::generate(), InstanceId::new("order-17")?, event);
/// // The tenth message of partition 3 to a partition of this node.
/// let received = ReceivedMessage::new(PartitionId(0), (PartitionId(3), 10), message);
/// assert_eq!(received.sequence, 10);
/// # Ok::<(), durable::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedMessage {
    /// The partition of the instance that receives the message.
    pub target: PartitionId,
    /// The partition that sent the message.
    pub source: PartitionId,
    /// The number of the message. The numbers of one source rise.
    pub sequence: u64,
    /// The message.
    pub message: TaskMessage,
}

/// The id of a request. If the request is stored as a message, the message has the same id.
///
/// ```
/// use durable::store::RequestId;
///
/// assert_ne!(RequestId::generate(), RequestId::generate());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub MessageId);

impl ReceivedMessage {
    /// Creates a message from a partition of another node.
    ///
    /// ```
    /// # use durable::InstanceId;
    /// # use durable::protocol::{EventKind, MessageId, PartitionId, TaskMessage};
    /// use durable::store::ReceivedMessage;
    ///
    /// # let id = InstanceId::new("order-17")?;
    /// # let event = EventKind::OrchestratorStarted;
    /// let message = TaskMessage::new(MessageId::from_u128(1), id, event);
    /// let received = ReceivedMessage::new(PartitionId(0), (PartitionId(3), 17), message);
    /// assert_eq!(received.sequence, 17);
    /// # Ok::<(), durable::protocol::InvalidInstanceId>(())
    /// ```
    pub fn new(
        target: PartitionId,
        (source, sequence): (PartitionId, u64),
        message: TaskMessage,
    ) -> Self {
        Self { target, source, sequence, message }
    }
}

impl RequestId {
    /// Makes a unique id.
    ///
    /// ```
    /// use durable::store::RequestId;
    ///
    /// assert_ne!(RequestId::generate(), RequestId::generate());
    /// ```
    pub fn generate() -> Self {
        Self(MessageId::generate())
    }
}
