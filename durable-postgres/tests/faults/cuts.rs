//! Connections that a proxy cuts within a commit.

use std::time::Duration;

use crate::cluster;
use crate::ledger::{Ledger, options};
use crate::proxy::{Direction, End, Proxy};

/// The connection of a commit is cut behind each of its bytes. The commit is acknowledged each time,
/// and is there exactly once.
fn cut_at_each_byte(direction: Direction) {
    let schema = cluster::unique("cut");
    let proxy = Proxy::start(cluster::shared().address());
    let store = cluster::connect(options(&schema, Some(proxy.port())));
    let direct = cluster::connect(options(&schema, None));
    let mut ledger = Ledger::begin(&store);
    for _ in 0..10 {
        ledger.commit(&store).expect("a commit");
    }
    let before = proxy.passed(direction);
    ledger.commit(&store).expect("a commit");
    let length = proxy.passed(direction) - before;
    assert!(length > 100, "a commit of {length} bytes");
    for bytes in 0..=length {
        proxy.cut(direction, bytes, End::Closed);
        let committed = ledger.commit(&store);
        assert!(committed.is_ok(), "cut behind {bytes} bytes: {committed:?}");
        // Commits differ by a few bytes, because numbers have different lengths.
        assert!(proxy.has_cut() || bytes + 16 > length, "{bytes} bytes of {length}");
        if bytes % 16 == 0 {
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
    let timeout = Duration::from_millis(300);
    let store = cluster::connect(options(&schema, Some(proxy.port())).timeout(timeout));
    let direct = cluster::connect(options(&schema, None));
    let mut ledger = Ledger::begin(&store);
    ledger.commit(&store).expect("a commit");
    for (direction, bytes) in [
        (Direction::ToServer, 0),
        (Direction::ToServer, 700),
        (Direction::ToClient, 0),
        (Direction::ToClient, 50),
    ] {
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

/// The server does not notice that the client is gone, so it keeps the locks of the transaction for
/// a while.
#[test]
fn a_commit_that_the_server_waits_for_is_written_once() {
    let schema = cluster::unique("abandoned");
    let proxy = Proxy::start(cluster::shared().address());
    let store = cluster::connect(options(&schema, Some(proxy.port())));
    let direct = cluster::connect(options(&schema, None));
    let mut ledger = Ledger::begin(&store);
    ledger.commit(&store).expect("a commit");
    for bytes in [1, 100, 500, 900] {
        proxy.cut(Direction::ToServer, bytes, End::Abandoned);
        ledger.commit(&store).expect("a commit whose outcome was found out");
        assert!(proxy.has_cut(), "{bytes} bytes");
        ledger.check(&direct);
    }
}
