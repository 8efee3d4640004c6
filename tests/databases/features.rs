//! The feature tests, with their hubs on SQLite, or on PostgreSQL if `DURABLE_TEST_STORE=postgres`.

#[path = "../../durable-postgres/tests/cluster/mod.rs"]
mod cluster;
// Clippy checks these files as the program of the package `tests`.
#[cfg(not(clippy))]
#[path = "../features/main.rs"]
mod features;

use tests_sqlite::Database;

durable::testing::test_store!("sqlite", Database::unsynced(), default);
durable::testing::test_store!("postgres", cluster::Schema::new());
