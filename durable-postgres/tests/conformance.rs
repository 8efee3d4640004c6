//! The store on PostgreSQL keeps every point of the contract.

mod cluster;

use cluster::Schema;

durable::testing::conformance_tests!(Schema::new());
