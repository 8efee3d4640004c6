//! How errors are recorded and read back.

use std::any::Any;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::names::name_of;
use crate::protocol::FailureDetails;

/// An error that a durable function may return: it can be recorded, and read back as the same type.
///
/// Implemented for every type with `Serialize`, `Deserialize` and `Display`, including [`Error`].
///
/// ```
/// use durable::error::{TaskError, TaskFailed};
///
/// /// The error of an activity, if it returned one and did not fail otherwise.
/// fn returned<E: TaskError>(failure: TaskFailed<E>) -> Option<E> {
///     failure.into_error()
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a durable function",
    note = "it must implement `Serialize`, `Deserialize` and `Display`"
)]
pub trait TaskError: Serialize + DeserializeOwned + fmt::Display + 'static {}

#[diagnostic::do_not_recommend]
impl<E: Serialize + DeserializeOwned + fmt::Display + 'static> TaskError for E {}

/// An error type of your own that decides which of its values are not retried.
///
/// If the error of an activity, an orchestration or an operation implements this trait, no
/// [`RetryPolicy`](crate::RetryPolicy) retries a value for which
/// [`is_non_retriable`](Self::is_non_retriable) returns `true`. The decision is made when the error
/// is returned, and recorded with the failure
/// ([`non_retriable`](crate::protocol::FailureDetails::non_retriable)), so every replay makes the
/// same decision. An error type without this trait is retriable; a [`durable::Error`](crate::Error)
/// has [`Error::non_retriable`](crate::Error::non_retriable) instead.
///
/// ```
/// # use durable::prelude::*;
/// use durable::error::NonRetriable;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
/// enum PaymentError {
///     #[error("declined: {0}")]
///     Declined(String),
///     #[error("the bank does not answer")]
///     Unavailable,
/// }
///
/// impl NonRetriable for PaymentError {
///     fn is_non_retriable(&self) -> bool {
///         matches!(self, Self::Declined(_))
///     }
/// }
///
/// #[activity(retry(max_number_of_attempts = 5, first_retry_interval = "1s"))]
/// async fn charge(card: &str, cents: u32) -> Result<String, PaymentError> {
///     // `Unavailable` is tried again, `Declined` is not.
///     # Ok(format!("{cents} from {card}"))
/// }
/// ```
pub trait NonRetriable {
    /// Returns `true` if retrying is pointless. The default returns `true` for every value.
    fn is_non_retriable(&self) -> bool {
        true
    }
}

/// A [`TaskError`] for generated code: a trait without supertraits, so that no compiler error
/// points at a bound of ours.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a durable function",
    label = "cannot be recorded in history",
    note = "return `durable::Result<T>`: `?` converts every `std::error::Error` into its error",
    note = "or an error type of your own that implements `Serialize`, `Deserialize` and \
            `Display`; callers get it back as the same value"
)]
pub trait StoredError {
    /// Returns how values of this type are recorded and read back.
    fn codec() -> ErrorCodec<Self>
    where
        Self: Sized;
}

#[diagnostic::do_not_recommend]
impl<E: TaskError> StoredError for E {
    fn codec() -> ErrorCodec<Self> {
        task_error()
    }
}

/// How errors of one type are recorded and read back.
#[derive(Debug)]
pub struct ErrorCodec<E> {
    write: fn(&E) -> FailureDetails,
    read: fn(&FailureDetails) -> Option<E>,
    is_final: Option<fn(&E) -> bool>,
}

impl<E> Clone for ErrorCodec<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for ErrorCodec<E> {}

/// The codec of `E`, if `E` can be recorded.
pub(crate) const fn task_error<E: TaskError>() -> ErrorCodec<E> {
    ErrorCodec { write: write_error, read: read_error, is_final: None }
}

impl<E> ErrorCodec<E> {
    #[expect(clippy::needless_pass_by_value, reason = "it is recorded where it is returned")]
    pub(crate) fn write(self, error: E) -> FailureDetails {
        let details = (self.write)(&error);
        match self.is_final {
            Some(is_final) if is_final(&error) => details.non_retriable(),
            _ => details,
        }
    }

    /// Returns the same codec for an error type that decides which of its values are not retried.
    #[must_use]
    pub fn asking(self) -> Self
    where
        E: NonRetriable,
    {
        Self { is_final: Some(E::is_non_retriable), ..self }
    }

    pub(crate) fn read(self, details: &FailureDetails) -> Option<E> {
        (self.read)(details)
    }
}

fn write_error<E: TaskError>(error: &E) -> FailureDetails {
    if let Some(error) = (error as &dyn Any).downcast_ref::<Error>() {
        return error.0.clone();
    }
    let mut details = FailureDetails::of_error(name_of::<E>(), error);
    details.value = crate::payload::payload::<E>().encode(error).ok();
    details
}

fn read_error<E: TaskError>(details: &FailureDetails) -> Option<E> {
    let mut error: Option<E> = None;
    if let Some(slot) = (&mut error as &mut dyn Any).downcast_mut::<Option<Error>>() {
        *slot = (!details.is_of_runtime()).then(|| Error::new(details.clone()));
        return error;
    }
    let value = details.value.as_ref()?;
    crate::payload::payload::<E>().decode(value).ok()
}

impl FailureDetails {
    /// Returns the user's own error behind this failure: the first error of type `E` in its chain
    /// of causes, as its original value. `None` if there is no such error, for example after a
    /// panic.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::protocol::FailureDetails;
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
    /// #[error("only {balance} left")]
    /// struct Declined {
    ///     balance: u32,
    /// }
    ///
    /// # #[activity]
    /// # async fn charge(cents: u32) -> Result<(), Declined> { Err(Declined { balance: 3 }) }
    /// #[orchestrator]
    /// async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<()> {
    ///     Ok(charge(cents).await?) // `?` makes a `durable::Error` of it, and keeps it as the cause
    /// }
    ///
    /// fn balance(failure: &FailureDetails) -> Option<u32> {
    ///     failure.error::<Declined>().map(|declined| declined.balance)
    /// }
    /// ```
    pub fn error<E: TaskError>(&self) -> Option<E> {
        // Every failure is a `durable::Error`, so no search is needed.
        let is_any = std::any::TypeId::of::<E>() == std::any::TypeId::of::<Error>();
        self.chain().filter(|failure| is_any || failure.is_of::<E>()).find_map(read_error)
    }
}
