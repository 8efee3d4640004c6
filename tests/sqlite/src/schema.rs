//! The tables.
//!
//! Records are stored as `durable::protocol::codec` writes them. Other columns contain the values
//! that the store searches for. Ids compare byte by byte, as the contract orders them.

use rusqlite::Connection;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS hub (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        record BLOB NOT NULL
    );
    CREATE TABLE IF NOT EXISTS partition (
        id INTEGER PRIMARY KEY,
        epoch INTEGER NOT NULL DEFAULT 0,
        messages_end INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE IF NOT EXISTS instance (
        id TEXT PRIMARY KEY,
        partition INTEGER NOT NULL,
        active INTEGER NOT NULL,
        next_due INTEGER,
        created_at INTEGER NOT NULL,
        record BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS active ON instance (partition, id) WHERE active;
    CREATE INDEX IF NOT EXISTS due ON instance (partition, next_due, id)
        WHERE next_due IS NOT NULL;
    CREATE INDEX IF NOT EXISTS creation ON instance (created_at, id) WHERE id NOT LIKE '@%';
    CREATE TABLE IF NOT EXISTS episode (
        instance TEXT NOT NULL,
        execution BLOB NOT NULL,
        first INTEGER NOT NULL,
        count INTEGER NOT NULL,
        events BLOB NOT NULL,
        PRIMARY KEY (instance, execution, first)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS message (
        partition INTEGER NOT NULL,
        position INTEGER NOT NULL,
        id TEXT NOT NULL,
        target TEXT NOT NULL,
        record BLOB NOT NULL,
        PRIMARY KEY (partition, position)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS message_id ON message (partition, id);
";

/// Creates the missing tables. With `syncs`, a commit is on the disk when it returns.
pub(crate) fn create(connection: &Connection, syncs: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if syncs { "FULL" } else { "OFF" })?;
    connection.execute_batch(TABLES)
}
