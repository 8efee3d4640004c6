//! Transactional activities: what they do and what they return happens exactly once.

#[path = "../cluster/mod.rs"]
mod cluster;
#[path = "../faults/proxy.rs"]
mod proxy;
#[path = "../../../tests/support/seed.rs"]
mod seed;

mod activities;
mod bank;
mod killed;
mod races;
mod recorded;
mod sessions;
