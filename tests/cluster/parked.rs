//! A partition that cannot be loaded is parked, and the others continue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use durable::InstanceId;
use durable::protocol::PartitionId;
use durable::store::{
    Cluster, EncodedPayload, EncodedStore, PartitionState, PayloadCodec, Store, StoreError,
};

use super::delegate::delegate;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_cannot_be_loaded_is_parked_until_it_is_retried() {
    let cluster = MemoryCluster::default();
    let store = Arc::new(Damaged {
        inner: cluster.node(),
        cannot_be_read: AtomicBool::new(true),
        loads: AtomicUsize::new(0),
    });
    let shared: Arc<dyn Store> = store.clone();
    let hub = TaskHub::builder().store(shared).partitions(8).open().await.unwrap();
    let client = TaskHub::builder().store(cluster.node()).client_only().open().await.unwrap();
    let members = client.members().await.unwrap();
    assert_eq!(members.parked.len(), 1);
    assert_eq!(members.parked[0].partition, BROKEN);
    assert!(members.parked[0].reason.contains("two beginnings"), "{members:?}");
    assert_eq!((members.nodes[0].partitions.len(), members.free.len()), (7, 0));
    for n in 0..32 {
        let id = format!("leaf-{n}");
        let hub = if n % 2 == 0 { &hub } else { &client };
        let started = within(hub.start(leaf(n).instance_id(&id))).await;
        if PartitionId::of(&InstanceId::new(&id).unwrap(), 8) == BROKEN {
            let refused = format!("{:?}", Error::from(started.unwrap_err()));
            assert!(refused.contains("partition 3"), "{refused}");
            assert!(
                refused.contains("is parked") && refused.contains("two beginnings"),
                "{refused}"
            );
        } else {
            assert_eq!(within(started.unwrap().result()).await.unwrap(), 2 * n);
        }
    }
    assert_eq!(store.loads.load(Ordering::SeqCst), 1, "it is not claimed again and again");
    store.cannot_be_read.store(false, Ordering::SeqCst);
    assert!(client.retry_partition(BROKEN).await.unwrap());
    assert!(!client.retry_partition(BROKEN).await.unwrap());
    until(|| store.inner.partitions().len() == 8).await;
    assert!(client.members().await.unwrap().parked.is_empty());
    let id = (0..).map(|n| format!("leaf-{n}"));
    let mut id = id.filter(|id| PartitionId::of(&InstanceId::new(id).unwrap(), 8) == BROKEN);
    let run = within(client.start(leaf(1).instance_id(id.next().unwrap()))).await.unwrap();
    assert_eq!(within(run.result()).await.unwrap(), 2);
    hub.shutdown().await.unwrap();
    client.shutdown().await.unwrap();
}

/// The partition that is damaged.
const BROKEN: PartitionId = PartitionId(3);

/// A node to which one partition seems to be damaged.
#[derive(Debug)]
struct Damaged {
    inner: MemoryNode,
    cannot_be_read: AtomicBool,
    loads: AtomicUsize,
}

impl Store for Damaged {
    delegate! { (inner) create claim messages commit instance due instances history give_up }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        if partition != BROKEN || !self.cannot_be_read.load(Ordering::SeqCst) {
            return self.inner.load(partition);
        }
        self.loads.fetch_add(1, Ordering::SeqCst);
        Err(StoreError::damaged("an instance has two beginnings"))
    }

    fn cluster(&self) -> Option<&dyn Cluster> {
        self.inner.cluster()
    }
}

/// Puts texts into envelopes of its last key, and reads those of all its keys.
#[derive(Debug)]
struct Keys(&'static [&'static str]);

impl PayloadCodec for Keys {
    fn encode(&self, text: &str, _: &InstanceId) -> Result<EncodedPayload, StoreError> {
        Ok(EncodedPayload::new(*self.0.last().unwrap(), text))
    }

    fn decode(&self, payload: &EncodedPayload, _: &InstanceId) -> Result<String, StoreError> {
        let is_known = self.0.contains(&payload.key.as_str());
        let why = format!("no key `{}`", payload.key);
        is_known.then(|| payload.data.clone()).ok_or(StoreError::backend("cannot decode", why))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_parked_if_a_message_to_it_cannot_be_decoded_and_no_message_is_lost() {
    let cluster = MemoryCluster::default();
    let (node, other) = (cluster.node(), cluster.node());
    let open = async |node: &MemoryNode, keys| {
        let store = EncodedStore::new(node.clone(), Keys(keys));
        TaskHub::builder().store(store).partitions(8).open().await.unwrap()
    };
    let (a, b) = (open(&node, &["old", "new"]).await, open(&other, &["old"]).await);
    until(|| node.partitions().len() == 4 && other.partitions().len() == 4).await;
    let is_of = |node: &MemoryNode, id: &str| {
        node.partitions().contains(&PartitionId::of(&InstanceId::new(id).unwrap(), 8))
    };
    let of_both =
        |n: &u64| is_of(&node, &format!("spread-{n}")) && is_of(&other, &format!("leaf-{n}"));
    let n = (0..1_000).find(of_both).unwrap();
    let run = within(a.start(spread(n).instance_id(format!("spread-{n}")))).await.unwrap();
    let members = within(async {
        loop {
            let members = a.members().await.unwrap();
            if !members.parked.is_empty() {
                break members;
            }
        }
    })
    .await;
    assert!(members.parked[0].reason.contains("no key `new`"), "{members:?}");
    b.shutdown().await.unwrap();
    for parked in a.members().await.unwrap().parked {
        assert!(a.retry_partition(parked.partition).await.unwrap());
    }
    assert_eq!(within(run.result()).await.unwrap(), 4 * n);
    a.shutdown().await.unwrap();
}
