//! Connections that the server ends.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use crate::cluster;
use crate::ledger::{Ledger, Sql, options};

/// The server ends all connections of the store at random moments.
#[test]
fn a_commit_whose_connection_ends_is_written_once() {
    let schema = cluster::unique("ended");
    let store = cluster::connect(options(&schema, None));
    let mut ledger = Ledger::begin(&store);
    let (done, ended) = (AtomicBool::new(false), AtomicI64::new(0));
    thread::scope(|scope| {
        let end_connections = || {
            let sql = Sql::connect();
            let end = format!(
                "SELECT count(pg_terminate_backend(pid)), pg_sleep(random() * 0.02)
                 FROM pg_stat_activity WHERE application_name = '{schema}'"
            );
            while !done.load(Ordering::Acquire) {
                ended.fetch_add(sql.number(&end), Ordering::AcqRel);
            }
        };
        scope.spawn(end_connections);
        let mut failed = None;
        let is_enough =
            |written| written >= 200 && (ended.load(Ordering::Acquire) >= 20 || written >= 20_000);
        while !is_enough(ledger.written()) && failed.is_none() {
            failed = ledger.commit(&store).err();
        }
        done.store(true, Ordering::Release);
        assert!(failed.is_none(), "commit {}: {failed:?}", ledger.written());
    });
    let ended = ended.into_inner();
    assert!(ended >= 20, "only {ended} connections were ended");
    ledger.check(&store);
}
