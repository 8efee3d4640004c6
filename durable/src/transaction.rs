//! Transactional activities: what a store offers them, and what identifies their effects.
//!
//! The body of a transactional activity runs in a transaction that also records its result, so both
//! happen exactly once. A store brings the transactions ([`Transactions`]); the parameter of an activity
//! names them ([`Transaction`]). Nothing here runs a body or knows a database.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::panics::Guarded;
use crate::protocol::{ExecutionId, FailureDetails, InstanceId, Json};

/// A running body of a transactional activity, with its output as JSON.
///
/// ```
/// use durable::protocol::Json;
/// use durable::store::TransactionBody;
///
/// let body: TransactionBody<'_> = Box::pin(async { Ok(Json::null()) });
/// # drop(body);
/// ```
pub type TransactionBody<'b> =
    Pin<Box<dyn Future<Output = Result<Json, FailureDetails>> + Send + 'b>>;

/// The transactions of a database in which the bodies of transactional activities run, and which
/// also record their results.
///
/// A store returns them from [`Store::transactions`](crate::store::Store::transactions).
///
/// # Contract
/// 1. If a result is recorded for the effect, [`run`](Self::run) returns that result and does not
///    run the body.
/// 2. Otherwise it runs the body in a transaction. If the body succeeds, the same transaction records the
///    output, as [`ActivityEffect::encode`] writes it, and is committed.
/// 3. If the body fails, or the future is dropped before [`ActivityEffect::begin_commit`] has returned, the
///    transaction is rolled back and nothing is recorded.
/// 4. If two runs of an effect overlap, in one process or in two, at most one is committed. The other
///    waits for it and returns the recorded result, or fails.
/// 5. If it is uncertain whether a transaction was committed, `run` finds out before it returns.
/// 6. A recorded result is removed with its instance, and when its execution is replaced.
///
/// A failure that the database caused has the type
/// [`FailureDetails::TRANSACTION`](crate::protocol::FailureDetails::TRANSACTION), and is retriable if the
/// transaction was rolled back.
///
/// ```
/// use std::collections::HashMap;
/// use std::future::Future;
/// use std::sync::Mutex;
///
/// use durable::protocol::{FailureDetails, Json};
/// use durable::store::{ActivityEffect, Transaction, TransactionBody, Transactions};
///
/// /// A counter in memory, and the results of its transactions. (Overlapping runs are left out.)
/// #[derive(Default)]
/// struct Counter {
///     count: Mutex<i64>,
///     recorded: Mutex<HashMap<String, String>>,
/// }
///
/// /// What a body changes.
/// struct Change<'t>(&'t mut i64);
///
/// impl Transaction for Change<'_> {
///     type Transactions = Counter;
/// }
///
/// impl Transactions for Counter {
///     type Transaction<'t> = Change<'t>;
///
///     async fn run<F>(&self, effect: &ActivityEffect, body: F) -> Result<Json, FailureDetails>
///     where
///         F: for<'b, 't> FnOnce(&'b mut Change<'t>) -> TransactionBody<'b> + Send + 'static,
///     {
///         let key = format!("{}-{}", effect.execution_id(), effect.task_id());
///         let recorded = self.recorded.lock().unwrap().get(&key).cloned();
///         if let Some(recorded) = recorded {
///             return effect.decode(&recorded);
///         }
///         let mut count = *self.count.lock().unwrap();
///         let output = body(&mut Change(&mut count)).await?;
///         let result = effect.encode(&output)?;
///         effect.begin_commit()?;
///         *self.count.lock().unwrap() = count;
///         self.recorded.lock().unwrap().insert(key, result);
///         Ok(output)
///     }
/// }
/// ```
pub trait Transactions: Send + Sync + 'static {
    /// The transaction that a body gets.
    type Transaction<'t>: Send;

    /// Runs a body in a transaction, unless its result is recorded.
    ///
    /// The body runs on the async runtime of the hub, which may have neither timers nor I/O.
    fn run<F>(
        &self,
        effect: &ActivityEffect,
        body: F,
    ) -> impl Future<Output = Result<Json, FailureDetails>> + Send
    where
        F: for<'b, 't> FnOnce(&'b mut Self::Transaction<'t>) -> TransactionBody<'b>
            + Send
            + 'static;
}

/// A transaction that the body of a transactional activity takes: its first parameter after the
/// context, by `&mut`.
///
/// Stores implement it for their transactions; see [`Transactions`].
///
/// ```
/// use durable::store::{Transaction, TransactionBody};
/// use durable::store::{ActivityEffect, Transactions};
/// # use durable::protocol::{FailureDetails, Json};
///
/// /// A transaction of a store of your own, and what runs bodies with it.
/// struct Change<'t>(&'t mut i64);
/// struct Counter;
///
/// impl Transaction for Change<'_> {
///     type Transactions = Counter;
/// }
/// # impl Transactions for Counter {
/// #     type Transaction<'t> = Change<'t>;
/// #     async fn run<F>(&self, _: &ActivityEffect, body: F) -> Result<Json, FailureDetails>
/// #     where
/// #         F: for<'b, 't> FnOnce(&'b mut Change<'t>) -> TransactionBody<'b> + Send + 'static,
/// #     {
/// #         body(&mut Change(&mut 0)).await
/// #     }
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a transaction of a store",
    label = "a transactional activity cannot take this",
    note = "take the transaction of the store of the hub, such as `&mut \
            durable_postgres::Transaction<'_>`"
)]
pub trait Transaction {
    /// The type that runs bodies with this transaction.
    type Transactions: Transactions;
}

/// The effect of one call of a transactional activity, which is committed once. It identifies the
/// call, and encodes its result for the record.
///
/// ```
/// use durable::InstanceId;
/// use durable::protocol::{ExecutionId, Json};
/// use durable::store::ActivityEffect;
///
/// // For a test of a store.
/// let id = InstanceId::new("order-17")?;
/// let effect = ActivityEffect::new(id, ExecutionId::generate(), 1);
/// let recorded = effect.encode(&Json::null())?;
/// assert_eq!(effect.decode(&recorded)?, Json::null());
/// # Ok::<(), durable::Error>(())
/// ```
#[derive(Clone)]
pub struct ActivityEffect {
    instance_id: InstanceId,
    execution_id: ExecutionId,
    task_id: i32,
    transactions: Option<StoreTransactions>,
    gate: Option<Arc<dyn CommitGate>>,
}

impl ActivityEffect {
    /// Creates the effect of a call outside a hub, to test a store.
    ///
    /// ```
    /// use durable::InstanceId;
    /// use durable::protocol::{ExecutionId, Json};
    /// use durable::store::ActivityEffect;
    ///
    /// let effect = ActivityEffect::new(InstanceId::new("order-17")?, ExecutionId::from_u128(1), 3);
    /// let stored = effect.encode(&Json::parse("[5]").unwrap()).unwrap();
    /// assert_eq!(effect.decode(&stored).unwrap().as_str(), "[5]");
    /// # Ok::<(), durable::protocol::InvalidInstanceId>(())
    /// ```
    pub fn new(instance_id: InstanceId, execution_id: ExecutionId, task_id: i32) -> Self {
        Self { instance_id, execution_id, task_id, transactions: None, gate: None }
    }

    pub(crate) fn with(
        self,
        transactions: Option<StoreTransactions>,
        gate: Arc<dyn CommitGate>,
    ) -> Self {
        Self { transactions, gate: Some(gate), ..self }
    }

    /// Returns the instance that called the activity.
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// Returns the execution of the instance.
    pub fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    /// Returns the number of the call in its execution.
    pub fn task_id(&self) -> i32 {
        self.task_id
    }

    /// Returns the form in which an output is recorded: its JSON, encoded by the codec of the store
    /// if it has one.
    ///
    /// # Errors
    /// If the codec fails. Then roll back, and return the failure.
    pub fn encode(&self, output: &Json) -> Result<String, FailureDetails> {
        match self.codec() {
            Some(codec) => codec.encode(output.as_str(), &self.instance_id),
            None => Ok(output.as_str().to_owned()),
        }
    }

    /// Returns the output that was recorded in this form.
    ///
    /// # Errors
    /// If the codec fails, or the decoded text is not JSON.
    pub fn decode(&self, recorded: &str) -> Result<Json, FailureDetails> {
        let output = match self.codec() {
            Some(codec) => codec.decode(recorded, &self.instance_id)?,
            None => recorded.to_owned(),
        };
        Json::parse(&output).map_err(|error| {
            let message = format!("the recorded result of the activity is not JSON: {error}");
            FailureDetails::new(FailureDetails::TRANSACTION, message).non_retriable()
        })
    }

    /// Announces the commit; call it directly before the transaction is committed. From then on,
    /// the attempt waits for the outcome, even if its timeout passes.
    ///
    /// # Errors
    /// If the result is no longer wanted, because the call was cancelled. Then roll back, and
    /// return the failure.
    pub fn begin_commit(&self) -> Result<(), FailureDetails> {
        self.gate.as_ref().map_or(Ok(()), |gate| gate.begin_commit())
    }

    /// The output, or a failure if it is too large to be recorded.
    pub(crate) fn fitting(&self, output: Json) -> Result<Json, FailureDetails> {
        match &self.gate {
            Some(gate) => gate.fitting(output),
            None => Ok(output),
        }
    }

    /// What runs the body.
    pub(crate) fn transactions<T: Transactions>(&self) -> Result<&T, FailureDetails> {
        let found = self.transactions.as_ref().and_then(StoreTransactions::downcast_ref);
        found.ok_or_else(|| {
            let message = format!(
                "the store of the hub has no transactions of the type `{}`; open the hub on a \
                 store that has, or mock the activity in a test",
                type_name::<T>()
            );
            FailureDetails::new(FailureDetails::MISSING_TRANSACTIONS, message).non_retriable()
        })
    }

    fn codec(&self) -> Option<&dyn EffectCodec> {
        self.transactions.as_ref()?.codec.as_deref()
    }
}

impl fmt::Debug for ActivityEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityEffect")
            .field("instance_id", &self.instance_id)
            .field("execution_id", &self.execution_id)
            .field("task_id", &self.task_id)
            .finish_non_exhaustive()
    }
}

/// What the attempt of an activity decides about its transaction.
pub(crate) trait CommitGate: Send + Sync {
    fn begin_commit(&self) -> Result<(), FailureDetails>;

    /// The output, or a failure if it is too large.
    fn fitting(&self, output: Json) -> Result<Json, FailureDetails>;
}

/// Encodes the outputs of a store whose values are encoded.
pub(crate) trait EffectCodec: Send + Sync {
    fn encode(&self, text: &str, instance: &InstanceId) -> Result<String, FailureDetails>;
    fn decode(&self, text: &str, instance: &InstanceId) -> Result<String, FailureDetails>;
}

/// The [`Transactions`] of a store, whatever their type.
///
/// ```
/// use durable::store::{StoreTransactions, Transactions};
///
/// /// Finds the transactions of one type.
/// fn of_type<T: Transactions>(all: &StoreTransactions) -> Option<&T> {
///     all.downcast_ref::<T>()
/// }
/// ```
#[derive(Clone)]
pub struct StoreTransactions {
    transactions: Guarded<Arc<dyn Any + Send + Sync>>,
    type_name: &'static str,
    codec: Option<Arc<dyn EffectCodec>>,
}

impl StoreTransactions {
    /// Wraps transactions, for [`Store::transactions`](crate::store::Store::transactions).
    pub fn new<T: Transactions>(transactions: T) -> Self {
        let shared: Arc<dyn Any + Send + Sync> = Arc::new(transactions);
        Self { transactions: Guarded::new(shared), type_name: type_name::<T>(), codec: None }
    }

    /// Outputs are encoded by this codec.
    pub(crate) fn encoded_by(self, codec: Arc<dyn EffectCodec>) -> Self {
        Self { codec: Some(codec), ..self }
    }

    /// Whether they have this type.
    pub(crate) fn are_of(&self, id: TypeId) -> bool {
        (**self.transactions.get()).type_id() == id
    }

    /// Returns the transactions, if they are of the type `T`.
    pub fn downcast_ref<T: Transactions>(&self) -> Option<&T> {
        self.transactions.get().downcast_ref()
    }
}

impl fmt::Debug for StoreTransactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreTransactions<{}>", self.type_name)
    }
}
