//! The feature tests, with their hubs on PostgreSQL.

mod cluster;
#[path = "../../tests/features/main.rs"]
mod features;

durable::testing::test_store!("postgres", cluster::Schema::new(), default);
