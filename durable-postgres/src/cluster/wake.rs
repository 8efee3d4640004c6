//! How nodes wake each other: one connection listens for notifications and sends them. It also
//! holds the lock that shows the others that this process is alive.
//!
//! A wake-up only says that something may have arrived. If a wake-up is lost, the node finds out at
//! its next read. No wake-up is sent within a commit, because commits that notify would wait for
//! each other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use durable::store::StoreError;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::connect::{self, Connection, Notified};
use crate::error::failed;
use crate::options::PostgresOptions;

/// The shortest time between two outgoing notifications.
const SEND_EVERY: Duration = Duration::from_millis(2);

/// How often the connection is checked while nothing is sent.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// The payload of a notification that partitions have become free.
const FREE: &str = "free";

/// The reasons why a node has been woken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signals {
    /// Something may have arrived.
    pub(super) arrived: bool,
    /// Partitions may be free.
    pub(super) free: bool,
    pub(super) interrupted: bool,
}

/// Wakes the thread that receives, and others.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    signals: Mutex<Signals>,
    signalled: Notify,
    /// The nodes to notify, and whether the reason is that partitions have become free.
    outgoing: Mutex<BTreeMap<Uuid, bool>>,
    send: Notify,
    /// Whether the connection listens and holds the lock.
    listening: AtomicBool,
    listens: Notify,
    stopped: AtomicBool,
}

impl Wake {
    /// Wakes the thread that receives.
    pub(super) fn signal(&self, set: impl FnOnce(&mut Signals)) {
        set(&mut self.signals.lock().unwrap_or_else(PoisonError::into_inner));
        self.signalled.notify_one();
    }

    pub(super) fn take(&self) -> Signals {
        std::mem::take(&mut self.signals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a signal, but at most until this time.
    pub(super) async fn wait_until(&self, until: time::Instant) {
        drop(time::timeout_at(until, self.signalled.notified()).await);
    }

    /// Wakes other nodes.
    pub(super) fn notify(&self, nodes: impl IntoIterator<Item = Uuid>, free: bool) {
        let mut outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        for node in nodes {
            *outgoing.entry(node).or_default() |= free;
        }
        if !outgoing.is_empty() {
            self.send.notify_one();
        }
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    /// Waits until the connection listens, but at most this long.
    pub(super) async fn wait_until_listening(&self, at_most: Duration) {
        let listens = self.listens.notified();
        if !self.is_listening() {
            drop(time::timeout(at_most, listens).await);
        }
    }

    /// Ends the connection.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.send.notify_one();
    }

    /// Listens, notifies and holds the lock of a node until it is told to stop.
    pub(super) async fn run(self: Arc<Self>, options: PostgresOptions, handle: Handle, node: Uuid) {
        let mut pause = SEND_EVERY;
        while !self.stopped.load(Ordering::Acquire) {
            match self.connect(&options, &handle, node).await {
                Ok(client) => {
                    pause = SEND_EVERY;
                    self.listening.store(true, Ordering::Release);
                    self.listens.notify_waiters();
                    // PostgreSQL does not keep notifications for sessions that do not listen.
                    self.signal(|signals| signals.arrived = true);
                    self.serve(&client, options.timeout).await;
                    self.listening.store(false, Ordering::Release);
                }
                Err(error) => {
                    tracing::debug!(target: "durable", error = %error, "cannot listen; trying again");
                }
            }
            time::sleep(pause).await;
            pause = (pause * 2).min(CHECK_EVERY);
        }
    }

    async fn connect(
        self: &Arc<Self>,
        options: &PostgresOptions,
        handle: &Handle,
        node: Uuid,
    ) -> Result<Connection, StoreError> {
        let doing = "cannot listen";
        let wake = Arc::clone(self);
        let notified: Notified = Arc::new(move |payload: &str| {
            wake.signal(|signals| {
                signals.arrived = true;
                signals.free |= payload == FREE;
            });
        });
        let client = connect::connect_notified(options, handle, Some(notified)).await?;
        connect::answer(options.timeout, doing, listen(&client, node)).await??;
        Ok(client)
    }

    /// Sends notifications until the connection breaks.
    async fn serve(&self, client: &Connection, limit: Duration) {
        while !client.is_closed() && !self.stopped.load(Ordering::Acquire) {
            let outgoing =
                std::mem::take(&mut *self.outgoing.lock().unwrap_or_else(PoisonError::into_inner));
            if outgoing.is_empty() && time::timeout(CHECK_EVERY, self.send.notified()).await.is_ok()
            {
                continue;
            }
            // Without nodes to notify, this checks the connection.
            let (channels, payloads) = channels(&outgoing);
            let parameters: [&(dyn ToSql + Sync); 2] = [&channels, &payloads];
            let sent = client.execute(NOTIFY, &parameters);
            if !matches!(connect::answer(limit, "cannot notify", sent).await, Ok(Ok(_))) {
                return;
            }
            time::sleep(SEND_EVERY).await;
        }
    }
}

/// Takes the lock of a node, and listens.
async fn listen(client: &Connection, node: Uuid) -> Result<(), StoreError> {
    let doing = "cannot listen";
    // Another session may still hold the lock if this connection replaces one that broke.
    let lock = "SELECT pg_try_advisory_lock($1)";
    let row = client.query_one(lock, &[&lock_key(node)]).await.map_err(failed(doing))?;
    if !row.get::<_, bool>(0) {
        return Err(StoreError::backend(doing, "the lock of this node is held"));
    }
    let listen = format!("SET synchronous_commit = off; LISTEN {}", channel(node));
    client.batch_execute(&listen).await.map_err(failed(doing))
}

/// Notifies each channel.
pub(super) const NOTIFY: &str =
    "SELECT pg_notify(c, p) FROM unnest($1::text[], $2::text[]) n(c, p)";

/// The channels of nodes, and the payload for each.
pub(super) fn channels(nodes: &BTreeMap<Uuid, bool>) -> (Vec<String>, Vec<&'static str>) {
    nodes.iter().map(|(node, free)| (channel(*node), if *free { FREE } else { "" })).unzip()
}

fn channel(node: Uuid) -> String {
    format!("durable_{}", node.simple())
}

/// The number of the advisory lock of a node.
pub(super) fn lock_key(node: Uuid) -> i64 {
    node.as_u64_pair().0.cast_signed()
}
