//! Parked partitions, some of whose stored data cannot be read. No node claims them, and requests
//! to them are refused, until an operator retries them.

use std::collections::BTreeMap;

use durable::protocol::{MessageId, PartitionId};
use durable::store::{Epoch, ParkedPartition, RequestId, StoreError};
use uuid::Uuid;

use super::Identity;
use crate::{PostgresStore, keys};

/// The unanswered requests of a node to these partitions.
const OPEN: &str = "
    SELECT id, key FROM request
        WHERE node = $1 AND state < 2 AND substring(key FROM 1 FOR 2) = ANY($2::bytea[])";

impl PostgresStore {
    pub(super) async fn park_partition(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        reason: &str,
    ) -> Result<(), StoreError> {
        let me = self.nodes.joined()?;
        // Raises the epoch, so that no late commit of this node is accepted.
        let park = "UPDATE partition SET owner = NULL, epoch = epoch + 1, broken = $4
                    WHERE id = $1 AND epoch = $2 AND owner = $3";
        let (id, number) = (i32::from(partition.0), epoch.0.cast_signed());
        // PostgreSQL cannot store this character in a text.
        let reason = reason.replace('\0', "");
        let doing = "cannot park a partition";
        self.sessions.query(doing, park, &[&id, &number, &me.id, &reason]).await?;
        self.forget_partition(partition, epoch);
        self.wake_others(&me);
        Ok(())
    }

    pub(super) async fn unpark_partition(
        &self,
        partition: PartitionId,
    ) -> Result<bool, StoreError> {
        let me = self.nodes.joined()?;
        let unpark = "UPDATE partition SET broken = NULL WHERE id = $1 AND broken IS NOT NULL
                      RETURNING id";
        let id = i32::from(partition.0);
        let unparked = self.sessions.query("cannot unpark a partition", unpark, &[&id]).await?;
        self.wake_others(&me);
        Ok(!unparked.is_empty())
    }

    /// Withdraws the requests of this node to parked partitions, unless they are answered.
    pub(super) async fn withdraw_requests(
        &self,
        me: &Identity,
        parked: Vec<ParkedPartition>,
    ) -> Result<Vec<(RequestId, ParkedPartition)>, StoreError> {
        if parked.is_empty() {
            return Ok(Vec::new());
        }
        let parked: BTreeMap<_, _> =
            parked.into_iter().map(|parked| (keys::partition(parked.partition), parked)).collect();
        let targets: Vec<_> = parked.keys().collect();
        let doing = "cannot withdraw requests to parked partitions";
        // Two statements, because the response to a single one that also deletes could be lost.
        let open = self.sessions.query(doing, OPEN, &[&me.id, &targets]).await?;
        let open: Vec<(Uuid, Vec<u8>)> = open.iter().map(|row| (row.get(0), row.get(1))).collect();
        let ids = open.iter().map(|(id, _)| RequestId(MessageId::from_u128(id.as_u128())));
        let ids: Vec<_> = ids.collect();
        if !ids.is_empty() {
            self.withdraw_from_node(&ids).await?;
        }
        let refused = open.iter().filter_map(|(id, key)| {
            let parked = parked.get(key.get(..2)?)?;
            Some((RequestId(MessageId::from_u128(id.as_u128())), parked.clone()))
        });
        Ok(refused.collect())
    }
}
