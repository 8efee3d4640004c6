-- Queue-like tables have a key of ONE column, so that rows are looked up with `key = ANY(..)`. A join
-- against an array that was planned while such a table was empty reads the whole index for every
-- element, and keeps that plan.

CREATE TABLE hub (
    one bool PRIMARY KEY DEFAULT true CHECK (one),
    record bytea NOT NULL
);

CREATE TABLE partition (
    id int PRIMARY KEY,
    epoch bigint NOT NULL
) WITH (fillfactor = 30);

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
ALTER TABLE partition SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0);
ALTER TABLE instance SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0);
