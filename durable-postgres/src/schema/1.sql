-- Queue-like tables have a key of ONE column, so that rows are looked up with `key = ANY(..)`. A join
-- against an array that was planned while such a table was empty reads the whole index for every
-- element, and keeps that plan.

CREATE TABLE hub (
    one bool PRIMARY KEY DEFAULT true CHECK (one),
    record bytea NOT NULL,
    -- At least the clock of every node that has left.
    clock bigint NOT NULL DEFAULT 0
);

-- `owner` is a node. The last three are for operators: a node by whose name it should be owned, and why
-- it stays where it is, or is broken. Commits only lock these rows.
CREATE TABLE partition (
    id int PRIMARY KEY,
    epoch bigint NOT NULL,
    owner uuid,
    claimed_at timestamptz,
    pin text,
    frozen text,
    broken text
) WITH (fillfactor = 30);

-- The processes that have opened the hub. A node owns its partitions as long as it was seen within its
-- `lease`, so that a lease is renewed by the write of one row. `lock_key` is an advisory lock that the
-- node holds while its connection is up. `clock` is greater than the numbers that it gives to what it
-- queues until it is seen again.
CREATE TABLE node (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    is_client bool NOT NULL,
    joined_at timestamptz NOT NULL,
    alive_since timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    lease interval NOT NULL,
    lock_key bigint,
    clock bigint NOT NULL
) WITH (fillfactor = 30);

-- A stream is what one writer queues, one transaction after the other: the numbers in it appear in
-- order. A row stays until all that it has queued was received, also after its node has left.
CREATE TABLE stream (
    id bigint PRIMARY KEY,
    node uuid NOT NULL
);

-- What nodes send each other. Key: the target, then the stream, then a number; the target is a
-- partition, or ff ff and a node. A message has `source` and `record`; a request, or its answer if the
-- target is a node, has the `id` of the request.
CREATE TABLE outbox (
    key bytea PRIMARY KEY,
    source int,
    record bytea,
    id uuid
);

-- Requests: open (0), stored as a message (1), or answered (2). `node` asked, and `key` is where the
-- request was queued; both are null as long as only the answering side has named it.
CREATE TABLE request (
    id uuid PRIMARY KEY,
    state smallint NOT NULL DEFAULT 0,
    node uuid,
    key bytea,
    body text,
    answer text,
    at timestamptz NOT NULL DEFAULT now()
);

-- One row for each of the last two commits of a lane, so that the outcome of a commit is known even if the
-- connection broke before the answer.
CREATE TABLE committed (
    lane bigint,
    number bigint,
    PRIMARY KEY (lane, number)
);

-- `record` is the instance; the columns before it are what the store looks for. `tail` holds the
-- newest part of the history of `execution`, beginning with the event `tail_first`.
CREATE TABLE instance (
    id text COLLATE "C" PRIMARY KEY,
    execution uuid NOT NULL,
    history_len bigint NOT NULL,
    created_at bigint NOT NULL,
    record bytea NOT NULL,
    tail_first bigint NOT NULL,
    tail bytea NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX instance_created ON instance (created_at, id) WHERE id NOT LIKE '@%';

-- The older parts of histories: `first` is the index of the first event.
CREATE TABLE history (
    id text COLLATE "C",
    execution uuid,
    first bigint,
    events bytea NOT NULL,
    PRIMARY KEY (id, execution, first)
);
ALTER TABLE history ALTER events SET STORAGE EXTERNAL;

-- Keys: partition, then time or position or nothing, then the id; numbers are big-endian.
CREATE TABLE active (key bytea PRIMARY KEY);
CREATE TABLE due (key bytea PRIMARY KEY);
CREATE TABLE message (
    key bytea PRIMARY KEY,
    target text COLLATE "C" NOT NULL,
    record bytea NOT NULL
);

-- Vacuum by the number of dead rows, not by their share; and never return pages to the system, which
-- takes an exclusive lock.
ALTER TABLE committed SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE active SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE due SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE message SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE request SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE node SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100,
    autovacuum_vacuum_cost_delay = 0);
ALTER TABLE partition SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0);
ALTER TABLE instance SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0);
