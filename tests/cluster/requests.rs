//! Every request reaches the owner of the partition, from any node.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::client::{HubError, ManageError, StartError};
use durable::protocol::{InstanceRecord, PartitionId};
use durable::store::{Cluster, EncodedPayload, EncodedStore, PayloadCodec, Store, StoreError};
use durable::{InstanceId, RuntimeStatus};

use super::delegate::delegate;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn work_started_on_any_node_is_spread_over_all() {
    let ((_, a), (_, b)) = two().await;
    let mut runs = Vec::new();
    for n in 0..40 {
        let hub = if n % 2 == 0 { &a } else { &b };
        runs.push(hub.start(spread(n).instance_id(format!("spread-{n}"))).await.unwrap());
    }
    for (n, run) in runs.iter().enumerate() {
        assert_eq!(within(run.result()).await.unwrap(), 4 * n as u64);
    }
    let total = within(b.call_entity(Account::at("total").deposit(0))).await.unwrap();
    assert_eq!(total, 40, "each call was carried out once");
    let mut signalled = 0;
    for account in 0..7 {
        let account = format!("account-{account}");
        signalled += within(a.call_entity(Account::at(&account).deposit(0))).await.unwrap();
    }
    assert_eq!(signalled, 40, "each signal was carried out once");
    a.shutdown().await.unwrap();
    b.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_reach_the_owner_and_are_answered() {
    let ((_, a), (_, b)) = two().await;
    for (n, hub) in (0..12).zip([&a, &b].into_iter().cycle()) {
        let id = format!("approval-{n}");
        let run = within(hub.start(approval().instance_id(&id))).await.unwrap();
        let again = within(hub.start(approval().instance_id(&id))).await;
        assert!(matches!(again, Err(StartError::AlreadyExists { .. })), "{again:?}");
        within(run.raise_event("First", "a")).await.unwrap();
        within(run.suspend("to see it")).await.unwrap();
        let suspended = within(run.status()).await.unwrap();
        assert_eq!(suspended.runtime_status, RuntimeStatus::Suspended);
        within(run.resume("go on")).await.unwrap();
        let pending = within(run.pending()).await.unwrap();
        assert_eq!(pending.awaited_events, ["second"]);
        let purged = within(run.purge()).await;
        assert!(matches!(purged, Err(ManageError::NotFinished { .. })), "{purged:?}");
        within(run.raise_event("Second", "b")).await.unwrap();
        assert_eq!(within(run.result()).await.unwrap(), "ab");
        let late = within(run.raise_event("Second", "c")).await;
        assert!(matches!(late, Err(ManageError::Finished { .. })), "{late:?}");
        within(run.purge()).await.unwrap();
        let gone = within(run.wait_for_completion()).await.unwrap_err();
        assert!(gone.to_string().contains("no instance"), "{gone}");
    }
}

/// Such a watch reads the record now and then, and may find it gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_its_instance_has_ended_and_was_purged() {
    let ((_, a), (_, b)) = two().await;
    let run = within(a.start(approval())).await.unwrap();
    let mut watch = within(run.watch_custom_status::<String>()).await.unwrap();
    within(run.raise_event("First", "a")).await.unwrap();
    within(run.raise_event("Second", "b")).await.unwrap();
    within(run.result()).await.unwrap();
    within(run.purge()).await.unwrap();
    while within(watch.next()).await.unwrap().is_some() {}
    a.shutdown().await.unwrap();
    b.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_only_node_owns_nothing_and_reaches_everything() {
    let cluster = MemoryCluster::default();
    let (worker, other) = (cluster.node(), cluster.node());
    let hub = open(&worker).await;
    let client = TaskHub::builder().store(other.clone()).client_only().open().await.unwrap();
    for n in 0..10 {
        let run = within(client.start(spread(n))).await.unwrap();
        assert_eq!(within(run.result()).await.unwrap(), 4 * n);
    }
    within(client.signal_entity(Account::at("a").deposit(3))).await.unwrap();
    assert_eq!(within(client.call_entity(Account::at("a").deposit(2))).await.unwrap(), 5);
    assert!(other.partitions().is_empty());
    client.shutdown().await.unwrap();
    assert_eq!(worker.partitions().len(), 8);
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_watched_from_any_node() {
    let ((_, a), (_, b)) = two().await;
    for n in 0..4 {
        let id = format!("watched-{n}");
        let run = within(a.start(approval().instance_id(&id))).await.unwrap();
        let seen_from_b = within(b.find_instance::<approval>(&id)).await.unwrap().unwrap();
        let wait = seen_from_b.wait_for_custom_status(|status: &String| status == "half");
        let (status, raised) = tokio::join!(within(wait), run.raise_event("First", "a"));
        raised.unwrap();
        assert_eq!(status.unwrap().as_deref(), Some("half"));
        within(seen_from_b.terminate("enough")).await.unwrap();
    }
}

/// A generated id is new, so it is not looked up in the store, which would cost a round trip for
/// each start.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_generated_id_in_a_partition_of_this_node_reads_nothing() {
    let node = MemoryCluster::default().node();
    let store = Arc::new(Counting { inner: node, reads: AtomicUsize::new(0) });
    let shared: Arc<dyn Store> = store.clone();
    let hub = TaskHub::builder().store(shared).partitions(8).open().await.unwrap();
    let before = store.reads.load(Ordering::SeqCst);
    let run = within(hub.start(leaf(1))).await.unwrap();
    assert_eq!(store.reads.load(Ordering::SeqCst) - before, 0);
    assert_eq!(within(run.result()).await.unwrap(), 2);
    hub.shutdown().await.unwrap();
}

/// Processes with different codecs cannot read each other's requests, like neighboring releases with
/// different requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_owner_cannot_read_is_refused_and_not_carried_out() {
    let cluster = MemoryCluster::default();
    let worker = open(&cluster.node()).await;
    let store = EncodedStore::new(cluster.node(), Plain);
    let client = TaskHub::builder().store(store).client_only().open().await.unwrap();
    let error = within(client.start(leaf(1).instance_id("a"))).await.unwrap_err();
    let StartError::Hub(HubError::RequestNotUnderstood { partition, reason }) = &error else {
        panic!("{error:?}");
    };
    let id = InstanceId::new("a").unwrap();
    assert_eq!(*partition, PartitionId::of(&id, 8));
    assert!(reason.contains("unknown variant `durable.encoded`"), "{reason}");
    assert!(within(worker.find_instance::<leaf>("a")).await.unwrap().is_none());
    client.shutdown().await.unwrap();
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_an_error_of_its_request_only() {
    let cluster = MemoryCluster::default();
    let store = EncodedStore::new(cluster.node(), Plain);
    let worker = TaskHub::builder().store(store).partitions(8).open().await.unwrap();
    let node = cluster.node();
    let client = TaskHub::builder().store(node).client_only().open().await.unwrap();
    let error = within(client.start(leaf(1).instance_id("a"))).await.unwrap_err();
    assert!(matches!(error, StartError::Hub(HubError::AnswerNotUnderstood { .. })), "{error:?}");
    let run = within(worker.find_instance::<leaf>("a")).await.unwrap().unwrap();
    assert_eq!(within(run.result()).await.unwrap(), 2);
    client.shutdown().await.unwrap();
    worker.shutdown().await.unwrap();
}

/// Keeps texts as they are, in an envelope.
#[derive(Debug)]
struct Plain;

impl PayloadCodec for Plain {
    fn encode(&self, text: &str, _: &InstanceId) -> Result<EncodedPayload, StoreError> {
        Ok(EncodedPayload::new("plain", text))
    }

    fn decode(&self, payload: &EncodedPayload, _: &InstanceId) -> Result<String, StoreError> {
        Ok(payload.data.clone())
    }
}

/// A node that counts how many records were looked up.
#[derive(Debug)]
struct Counting {
    inner: MemoryNode,
    reads: AtomicUsize,
}

impl Store for Counting {
    delegate! { (inner) create claim load messages commit due instances history give_up }

    fn instance(&self, id: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.instance(id)
    }

    fn cluster(&self) -> Option<&dyn Cluster> {
        self.inner.cluster()
    }
}
