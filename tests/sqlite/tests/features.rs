//! The feature tests, with their hubs on SQLite.

use tests_sqlite::Database;

#[path = "../../features/main.rs"]
mod features;

durable::testing::test_store!("sqlite", Database::unsynced(), default);
