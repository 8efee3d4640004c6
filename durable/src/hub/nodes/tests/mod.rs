//! Requests that take a while to be sent.

use std::sync::{Mutex, mpsc};

use tokio::sync::TryAcquireError;

use crate::protocol::InstanceId;
use crate::store::{EncodedPayload, EncodedStore, PayloadCodec, StoreError};
use crate::testing::MemoryCluster;
use crate::{Result, TaskHub};

/// Says that a request is being encoded, and waits until it may go on.
#[derive(Debug)]
struct Slow {
    encodes: mpsc::Sender<()>,
    may_go_on: Mutex<mpsc::Receiver<()>>,
}

impl PayloadCodec for Slow {
    fn encode(&self, text: &str, _: &InstanceId) -> Result<EncodedPayload, StoreError> {
        let _ = self.encodes.send(());
        if let Ok(may_go_on) = self.may_go_on.lock() {
            let _ = may_go_on.recv();
        }
        Ok(EncodedPayload::new("slow", text))
    }

    fn decode(&self, payload: &EncodedPayload, _: &InstanceId) -> Result<String, StoreError> {
        Ok(payload.data.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_another_node_keeps_its_permit_until_it_is_sent() {
    let node = MemoryCluster::default().node();
    let (encodes, is_encoded) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let slow = Slow { encodes, may_go_on: Mutex::new(may_go_on) };
    let store = EncodedStore::new(node.clone(), slow);
    let hub = TaskHub::builder().store(store).client_only().waiting_requests(1).only_registered();
    let hub = hub.open().await.unwrap();
    let instance = hub.instance("a").unwrap();
    let waits = tokio::spawn(async move { instance.wait_for_completion().await });
    is_encoded.recv().unwrap();
    let admission = hub.inner.mailboxes.admission();
    let another = admission.try_take(1);
    assert!(matches!(another, Err(TryAcquireError::NoPermits)), "{another:?}");
    go_on.send(()).unwrap();
    drop(admission.take(1).await);
    assert_eq!(node.requests(), 1);
    waits.abort();
    hub.shutdown().await.unwrap();
}
