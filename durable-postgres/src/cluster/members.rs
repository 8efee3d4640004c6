//! The nodes of a hub, as operators see them.

use std::collections::BTreeMap;

use durable::protocol::{PartitionId, Timestamp};
use durable::store::{
    FrozenPartition, Member, Members, Node, ParkedPartition, PinnedPartition, StoreError,
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::view;
use crate::PostgresStore;

/// The nodes whose lease has not expired.
const MEMBERS: &str = "
    SELECT id, name, is_client, (extract(epoch FROM joined_at) * 1000000)::int8,
        (extract(epoch FROM seen_at) * 1000000)::int8
    FROM node WHERE seen_at >= now() - lease ORDER BY name, id";

impl PostgresStore {
    pub(super) async fn all_members(&self) -> Result<Members, StoreError> {
        let rows = self.sessions.query("cannot read the nodes", MEMBERS, &[]).await?;
        let me = self.nodes.identity().map(|me| me.id);
        let mut partitions: BTreeMap<Option<Uuid>, Vec<PartitionId>> = BTreeMap::new();
        let mut broken = BTreeMap::new();
        let (mut pinned, mut frozen) = (Vec::new(), Vec::new());
        for found in view::partitions(self).await? {
            partitions.entry(found.owner).or_default().push(found.partition);
            pinned.extend(found.pin.map(|node| PinnedPartition::new(found.partition, node)));
            frozen.extend(found.frozen.map(|why| FrozenPartition::new(found.partition, why)));
            broken.extend(found.broken.map(|reason| (found.partition, reason)));
        }
        let mut member = |row: &Row| {
            let id: Uuid = row.get(0);
            let mut node = Node::new(row.get::<_, String>(1));
            node.is_client = row.get(2);
            let at = |micros| Timestamp::from_micros(micros).unwrap_or_default();
            let times = (at(row.get(3)), at(row.get(4)));
            Member::new(
                node,
                me == Some(id),
                times,
                partitions.remove(&Some(id)).unwrap_or_default(),
            )
        };
        let nodes = rows.iter().map(&mut member).collect();
        // Including the partitions of owners that have left.
        let mut free: Vec<_> = partitions.into_values().flatten().collect();
        free.sort_unstable();
        let is_parked = |partition: &mut PartitionId| broken.contains_key(partition);
        let parked = free.extract_if(.., is_parked).collect::<Vec<_>>().into_iter();
        let parked = parked.filter_map(|it| Some(ParkedPartition::new(it, broken.get(&it)?)));
        let parked = parked.collect();
        let mut members = Members::new(nodes, free);
        (members.parked, members.pinned, members.frozen) = (parked, pinned, frozen);
        Ok(members)
    }
}
