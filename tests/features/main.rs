//! What orchestrators and clients can do, feature by feature, in virtual time.
//!
//! The hubs are in memory; `DURABLE_TEST_STORE=sled` keeps them in folders. `tests/databases` runs the
//! same tests on SQLite and PostgreSQL.

mod activities;
mod attempts;
mod back_pressure;
#[path = "../support/breaking.rs"]
mod breaking;
mod by_name;
mod call_options;
mod children;
mod commits;
mod context;
mod continue_as_new;
#[path = "../support/delegate.rs"]
mod delegate;
mod due;
mod entities;
mod error_texts;
mod errors;
mod events;
mod evictions;
mod failures;
#[path = "../support/folder.rs"]
mod folder;
mod follow;
mod handles;
mod helpers;
mod histories;
mod http;
mod json;
mod json_server;
mod kit;
mod limits;
mod lines;
mod listeners;
mod log_macros;
mod manage;
mod observability;
mod on_lifecycle;
mod parameters;
mod pending;
mod progress;
mod queries;
mod recorded_histories;
mod residents;
mod retries;
mod rewinds;
mod schedules;
mod store;
mod suspensions;
mod timers;
mod values;

durable::testing::test_store!("sled", folder::Folder::new());
