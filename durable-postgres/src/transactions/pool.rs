//! The connections of transactional activities. They have the settings of the user, not those of the
//! hub.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use durable::protocol::FailureDetails;
use durable::store::StoreError;
use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time;
use tokio_postgres::Client;

use super::effect::Statements;
use super::failure;
use crate::connect::{self, Connection};
use crate::sessions::{self, Sessions, Wait};

/// Connections for transactions.
#[derive(Debug)]
pub(crate) struct Pool {
    sessions: Arc<Sessions>,
    /// The runtime of connections and timers, because the runtime of the activities may support
    /// neither.
    handle: Handle,
    statements: Statements,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// A connection in use. Unless it is put back, its session is ended.
pub(super) struct Lease {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    permit: Option<OwnedSemaphorePermit>,
}

/// How long an activity has waited for the database.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waits {
    wait: Wait,
    /// Whether to wait after any error, because the outcome of a transaction must be found out.
    pub(super) for_certain: bool,
}

/// Ends a task when it is dropped.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pool {
    pub(crate) fn new(sessions: Arc<Sessions>, handle: Handle) -> Self {
        let statements = Statements::new(sessions.schema());
        let permits = Arc::new(Semaphore::new(sessions.options().transactions));
        Self { sessions, handle, statements, idle: Mutex::default(), permits }
    }

    pub(super) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// Takes a connection. Waits while none is free or the database cannot be reached.
    pub(super) async fn take(self: &Arc<Self>, waits: &mut Waits) -> Result<Lease, FailureDetails> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match idle {
                Some(connection) if connection.is_closed() => continue,
                Some(connection) => Ok(connection),
                None => self.connect().await,
            };
            match connection {
                Ok(connection) => {
                    let (pool, connection) = (Arc::clone(self), Some(connection));
                    return Ok(Lease { pool, connection, permit });
                }
                Err(error) => self.wait(waits, error).await?,
            }
        }
    }

    async fn connect(&self) -> Result<Connection, StoreError> {
        let (sessions, handle) = (Arc::clone(&self.sessions), self.handle.clone());
        self.run(async move { connect::connect_for_users(sessions.options(), &handle).await }).await
    }

    /// Waits before another attempt after `error`.
    ///
    /// # Errors
    /// Another attempt would not help, or the hub is stopping.
    pub(super) async fn wait(
        &self,
        waits: &mut Waits,
        error: StoreError,
    ) -> Result<(), FailureDetails> {
        if !error.is_transient() && !waits.for_certain {
            return Err(failure(&error));
        }
        let (sessions, wait) = (Arc::clone(&self.sessions), waits.wait);
        let waited = self.run(async move { sessions.wait(wait, error).await });
        waits.wait = waited.await.map_err(|error| failure(&error))?;
        Ok(())
    }

    /// Waits for an answer of the server, at most as long as the options say.
    pub(super) async fn answer<T>(
        &self,
        doing: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        let limit = self.sessions.options().timeout;
        let mut timer = Task(self.handle.spawn(time::sleep(limit)));
        match select(pin!(answer), &mut timer.0).await {
            Either::Left((answer, _)) => Ok(answer),
            Either::Right(_) => {
                let late = io::Error::from(io::ErrorKind::TimedOut);
                Err(StoreError::unavailable(doing, late))
            }
        }
    }

    /// Runs a future on the runtime of the connections.
    async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut task = Task(self.handle.spawn(future));
        let done = (&mut task.0).await;
        done.map_err(|gone| StoreError::backend("the store is closed", gone)).flatten()
    }
}

impl Lease {
    pub(super) fn parts(&mut self) -> (&mut Client, &Statements) {
        match &mut self.connection {
            Some(connection) => (connection, &self.pool.statements),
            None => unreachable!("it is taken by value only"),
        }
    }

    /// Ends the use of a connection. If its transaction is over, the connection is reset and used
    /// again; otherwise it is closed.
    pub(super) fn put_back(mut self, is_over: bool) {
        if !is_over {
            return;
        }
        let (connection, permit) = (self.connection.take(), self.permit.take());
        let Some(connection) = connection else { return };
        if connection.is_closed() {
            return;
        }
        let pool = Arc::clone(&self.pool);
        self.pool.handle.spawn(async move {
            let limit = pool.sessions.options().timeout;
            let reset = connect::reset(&connection, pool.sessions.options());
            if matches!(time::timeout(limit, reset).await, Ok(Ok(()))) {
                pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            drop(permit);
        });
    }
}

/// Ends the session on the server, which may not notice at once that the connection is closed, in
/// particular while it executes a statement. Until it notices, it would keep the locks of the
/// transaction.
impl Drop for Lease {
    fn drop(&mut self) {
        let (connection, permit) = (self.connection.take(), self.permit.take());
        let Some(connection) = connection else { return };
        let (sessions, session) = (Arc::clone(&self.pool.sessions), connection.session().clone());
        drop((connection, permit));
        self.pool.handle.spawn(async move { sessions::end(&sessions, &session).await });
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("session", &self.connection.as_ref().map(Connection::session))
            .finish_non_exhaustive()
    }
}
