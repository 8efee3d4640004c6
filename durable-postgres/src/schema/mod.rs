//! Creates the tables, and migrates those of older releases.

use durable::store::StoreError;
use tokio_postgres::Client;

use crate::error::failed;

/// The versions of the tables, from 1. Each is the script that migrates from the version before it.
const VERSIONS: [&str; 3] = [include_str!("1.sql"), include_str!("2.sql"), include_str!("3.sql")];

/// The number of the advisory lock that ensures that only one process migrates at a time.
const LOCK: i64 = 0x6475_7261_626c_6500;

/// Migrates the schema to the newest version.
pub(crate) async fn migrate(client: &mut Client, schema: &str) -> Result<(), StoreError> {
    let doing = format!("cannot create the tables in the schema `{schema}`");
    let failed = failed(&doing);
    let transaction = client.transaction().await.map_err(&failed)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(&failed)?;
    let find = "SELECT to_regclass(format('%I.version', $1::text)) IS NOT NULL";
    let has_tables: bool = transaction.query_one(find, &[&schema]).await.map_err(&failed)?.get(0);
    if !has_tables {
        // CREATE SCHEMA needs a privilege even if the schema exists.
        let find = "SELECT to_regnamespace($1::text) IS NOT NULL";
        let exists: bool = transaction.query_one(find, &[&schema]).await.map_err(&failed)?.get(0);
        if !exists {
            let create = format!("CREATE SCHEMA {schema}");
            transaction.batch_execute(&create).await.map_err(&failed)?;
        }
        let create = "CREATE TABLE version (number int NOT NULL); INSERT INTO version VALUES (0)";
        transaction.batch_execute(create).await.map_err(&failed)?;
    }
    let found = transaction.query_one("SELECT number FROM version", &[]).await.map_err(&failed)?;
    let found: i32 = found.get(0);
    let known = VERSIONS.len();
    let found = usize::try_from(found).unwrap_or_default();
    if found > known {
        let small = |version: usize| u8::try_from(version).unwrap_or(u8::MAX);
        let location = format!("the schema `{schema}`");
        let (found, known) = (small(found), small(known));
        return Err(StoreError::UnknownFormat { location, found, known });
    }
    for script in &VERSIONS[found..] {
        transaction.batch_execute(script).await.map_err(&failed)?;
    }
    if found < known {
        let known = i32::try_from(known).unwrap_or(i32::MAX);
        let update = "UPDATE version SET number = $1";
        transaction.execute(update, &[&known]).await.map_err(&failed)?;
    }
    transaction.commit().await.map_err(&failed)
}
