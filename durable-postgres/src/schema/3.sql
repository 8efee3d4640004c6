-- An instance is written once for each of its first few steps, and each write is a new version of its
-- row. With this much free space in a page, the versions of a short instance stay in the page, so that
-- indexes do not change, even if another session holds a snapshot and none of them can be removed.
-- Then vacuum finds nothing to remove, and the server starts it again every minute; it must be slow
-- enough not to cost the commits a noticeable part of a core. Without such a snapshot, updates remove
-- dead versions themselves.
ALTER TABLE instance SET (fillfactor = 20, autovacuum_vacuum_cost_delay = 10);
