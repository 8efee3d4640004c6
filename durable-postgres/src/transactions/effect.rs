//! The statements that look for a recorded result, and the one that records a result.
//!
//! They name the schema of the hub, because the search path is that of the activity.

use durable::store::ActivityEffect;
use futures_util::future::try_join;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Transaction};
use uuid::Uuid;

use crate::lane::uuid;

/// The statements, with the schema of a hub in them.
#[derive(Debug)]
pub(super) struct Statements {
    look: String,
    insert: String,
}

/// What identifies an effect.
#[derive(Debug)]
pub(super) struct Key {
    instance: String,
    execution: Uuid,
    task: i32,
}

/// What a transaction has found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) result: Option<String>,
    /// When the transaction began, in microseconds.
    pub(super) at: i64,
}

/// Whether a result was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    Done,
    /// The instance does not exist, or has another execution.
    NotWanted,
    /// The body has ended the transaction that looked for the result, so this is another one.
    OtherTransaction,
}

const LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock($1)";

impl Statements {
    pub(super) fn new(schema: &str) -> Self {
        let began = "(extract(epoch FROM pg_catalog.now()) * 1000000)::pg_catalog.int8";
        let key = "id = $1 AND execution = $2";
        let look = format!(
            "SELECT {began}, (SELECT result FROM {schema}.effect WHERE {key} AND task = $3)"
        );
        // A body that has ended its transaction left the session without one, so this would be
        // committed at once.
        let insert = format!(
            "WITH waiting AS (SELECT 1 FROM {schema}.instance WHERE {key}),
                inserted AS (
                    INSERT INTO {schema}.effect (id, execution, task, result)
                    SELECT $1, $2, $3, $4 FROM waiting WHERE {began} = $5 RETURNING 1)
            SELECT EXISTS (SELECT FROM waiting), EXISTS (SELECT FROM inserted)"
        );
        Self { look, insert }
    }
}

impl Key {
    pub(super) fn of(effect: &ActivityEffect) -> Self {
        Self {
            instance: effect.instance_id().as_str().to_owned(),
            execution: uuid(effect.execution_id()),
            task: effect.task_id(),
        }
    }

    /// Waits until no other transaction has the effect, and looks for its result.
    pub(super) async fn look(
        &self,
        transaction: &Transaction<'_>,
        statements: &Statements,
    ) -> Result<Found, Error> {
        let lock = self.lock();
        let lock = [(&lock as _, Type::INT8)];
        let key = [
            (&self.instance as _, Type::TEXT),
            (&self.execution as _, Type::UUID),
            (&self.task as _, Type::INT4),
        ];
        // Both are sent at once. The second has a snapshot of its own, taken after the first is done.
        let locked = transaction.query_typed(LOCK, &lock);
        let found = transaction.query_typed_one(&statements.look, &key);
        let (_, found) = try_join(locked, found).await?;
        Ok(Found { at: found.get(0), result: found.get(1) })
    }

    pub(super) async fn insert(
        &self,
        transaction: &Transaction<'_>,
        statements: &Statements,
        began: i64,
        result: &str,
    ) -> Result<Inserted, Error> {
        let row = [
            (&self.instance as _, Type::TEXT),
            (&self.execution as _, Type::UUID),
            (&self.task as _, Type::INT4),
            (&result as _, Type::TEXT),
            (&began as _, Type::INT8),
        ];
        let row = transaction.query_typed_one(&statements.insert, &row).await?;
        Ok(match (row.get(0), row.get(1)) {
            (_, true) => Inserted::Done,
            (false, false) => Inserted::NotWanted,
            (true, false) => Inserted::OtherTransaction,
        })
    }

    /// The number of the advisory lock. If two effects have the same, one waits for the other.
    fn lock(&self) -> i64 {
        let (high, low) = self.execution.as_u64_pair();
        let task = u64::from(self.task.cast_unsigned());
        // An odd factor maps different tasks to different numbers.
        (high ^ low.rotate_left(32) ^ task.wrapping_mul(0x9e37_79b9_7f4a_7c15)).cast_signed()
    }
}
