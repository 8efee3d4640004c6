//! Transactional activities: an activity's SQL and its recorded result are one transaction.
//!
//! Each run of a body takes these steps; 2 to 5 are one transaction:
//! 1. Take a connection from the pool. Until the body begins, transient failures are retried.
//! 2. Lock the effect. This waits for any other attempt, for example of a process that has lost its
//!    partition.
//! 3. Look for a recorded result. If there is one, return it.
//! 4. Run the body.
//! 5. Insert the result, and commit. If the lock did not exclude another attempt, the primary key
//!    does. In that case, or if the connection breaks in COMMIT, steps 1 to 3 find out what
//!    happened.
//!
//! Read next: `effect.rs` (the statements), `pool.rs` (the connections).

mod effect;
mod pool;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use durable::protocol::{FailureDetails, Json};
use durable::store::{ActivityEffect, StoreError, TransactionBody};

use self::effect::{Found, Inserted, Key};
pub(crate) use self::pool::Pool;
use self::pool::{Lease, Waits};
use crate::error::{Meaning, failed, meaning};

/// A transaction on the database of the hub, in which a transactional activity runs.
///
/// It gives access to the [`tokio_postgres::Transaction`], except for `commit` and `rollback`: the
/// transaction is committed if the activity succeeds, and rolled back if it fails. To undo a part,
/// use a [savepoint](tokio_postgres::Transaction::savepoint).
///
/// ```
/// use durable::prelude::*;
/// use durable_postgres::Transaction;
///
/// #[activity(transactional)]
/// async fn withdraw(tx: &mut Transaction<'_>, account: &str, cents: i64) -> Result<i64> {
///     let update = "UPDATE account SET cents = cents - $2 WHERE id = $1 RETURNING cents";
///     Ok(tx.query_one(update, &[&account, &cents]).await?.get(0))
/// }
///
/// #[orchestrator]
/// async fn pay(ctx: &OrchestrationContext, account: String) -> Result<i64> {
///     Ok(withdraw(&account, 500).await?)
/// }
/// ```
///
/// A unit test of the body needs a database but no hub:
///
/// ```
/// # use durable::prelude::*;
/// # use durable_postgres::Transaction;
/// # #[activity(transactional)]
/// # async fn withdraw(tx: &mut Transaction<'_>, account: &str, cents: i64) -> Result<i64> { Ok(cents) }
/// # async fn test(client: &mut durable_postgres::tokio_postgres::Client) -> Result<()> {
/// let mut tx = Transaction::from(client.transaction().await?);
/// assert_eq!(withdraw::run(&mut tx, "ann", 500).await?, 500);
/// # Ok(())
/// # }
/// ```
pub struct Transaction<'t>(tokio_postgres::Transaction<'t>);

impl<'t> From<tokio_postgres::Transaction<'t>> for Transaction<'t> {
    fn from(transaction: tokio_postgres::Transaction<'t>) -> Self {
        Self(transaction)
    }
}

impl<'t> Deref for Transaction<'t> {
    type Target = tokio_postgres::Transaction<'t>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}

impl durable::store::Transaction for Transaction<'_> {
    type Transactions = PostgresTransactions;
}

/// The transactions of a [`PostgresStore`](crate::PostgresStore), in which its hub runs the bodies
/// of transactional activities.
///
/// ```
/// use durable::store::Store;
/// use durable_postgres::{PostgresStore, PostgresTransactions};
///
/// fn has_transactions(store: &PostgresStore) -> bool {
///     let offered = store.transactions();
///     offered.is_some_and(|all| all.downcast_ref::<PostgresTransactions>().is_some())
/// }
/// ```
#[derive(Debug)]
pub struct PostgresTransactions {
    pool: Arc<Pool>,
}

impl durable::store::Transactions for PostgresTransactions {
    type Transaction<'t> = Transaction<'t>;

    async fn run<F>(&self, effect: &ActivityEffect, body: F) -> Result<Json, FailureDetails>
    where
        F: for<'b, 't> FnOnce(&'b mut Transaction<'t>) -> TransactionBody<'b> + Send + 'static,
    {
        let (key, mut waits) = (Key::of(effect), Waits::default());
        let mut next = Next::Run(body);
        loop {
            let mut lease = self.pool.take(&mut waits).await?;
            let attempt = self.attempt(&mut lease, &key, effect, &mut next).await;
            match attempt {
                Ok((ended, is_over)) => {
                    lease.put_back(is_over);
                    match ended {
                        Ended::Known(result) => return result,
                        Ended::Unknown(failure) => {
                            next = Next::Tell(failure);
                            waits.for_certain = true;
                        }
                    }
                }
                Err(error) => {
                    lease.put_back(false);
                    self.pool.wait(&mut waits, error).await?;
                }
            }
        }
    }
}

/// What to do if no result is recorded.
enum Next<F> {
    /// Run the body.
    Run(F),
    /// The body has run, and its transaction was rolled back for this reason.
    Tell(FailureDetails),
}

/// The outcome of an attempt.
enum Ended {
    /// This result was recorded now or before, or the transaction was rolled back.
    Known(Result<Json, FailureDetails>),
    /// The connection was lost in COMMIT, or another attempt has recorded a result. If no result is
    /// found, this is the failure.
    Unknown(FailureDetails),
}

const BEGIN: &str = "cannot begin the transaction of an activity";
const RECORD: &str = "cannot record the result of an activity; its transaction was rolled back";
const ROLLBACK: &str = "cannot roll back the transaction of an activity";
const COMMIT: &str = "cannot commit the transaction of an activity; it was rolled back";

impl PostgresTransactions {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// Looks for a result, and takes the next step if there is none. Also returns whether the
    /// transaction is over on the server.
    ///
    /// # Errors
    /// The transaction could not begin.
    async fn attempt<F>(
        &self,
        lease: &mut Lease,
        key: &Key,
        effect: &ActivityEffect,
        next: &mut Next<F>,
    ) -> Result<(Ended, bool), StoreError>
    where
        F: for<'b, 't> FnOnce(&'b mut Transaction<'t>) -> TransactionBody<'b> + Send,
    {
        let (client, statements) = lease.parts();
        let answer = self.pool.answer(BEGIN, client.transaction()).await?;
        let transaction = answer.map_err(failed(BEGIN))?;
        let found = self.pool.answer(BEGIN, key.look(&transaction, statements)).await?;
        let Found { result, at } = found.map_err(failed(BEGIN))?;
        let ended = match result {
            Some(result) => Err(effect.decode(&result)),
            // Whatever becomes of the body, it does not run again.
            None => match std::mem::replace(next, Next::Tell(interrupted())) {
                Next::Run(body) => Ok(body),
                Next::Tell(failure) => Err(Err(failure)),
            },
        };
        match ended {
            Ok(body) => {
                let began = Began { key, effect, at };
                Ok(self.run_body(Transaction(transaction), &began, body).await)
            }
            Err(result) => Ok((Ended::Known(result), self.roll_back(transaction).await)),
        }
    }

    /// Runs a body and ends its transaction. Also returns whether the transaction is over on the
    /// server.
    async fn run_body<F>(
        &self,
        mut transaction: Transaction<'_>,
        began: &Began<'_>,
        body: F,
    ) -> (Ended, bool)
    where
        F: for<'b, 't> FnOnce(&'b mut Transaction<'t>) -> TransactionBody<'b> + Send,
    {
        let output = body(&mut transaction).await;
        let recorded = match output {
            Ok(output) => self.record(&transaction, began, output).await,
            Err(failure) => Err(Ended::Known(Err(failure))),
        };
        let output = match recorded {
            Ok(output) => output,
            Err(ended) => return (ended, self.roll_back(transaction.0).await),
        };
        match self.pool.answer(COMMIT, transaction.0.commit()).await {
            Ok(Ok(())) => (Ended::Known(Ok(output)), true),
            Ok(Err(error)) if meaning(&error) == Meaning::Lost => {
                (Ended::Unknown(failure(&failed(COMMIT)(error))), false)
            }
            Ok(Err(error)) => (Ended::Known(Err(failure(&failed(COMMIT)(error)))), true),
            Err(late) => (Ended::Unknown(failure(&late)), false),
        }
    }

    /// Returns whether the transaction is over on the server. If not, it is rolled back when its
    /// connection ends.
    async fn roll_back(&self, transaction: tokio_postgres::Transaction<'_>) -> bool {
        matches!(self.pool.answer(ROLLBACK, transaction.rollback()).await, Ok(Ok(())))
    }

    /// Records an output, but does not commit.
    async fn record(
        &self,
        transaction: &tokio_postgres::Transaction<'_>,
        began: &Began<'_>,
        output: Json,
    ) -> Result<Json, Ended> {
        let known = |failure| Ended::Known(Err(failure));
        let result = began.effect.encode(&output).map_err(known)?;
        let statements = self.pool.statements();
        let inserted = began.key.insert(transaction, statements, began.at, &result);
        let inserted = self.pool.answer(RECORD, inserted).await;
        match inserted.map_err(|late| known(failure(&late)))? {
            Ok(Inserted::Done) => {}
            Ok(Inserted::NotWanted) => {
                let message = "its instance does not wait for it any more; it was rolled back";
                return Err(known(FailureDetails::new(FailureDetails::TERMINATED, message)));
            }
            Ok(Inserted::OtherTransaction) => {
                let message = "the activity has ended its transaction itself, such as by a COMMIT in its \
                               SQL, so its result cannot be recorded with what it has done; end it by \
                               the result of the activity only";
                let failure = FailureDetails::new(FailureDetails::TRANSACTION, message);
                return Err(known(failure.non_retriable()));
            }
            Err(error) => {
                let is_recorded = meaning(&error) == Meaning::Refused;
                let failure = failure(&failed(RECORD)(error));
                return Err(if is_recorded { Ended::Unknown(failure) } else { known(failure) });
            }
        }
        began.effect.begin_commit().map_err(known)?;
        Ok(output)
    }
}

/// A transaction in which a body may run.
struct Began<'a> {
    key: &'a Key,
    effect: &'a ActivityEffect,
    /// When the transaction began.
    at: i64,
}

fn interrupted() -> FailureDetails {
    FailureDetails::new(
        FailureDetails::TRANSACTION,
        "the transaction of the activity was rolled back",
    )
}

/// An error of the database as the failure of an activity.
fn failure(error: &StoreError) -> FailureDetails {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |it| it.source());
    let message: Vec<_> = causes.map(ToString::to_string).collect();
    FailureDetails::new(FailureDetails::TRANSACTION, message.join(": "))
}
