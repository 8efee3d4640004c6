//! The statements of a commit. Array parameters are sorted by key, so that any two transactions lock
//! rows in the same order.
//!
//! The writes of a group are divided into parts, and each part is one or several CTEs. The parts
//! that a group needs form one statement, because each statement costs the server and the client as
//! much as several rows. It ends with `SELECT 1 / (..)::int`, which fails with division by zero
//! (`22012`) unless each part wrote the expected number of rows; the error aborts the transaction.
//! A CTE that writes runs to its end whatever the SELECT reads, so the counts are exact.
//!
//! All parts of a statement see the same snapshot, so no row may be written by two of them.

use std::fmt::Write as _;

use tokio_postgres::types::ToSql;

pub(super) type Parameters<'a> = Vec<&'a (dyn ToSql + Sync)>;

/// A part of a group's writes.
pub(super) struct Part {
    /// The CTEs of the part. `$a`, `$b`, .. are its parameters.
    ctes: &'static str,
    /// The condition that must hold.
    check: Option<&'static str>,
    /// The number of the part's parameters.
    parameters: usize,
}

/// Checks that the partitions still have these epochs, and locks their rows against a new owner,
/// but does not write them: while another session holds a snapshot, their dead row versions would
/// slow down every commit. Then it records commit `$e` of lane `$d`. This fails if that commit is
/// already recorded (`23505`), or if the one before it is not.
const FENCE: Part = Part {
    ctes: "
    owned AS (
        SELECT 1 FROM partition p JOIN unnest($a::int4[], $b::int8[]) o(id, epoch)
            ON p.id = o.id AND p.epoch = o.epoch ORDER BY p.id FOR SHARE OF p),
    marked AS (
        INSERT INTO committed SELECT $d::int8, $e::int8 WHERE $e::int8 = 1
            OR EXISTS (SELECT 1 FROM committed WHERE lane = $d::int8 AND number = $e::int8 - 1)
            RETURNING 1),
    unmarked AS (DELETE FROM committed WHERE lane = $d::int8 AND number = $e::int8 - 2)",
    check: Some("(SELECT count(*) FROM owned) = $c::int8 AND (SELECT count(*) FROM marked) = 1"),
    parameters: 5,
};

/// The longest `tail` in bytes, unless it is a single episode. Each commit writes the whole tail
/// again, so a long one costs more than moving it once to the table `history`.
pub(super) const TAIL_MAX: i32 = 1024;

/// Extends histories. Each instance must have this execution, with this number of events. A tail
/// that would become too long moves to the table `history`.
const APPEND: Part = Part {
    ctes: "
    going AS (SELECT * FROM unnest($a::text[], $b::uuid[], $c::int8[], $d::int8[], $e::int8[],
        $f::bytea[], $g::bytea[]) o(id, execution, expected, len, created, record, events)),
    full_tails AS (
        INSERT INTO history SELECT i.id, i.execution, i.tail_first, i.tail
            FROM going o JOIN instance i ON i.id = o.id
            WHERE i.execution = o.execution AND i.history_len = o.expected
            AND i.tail <> '' AND octet_length(i.tail) + octet_length(o.events) > $i::int4),
    appended AS (
        UPDATE instance i SET history_len = o.len, created_at = o.created, record = o.record,
            tail = CASE WHEN octet_length(i.tail) + octet_length(o.events) > $i::int4
                THEN o.events ELSE i.tail || o.events END,
            tail_first = CASE WHEN i.tail = ''
                    OR octet_length(i.tail) + octet_length(o.events) > $i::int4
                THEN o.expected ELSE i.tail_first END
            FROM going o
            WHERE i.id = o.id AND i.execution = o.execution AND i.history_len = o.expected
            RETURNING 1)",
    check: Some("(SELECT count(*) FROM appended) = $h::int8"),
    parameters: 9,
};

/// Begins histories. The instance must not exist, have another execution, or have no events; and no
/// older part of this history may exist. The tail of another execution moves to the table
/// `history`.
const START: Part = Part {
    ctes: "
    beginning AS (SELECT * FROM unnest($a::text[], $b::uuid[], $c::int8[], $d::int8[], $e::bytea[],
        $f::bytea[]) o(id, execution, len, created, record, events)),
    former_tails AS (
        INSERT INTO history SELECT i.id, i.execution, i.tail_first, i.tail
            FROM beginning o JOIN instance i ON i.id = o.id
            WHERE i.execution <> o.execution AND i.tail <> ''),
    started AS (
        INSERT INTO instance AS i (id, execution, history_len, created_at, record, tail_first, tail)
            SELECT id, execution, len, created, record, 0, events FROM beginning o WHERE NOT EXISTS (
                SELECT 1 FROM history h WHERE h.id = o.id AND h.execution = o.execution)
            ON CONFLICT (id) DO UPDATE SET execution = excluded.execution,
                history_len = excluded.history_len, created_at = excluded.created_at,
                record = excluded.record, tail_first = 0, tail = excluded.tail
            WHERE i.execution <> excluded.execution OR i.history_len = 0
            RETURNING 1)",
    check: Some("(SELECT count(*) FROM started) = $g::int8"),
    parameters: 7,
};

const PURGE: Part = Part {
    ctes: "
    purged AS (DELETE FROM instance WHERE id = ANY($a::text[])),
    purged_histories AS (DELETE FROM history WHERE id = ANY($a::text[])),
    purged_effects AS (DELETE FROM effect WHERE id = ANY($a::text[]))",
    check: None,
    parameters: 1,
};

const CONSUME: Part = Part {
    ctes: "
    consumed AS (DELETE FROM message WHERE key = ANY($a::bytea[]) RETURNING 1)",
    check: Some("(SELECT count(*) FROM consumed) = $b::int8"),
    parameters: 2,
};

const SEND: Part = Part {
    ctes: "
    sent AS (INSERT INTO message SELECT * FROM unnest($a::bytea[], $b::text[], $c::bytea[]))",
    check: None,
    parameters: 3,
};

/// Deletes messages of other nodes from the outbox, which become messages of their targets in this
/// commit.
const RECEIVE: Part = Part {
    ctes: "
    received AS (DELETE FROM outbox WHERE key = ANY($a::bytea[]) RETURNING 1)",
    check: Some("(SELECT count(*) FROM received) = $b::int8"),
    parameters: 2,
};

const QUEUE: Part = Part {
    ctes: "
    queued AS (INSERT INTO outbox (key, source, record)
        SELECT * FROM unnest($a::bytea[], $b::int4[], $c::bytea[]))",
    check: None,
    parameters: 3,
};

/// Marks requests as taken. A request without its body is not delivered, even if it is asked while
/// this runs.
const TAKE: Part = Part {
    ctes: "
    taken AS (INSERT INTO request (id, state) SELECT id, 1 FROM unnest($a::uuid[]) t(id)
        ON CONFLICT (id) DO UPDATE SET state = 1, body = NULL WHERE request.state = 0)",
    check: None,
    parameters: 1,
};

/// Answers requests. The first answer to a request counts, and is queued for the node that asked.
const ANSWER: Part = Part {
    ctes: "
    answered AS (
        INSERT INTO request (id, state, answer)
            SELECT id, 2, answer FROM unnest($a::uuid[], $b::text[]) a(id, answer)
            ON CONFLICT (id) DO UPDATE SET state = 2, answer = excluded.answer, body = NULL
            WHERE request.state < 2
            RETURNING id, node),
    answers AS (
        INSERT INTO outbox (key, id) SELECT '\\xffff'::bytea || uuid_send(node) || $c::bytea
                || int8send($d::int8 + row_number() OVER ()), id
            FROM answered WHERE node IS NOT NULL)",
    check: None,
    parameters: 4,
};

/// Ends the delivery of requests.
const END: Part = Part {
    ctes: "
    ended AS (DELETE FROM outbox WHERE key = ANY(ARRAY(
        SELECT key FROM request WHERE id = ANY($a::uuid[]) AND key IS NOT NULL)))",
    check: None,
    parameters: 1,
};

const ACTIVE_DELETE: Part = Part {
    ctes: "
    not_active AS (DELETE FROM active WHERE key = ANY($a::bytea[]))",
    check: None,
    parameters: 1,
};
const ACTIVE_INSERT: Part = Part {
    ctes: "
    now_active AS (INSERT INTO active SELECT * FROM unnest($a::bytea[]))",
    check: None,
    parameters: 1,
};
const DUE_DELETE: Part = Part {
    ctes: "
    not_due AS (DELETE FROM due WHERE key = ANY($a::bytea[]))",
    check: None,
    parameters: 1,
};
const DUE_INSERT: Part = Part {
    ctes: "
    now_due AS (INSERT INTO due SELECT * FROM unnest($a::bytea[]))",
    check: None,
    parameters: 1,
};

/// The kinds of parts, in the order in which they are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Fence,
    Append,
    Start,
    Purge,
    Consume,
    Send,
    Receive,
    Queue,
    Take,
    Answer,
    End,
    ActiveDelete,
    ActiveInsert,
    DueDelete,
    DueInsert,
}

const PARTS: [Part; 15] = [
    FENCE,
    APPEND,
    START,
    PURGE,
    CONSUME,
    SEND,
    RECEIVE,
    QUEUE,
    TAKE,
    ANSWER,
    END,
    ACTIVE_DELETE,
    ACTIVE_INSERT,
    DUE_DELETE,
    DUE_INSERT,
];

/// A set of kinds of parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kinds(u16);

impl Kinds {
    fn contains(self, kind: usize) -> bool {
        self.0 & (1 << kind) != 0
    }

    /// The statement that consists of these parts.
    pub(super) fn sql(self) -> String {
        let (mut ctes, mut checks, mut before) = (Vec::new(), Vec::new(), 0);
        for (kind, part) in PARTS.iter().enumerate() {
            if self.contains(kind) {
                ctes.push(numbered(part.ctes, before));
                checks.extend(part.check.map(|check| numbered(check, before)));
                before += part.parameters;
            }
        }
        let check = if checks.is_empty() { "true".to_owned() } else { checks.join(" AND ") };
        format!("WITH{}\n    SELECT 1 / ({check})::int", ctes.join(","))
    }
}

/// The SQL of a part, with its parameters numbered after those of earlier parts.
fn numbered(sql: &str, before: usize) -> String {
    let mut pieces = sql.split('$');
    let mut numbered = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (letter, rest) = piece.split_at(1);
        let index = usize::from(letter.as_bytes()[0] - b'a');
        // Writing to a text cannot fail.
        let _infallible = write!(numbered, "${}{rest}", before + index + 1);
    }
    numbered
}

/// Parts with their parameters.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) kinds: Kinds,
    pub(super) parameters: Parameters<'a>,
}

impl<'a> Parts<'a> {
    /// Adds a part. Parts must be added in the order of their kinds.
    pub(super) fn add(&mut self, kind: Kind, parameters: Parameters<'a>) {
        self.kinds.0 |= 1 << kind as u16;
        self.parameters.extend(parameters);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kinds == Kinds::default()
    }
}

/// Removes the histories and effects of executions that are replaced. This statement removes the
/// part that is in the row of the instance.
pub(super) const FORGET_TAIL: &str = "
    UPDATE instance i SET history_len = 0, tail = '' FROM unnest($1::text[], $2::uuid[]) o(id, execution)
    WHERE i.id = o.id AND i.execution = o.execution";
pub(super) const FORGET: &str = "
    WITH effects AS (DELETE FROM effect WHERE ctid = ANY(ARRAY(
        SELECT e.ctid FROM unnest($1::text[], $2::uuid[], $3::bool[]) o(id, execution, is_over)
        CROSS JOIN LATERAL (SELECT ctid FROM effect WHERE effect.id = o.id
            AND effect.execution = o.execution AND o.is_over OFFSET 0) e)))
    DELETE FROM history WHERE ctid = ANY(ARRAY(
        SELECT h.ctid FROM unnest($1::text[], $2::uuid[]) o(id, execution)
        CROSS JOIN LATERAL (SELECT ctid FROM history
            WHERE history.id = o.id AND history.execution = o.execution OFFSET 0) h))";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_through_all_parts() {
        let mut parts = Parts::default();
        assert!(parts.is_empty());
        parts.add(Kind::Consume, vec![&1, &2]);
        parts.add(Kind::DueInsert, vec![&3]);
        assert_eq!(parts.parameters.len(), 3);
        let sql = parts.kinds.sql();
        let sql: Vec<_> = sql.split_whitespace().collect();
        assert_eq!(
            sql.join(" "),
            "WITH consumed AS (DELETE FROM message WHERE key = ANY($1::bytea[]) RETURNING 1), \
             now_due AS (INSERT INTO due SELECT * FROM unnest($3::bytea[])) \
             SELECT 1 / ((SELECT count(*) FROM consumed) = $2::int8)::int"
        );
    }

    #[test]
    fn each_part_uses_all_its_parameters() {
        for part in PARTS {
            let sql = format!("{}{}", part.ctes, part.check.unwrap_or_default());
            let used =
                (0..26).filter(|letter| sql.contains(&format!("${}", (b'a' + letter) as char)));
            assert_eq!(used.count(), part.parameters, "{sql}");
        }
    }
}
