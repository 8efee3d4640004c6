//! How the processes that share a hub divide its partitions, and how they reach each other.

use std::fmt;
use std::time::Duration;

use super::members::{Members, Node, ParkedPartition};
use super::{Epoch, ReceivedMessage, RequestId, StoreError};
use crate::protocol::{PartitionId, Timestamp};

/// The interface of a store that several processes share. Each process that opens the hub is a
/// *node*, and a partition is owned by at most one node at a time.
///
/// The hub does not [`claim`](super::Store::claim) partitions of such a store (see
/// [`Store::cluster`](super::Store::cluster)). The hub joins as a node, calls
/// [`assign`](Self::assign) about once a second, and starts and stops partitions as it gains and
/// loses them.
///
/// # Contract
/// 1. *One owner.* Ownership of a partition is identified by an [`Epoch`], which rises with each
///    change of owner. A commit under an old epoch writes nothing and fails with
///    [`StoreError::Fenced`], which names all partitions of the commit that were lost. To learn
///    whether it still owns its partitions, a hub makes a commit that has
///    [owners](super::Commit::owners) and nothing else.
/// 2. *Messages between nodes.* A commit [sends](super::Commit::sent) messages to partitions of
///    other nodes. The owner of the target [receives](Self::receive) each of them and commits it as
///    [received](super::Commit::received), which makes it a message of the partition. Within one
///    ownership, [`receive`](Self::receive) returns a message once. If the message was not
///    committed before the partition changed hands, the next owner receives it.
/// 3. *Causal order.* The messages of one partition are received in the order in which that
///    partition committed them. If a message was committed after its sender had received another
///    message, or an effect of that message, a node that receives both receives the other message
///    first.
/// 4. *Requests.* A request is delivered to the owner of its target. A commit that
///    [answers](super::Commit::answers) or [takes](super::Commit::taken) the request ends its
///    delivery, and the node that asked receives the answer. If the owner loses the partition
///    before that, the next owner receives the request. Each request therefore takes effect once.
/// 5. *Parked partitions.* A [parked](Self::park) partition is not claimed, and requests to it are refused,
///    until it is [unparked](Self::unpark). Its stored data does not change.
/// 6. *One clock.* Leases are measured by the clock of the store, never by that of a node. The
///    nodes of a hub follow the store's clock, too, if the store provides its [time](Self::time).
///
/// As in [`Store`](super::Store), methods block and are called from several threads at once.
///
/// ```
/// use durable::store::{Cluster, Epoch, StoreError};
/// use durable::protocol::PartitionId;
///
/// /// What the thread `durable-nodes` does about once a second.
/// fn renew(cluster: &dyn Cluster, owned: &[(PartitionId, Epoch)]) -> Result<(), StoreError> {
///     let assignment = cluster.assign(owned)?;
///     for (partition, epoch) in &assignment.gained {
///         println!("this process owns partition {partition} now, with epoch {}", epoch.0);
///     }
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not let processes share a hub",
    label = "expected a type that implements `durable::store::Cluster`"
)]
pub trait Cluster: Send + Sync + fmt::Debug {
    /// Adds this process to the nodes of the hub, or updates its registration.
    ///
    /// # Errors
    /// The store failed.
    fn join(&self, node: &Node) -> Result<(), StoreError>;

    /// Renews the node's registration and its leases, claims free partitions that this node should
    /// own, and returns what has changed. `owned` lists the partitions that run here. A partition
    /// that the node owns but that `owned` does not list is claimed again, for example because the
    /// answer to the earlier claim was lost, or an attempt to release the partition failed.
    ///
    /// # Errors
    /// The store failed. The leases then run on until they expire.
    fn assign(&self, owned: &[(PartitionId, Epoch)]) -> Result<Assignment, StoreError>;

    /// Gives up a partition, so that another node can claim it at once. Nothing happens if this node
    /// no longer owns it.
    ///
    /// # Errors
    /// The store failed. The lease then expires by itself.
    fn release(&self, partition: PartitionId, epoch: Epoch) -> Result<(), StoreError>;

    /// Gives up a partition whose stored data cannot be read, and stores the reason. No node claims it
    /// before it is [unparked](Self::unpark). Nothing happens if this node no longer owns it.
    ///
    /// # Errors
    /// The store failed, or cannot park partitions, which is the default. The hub then
    /// [releases](Self::release) the partition.
    fn park(&self, partition: PartitionId, epoch: Epoch, reason: &str) -> Result<(), StoreError> {
        let _ = (partition, epoch, reason);
        Err(StoreError::Unsupported { what: "parked partitions".into() })
    }

    /// Lets nodes claim a [parked](Self::park) partition again. Returns whether it was parked.
    ///
    /// # Errors
    /// The store failed, or cannot park partitions, which is the default.
    fn unpark(&self, partition: PartitionId) -> Result<bool, StoreError> {
        let _ = partition;
        Err(StoreError::Unsupported { what: "parked partitions".into() })
    }

    /// Sets the node that should own a partition; `None` removes the setting. The partition moves
    /// to that node and stays there. While the hub has no node of this name, the partition is
    /// treated like the others.
    ///
    /// # Errors
    /// The store failed, or cannot pin partitions, which is the default.
    fn pin(&self, partition: PartitionId, node: Option<&str>) -> Result<(), StoreError> {
        let _ = (partition, node);
        Err(StoreError::Unsupported { what: "pinned partitions".into() })
    }

    /// Freezes a partition for a reason; `None` unfreezes it. A frozen partition stays with its
    /// owner, and no node claims it, even if its owner has ended.
    ///
    /// # Errors
    /// The store failed, or cannot freeze partitions, which is the default.
    fn freeze(&self, partition: PartitionId, reason: Option<&str>) -> Result<(), StoreError> {
        let _ = (partition, reason);
        Err(StoreError::Unsupported { what: "frozen partitions".into() })
    }

    /// Waits until messages, requests or answers for this node have arrived, but at most for
    /// `wait`, and returns them. Messages and requests are returned only for the partitions in
    /// `owned`, the messages in causal order. If `wait` is zero, everything that was committed
    /// before the call is returned, unless [`has_more`](Received::has_more) is set.
    ///
    /// # Errors
    /// The store failed.
    fn receive(
        &self,
        owned: &[(PartitionId, Epoch)],
        wait: Duration,
    ) -> Result<Received, StoreError>;

    /// Ends a [`receive`](Self::receive) that waits, because the partitions of this node have changed.
    fn interrupt(&self);

    /// Sends a request to the owner of a partition, whose answer comes back to this node. If the
    /// store already knows the id of the request, because a commit has
    /// [taken](super::Commit::taken) or [answered](super::Commit::answers) it, the request is not
    /// delivered again.
    ///
    /// # Errors
    /// The store failed, or the partition is [parked](StoreError::Parked).
    fn ask(&self, request: &ClusterRequest) -> Result<(), StoreError>;

    /// Withdraws requests of this node whose clients have gone: the requests are not delivered any
    /// more, and their answers are not returned. A request that was already delivered may still be
    /// carried out. A request that is already answered stays until its answer is received. By
    /// default nothing is withdrawn.
    ///
    /// # Errors
    /// The store failed. The hub then tries again.
    fn withdraw(&self, requests: &[RequestId]) -> Result<(), StoreError> {
        let _ = requests;
        Ok(())
    }

    /// Returns the nodes of the hub, and which of them owns which partition.
    ///
    /// # Errors
    /// The store failed.
    fn members(&self) -> Result<Members, StoreError>;

    /// Returns the current time by the clock of the store. The nodes of a hub follow this clock
    /// instead of those of their machines, because a timer that was created on one node may fire on
    /// another. By default returns `None`, and each node follows the clock of its machine.
    ///
    /// # Errors
    /// The store failed.
    fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    /// Removes this node. Partitions that it still owns become free.
    ///
    /// # Errors
    /// The store failed.
    fn leave(&self) -> Result<(), StoreError>;
}

/// What has changed since the last [`assign`](Cluster::assign).
///
/// ```
/// use durable::store::Assignment;
///
/// assert!(Assignment::default().is_empty()); // nothing has changed
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assignment {
    /// Partitions that were claimed for this node, with the epoch of the claim.
    pub gained: Vec<(PartitionId, Epoch)>,
    /// Partitions that this node no longer owns.
    pub lost: Vec<PartitionId>,
    /// Partitions that another node should own: finish the work at hand, then call
    /// [`release`](Cluster::release).
    pub to_release: Vec<PartitionId>,
    /// The gained partitions whose former owner did not [release](Cluster::release) them, because
    /// its process has ended or does not answer. The hub counts this against the instances that
    /// were running there, so that an instance that ends its process is recognized.
    pub orphaned: Vec<PartitionId>,
    /// Requests of this node that were withdrawn because their partition is parked. They get no answer.
    pub refused: Vec<(RequestId, ParkedPartition)>,
}

/// What has arrived from other nodes.
///
/// ```
/// use durable::store::{Cluster, Received, StoreError};
/// use std::time::Duration;
///
/// /// Takes what has arrived for a process that owns no partitions: answers only.
/// fn answers(cluster: &dyn Cluster) -> Result<usize, StoreError> {
///     let Received { answers, .. } = cluster.receive(&[], Duration::from_secs(1))?;
///     Ok(answers.len())
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Messages to owned partitions, in causal order.
    pub messages: Vec<ReceivedMessage>,
    /// Requests to owned partitions.
    pub requests: Vec<ClusterRequest>,
    /// Answers to requests of this node, each of which is returned once.
    pub answers: Vec<(RequestId, String)>,
    /// Owned partitions for which unreadable data has arrived, each with the reason. The hub
    /// [parks](Cluster::park) them.
    pub unreadable: Vec<(PartitionId, String)>,
    /// Whether partitions may have become free, or nodes have come or gone: the hub then calls
    /// [`assign`](Cluster::assign) at once.
    pub has_changed: bool,
    /// Whether more had arrived when [`receive`](Cluster::receive) was called, so that the next call
    /// returns at once.
    pub has_more: bool,
}

/// A request of a client to the owner of a partition. The hub encodes its content.
///
/// ```
/// use durable::protocol::PartitionId;
/// use durable::store::{ClusterRequest, RequestId};
///
/// let request = ClusterRequest::new(RequestId::generate(), PartitionId(3), r#"{"Count":1}"#);
/// assert_eq!(request.target, PartitionId(3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterRequest {
    /// The id of the request.
    pub id: RequestId,
    /// The partition whose owner answers the request.
    pub target: PartitionId,
    /// The content of the request, as JSON.
    pub body: String,
}

impl Assignment {
    /// Returns `true` if nothing has changed.
    ///
    /// ```
    /// use durable::store::Assignment;
    ///
    /// assert!(Assignment::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        let Self { gained, lost, to_release, orphaned: _, refused } = self;
        gained.is_empty() && lost.is_empty() && to_release.is_empty() && refused.is_empty()
    }
}

impl ClusterRequest {
    /// Creates a request to the owner of a partition.
    ///
    /// ```
    /// use durable::protocol::PartitionId;
    /// use durable::store::{ClusterRequest, RequestId};
    ///
    /// let request = ClusterRequest::new(RequestId::generate(), PartitionId(3), "{}");
    /// assert_eq!(request.target, PartitionId(3));
    /// ```
    pub fn new(id: RequestId, target: PartitionId, body: impl Into<String>) -> Self {
        Self { id, target, body: body.into() }
    }
}
