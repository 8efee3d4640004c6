//! The connections for reads, and the waits for a database that does not answer.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use durable::store::StoreError;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::time;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row, Statement};

use crate::PostgresOptions;
use crate::connect::{self, Connection, Session};
use crate::error::{Meaning, failed, meaning};

/// The first and the longest pause before another attempt.
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The connections of a store.
#[derive(Debug)]
pub(crate) struct Sessions {
    options: PostgresOptions,
    handle: Handle,
    idle: Mutex<Vec<Reader>>,
    /// One permit for each connection that reads.
    permits: Semaphore,
    given_up: AtomicBool,
    stopped: Notify,
}

/// A connection for reads, with the statements that were prepared on it.
struct Reader {
    client: Connection,
    prepared: HashMap<&'static str, Statement>,
}

/// Pauses that grow after each attempt, until the store has to give up.
pub(crate) struct Pauses<'a> {
    sessions: &'a Sessions,
    wait: Wait,
}

/// How long a caller waits next, and how long it has waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    next: Duration,
    total: Duration,
}

impl Default for Wait {
    fn default() -> Self {
        Self { next: PAUSE_MIN, total: Duration::ZERO }
    }
}

impl Sessions {
    pub(crate) fn new(options: PostgresOptions, handle: Handle) -> Self {
        let permits = Semaphore::new(options.readers);
        let (idle, given_up, stopped) = <_>::default();
        Self { options, handle, idle, permits, given_up, stopped }
    }

    pub(crate) fn options(&self) -> &PostgresOptions {
        &self.options
    }

    pub(crate) fn schema(&self) -> &str {
        &self.options.schema
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Connection, StoreError> {
        connect::connect(&self.options, &self.handle).await
    }

    /// Waits for an answer of the server, at most as long as the options say.
    ///
    /// # Errors
    /// The same as [`connect::answer`].
    pub(crate) async fn answer<T>(
        &self,
        doing: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        connect::answer(self.options.timeout, doing, answer).await
    }

    /// Runs a query to its end, and retries it while the database cannot be reached.
    pub(crate) async fn query(
        &self,
        doing: &str,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let _permit = self.permits.acquire().await;
        let mut pauses = self.pauses();
        loop {
            let mut reader = match self.reader().await {
                Ok(reader) => reader,
                Err(error) if error.is_transient() => {
                    pauses.wait(error).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let answer = match self.answer(doing, reader.query(sql, parameters)).await {
                Ok(answer) => answer,
                Err(late) => {
                    pauses.wait(late).await?;
                    continue;
                }
            };
            match answer {
                Ok(rows) => {
                    self.put_back(reader);
                    return Ok(rows);
                }
                Err(error) => match meaning(&error) {
                    Meaning::Lost => pauses.wait(failed(doing)(error)).await?,
                    Meaning::Again => {
                        self.put_back(reader);
                        pauses.wait(failed(doing)(error)).await?;
                    }
                    Meaning::Refused | Meaning::Broken => return Err(failed(doing)(error)),
                },
            }
        }
    }

    async fn reader(&self) -> Result<Reader, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle.filter(|reader| !reader.client.is_closed()) {
            Some(reader) => Ok(reader),
            None => Ok(Reader { client: self.connect().await?, prepared: HashMap::new() }),
        }
    }

    fn put_back(&self, reader: Reader) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
    }

    pub(crate) fn pauses(&self) -> Pauses<'_> {
        Pauses { sessions: self, wait: Wait::default() }
    }

    /// Waits before another attempt after `error`. Returns how long to wait next.
    ///
    /// # Errors
    /// `error`, if the store was told to give up.
    pub(crate) async fn wait(&self, wait: Wait, error: StoreError) -> Result<Wait, StoreError> {
        let Wait { next, total } = wait;
        let stopped = self.stopped.notified();
        if self.given_up.load(Ordering::Acquire) {
            return Err(error);
        }
        if total >= PAUSE_MAX && next == PAUSE_MAX {
            tracing::warn!(target: "durable", error = %error, waited = ?total,
                "the database cannot do this now; trying again");
        }
        if time::timeout(next, stopped).await.is_ok() {
            return Err(error);
        }
        Ok(Wait { next: (next * 2).min(PAUSE_MAX), total: total + next })
    }

    /// Ends all waiting for the database, now and later.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        self.stopped.notify_waiters();
    }

    /// Waits for the database again.
    pub(crate) fn begin(&self) {
        self.given_up.store(false, Ordering::Release);
    }
}

/// Ends a session whose connection is lost. The server may not have noticed the loss, and would
/// keep the locks of a transaction while it waits for more bytes.
pub(crate) async fn end(sessions: &Sessions, Session { pid, began }: &Session) {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE pid = $1 AND backend_start = $2::text::timestamptz";
    // If this fails, sessions that need the locks wait until the session has ended by itself.
    drop(sessions.query("cannot end a session", end, &[pid, began]).await);
}

impl Reader {
    async fn query(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let prepared = match self.prepared.get(sql) {
            Some(prepared) => prepared.clone(),
            None => {
                let prepared = self.client.prepare(sql).await?;
                self.prepared.insert(sql, prepared.clone());
                prepared
            }
        };
        self.client.query(&prepared, parameters).await
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("prepared", &self.prepared.len()).finish_non_exhaustive()
    }
}

impl Pauses<'_> {
    /// Waits before another attempt after `error`.
    ///
    /// # Errors
    /// `error`, if the store was told to give up.
    pub(crate) async fn wait(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.wait = self.sessions.wait(self.wait, error).await?;
        Ok(())
    }
}
