#![doc = include_str!("../README.md")]

// Read next: `store.rs` (the store), `lane/mod.rs` (commits), `cluster/mod.rs` (several
// processes), `transactions/mod.rs` (transactional activities), `schema/1.sql` (the tables).

mod blocks;
mod cluster;
mod connect;
mod driver;
mod error;
mod keys;
mod lane;
mod options;
mod owned;
mod read;
mod schema;
mod sessions;
mod store;
mod transactions;

pub use self::options::PostgresOptions;
pub use self::store::PostgresStore;
pub use self::transactions::{PostgresTransactions, Transaction};
/// The PostgreSQL driver whose transactions and types transactional activities use.
pub use tokio_postgres;
