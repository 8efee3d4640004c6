//! The rows of nodes and partitions.

use std::collections::BTreeMap;

use durable::protocol::{PartitionId, Timestamp};
use durable::store::{Epoch, StoreError};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Identity, wake};
use crate::PostgresStore;

/// Another node.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) name: String,
    /// Whether the node can own partitions: it is not a client, it renews its row, and its process
    /// has not visibly ended.
    pub(super) is_worker: bool,
    /// Whether the node has been alive for long enough that partitions may be moved to it.
    pub(super) is_stable: bool,
    /// Whether the partitions of the node may be claimed.
    has_lost: bool,
}

/// The other nodes, as of the last renewal of this node.
#[derive(Debug)]
pub(super) struct View {
    pub(super) others: BTreeMap<Uuid, Other>,
}

/// A partition.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) partition: PartitionId,
    pub(super) epoch: Epoch,
    pub(super) owner: Option<Uuid>,
    pub(super) pin: Option<String>,
    pub(super) is_fixed: bool,
    /// Why the partition is frozen, if it is.
    pub(super) frozen: Option<String>,
    /// Why the partition is parked, if it is.
    pub(super) broken: Option<String>,
    /// Whether the partition was claimed long enough ago that it may be moved again.
    pub(super) is_stable: bool,
}

impl View {
    /// The nodes that own partitions.
    pub(super) fn workers(&self, me: &Identity) -> Vec<Uuid> {
        let others = self.others.iter().filter(|(_, other)| other.is_worker);
        let others = others.map(|(id, _)| *id);
        others.chain((!me.node.is_client).then_some(me.id)).collect()
    }

    /// Whether a partition of this owner may be claimed.
    pub(super) fn has_lost(&self, owner: Uuid) -> bool {
        self.others.get(&owner).is_none_or(|other| other.has_lost)
    }
}

/// Writes this node's row, and reads those of the others. For the duration of the read, the
/// statement takes the lock of each silent node, to find out whether the node's process still holds
/// it.
const RENEW: &str = "
    WITH me AS (
        INSERT INTO node (id, name, is_client, joined_at, alive_since, seen_at, lease, lock_key, clock)
            VALUES ($1, $2, $3, now(), now(), now(), $4::float8 * interval '1 second', $5, $6)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, is_client = excluded.is_client,
                seen_at = excluded.seen_at, lock_key = excluded.lock_key,
                clock = greatest(node.clock, excluded.clock),
                alive_since = CASE WHEN node.seen_at < now() - 0.6 * node.lease
                    THEN now() ELSE node.alive_since END),
        streams AS (
            INSERT INTO stream SELECT unnest($7::int8[]), $1 ON CONFLICT DO NOTHING)
    SELECT id, name, is_client, seen_at > now() - 0.6 * lease, alive_since < now() - 0.5 * lease,
        seen_at < now() - lease,
        CASE WHEN lock_key IS NOT NULL AND seen_at < now() - 0.2 * lease
            THEN pg_try_advisory_xact_lock_shared(lock_key) ELSE false END
    FROM node WHERE id <> $1";

/// At least as great as the clock of every present and former node.
const CLOCK: &str = "
    SELECT greatest(coalesce((SELECT clock FROM hub), 0), coalesce((SELECT max(clock) FROM node), 0))";

const PARTITIONS: &str = "
    SELECT id, epoch, owner, pin, frozen IS NOT NULL OR broken IS NOT NULL,
        coalesce(claimed_at < now() - $1::float8 * interval '0.5 second', true), broken, frozen
    FROM partition ORDER BY id";

/// Renews this node, and reads the others.
pub(super) async fn renew(store: &PostgresStore, me: &Identity) -> Result<View, StoreError> {
    let doing = "cannot renew the registration of this node";
    let lease = store.sessions.options().lease.as_secs_f64();
    let lock_key = store.nodes.wake().is_listening().then(|| wake::lock_key(me.id));
    let clock = store.nodes.clock.reserved().cast_signed();
    let streams = [me.commits, me.asks].map(u64::cast_signed);
    let (name, streams) = (&me.node.name, &streams[..]);
    let renewed = store
        .sessions
        .query(
            doing,
            RENEW,
            &[&me.id, name, &me.node.is_client, &lease, &lock_key, &clock, &streams],
        )
        .await?;
    let others = renewed.iter().map(|row| (row.get(0), Other::read(row))).collect();
    Ok(View { others })
}

/// Raises the clock of this node above those of all others, because it continues their work.
pub(super) async fn raise_clock(store: &PostgresStore) -> Result<(), StoreError> {
    let rows = store.sessions.query("cannot read the clocks of the nodes", CLOCK, &[]).await?;
    if let Some(row) = rows.first() {
        store.nodes.clock.raise(row.get::<_, i64>(0).cast_unsigned());
    }
    Ok(())
}

/// The time of the database.
pub(super) async fn time(store: &PostgresStore) -> Result<Timestamp, StoreError> {
    let doing = "cannot read the clock of the database";
    let select = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
    let rows = store.sessions.query(doing, select, &[]).await?;
    let time = rows.first().and_then(|row| Timestamp::from_micros(row.get(0)));
    time.ok_or_else(|| StoreError::damaged("the clock of the database reads no time"))
}

/// All streams.
pub(super) async fn streams(store: &PostgresStore) -> Result<Vec<u64>, StoreError> {
    let rows =
        store.sessions.query("cannot read the streams", "SELECT id FROM stream", &[]).await?;
    Ok(rows.iter().map(|row| row.get::<_, i64>(0).cast_unsigned()).collect())
}

pub(super) async fn partitions(store: &PostgresStore) -> Result<Vec<Found>, StoreError> {
    let lease = store.sessions.options().lease.as_secs_f64();
    let rows = store.sessions.query("cannot read the partitions", PARTITIONS, &[&lease]).await?;
    rows.iter().map(Found::read).collect()
}

impl Other {
    fn read(row: &Row) -> Self {
        let (is_client, is_recent): (bool, bool) = (row.get(2), row.get(3));
        let (is_expired, is_gone): (bool, bool) = (row.get(5), row.get(6));
        Self {
            name: row.get(1),
            is_worker: !is_client && is_recent && !is_gone,
            is_stable: row.get(4),
            has_lost: is_expired || is_gone,
        }
    }
}

impl Found {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let id = u16::try_from(row.get::<_, i32>(0));
        let id =
            id.map_err(|_| StoreError::damaged("a partition has a number that is too large"))?;
        Ok(Self {
            partition: PartitionId(id),
            epoch: Epoch(row.get::<_, i64>(1).cast_unsigned()),
            owner: row.get(2),
            pin: row.get(3),
            is_fixed: row.get(4),
            is_stable: row.get(5),
            broken: row.get(6),
            frozen: row.get(7),
        })
    }
}
