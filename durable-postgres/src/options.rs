//! The options of a connection to the database.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use durable::store::{Durability, StoreError};
use tokio_postgres::Config;

/// Returns the password for each new connection.
type Password =
    Arc<dyn Fn() -> Result<String, Box<dyn std::error::Error + Send + Sync>> + Send + Sync>;

/// The database of a [`PostgresStore`](crate::PostgresStore), and how the store connects to it.
///
/// ```
/// use durable_postgres::{PostgresOptions, PostgresStore};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let options = PostgresOptions::new("postgres://app@db.internal/app?sslmode=require")?
///     .schema("orders")?
///     .password(|| Ok(std::env::var("ORDERS_DB_PASSWORD")?));
/// let store = PostgresStore::connect_with(options).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresOptions {
    pub(crate) config: Config,
    pub(crate) schema: String,
    pub(crate) password: Option<Password>,
    pub(crate) readers: usize,
    pub(crate) transactions: usize,
    pub(crate) durability: Durability,
    pub(crate) timeout: Duration,
    pub(crate) lease: Duration,
    pub(crate) listen: bool,
}

impl PostgresOptions {
    const SCHEMA: &str = "durable";

    /// Creates options for the database at a URL, or with a connection string of libpq:
    /// `postgres://user@host:port/database?sslmode=require`. If the URL has no password, the
    /// environment variable `PGPASSWORD` applies. [`password`](Self::password) overrides both.
    ///
    /// # Errors
    /// The URL cannot be parsed. The error does not contain the URL, which may contain a password.
    ///
    /// ```
    /// use durable_postgres::PostgresOptions;
    ///
    /// PostgresOptions::new("postgres://app@localhost/app")?;
    /// let error = PostgresOptions::new("postgres://app@localhost/app?ssl=1").unwrap_err();
    /// assert_eq!(error.to_string(), "cannot read the URL of the database");
    /// # Ok::<(), durable::store::StoreError>(())
    /// ```
    pub fn new(url: impl AsRef<str>) -> Result<Self, StoreError> {
        let config = Config::from_str(url.as_ref());
        let config = config
            .map_err(|error| StoreError::backend("cannot read the URL of the database", error))?;
        Ok(Self {
            config,
            schema: Self::SCHEMA.to_owned(),
            password: None,
            readers: 4,
            transactions: 10,
            durability: Durability::Immediate,
            timeout: Duration::from_secs(30),
            lease: Duration::from_secs(10),
            listen: true,
        })
    }

    /// Keeps the hub in this schema; by default `durable`. Each schema is a separate hub.
    ///
    /// # Errors
    /// The name does not consist of 1 to 63 lower-case ASCII letters, digits and `_`, or begins
    /// with a digit.
    ///
    /// ```
    /// use durable_postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::new("postgres://localhost")?;
    /// options.clone().schema("orders")?;
    /// assert!(options.schema("my orders").is_err());
    /// # Ok::<(), durable::store::StoreError>(())
    /// ```
    pub fn schema(self, name: impl Into<String>) -> Result<Self, StoreError> {
        let schema = name.into();
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins_well = !schema.starts_with(|first: char| first.is_ascii_digit());
        if (1..=63).contains(&schema.len()) && begins_well && schema.bytes().all(is_plain) {
            return Ok(Self { schema, ..self });
        }
        let rule = "use lower-case letters, digits and `_`, at most 63, beginning with a letter";
        Err(StoreError::backend(format!("`{schema}` cannot be the name of a schema"), rule))
    }

    /// Calls this function for the password of each new connection, so that the password may
    /// change; for example, if it is a token of a cloud's identity service. The function is called
    /// on a thread of the store and may block.
    ///
    /// ```
    /// use durable_postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::new("postgres://app@localhost/app")?
    ///     .password(|| Ok(std::fs::read_to_string("/run/secrets/db-password")?));
    /// # Ok::<(), durable::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn password(
        self,
        password: impl Fn() -> Result<String, Box<dyn std::error::Error + Send + Sync>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { password: Some(Arc::new(password)), ..self }
    }

    /// Sets the number of connections for reads; by default 4; 0 counts as 1. Commits have a
    /// separate connection.
    ///
    /// ```
    /// use durable_postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::new("postgres://app@localhost/app")?.read_connections(2);
    /// # Ok::<(), durable::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn read_connections(self, readers: usize) -> Self {
        Self { readers: readers.max(1), ..self }
    }

    /// Sets how many transactional activities run at once in this process; by default 10; 0 counts
    /// as 1. Each uses its own connection, which is opened when it is first needed.
    ///
    /// ```
    /// use durable_postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::new("postgres://app@localhost/app")?;
    /// let options = options.transaction_connections(20);
    /// # Ok::<(), durable::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn transaction_connections(self, transactions: usize) -> Self {
        Self { transactions: transactions.max(1), ..self }
    }

    /// Sets when a commit counts as durable. [`Durability::Within`] turns `synchronous_commit` off: a
    /// crash of the database may then lose the commits of about the last three `wal_writer_delay`s,
    /// regardless of the given time.
    ///
    /// ```
    /// use durable::store::Durability;
    /// use durable_postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::new("postgres://app@localhost/app")?
    ///     .durability(Durability::Immediate);
    /// # Ok::<(), durable::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Sets how long the store waits for an answer of the server before it closes the connection
    /// and uses another; by default 30 s. This covers networks and proxies that swallow bytes; the
    /// server itself ends a statement after 10 s.
    ///
    /// The server also rolls back the transaction of a transactional activity that is idle for this
    /// long, so that a hanging process does not keep its locks.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use durable_postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::new("postgres://app@localhost/app")?;
    /// let options = options.timeout(Duration::from_secs(15));
    /// # Ok::<(), durable::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets how long this process may be silent before others take over its partitions; by default
    /// 10 s. If the process dies and its connections close, others take over after a fifth of this
    /// time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use durable_postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::new("postgres://app@localhost/app")?;
    /// let options = options.lease(Duration::from_secs(20));
    /// # Ok::<(), durable::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Keeps no connection for notifications. This process then looks for messages of other
    /// processes up to twice a second. Use this for databases that stop while no client is
    /// connected, and for poolers that do not support `LISTEN`.
    ///
    /// ```
    /// use durable_postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::new("postgres://app@localhost/app")?.without_listen();
    /// # Ok::<(), durable::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn without_listen(self) -> Self {
        Self { listen: false, ..self }
    }

    /// The settings of a new connection.
    pub(crate) fn config(&self) -> Result<Config, StoreError> {
        let mut config = self.config.clone();
        let defaults = Config::new();
        if config.get_application_name().is_none() {
            config.application_name("durable");
        }
        if config.get_connect_timeout() == defaults.get_connect_timeout() {
            config.connect_timeout(Duration::from_secs(10));
        }
        if config.get_keepalives_idle() == defaults.get_keepalives_idle() {
            config.keepalives_idle(Duration::from_secs(5));
        }
        // Keep-alives detect a machine that disappears while a commit is in progress.
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(Duration::from_secs(2));
        }
        if config.get_keepalives_retries().is_none() {
            config.keepalives_retries(3);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(5));
        }
        match &self.password {
            Some(password) => {
                let password = password();
                let failed = |error| {
                    StoreError::unavailable("cannot get the password of the database", error)
                };
                config.password(password.map_err(failed)?);
            }
            None if config.get_password().is_none() => {
                if let Ok(password) = std::env::var("PGPASSWORD") {
                    config.password(password);
                }
            }
            None => {}
        }
        Ok(config)
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("hosts", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .field("schema", &self.schema)
            .field("read_connections", &self.readers)
            .field("transaction_connections", &self.transactions)
            .field("durability", &self.durability)
            .field("timeout", &self.timeout)
            .field("lease", &self.lease)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}
