//! New connections.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use durable::store::{Durability, StoreError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time;
use tokio_postgres::{AsyncMessage, Client, Error, NoTls};

use crate::PostgresOptions;
use crate::error::failed;

/// A connection, which is closed at once when this is dropped, even if the server does not answer.
pub(crate) struct Connection {
    client: Client,
    /// The task that sends and receives.
    task: JoinHandle<()>,
    session: Session,
}

/// Identifies a session of the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) pid: i32,
    /// When the session began, because its number may be used again.
    pub(crate) began: String,
}

impl Connection {
    fn new<S, T>(
        client: Client,
        connection: tokio_postgres::Connection<S, T>,
        handle: &Handle,
        notified: Option<Notified>,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let task = handle.spawn(drive(connection, notified));
        Self { client, task, session: Session::default() }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The function that gets the payload of each notification.
pub(crate) type Notified = Arc<dyn Fn(&str) + Send + Sync>;

/// Sends and receives until the connection ends.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, notified: Option<Notified>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let (AsyncMessage::Notification(notification), Some(notified)) = (message, &notified) {
            notified(notification.payload());
        }
    }
}

/// Settings of every connection. The planner assumes that an array has ten rows. With these
/// settings, it therefore always uses the index on a key, whatever the statistics of a table say,
/// and locks rows in the order of the arrays: a hash join would ignore that order, and two commits
/// could block each other.
const SETTINGS: &str = "
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET enable_bitmapscan = off; SET jit = off;
    SET idle_in_transaction_session_timeout = '2s';
    SET statement_timeout = '10s'; SET lock_timeout = '5s';";

/// The settings of connections for transactional activities, which get none of our other settings.
/// The script also resets what an activity may have changed in the session, except for prepared
/// statements, because the driver keeps some of its own.
fn reset_script(options: &PostgresOptions) -> String {
    let idle = options.timeout.as_millis();
    format!(
        "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *;
         SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES;
         SET idle_in_transaction_session_timeout = {idle};"
    )
}

/// Prepares a connection for a transactional activity.
pub(crate) async fn reset(client: &Client, options: &PostgresOptions) -> Result<(), Error> {
    client.batch_execute(&reset_script(options)).await
}

/// Opens a connection for transactional activities.
pub(crate) async fn connect_for_users(
    options: &PostgresOptions,
    handle: &Handle,
) -> Result<Connection, StoreError> {
    let prepare = async {
        let mut client = open(options, handle, None).await?;
        reset(&client, options).await.map_err(failed("cannot prepare a connection"))?;
        client.session = session(&client).await?;
        Ok(client)
    };
    answer(options.timeout, CONNECT, prepare).await?
}

async fn session(client: &Client) -> Result<Session, StoreError> {
    let select =
        "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    let row = client.query_one(select, &[]).await.map_err(failed("cannot read the session"))?;
    Ok(Session { pid: row.get(0), began: row.get(1) })
}

/// Waits for an answer of the server, but not longer than `limit`. A proxy or a pooler may keep a
/// broken connection open, so nothing is awaited without a limit.
///
/// # Errors
/// The answer did not come in time; the connection is no longer usable.
pub(crate) async fn answer<T>(
    limit: Duration,
    doing: &str,
    answer: impl Future<Output = T>,
) -> Result<T, StoreError> {
    let late = |_| StoreError::unavailable(doing, io::Error::from(io::ErrorKind::TimedOut));
    time::timeout(limit, answer).await.map_err(late)
}

/// Opens a connection, whose background task runs on `handle`.
pub(crate) async fn connect(
    options: &PostgresOptions,
    handle: &Handle,
) -> Result<Connection, StoreError> {
    connect_notified(options, handle, None).await
}

/// Like [`connect`], but passes on the payloads of notifications.
pub(crate) async fn connect_notified(
    options: &PostgresOptions,
    handle: &Handle,
    notified: Option<Notified>,
) -> Result<Connection, StoreError> {
    // The time limit of the driver is for the network connection only.
    answer(options.timeout, CONNECT, prepare(options, handle, notified)).await?
}

async fn prepare(
    options: &PostgresOptions,
    handle: &Handle,
    notified: Option<Notified>,
) -> Result<Connection, StoreError> {
    let mut client = open(options, handle, notified).await?;
    let durability = match options.durability {
        Durability::Within(_) => "off",
        _ => "on",
    };
    let settings = format!(
        "SET search_path = {}; SET synchronous_commit = {durability}; {SETTINGS}",
        options.schema
    );
    client.batch_execute(&settings).await.map_err(failed("cannot prepare a connection"))?;
    client.session = check_session(&client).await?;
    Ok(client)
}

/// Refuses a pooler that hands each transaction to another session: the settings would be lost.
async fn check_session(client: &Client) -> Result<Session, StoreError> {
    let doing = "cannot read a setting of the connection";
    let select = "SELECT current_setting('plan_cache_mode'), pid, backend_start::text
                  FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    let row = client.query_one(select, &[]).await.map_err(failed(doing))?;
    if row.get::<_, &str>(0) == "force_generic_plan" {
        return Ok(Session { pid: row.get(1), began: row.get(2) });
    }
    let remedy = "the connection goes through a pooler in transaction mode; connect to the server, or \
                  use a pool in session mode";
    Err(StoreError::backend("the connection does not keep its settings", remedy))
}

const CONNECT: &str = "cannot connect to the database";

#[cfg(not(feature = "tls"))]
async fn open(
    options: &PostgresOptions,
    handle: &Handle,
    notified: Option<Notified>,
) -> Result<Connection, StoreError> {
    let (client, connection) = options.config()?.connect(NoTls).await.map_err(failed(CONNECT))?;
    Ok(Connection::new(client, connection, handle, notified))
}

#[cfg(feature = "tls")]
async fn open(
    options: &PostgresOptions,
    handle: &Handle,
    notified: Option<Notified>,
) -> Result<Connection, StoreError> {
    use tokio_postgres::config::SslMode;
    let config = options.config()?;
    if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(failed(CONNECT))?;
        return Ok(Connection::new(client, connection, handle, notified));
    }
    let (client, connection) = config.connect(tls()?).await.map_err(failed(CONNECT))?;
    Ok(Connection::new(client, connection, handle, notified))
}

/// The TLS configuration. It is created once, because reading the certificates of the operating
/// system costs more than the rest of a connection.
#[cfg(feature = "tls")]
fn tls() -> Result<tokio_postgres_rustls::MakeRustlsConnect, StoreError> {
    use std::sync::OnceLock;

    use rustls::ClientConfig;
    use rustls_platform_verifier::BuilderVerifierExt;
    use tokio_postgres_rustls::MakeRustlsConnect;

    static TLS: OnceLock<MakeRustlsConnect> = OnceLock::new();

    if let Some(tls) = TLS.get() {
        return Ok(tls.clone());
    }
    let doing = "cannot set up TLS";
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| StoreError::backend(doing, error))?;
    let verified = builder.with_platform_verifier();
    let verified = verified.map_err(|error| StoreError::backend(doing, error))?;
    let tls = MakeRustlsConnect::new(verified.with_no_client_auth());
    Ok(TLS.get_or_init(|| tls).clone())
}
