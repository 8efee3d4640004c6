//! A store in memory that several processes share keeps every point of the contract.

use std::sync::{Arc, Mutex};

use durable::store::Store;
use durable::testing::conformance::ClusterUnderTest;

use super::*;

#[derive(Debug, Default)]
struct InMemory(MemoryCluster, Mutex<Vec<MemoryNode>>);

impl ClusterUnderTest for InMemory {
    fn open(&self) -> Arc<dyn Store> {
        let node = self.0.node();
        self.1.lock().unwrap().push(node.clone());
        Arc::new(node)
    }

    fn silence(&self, number: usize) {
        self.1.lock().unwrap()[number].cut_off();
    }
}

durable::testing::cluster_conformance_tests!(InMemory::default());
