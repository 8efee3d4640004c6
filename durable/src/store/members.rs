//! The processes that share a hub, and the partitions that each of them owns, as clients see them.

use serde::{Deserialize, Serialize};

use crate::protocol::{PartitionId, Timestamp};

/// A process that has opened the hub.
///
/// ```
/// use durable::store::Node;
///
/// let mut node = Node::new("web-1");
/// node.is_client = true;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Node {
    /// A name for people; by default the host name and the process id.
    pub name: String,
    /// Whether the node owns no partitions and only sends requests to other nodes.
    pub is_client: bool,
}

/// The nodes of a hub and what they own.
///
/// ```
/// # use durable::TaskHub;
/// use durable::client::HubError;
///
/// async fn print(hub: &TaskHub) -> Result<(), HubError> {
///     let members = hub.members().await?;
///     for member in &members.nodes {
///         println!("{} owns {} partitions", member.node.name, member.partitions.len());
///     }
///     println!("{} partitions are parked", members.parked.len());
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Members {
    /// All nodes that were seen recently, in the order of their names.
    pub nodes: Vec<Member>,
    /// The partitions that no node owns, except the parked ones.
    pub free: Vec<PartitionId>,
    /// The partitions that no node may claim, because some of their stored data cannot be read.
    /// [`TaskHub::retry_partition`](crate::TaskHub::retry_partition) lets nodes claim them again.
    #[serde(default)]
    pub parked: Vec<ParkedPartition>,
    /// The partitions for which an operator has [named](crate::TaskHub::pin_partition) the node that
    /// should own them.
    #[serde(default)]
    pub pinned: Vec<PinnedPartition>,
    /// The partitions that an operator has [frozen](crate::TaskHub::freeze_partition).
    #[serde(default)]
    pub frozen: Vec<FrozenPartition>,
}

/// A partition for which an operator has named the node that should own it.
///
/// ```
/// use durable::store::Members;
///
/// fn print(members: &Members) {
///     for pinned in &members.pinned {
///         println!("{} should be owned by {}", pinned.partition, pinned.node);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PinnedPartition {
    /// The partition.
    pub partition: PartitionId,
    /// The name of the node.
    pub node: String,
}

/// A frozen partition, which stays with its owner.
///
/// ```
/// use durable::store::Members;
///
/// fn print(members: &Members) {
///     for frozen in &members.frozen {
///         println!("{} does not move: {}", frozen.partition, frozen.reason);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FrozenPartition {
    /// The partition.
    pub partition: PartitionId,
    /// Why it was frozen.
    pub reason: String,
}

/// A partition that no node may claim.
///
/// ```
/// use durable::TaskHub;
/// use durable::client::HubError;
///
/// /// Retries all parked partitions after a repair.
/// async fn retry(hub: &TaskHub) -> Result<(), HubError> {
///     for parked in hub.members().await?.parked {
///         println!("{}: {}", parked.partition, parked.reason);
///         hub.retry_partition(parked.partition).await?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ParkedPartition {
    /// The partition.
    pub partition: PartitionId,
    /// Why it was parked.
    pub reason: String,
}

/// A node of a hub, as the other nodes see it.
///
/// ```
/// use durable::store::Members;
///
/// /// The names of the other processes.
/// fn others(members: &Members) -> Vec<&str> {
///     let others = members.nodes.iter().filter(|member| !member.is_this);
///     others.map(|member| &*member.node.name).collect()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Member {
    /// The name and kind of the node.
    pub node: Node,
    /// Whether this is the node that was asked.
    pub is_this: bool,
    /// When the node joined, by the store's clock.
    pub joined_at: Timestamp,
    /// When the node was last seen, by the store's clock.
    pub seen_at: Timestamp,
    /// The partitions that the node owns.
    pub partitions: Vec<PartitionId>,
}

impl Node {
    /// Creates a node that owns partitions.
    ///
    /// ```
    /// use durable::store::Node;
    ///
    /// assert!(!Node::new("worker-1").is_client);
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), is_client: false }
    }
}

impl Members {
    /// Creates a list of the nodes of a hub, which it sorts by name, and of the partitions that no
    /// node owns.
    ///
    /// ```
    /// use durable::protocol::Timestamp;
    /// use durable::store::{Member, Members, Node};
    ///
    /// let now = Timestamp::default();
    /// let node = |name: &str| Member::new(Node::new(name), false, (now, now), Vec::new());
    /// let members = Members::new(vec![node("worker-2"), node("worker-1")], Vec::new());
    /// assert_eq!(members.nodes[0].node.name, "worker-1");
    /// ```
    pub fn new(nodes: Vec<Member>, free: Vec<PartitionId>) -> Self {
        let mut members = Self { nodes, free, ..Self::default() };
        members.nodes.sort_by(|one, other| one.node.name.cmp(&other.node.name));
        members
    }

    /// Returns the node that owns a partition.
    ///
    /// ```
    /// use durable::protocol::PartitionId;
    /// use durable::store::Members;
    ///
    /// assert!(Members::default().owner(PartitionId(0)).is_none());
    /// ```
    pub fn owner(&self, partition: PartitionId) -> Option<&Member> {
        self.nodes.iter().find(|member| member.partitions.contains(&partition))
    }
}

impl ParkedPartition {
    /// Creates the entry of a partition that was parked for this reason.
    ///
    /// ```
    /// use durable::protocol::PartitionId;
    /// use durable::store::{Members, ParkedPartition};
    ///
    /// let mut members = Members::default();
    /// members.parked.push(ParkedPartition::new(PartitionId(3), "a message cannot be decoded"));
    /// assert_eq!(members.parked[0].partition, PartitionId(3));
    /// ```
    pub fn new(partition: PartitionId, reason: impl Into<String>) -> Self {
        Self { partition, reason: reason.into() }
    }
}

impl PinnedPartition {
    /// Creates the entry of a partition that the node with this name should own.
    ///
    /// ```
    /// use durable::protocol::PartitionId;
    /// use durable::store::PinnedPartition;
    ///
    /// assert_eq!(PinnedPartition::new(PartitionId(3), "worker-1").node, "worker-1");
    /// ```
    pub fn new(partition: PartitionId, node: impl Into<String>) -> Self {
        Self { partition, node: node.into() }
    }
}

impl FrozenPartition {
    /// Creates the entry of a partition that was frozen for this reason.
    ///
    /// ```
    /// use durable::protocol::PartitionId;
    /// use durable::store::FrozenPartition;
    ///
    /// assert_eq!(FrozenPartition::new(PartitionId(3), "for a look").reason, "for a look");
    /// ```
    pub fn new(partition: PartitionId, reason: impl Into<String>) -> Self {
        Self { partition, reason: reason.into() }
    }
}

impl Member {
    /// Creates the entry of a node, with the times at which it joined and was last seen.
    ///
    /// ```
    /// use durable::protocol::Timestamp;
    /// use durable::store::{Member, Node};
    ///
    /// let now = Timestamp::default();
    /// let member = Member::new(Node::new("worker-1"), true, (now, now), Vec::new());
    /// assert!(member.is_this);
    /// ```
    pub fn new(
        node: Node,
        is_this: bool,
        (joined_at, seen_at): (Timestamp, Timestamp),
        partitions: Vec<PartitionId>,
    ) -> Self {
        Self { node, is_this, joined_at, seen_at, partitions }
    }
}
