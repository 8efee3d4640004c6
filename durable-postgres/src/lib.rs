//! A store on PostgreSQL for [`durable`].
//!
//! ```no_run
//! use durable::TaskHub;
//! use durable_postgres::PostgresStore;
//!
//! # async fn open() -> Result<(), Box<dyn std::error::Error>> {
//! let store = PostgresStore::connect("postgres://app@localhost/app").await?;
//! let hub = TaskHub::builder().store(store).open().await?;
//! # hub.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Read next: `store.rs` (the store), `lane/mod.rs` (commits), `schema/1.sql` (the tables).

mod blocks;
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
