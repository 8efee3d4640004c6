//! Renewing this node, and claiming and giving up partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use durable::protocol::PartitionId;
use durable::store::{Assignment, Epoch, ParkedPartition, StoreError};
use uuid::Uuid;

use super::balance::{self, Place};
use super::view::{self, Found, View};
use super::{Identity, Known};
use crate::PostgresStore;
use crate::owned::Owned;
use crate::read::{self, OfPartitions};

/// The number of calls between two searches for leftovers of other nodes.
const CLEAN_EVERY: u64 = 60;

/// Claims the partitions whose rows have not changed since they were read. A row that a commit has
/// locked is left out, because its owner is still alive.
const CLAIM: &str = "
    WITH free AS (
        SELECT p.id FROM partition p JOIN unnest($1::int4[], $2::int8[]) o(id, epoch)
            ON p.id = o.id AND p.epoch = o.epoch WHERE p.frozen IS NULL AND p.broken IS NULL
            ORDER BY p.id FOR UPDATE OF p SKIP LOCKED)
    UPDATE partition p SET owner = $3, epoch = p.epoch + 1, claimed_at = now()
        FROM free WHERE p.id = free.id RETURNING p.id, p.epoch";

/// Deletes nodes that left long ago. Nodes that own a partition are kept.
const FORGET_NODES: &str = "
    WITH gone AS (
        DELETE FROM node WHERE seen_at < now() - greatest(interval '1 minute', 6 * lease)
            AND NOT EXISTS (SELECT 1 FROM partition WHERE owner = node.id) RETURNING clock)
    UPDATE hub SET clock = greatest(hub.clock, (SELECT max(clock) FROM gone))
        WHERE EXISTS (SELECT 1 FROM gone)";

/// Deletes streams from which everything has been received.
const FORGET_STREAMS: &str = "
    DELETE FROM stream s WHERE NOT EXISTS (SELECT 1 FROM node WHERE id = s.node) AND NOT EXISTS (
        SELECT 1 FROM (
            SELECT substring(int4send(id) FROM 3) || int8send(s.id) FROM partition
            UNION ALL SELECT '\\xffff'::bytea || uuid_send(id) || int8send(s.id) FROM node) t(prefix)
        WHERE EXISTS (SELECT 1 FROM outbox
            WHERE key > prefix AND key < prefix || '\\xffffffffffffffffff'::bytea))";

/// Deletes requests that no client waits for any more.
const FORGET_REQUESTS: &str = "
    WITH gone AS (
        DELETE FROM request r WHERE at < now() - interval '10 minutes'
            AND NOT EXISTS (SELECT 1 FROM node WHERE id = r.node) RETURNING key)
    DELETE FROM outbox WHERE key = ANY(ARRAY(SELECT key FROM gone WHERE key IS NOT NULL))";

/// Deletes answers to nodes that have left.
const FORGET_ANSWERS: &str = "
    DELETE FROM outbox WHERE key >= '\\xffff'::bytea
        AND NOT EXISTS (SELECT 1 FROM node WHERE uuid_send(id) = substring(outbox.key FROM 3 FOR 16))";

impl PostgresStore {
    pub(super) async fn assign_partitions(
        &self,
        listed: &[(PartitionId, Epoch)],
    ) -> Result<Assignment, StoreError> {
        let me = self.nodes.joined()?;
        let view = view::renew(self, &me).await?;
        let found = view::partitions(self).await?;
        self.remember_view(&view, &found, &me).await?;
        let lost = self.lost(&me, listed, &found);
        let wanted = balance::wanted(&view.workers(&me), &places(&view, &found, &me));
        let is_wanted = |found: &&Found| wanted.get(&found.partition) == Some(&Some(me.id));
        let is_mine = |found: &&Found| found.owner == Some(me.id);
        let free = found.iter().filter(|found| is_free(&view, found, &me, listed));
        let free = free.filter(|found| is_wanted(found) || is_mine(found));
        let free: Vec<_> = free.map(|found| (found.partition, found.epoch)).collect();
        let gained = if free.is_empty() { Vec::new() } else { self.claim_all(&me, &free).await? };
        let to_release = to_release(&view, &found, &wanted, &me);
        let mut assignment = Assignment::default();
        let orphaned = gained.iter().map(|(partition, _)| *partition).filter(|gained| {
            let former = found.iter().find(|found| found.partition == *gained);
            former.is_some_and(|former| former.owner.is_some_and(|owner| owner != me.id))
        });
        assignment.orphaned = orphaned.collect();
        assignment.refused = self.withdraw_requests(&me, parked(&view, &found)).await?;
        (assignment.gained, assignment.lost, assignment.to_release) = (gained, lost, to_release);
        Ok(assignment)
    }

    /// Remembers which nodes to wake, and occasionally deletes rows of nodes that have left.
    async fn remember_view(
        &self,
        view: &View,
        found: &[Found],
        me: &Identity,
    ) -> Result<(), StoreError> {
        let owners = found.iter().filter_map(|found| Some((found.partition, found.owner?)));
        let others: Vec<Uuid> = view.others.keys().copied().collect();
        let (looks, has_changed) = {
            let mut known = self.nodes.known.write().unwrap_or_else(PoisonError::into_inner);
            let (looks, has_changed) = (known.looks + 1, known.others != others);
            *known = Known { owners: owners.collect(), others, looks };
            (looks, has_changed)
        };
        let cleans = looks.is_multiple_of(CLEAN_EVERY);
        if cleans {
            let doing = "cannot remove what other processes have left behind";
            for sql in [FORGET_NODES, FORGET_STREAMS, FORGET_REQUESTS, FORGET_ANSWERS] {
                self.sessions.query(doing, sql, &[]).await?;
            }
        }
        if has_changed || cleans {
            let mut incoming = self.nodes.incoming.lock().await;
            incoming.streams = view::streams(self).await?.into_iter().collect();
            incoming.streams.extend([me.commits, me.asks]);
        }
        if let Ok(mut incoming) = self.nodes.incoming.try_lock() {
            self.delete_answered(&mut incoming).await?;
        }
        Ok(())
    }

    /// Forgets the partitions that this node no longer owns.
    fn lost(
        &self,
        me: &Identity,
        listed: &[(PartitionId, Epoch)],
        found: &[Found],
    ) -> Vec<PartitionId> {
        let now: BTreeMap<_, _> =
            found.iter().map(|found| (found.partition, (found.owner, found.epoch))).collect();
        let is_lost = |(partition, epoch): &(PartitionId, Epoch)| {
            now.get(partition) != Some(&(Some(me.id), *epoch))
        };
        let known = self.targets(|partition, epoch| is_lost(&(partition, epoch)));
        for (partition, epoch) in &known {
            self.forget_partition(*partition, *epoch);
        }
        let listed = listed.iter().copied().filter(is_lost);
        let lost: BTreeSet<_> = listed.chain(known).map(|(partition, _)| partition).collect();
        lost.into_iter().collect()
    }

    /// Claims free partitions, and loads what their owner keeps in memory.
    async fn claim_all(
        &self,
        me: &Identity,
        free: &[(PartitionId, Epoch)],
    ) -> Result<Vec<(PartitionId, Epoch)>, StoreError> {
        view::raise_clock(self).await?;
        let (ids, epochs): (Vec<i32>, Vec<i64>) = free
            .iter()
            .map(|(partition, epoch)| (i32::from(partition.0), epoch.0.cast_signed()))
            .unzip();
        let rows =
            self.sessions.query("cannot claim partitions", CLAIM, &[&ids, &epochs, &me.id]).await?;
        let claimed = rows.iter().map(|row| {
            let partition = u16::try_from(row.get::<_, i32>(0)).unwrap_or(u16::MAX);
            (PartitionId(partition), Epoch(row.get::<_, i64>(1).cast_unsigned()))
        });
        let claimed: BTreeMap<_, _> = claimed.collect();
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        self.load_owned(&claimed).await?;
        self.nodes.incoming.lock().await.hurry();
        let still = self.targets(|partition, epoch| claimed.get(&partition) == Some(&epoch));
        Ok(still.into_iter().collect())
    }

    /// Reads what the owner of these partitions keeps in memory.
    pub(crate) async fn load_owned(
        &self,
        claimed: &BTreeMap<PartitionId, Epoch>,
    ) -> Result<(), StoreError> {
        let partitions: Vec<_> = claimed.keys().copied().collect();
        let mut loaded: BTreeMap<PartitionId, Owned> =
            claimed.iter().map(|(partition, epoch)| (*partition, Owned::new(*epoch))).collect();
        fill(&mut loaded, read::positions(&self.sessions, &partitions).await?, |owned, found| {
            let (id, position) = found;
            owned.positions.insert(id, position);
            owned.next = owned.next.max(position + 1);
        });
        fill(&mut loaded, read::all_active(&self.sessions, &partitions).await?, |owned, id| {
            owned.listed.entry(id).or_default().active = true;
        });
        fill(&mut loaded, read::all_due(&self.sessions, &partitions).await?, |owned, (at, id)| {
            owned.listed.entry(id).or_default().due = Some(at);
        });
        self.owned_mut().extend(loaded);
        Ok(())
    }
}

/// Adds the rows that were found to their partitions. A partition with an unreadable row is
/// nevertheless claimed, so that its owner can park it.
fn fill<T>(
    loaded: &mut BTreeMap<PartitionId, Owned>,
    found: OfPartitions<T>,
    add: impl Fn(&mut Owned, T),
) {
    for (partition, found) in found {
        let Some(owned) = loaded.get_mut(&partition) else { continue };
        match found {
            Ok(found) => add(owned, found),
            Err(damage) => {
                owned.damage.get_or_insert(damage);
            }
        }
    }
}

/// The partitions as they are now.
fn places(view: &View, found: &[Found], me: &Identity) -> Vec<Place> {
    let name = |pin: &String| {
        let others = view.others.iter().filter(|(_, other)| other.is_worker && other.name == *pin);
        let named_me = (me.node.name == *pin).then_some(me.id);
        others.map(|(id, _)| *id).chain(named_me).filter(|id| view.workers(me).contains(id)).min()
    };
    let is_alive = |owner: &Uuid| {
        *owner == me.id || view.others.get(owner).is_some_and(|other| other.is_worker)
    };
    let place = |found: &Found| Place {
        partition: found.partition,
        owner: found.owner.filter(is_alive),
        pin: found.pin.as_ref().and_then(name),
        is_fixed: found.is_fixed,
    };
    found.iter().map(place).collect()
}

/// The partitions that no node owns and that no node may claim.
fn parked(view: &View, found: &[Found]) -> Vec<ParkedPartition> {
    let is_free = |found: &&Found| found.owner.is_none_or(|owner| view.has_lost(owner));
    let of = |found: &Found| {
        let reason = found.broken.as_ref()?;
        Some(ParkedPartition::new(found.partition, reason))
    };
    found.iter().filter(is_free).filter_map(of).collect()
}

/// Whether a partition may be claimed. `running` are the partitions that run on this node.
fn is_free(view: &View, found: &Found, me: &Identity, running: &[(PartitionId, Epoch)]) -> bool {
    match found.owner {
        _ if found.is_fixed => false,
        None => true,
        Some(owner) if owner == me.id => !running.contains(&(found.partition, found.epoch)),
        Some(owner) => view.has_lost(owner),
    }
}

/// The partitions of this node that others should own. Only a few are released at a time, and only
/// to nodes that have been alive for a while.
fn to_release(
    view: &View,
    found: &[Found],
    wanted: &BTreeMap<PartitionId, Option<Uuid>>,
    me: &Identity,
) -> Vec<PartitionId> {
    let mine = found.iter().filter(|found| found.owner == Some(me.id));
    let is_surplus = |found: &&Found| {
        let heir = wanted.get(&found.partition).copied().flatten();
        let heir = heir.and_then(|heir| view.others.get(&heir));
        found.is_stable && heir.is_some_and(|heir| heir.is_stable)
    };
    let most = (mine.clone().count() / 8).max(2);
    mine.filter(is_surplus).map(|found| found.partition).take(most).collect()
}
