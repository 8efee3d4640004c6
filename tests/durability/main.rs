//! The store in a folder after failures of its process, disk and files.
//!
//! Owns the tests of simulated failures: a loss of power, a sync that fails, damaged files, a full
//! disk. They compare the embedded store with the store in memory, only through the public
//! interface. `tests/crash/` kills real processes.
//!
//! Read next: `work.rs` (what is done to a store), `check.rs` (how its content is checked).
#![cfg(target_os = "linux")]

mod backup;
mod check;
mod child;
mod content;
mod damage;
mod disk;
mod disk_full;
mod failed_sync;
mod foreign;
mod power_loss;
#[path = "../support/seed.rs"]
mod seed;
mod segments;
mod shim;
mod small_segments;
mod snapshot;
mod trace;
mod work;

#[test]
#[ignore = "the other tests run it in processes of their own"]
fn child_process() {
    child::run();
}
