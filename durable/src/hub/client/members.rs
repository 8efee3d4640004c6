//! The processes that share the hub.

use crate::hub::error::HubError;
use crate::hub::task_hub::TaskHub;
use crate::protocol::PartitionId;
use crate::store::{Member, Members, Node, Store};

impl TaskHub {
    /// The processes that share the hub, and the partitions that each of them owns. A hub whose store
    /// belongs to one process has that one.
    ///
    /// ```standalone_crate
    /// # use durable::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// let members = hub.members().await?;
    /// assert_eq!(members.nodes.len(), 1);
    /// assert_eq!(members.nodes[0].partitions.len(), 4);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    pub async fn members(&self) -> Result<Members, HubError> {
        let (now, partitions) = (self.now(), self.inner.mailboxes.count());
        self.read(move |store| match store.cluster() {
            Some(cluster) => cluster.members(),
            None => {
                let node = Node::new(format!("process {}", std::process::id()));
                let partitions = (0..partitions).map(PartitionId).collect();
                Ok(Members::new(vec![Member::new(node, true, (now, now), partitions)], Vec::new()))
            }
        })
        .await
    }

    /// Lets a process own a [parked](Members::parked) partition again. Returns whether it was
    /// parked. If its stored data still cannot be read, it is parked again.
    ///
    /// ```standalone_crate
    /// # use durable::prelude::*;
    /// # use durable::testing::MemoryCluster;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let store = MemoryCluster::default().node();
    /// let hub = TaskHub::builder().store(store).open().await?;
    /// for parked in hub.members().await?.parked {
    ///     println!("partition {}: {}", parked.partition, parked.reason);
    ///     hub.retry_partition(parked.partition).await?;
    /// }
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    pub async fn retry_partition(&self, partition: PartitionId) -> Result<bool, HubError> {
        let unpark = move |store: &dyn Store| match store.cluster() {
            Some(cluster) => cluster.unpark(partition),
            None => Ok(false),
        };
        let was_parked = self.read(unpark).await?;
        if let Some(nodes) = &self.inner.nodes {
            nodes.ring();
        }
        Ok(was_parked)
    }
}
