//! The store on SQLite keeps every point of the contract.

use tests_sqlite::Database;

durable::testing::conformance_tests!(Database::new());
