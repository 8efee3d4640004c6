//! Requests to the owners of partitions. Requests of several threads are written together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use durable::store::{ClusterRequest, RequestId, StoreError};
use tokio::sync::Mutex as AsyncMutex;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::Identity;
use crate::{PostgresStore, keys};

/// Requests that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Asks {
    waiting: Mutex<Vec<(ClusterRequest, Outcome)>>,
    /// The number of the last request. Held while requests are written, so that they appear in the
    /// order of their numbers.
    last: AsyncMutex<u64>,
}

/// The outcome of a request.
type Outcome = Arc<OnceLock<Result<(), StoreError>>>;

/// Queues requests, unless they are known. If only the answering node has recorded a request so
/// far, this node is recorded as the one that asks; and if the request is already answered, the
/// answer is queued. Requests to parked partitions are not queued; these partitions are returned.
const ASK: &str = "
    WITH parked AS (
        SELECT id, broken FROM partition
            WHERE id = ANY($5::int4[]) AND broken IS NOT NULL AND owner IS NULL),
    asked AS (
        INSERT INTO request (id, node, key, body)
            SELECT id, $4, key, body
                FROM unnest($1::uuid[], $2::bytea[], $3::text[], $5::int4[]) o(id, key, body, target)
                WHERE target NOT IN (SELECT id FROM parked)
            ON CONFLICT (id) DO UPDATE SET node = excluded.node, key = excluded.key
                WHERE request.node IS NULL
            RETURNING id, state, key),
    queued AS (
        INSERT INTO outbox (key, id) SELECT CASE WHEN state = 0 THEN key
                ELSE '\\xffff'::bytea || uuid_send($4::uuid) || substring(key FROM 3) END, id
            FROM asked WHERE state <> 1)
    SELECT id, broken FROM parked";

/// Removes requests of a node. An answered request is removed when the node has received its
/// answer.
const WITHDRAW: &str = "
    WITH gone AS (
        DELETE FROM request WHERE id = ANY($1::uuid[]) AND node = $2 AND state < 2 RETURNING key)
    DELETE FROM outbox WHERE key = ANY(ARRAY(SELECT key FROM gone))";

impl PostgresStore {
    pub(super) async fn withdraw_from_node(
        &self,
        requests: &[RequestId],
    ) -> Result<(), StoreError> {
        let me = self.nodes.joined()?;
        let mut ids: Vec<_> =
            requests.iter().map(|id| Uuid::from_bytes(*id.0.as_bytes())).collect();
        // In the order in which others lock them, too.
        ids.sort_unstable();
        self.sessions.query("cannot withdraw requests", WITHDRAW, &[&ids, &me.id]).await?;
        Ok(())
    }

    pub(super) async fn ask_owner(&self, request: &ClusterRequest) -> Result<(), StoreError> {
        let me = self.nodes.joined()?;
        let outcome = Outcome::default();
        let asks = &self.nodes.asks;
        let waiting = || asks.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting().push((request.clone(), Arc::clone(&outcome)));
        let mut last = asks.last.lock().await;
        if let Some(outcome) = outcome.get() {
            return outcome.clone();
        }
        let batch = std::mem::take(&mut *waiting());
        let requests: Vec<_> = batch.iter().map(|(request, _)| request).collect();
        let written = self.write_requests(&me, &requests, &mut last).await;
        for (request, outcome) in &batch {
            drop(outcome.set(outcome_of(request, &written)));
        }
        outcome_of(request, &written)
    }

    /// Writes requests, except those to parked partitions. Returns these partitions, with the
    /// reasons.
    async fn write_requests(
        &self,
        me: &Identity,
        requests: &[&ClusterRequest],
        last: &mut u64,
    ) -> Result<Parked, StoreError> {
        let mut rows = BTreeMap::new();
        for request in requests {
            *last += 1;
            let key = keys::queued(&keys::partition(request.target), me.asks, *last);
            let id = Uuid::from_bytes(*request.id.0.as_bytes());
            // If several have the same id, the first one counts.
            rows.entry(id).or_insert((key, request.body.as_str(), i32::from(request.target.0)));
        }
        let ids: Vec<_> = rows.keys().collect();
        let keys: Vec<_> = rows.values().map(|(key, ..)| key).collect();
        let bodies: Vec<_> = rows.values().map(|(_, body, _)| body).collect();
        let targets: Vec<_> = rows.values().map(|(.., target)| target).collect();
        let parameters: [&(dyn ToSql + Sync); 5] = [&ids, &keys, &bodies, &me.id, &targets];
        let parked = self.sessions.query("cannot send a request", ASK, &parameters).await?;
        let known = self.nodes.known.read().unwrap_or_else(PoisonError::into_inner);
        let owners = requests.iter().filter_map(|request| known.owners.get(&request.target));
        self.nodes.wake_all(me, owners.copied().collect(), false);
        Ok(parked.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

/// The numbers of parked partitions, with the reasons.
type Parked = BTreeMap<i32, String>;

/// The outcome of a request in a batch.
fn outcome_of(
    request: &ClusterRequest,
    written: &Result<Parked, StoreError>,
) -> Result<(), StoreError> {
    let parked = written.as_ref().map_err(StoreError::clone)?;
    match parked.get(&i32::from(request.target.0)) {
        Some(reason) => {
            Err(StoreError::Parked { partition: request.target, reason: reason.clone() })
        }
        None => Ok(()),
    }
}
