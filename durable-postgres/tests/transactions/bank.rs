//! Accounts in a schema of their own, and the activities that move money between them.

use durable::prelude::*;
use durable_postgres::{PostgresOptions, PostgresStore, Transaction};
use tokio_postgres::{Client, NoTls};

use crate::cluster;

/// The cents of each account at the beginning.
pub(crate) const CENTS: i64 = 1000;
pub(crate) const ACCOUNTS: u32 = 4;

/// A hub, and a schema of a user's own in the same database, which is in the search path.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Bank {
    /// The schema of the hub.
    pub(crate) hub: String,
    /// That of the accounts.
    pub(crate) schema: String,
    port: u16,
}

impl Bank {
    pub(crate) async fn new() -> Self {
        let bank = Self {
            hub: cluster::unique("hub"),
            schema: cluster::unique("bank"),
            port: cluster::shared().address().port(),
        };
        let sql = format!(
            "CREATE SCHEMA {0}; SET search_path = {0};
             CREATE TABLE account (id text PRIMARY KEY, cents bigint NOT NULL CHECK (cents >= 0));
             CREATE TABLE log (key text NOT NULL);
             INSERT INTO account SELECT 'a' || n, {CENTS} FROM generate_series(0, {ACCOUNTS} - 1) n",
            bank.schema
        );
        bank.client().await.batch_execute(&sql).await.unwrap();
        bank
    }

    /// The options of a hub whose connections have the schema of the accounts as their search path.
    pub(crate) fn options(&self) -> PostgresOptions {
        self.options_through(self.port)
    }

    pub(crate) fn options_through(&self, port: u16) -> PostgresOptions {
        let schema = &self.schema;
        let url = format!(
            "postgres://postgres@127.0.0.1:{port}/postgres?application_name={schema}&options=-c\
             %20search_path%3D{schema}"
        );
        PostgresOptions::new(url).unwrap().schema(&self.hub).unwrap()
    }

    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::connect_with(self.options()).await.unwrap()
    }

    pub(crate) async fn open(&self) -> TaskHub {
        let hub = TaskHub::builder().store(self.store().await).state(self.clone());
        hub.open().await.unwrap()
    }

    /// A connection of the test's own.
    pub(crate) async fn client(&self) -> Client {
        let (client, connection) =
            tokio_postgres::connect(&cluster::shared().url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The number that a statement selects; `bank.` and `hub.` stand for the schemas.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = sql.replace("bank.", &format!("{}.", self.schema));
        let sql = sql.replace("hub.", &format!("{}.", self.hub));
        self.client().await.query_one(&sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn cents(&self, account: &str) -> i64 {
        self.number(&format!("SELECT cents FROM bank.account WHERE id = '{account}'")).await
    }

    /// How many effects were committed.
    pub(crate) async fn logged(&self) -> i64 {
        self.number("SELECT count(*) FROM bank.log").await
    }

    /// How many results are recorded.
    pub(crate) async fn recorded(&self) -> i64 {
        self.number("SELECT count(*) FROM hub.effect").await
    }

    /// Runs statements; `bank.` and `hub.` stand for the schemas.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = sql.replace("bank.", &format!("{}.", self.schema));
        let sql = sql.replace("hub.", &format!("{}.", self.hub));
        self.client().await.batch_execute(&sql).await.unwrap();
    }
}

/// Why money was not moved.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("{0} has too little")]
    TooLittle(String),
    #[error("the database: {0}")]
    Database(String),
}

impl From<tokio_postgres::Error> for TransferError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.to_string())
    }
}

/// Moves cents from one account to another, and returns what the first has left.
#[activity(transactional)]
pub(crate) async fn transfer(
    ctx: &ActivityContext,
    tx: &mut Transaction<'_>,
    from: String,
    to: String,
    cents: i64,
) -> Result<i64, TransferError> {
    move_cents(tx, &ctx.idempotency_key(), [&from, &to], cents).await
}

/// The statements of a transfer.
pub(crate) async fn move_cents(
    tx: &mut Transaction<'_>,
    key: &str,
    [from, to]: [&str; 2],
    cents: i64,
) -> Result<i64, TransferError> {
    // In the order of their names, so that no two transfers wait for each other.
    let lock = "SELECT cents FROM account WHERE id = ANY($1) ORDER BY id FOR UPDATE";
    tx.query(lock, &[&[from, to].as_slice()]).await?;
    tx.execute("INSERT INTO log VALUES ($1)", &[&key]).await?;
    let add = "UPDATE account SET cents = cents + $2 WHERE id = $1";
    tx.execute(add, &[&to, &cents]).await?;
    let take =
        "UPDATE account SET cents = cents - $2 WHERE id = $1 AND cents >= $2 RETURNING cents";
    let left = tx.query_opt(take, &[&from, &cents]).await?;
    left.map(|left| left.get(0)).ok_or_else(|| TransferError::TooLittle(from.to_owned()))
}
