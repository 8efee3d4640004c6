#![doc = include_str!("../README.md")]
//!
//! Read next: `store.rs` (the store), `lane/mod.rs` (commits), `cluster/mod.rs` (several
//! processes), `schema/1.sql` (the tables).

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

pub use self::options::PostgresOptions;
pub use self::store::PostgresStore;
