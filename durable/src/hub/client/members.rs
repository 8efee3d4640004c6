//! The processes that share the hub.

use crate::hub::error::HubError;
use crate::hub::task_hub::TaskHub;
use crate::protocol::PartitionId;
use crate::store::{Cluster, Member, Members, Node, Store, StoreError};

impl TaskHub {
    /// Returns the processes that share the hub, and the partitions that each of them owns. If the
    /// store belongs to one process, that process is the only one.
    ///
    /// ```
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

    /// Lets a process own a [parked](Members::parked) partition again. Returns whether the
    /// partition was parked. If its stored data still cannot be read, it is parked again.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let hub = TaskHub::builder().in_memory().open().await?;
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
        self.look_again();
        Ok(was_parked)
    }

    /// Pins a partition to the process with this [name](crate::client::TaskHubBuilder::node_name),
    /// or unpins it. A pinned partition moves to that process and stays with it. While no process
    /// has this name, the partition is treated like the others. [`Members::pinned`] lists the
    /// pinned partitions.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::protocol::PartitionId;
    /// # #[cfg(feature = "testing")]
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let store = durable::testing::MemoryCluster::default().node();
    /// let hub = TaskHub::builder().store(store).node_name("worker-1").open().await?;
    /// hub.pin_partition(PartitionId(3), Some("worker-1")).await?;
    /// assert_eq!(hub.members().await?.pinned[0].node, "worker-1");
    /// hub.pin_partition(PartitionId(3), None).await?;
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "testing"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// [`HubError::NotShared`] if the hub belongs to one process; another error if the hub was shut
    /// down, or its store failed.
    pub async fn pin_partition(
        &self,
        partition: PartitionId,
        process: Option<&str>,
    ) -> Result<(), HubError> {
        let process = process.map(str::to_owned);
        self.in_cluster(move |cluster| cluster.pin(partition, process.as_deref())).await
    }

    /// Freezes a partition for a reason, or unfreezes it. A frozen partition stays with its owner, and no
    /// process takes it over, even if its owner ends: its instances then pause. [`Members::frozen`]
    /// lists the frozen partitions.
    ///
    /// # Errors
    /// [`HubError::NotShared`] if the hub belongs to one process; another error if the hub was shut
    /// down, or its store failed.
    pub async fn freeze_partition(
        &self,
        partition: PartitionId,
        reason: Option<&str>,
    ) -> Result<(), HubError> {
        let reason = reason.map(str::to_owned);
        self.in_cluster(move |cluster| cluster.freeze(partition, reason.as_deref())).await
    }

    async fn in_cluster(
        &self,
        change: impl FnOnce(&dyn Cluster) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), HubError> {
        let is_shared = self.read(move |store| store.cluster().map(change).transpose()).await?;
        is_shared.ok_or(HubError::NotShared)?;
        self.look_again();
        Ok(())
    }

    /// Lets the supervisor of this process look at the partitions at once.
    fn look_again(&self) {
        if let Some(nodes) = &self.inner.nodes {
            nodes.ring();
        }
    }
}
