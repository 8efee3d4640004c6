//! Connections that a proxy cuts within a commit.

use std::iter;
use std::time::Duration;

use durable_postgres::PostgresStore;

use crate::cluster;
use crate::ledger::{Ledger, Sql, options};
use crate::proxy::{Direction, End, Proxy};

/// Commits until the next commit is of a kind that this connection has prepared. It is always the same
/// kind, so all commits that are cut have nearly the same length: it grows with the numbers in them.
fn prepare(ledger: &mut Ledger, store: &PostgresStore) {
    while ledger.written() % 6 != 5 {
        ledger.commit(store).expect("a commit");
    }
}

/// The number of bytes that such a commit sends in a direction.
fn length(ledger: &mut Ledger, store: &PostgresStore, proxy: &Proxy, direction: Direction) -> u64 {
    prepare(ledger, store);
    let before = proxy.passed(direction);
    ledger.commit(store).expect("a commit");
    proxy.passed(direction) - before
}

/// The connection of a commit is cut behind each of its bytes. The commit is acknowledged each time,
/// and is there exactly once.
fn cut_at_each_byte(direction: Direction) {
    let schema = cluster::unique("cut");
    let proxy = Proxy::start(cluster::shared().address());
    let store = cluster::connect(options(&schema, Some(proxy.port())));
    let direct = cluster::connect(options(&schema, None));
    let mut ledger = Ledger::begin(&store);
    let length = length(&mut ledger, &store, &proxy, direction);
    for bytes in 0..=length {
        prepare(&mut ledger, &store);
        proxy.cut(direction, bytes, End::Closed);
        let committed = ledger.commit(&store);
        assert!(matches!(committed, Ok(())), "cut behind {bytes} bytes: {committed:?}");
        assert!(proxy.has_cut(), "{bytes} bytes of {length}");
        if bytes.is_multiple_of(16) {
            ledger.check(&direct);
        }
    }
    ledger.check(&direct);
}

#[test]
fn a_commit_that_is_cut_at_any_byte_on_its_way_is_written_once() {
    cut_at_each_byte(Direction::ToServer);
}

#[test]
fn a_commit_whose_answer_is_cut_at_any_byte_is_written_once() {
    cut_at_each_byte(Direction::ToClient);
}

/// A network that swallows bytes: neither side learns that the connection is of no use.
#[test]
fn a_commit_that_gets_no_answer_is_written_once() {
    let schema = cluster::unique("silent");
    let proxy = Proxy::start(cluster::shared().address());
    let timeout = Duration::from_secs(1);
    let store = cluster::connect(options(&schema, Some(proxy.port())).timeout(timeout));
    let direct = cluster::connect(options(&schema, None));
    let mut ledger = Ledger::begin(&store);
    // Within a commit, and within its answer.
    for (direction, within) in [(Direction::ToServer, 200), (Direction::ToClient, 20)] {
        for bytes in [0, within] {
            prepare(&mut ledger, &store);
            proxy.cut(direction, bytes, End::Silent);
            ledger.commit(&store).expect("a commit whose outcome was found out");
            assert!(proxy.has_cut(), "{bytes} bytes {direction:?}");
            ledger.check(&direct);
            // And a read.
            proxy.cut(direction, 0, End::Silent);
            ledger.check(&store);
            assert!(proxy.has_cut());
        }
    }
}

/// The same while the store connects and creates its tables. It is an error, and nothing waits forever.
#[test]
fn a_store_that_gets_no_answer_while_it_connects_is_an_error() {
    let sql = Sql::connect();
    let proxy = Proxy::start(cluster::shared().address());
    let (ample, short) = (Duration::from_secs(30), Duration::from_millis(300));
    let connect = |schema: &str, limit| {
        let options = options(schema, Some(proxy.port())).timeout(limit);
        sql.finish_within(2 * ample, PostgresStore::connect_with(options))
    };
    for direction in [Direction::ToServer, Direction::ToClient] {
        let before = proxy.passed(direction);
        connect(&cluster::unique("connect"), ample).expect("a store");
        let all = proxy.passed(direction) - before;
        for twelfth in 0..12 {
            let bytes = all * twelfth / 12;
            let is_cut = |limit| {
                let schema = cluster::unique("connect");
                proxy.cut(direction, bytes, End::Silent);
                let error = connect(&schema, limit).expect_err("no answer");
                assert!(error.is_transient(), "after {bytes} bytes {direction:?}: {error:?}");
                sql.run(&format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE application_name = '{schema}'"
                ));
                proxy.has_cut()
            };
            // A busy machine may need longer to come that far.
            let doubled = iter::successors(Some(short), |limit| Some(2 * *limit));
            let mut limits = doubled.take_while(|limit| *limit < ample);
            assert!(limits.any(is_cut), "after {bytes} bytes {direction:?}: never cut");
        }
    }
}

/// The server does not notice that the client is gone, and waits for the rest of the commit. If only
/// the last bytes are missing, it has executed the commit, and keeps the locks.
#[test]
fn a_commit_that_the_server_waits_for_is_written_once() {
    let schema = cluster::unique("abandoned");
    let proxy = Proxy::start(cluster::shared().address());
    let store = cluster::connect(options(&schema, Some(proxy.port())));
    let direct = cluster::connect(options(&schema, None));
    let mut ledger = Ledger::begin(&store);
    let length = length(&mut ledger, &store, &proxy, Direction::ToServer);
    for missing in (1..=16).chain([length / 2, length]) {
        prepare(&mut ledger, &store);
        proxy.cut(Direction::ToServer, length - missing, End::Abandoned);
        ledger.commit(&store).expect("a commit whose outcome was found out");
        assert!(proxy.has_cut(), "{missing} bytes of {length} are missing");
        ledger.check(&direct);
    }
}
