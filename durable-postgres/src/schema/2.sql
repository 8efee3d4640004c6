-- What transactional activities have returned, recorded in the same transaction as what they have done.
-- Key: the instance, its execution, and the number of the call in it. A row is removed with its
-- instance, and when its execution is replaced.
CREATE TABLE effect (
    id text COLLATE "C",
    execution uuid,
    task int,
    result text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, execution, task)
);
ALTER TABLE effect SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
