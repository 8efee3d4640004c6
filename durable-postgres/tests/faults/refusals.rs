//! Statements that the server refuses: for a moment, or for good.

use std::error::Error as _;
use std::thread;

use durable::store::{Store, StoreError};

use crate::cluster;
use crate::ledger::{Ledger, Sql, options, options_of};
use crate::proxy::{Direction, End, Proxy};

/// When a statement of a commit fails.
#[derive(Clone, Copy, Debug)]
enum When {
    /// In the middle of the transaction.
    Statement,
    /// In COMMIT.
    Commit,
}

/// Makes the next `times` commits fail by this statement of PL/pgSQL. Their number is kept in a
/// sequence, because a rollback does not change it back.
fn inject(sql: &Sql, schema: &str, when: When, times: u32, statement: &str) {
    let trigger = match when {
        When::Statement => "CREATE TRIGGER fault BEFORE INSERT",
        When::Commit => "CREATE CONSTRAINT TRIGGER fault AFTER INSERT",
    };
    let deferred = match when {
        When::Statement => "",
        When::Commit => "DEFERRABLE INITIALLY DEFERRED",
    };
    sql.run(&format!(
        "SET client_min_messages = warning;
         DROP TRIGGER IF EXISTS fault ON {schema}.message;
         DROP SEQUENCE IF EXISTS {schema}.fault_number;
         CREATE SEQUENCE {schema}.fault_number;
         CREATE OR REPLACE FUNCTION {schema}.fault() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF nextval('{schema}.fault_number') <= {times} THEN {statement}; END IF;
             RETURN NEW;
         END $$;
         {trigger} ON {schema}.message {deferred} FOR EACH ROW EXECUTE FUNCTION {schema}.fault();"
    ));
}

/// Transactions that the server rolls back, and that may succeed when they are sent again.
#[test]
fn a_commit_that_the_server_rolls_back_is_sent_again() {
    let schema = cluster::unique("again");
    let store = cluster::connect(options(&schema, None));
    let mut ledger = Ledger::begin(&store);
    let sql = Sql::connect();
    // Serialization failures, a deadlock, a timeout, a lock that is not available, connections,
    // memory, the disk; a standby that was the primary.
    let codes =
        ["40001", "40P01", "40000", "57014", "55P03", "53300", "53200", "53100", "53000", "25006"];
    for when in [When::Statement, When::Commit] {
        for code in codes {
            let raise = format!("RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'");
            inject(&sql, &schema, when, 3, &raise);
            let committed = ledger.commit(&store);
            assert!(matches!(committed, Ok(())), "{code} {when:?}: {committed:?}");
            let attempts = sql.number(&format!("SELECT last_value FROM {schema}.fault_number"));
            assert_eq!(attempts, 4, "{code} {when:?}");
            ledger.check(&store);
        }
        let end = "PERFORM pg_terminate_backend(pg_backend_pid())";
        inject(&sql, &schema, when, 3, end);
        ledger.commit(&store).expect("a commit");
        ledger.check(&store);
    }
}

/// An error for which trying again does not help is reported with its cause, and nothing is written.
#[test]
fn a_commit_that_the_server_refuses_is_reported_with_its_cause() {
    let schema = cluster::unique("refused");
    let store = cluster::connect(options(&schema, None));
    let mut ledger = Ledger::begin(&store);
    ledger.commit(&store).expect("a commit");
    let sql = Sql::connect();
    for when in [When::Statement, When::Commit] {
        for code in ["42501", "P0001", "XX001"] {
            let raise = format!("RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'");
            inject(&sql, &schema, when, 1, &raise);
            let error = ledger.commit(&store).expect_err("a refusal");
            assert!(matches!(error, StoreError::Backend { .. }), "{error:?}");
            assert_eq!(error.to_string(), "cannot commit");
            let cause = error.source().expect("a cause").source().expect("of the server");
            assert!(cause.to_string().contains("injected"), "{cause}");
            ledger.check(&store);
            ledger.commit(&store).expect("the next commit");
            ledger.check(&store);
        }
    }
}

/// The hub gave up on a commit whose outcome is unknown. The next hub on the same store commits
/// something else, which must not be taken for it.
#[test]
fn a_commit_after_one_with_an_unknown_outcome_is_not_taken_for_it() {
    let schema = cluster::unique("unknown");
    let proxy = Proxy::start(cluster::shared().address());
    let store = cluster::connect(options(&schema, Some(proxy.port())));
    let mut ledger = Ledger::begin(&store);
    ledger.commit(&store).expect("a commit");
    for _ in 0..5 {
        // All of the commit is sent, and its answer is lost.
        store.give_up();
        proxy.cut(Direction::ToClient, 0, End::Closed);
        let error = ledger.commit(&store).expect_err("an unknown outcome");
        assert_eq!(error.to_string(), "cannot find out whether a commit was written");
        assert!(!error.is_transient(), "{error:?}");
        ledger.reopen(&store);
        ledger.commit(&store).expect("a commit");
        ledger.check(&store);
    }
}

/// The user may not create schemas, and has no connection left for a while.
#[test]
fn a_commit_waits_for_a_connection() {
    let schema = cluster::unique("limited");
    let sql = Sql::connect();
    sql.run(&format!("CREATE ROLE {schema} LOGIN; CREATE SCHEMA {schema} AUTHORIZATION {schema}"));
    let store = cluster::connect(options_of(&schema, &schema, None));
    let mut ledger = Ledger::begin(&store);
    ledger.commit(&store).expect("a commit");
    sql.run(&format!(
        "ALTER ROLE {schema} CONNECTION LIMIT 0;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{schema}'"
    ));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| ledger.commit(&store));
        sql.run(&format!("SELECT pg_sleep(0.3); ALTER ROLE {schema} CONNECTION LIMIT 9"));
        waiting.join().expect("the other thread").expect("a commit");
    });
    ledger.check(&store);
}
