//! The statements of a commit. Array parameters are sorted by key, so that any two transactions lock
//! rows in the same order.
//!
//! `SELECT 1 / (count(*) = $n)::int` fails with division by zero (`22012`) unless a statement touched
//! `$n` rows. That aborts the transaction: the statements behind it fail, and COMMIT rolls back. A
//! CTE that writes runs to its end whatever the SELECT reads, so the count is exact.

/// A statement that is prepared on each connection that commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Begin,
    Fence,
    Mark,
    Unmark,
    ForgetTail,
    Forget,
    Append,
    Start,
    Purge,
    PurgeHistory,
    Consume,
    Send,
    ActiveDelete,
    ActiveInsert,
    DueDelete,
    DueInsert,
    Commit,
    Rollback,
}

impl Statement {
    /// In the order of the variants.
    pub(super) const ALL: [&str; 18] = [
        "BEGIN",
        FENCE,
        MARK,
        UNMARK,
        FORGET_TAIL,
        FORGET,
        APPEND,
        START,
        PURGE,
        PURGE_HISTORY,
        CONSUME,
        SEND,
        ACTIVE_DELETE,
        ACTIVE_INSERT,
        DUE_DELETE,
        DUE_INSERT,
        "COMMIT",
        "ROLLBACK",
    ];
}

/// The longest `tail` in bytes, unless it is a single episode. Each commit writes the whole tail
/// again, so a long one costs more than moving it once to the table `history`.
pub(super) const TAIL_MAX: i32 = 1024;

/// Checks that the partitions still have these epochs, and locks their rows against a new owner. It
/// does not write them: while another session holds a snapshot, the dead versions of so few rows
/// would slow down every commit.
const FENCE: &str = "
    WITH owned AS (
        SELECT 1 FROM partition p JOIN unnest($1::int4[], $2::int8[]) o(id, epoch)
            ON p.id = o.id AND p.epoch = o.epoch ORDER BY p.id FOR SHARE OF p)
    SELECT 1 / (count(*) = $3::int8)::int FROM owned";

/// Records commit `$2` of lane `$1`. It fails if that is recorded already (`23505`), or if the one
/// before it is not.
const MARK: &str = "
    WITH written AS (
        INSERT INTO committed SELECT $1::int8, $2::int8
            WHERE $2 = 1 OR EXISTS (SELECT 1 FROM committed WHERE lane = $1 AND number = $2 - 1)
            RETURNING 1)
    SELECT 1 / (count(*) = 1)::int FROM written";
const UNMARK: &str = "DELETE FROM committed WHERE lane = $1::int8 AND number = $2::int8 - 2";

/// Removes the histories of executions that are replaced: first what is in the instance's row.
const FORGET_TAIL: &str = "
    UPDATE instance i SET history_len = 0, tail = '' FROM unnest($1::text[], $2::uuid[]) o(id, execution)
    WHERE i.id = o.id AND i.execution = o.execution";
const FORGET: &str = "
    DELETE FROM history WHERE ctid = ANY(ARRAY(
        SELECT h.ctid FROM unnest($1::text[], $2::uuid[]) o(id, execution)
        CROSS JOIN LATERAL (SELECT ctid FROM history
            WHERE history.id = o.id AND history.execution = o.execution OFFSET 0) h))";

/// Histories that go on: the instance has this execution, with so many events. A tail that would
/// become too long moves to the table `history`.
const APPEND: &str = "
    WITH o AS (SELECT * FROM unnest($1::text[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[],
            $6::bytea[], $7::bytea[]) o(id, execution, expected, len, created, record, events)),
        spilled AS (
            INSERT INTO history SELECT i.id, i.execution, i.tail_first, i.tail
                FROM o JOIN instance i ON i.id = o.id
                WHERE i.execution = o.execution AND i.history_len = o.expected
                AND i.tail <> '' AND octet_length(i.tail) + octet_length(o.events) > $9::int4),
        written AS (
            UPDATE instance i SET history_len = o.len, created_at = o.created, record = o.record,
                tail = CASE WHEN octet_length(i.tail) + octet_length(o.events) > $9
                    THEN o.events ELSE i.tail || o.events END,
                tail_first = CASE WHEN i.tail = ''
                        OR octet_length(i.tail) + octet_length(o.events) > $9
                    THEN o.expected ELSE i.tail_first END
                FROM o WHERE i.id = o.id AND i.execution = o.execution AND i.history_len = o.expected
                RETURNING 1)
    SELECT 1 / (count(*) = $8::int8)::int FROM written";

/// Histories that begin: there is no such instance, or it has another execution, or no events; and
/// there is no older part of this history. The tail of another execution moves to the table
/// `history`.
const START: &str = "
    WITH o AS (SELECT * FROM unnest($1::text[], $2::uuid[], $3::int8[], $4::int8[], $5::bytea[],
            $6::bytea[]) o(id, execution, len, created, record, events)),
        spilled AS (
            INSERT INTO history SELECT i.id, i.execution, i.tail_first, i.tail
                FROM o JOIN instance i ON i.id = o.id
                WHERE i.execution <> o.execution AND i.tail <> ''),
        written AS (
            INSERT INTO instance AS i (id, execution, history_len, created_at, record, tail_first, tail)
                SELECT id, execution, len, created, record, 0, events FROM o WHERE NOT EXISTS (
                    SELECT 1 FROM history h WHERE h.id = o.id AND h.execution = o.execution)
                ON CONFLICT (id) DO UPDATE SET execution = excluded.execution,
                    history_len = excluded.history_len, created_at = excluded.created_at,
                    record = excluded.record, tail_first = 0, tail = excluded.tail
                WHERE i.execution <> excluded.execution OR i.history_len = 0
                RETURNING 1)
    SELECT 1 / (count(*) = $7::int8)::int FROM written";

const PURGE: &str = "DELETE FROM instance WHERE id = ANY($1::text[])";
const PURGE_HISTORY: &str = "DELETE FROM history WHERE id = ANY($1::text[])";

const CONSUME: &str = "
    WITH written AS (DELETE FROM message WHERE key = ANY($1::bytea[]) RETURNING 1)
    SELECT 1 / (count(*) = $2::int8)::int FROM written";
const SEND: &str = "INSERT INTO message SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[])";

const ACTIVE_DELETE: &str = "DELETE FROM active WHERE key = ANY($1::bytea[])";
const ACTIVE_INSERT: &str = "INSERT INTO active SELECT * FROM unnest($1::bytea[])";
const DUE_DELETE: &str = "DELETE FROM due WHERE key = ANY($1::bytea[])";
const DUE_INSERT: &str = "INSERT INTO due SELECT * FROM unnest($1::bytea[])";
