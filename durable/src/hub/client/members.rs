//! The processes that share the hub.

use crate::hub::error::HubError;
use crate::hub::task_hub::TaskHub;
use crate::protocol::PartitionId;
use crate::store::{Member, Members, Node};

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
}
