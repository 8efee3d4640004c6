//! Requests to the owners of partitions. Those of several threads are written together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use durable::store::{ClusterRequest, StoreError};
use tokio::sync::Mutex as AsyncMutex;
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

/// What became of a request.
type Outcome = Arc<OnceLock<Result<(), StoreError>>>;

/// Queues requests, unless they are known. If a request was only named by the answering side so far,
/// this node takes its place as the one that asks; and if it is answered, its answer is queued.
const ASK: &str = "
    WITH asked AS (
        INSERT INTO request (id, node, key, body)
            SELECT id, $4, key, body FROM unnest($1::uuid[], $2::bytea[], $3::text[]) o(id, key, body)
            ON CONFLICT (id) DO UPDATE SET node = excluded.node, key = excluded.key
                WHERE request.node IS NULL
            RETURNING id, state, key)
    INSERT INTO outbox (key, id) SELECT CASE WHEN state = 0 THEN key
            ELSE '\\xffff'::bytea || uuid_send($4::uuid) || substring(key FROM 3) END, id
        FROM asked WHERE state <> 1";

impl PostgresStore {
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
        for (_, outcome) in &batch {
            drop(outcome.set(written.clone()));
        }
        written
    }

    async fn write_requests(
        &self,
        me: &Identity,
        requests: &[&ClusterRequest],
        last: &mut u64,
    ) -> Result<(), StoreError> {
        let mut rows = BTreeMap::new();
        for request in requests {
            *last += 1;
            let key = keys::queued(&keys::partition(request.target), me.asks, *last);
            let id = Uuid::from_bytes(*request.id.0.as_bytes());
            // The first of several with the same id counts.
            rows.entry(id).or_insert((key, request.body.as_str()));
        }
        let (ids, rest): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let (keys, bodies): (Vec<_>, Vec<_>) = rest.into_iter().unzip();
        self.sessions.query("cannot send a request", ASK, &[&ids, &keys, &bodies, &me.id]).await?;
        let known = self.nodes.known.read().unwrap_or_else(PoisonError::into_inner);
        let owners = requests.iter().filter_map(|request| known.owners.get(&request.target));
        self.nodes.wake_all(me, owners.copied().collect(), false);
        Ok(())
    }
}
