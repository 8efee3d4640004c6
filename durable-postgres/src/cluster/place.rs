//! Partitions that operators pin to a node, or freeze where they are.

use durable::protocol::PartitionId;
use durable::store::StoreError;

use crate::PostgresStore;

impl PostgresStore {
    pub(super) async fn set_pin(
        &self,
        partition: PartitionId,
        node: Option<&str>,
    ) -> Result<(), StoreError> {
        let set = "UPDATE partition SET pin = $2 WHERE id = $1";
        self.set_place("cannot pin a partition", set, partition, node).await
    }

    pub(super) async fn set_frozen(
        &self,
        partition: PartitionId,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let set = "UPDATE partition SET frozen = $2 WHERE id = $1";
        self.set_place("cannot freeze a partition", set, partition, reason).await
    }

    async fn set_place(
        &self,
        doing: &str,
        set: &'static str,
        partition: PartitionId,
        text: Option<&str>,
    ) -> Result<(), StoreError> {
        let me = self.nodes.joined()?;
        self.sessions.query(doing, set, &[&i32::from(partition.0), &text]).await?;
        self.wake_others(&me);
        Ok(())
    }
}
