//! The store on PostgreSQL keeps every point of the contract, also of that between processes.

mod cluster;

use std::sync::Arc;
use std::time::Duration;

use cluster::Schema;
use durable::store::Store;
use durable::testing::conformance::ClusterUnderTest;

/// A hub in a schema of its own, with short leases.
#[derive(Debug)]
struct Shared(String);

impl ClusterUnderTest for Shared {
    fn open(&self) -> Arc<dyn Store> {
        let options = cluster::schema(&self.0).lease(Duration::from_secs(2));
        Arc::new(cluster::connect(options))
    }
}

durable::testing::conformance_tests!(Schema::new());
durable::testing::cluster_conformance_tests!(Shared(cluster::unique("shared")));
