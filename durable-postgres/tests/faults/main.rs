//! What a store does when its connections break, its database restarts, and its statements fail.

#[path = "../cluster/mod.rs"]
mod cluster;
mod cuts;
mod disk_full;
mod ended;
mod ledger;
mod poison;
mod proxy;
mod refusals;
mod restarts;
