//! What a user's function could not do: data, part of the history, seen as [`TaskFailed`].
//!
//! What the library itself could not do is an error of the operation that was asked of it; those
//! stand with the operations (`hub/error.rs`, `store/mod.rs`).

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::protocol::FailureDetails;

/// What a durable function returns unless it has an error type of its own.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error, as it is recorded: `?` turns every error into one.
///
/// What is kept is data (type, message, causes), since it has to come back from history in another
/// process. To get an error back as the value that it was, return your own type instead: one with
/// `Serialize`, `Deserialize` and `Display`.
///
/// ```
/// # use durable::prelude::*;
/// #[activity]
/// async fn charge(cents: u32) -> Result<String> {
///     if cents == 0 {
///         return Err(Error::msg("nothing to charge").non_retriable());
///     }
///     Ok(std::fs::read_to_string("receipt.txt")?)
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(FailureDetails);

impl Error {
    /// An error with this message.
    pub fn msg(message: impl fmt::Display) -> Self {
        Self(FailureDetails::new(std::any::type_name::<Self>(), message.to_string()))
    }

    /// The same error, never to be tried again.
    #[must_use]
    pub fn non_retriable(self) -> Self {
        Self(self.0.non_retriable())
    }

    /// What is recorded of the error.
    pub fn details(&self) -> &FailureDetails {
        &self.0
    }
}

impl<E: StdError + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let mut details = FailureDetails::new(std::any::type_name::<E>(), error.to_string());
        details.inner = FailureDetails::from_source(error.source());
        Self(details)
    }
}

impl From<Error> for Box<dyn StdError> {
    fn from(error: Error) -> Self {
        Box::new(error.0)
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        Box::new(error.0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// For people, since a `main` that returns an error prints it this way: the message, then causes.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut said = self.0.message.as_str();
        for cause in self.0.chain().skip(1).filter(|cause| !cause.message.is_empty()) {
            if !said.ends_with(&cause.message) {
                write!(f, "\n  caused by: {}", cause.message)?;
            }
            said = &cause.message;
        }
        Ok(())
    }
}

/// An error that a durable function may return: it can be recorded, and comes back typed.
///
/// Follows from `Serialize`, `Deserialize` and `Display`; [`Error`] has it too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a durable function",
    note = "it has to have `Serialize`, `Deserialize` and `Display`"
)]
pub trait TaskError: Serialize + DeserializeOwned + fmt::Display + 'static {}

#[diagnostic::do_not_recommend]
impl<E: Serialize + DeserializeOwned + fmt::Display + 'static> TaskError for E {}

/// A [`TaskError`], as generated code asks for it: a trait that requires no other, so that an error
/// points at no bound of ours.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a durable function",
    label = "cannot be recorded in history",
    note = "return `durable::Result<T>`, into which `?` turns every error",
    note = "or an error type of your own that has `Serialize`, `Deserialize` and `Display`: it \
            comes back as the value that it was"
)]
pub trait StoredError {
    /// How its values are recorded and come back.
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

/// How errors of one type are recorded and come back.
#[derive(Debug)]
pub struct ErrorCodec<E> {
    write: fn(E) -> FailureDetails,
    read: fn(&FailureDetails) -> Option<E>,
}

impl<E> Clone for ErrorCodec<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for ErrorCodec<E> {}

/// The codec of `E`, if `E` can be recorded.
pub(crate) const fn task_error<E: TaskError>() -> ErrorCodec<E> {
    ErrorCodec { write: |error| write_error(&error), read: read_error }
}

impl<E> ErrorCodec<E> {
    pub(crate) fn write(self, error: E) -> FailureDetails {
        (self.write)(error)
    }

    pub(crate) fn read(self, details: &FailureDetails) -> Option<E> {
        (self.read)(details)
    }
}

fn write_error<E: TaskError>(error: &E) -> FailureDetails {
    if let Some(error) = (error as &dyn Any).downcast_ref::<Error>() {
        return error.0.clone();
    }
    let mut details = FailureDetails::new(std::any::type_name::<E>(), error.to_string());
    details.value = crate::payload::payload::<E>().encode(error).ok();
    details
}

fn read_error<E: TaskError>(details: &FailureDetails) -> Option<E> {
    let mut error: Option<E> = None;
    if let Some(slot) = (&mut error as &mut dyn Any).downcast_mut::<Option<Error>>() {
        *slot = (!details.is_of_runtime()).then(|| Error(details.clone()));
        return error;
    }
    let value = details.value.as_ref()?;
    crate::payload::payload::<E>().decode(value).ok()
}

/// An awaited task failed.
///
/// ```
/// # use durable::prelude::*;
/// # use serde::{Serialize, Deserialize};
/// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
/// enum Declined {
///     #[error("only {balance} left")]
///     NoMoney { balance: u32 },
/// }
///
/// #[activity]
/// async fn charge(cents: u32) -> Result<(), Declined> {
///     Err(Declined::NoMoney { balance: 3 })
/// }
///
/// #[orchestrator]
/// async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<String> {
///     match charge(cents).await {
///         Ok(()) => Ok("paid".into()),
///         Err(failed) => match failed.error() {
///             Some(Declined::NoMoney { balance }) => Ok(format!("short by {}", cents - balance)),
///             None => Err(failed.into()), // it panicked, for example
///         },
///     }
/// }
/// ```
pub struct TaskFailed<E = Error> {
    task: String,
    task_id: Option<i32>,
    details: FailureDetails,
    error: Option<E>,
}

impl<E> TaskFailed<E> {
    pub(crate) fn new(task: String, details: FailureDetails, codec: ErrorCodec<E>) -> Self {
        let error = codec.read(&details);
        Self { task, task_id: None, details, error }
    }

    /// The same failure, of the call of this number.
    pub(crate) fn of_task(self, task_id: i32) -> Self {
        Self { task_id: Some(task_id), ..self }
    }

    /// The number of the call in its execution, which its history names as `event_id`; none for what
    /// was not asked for by an orchestrator.
    pub fn task_id(&self) -> Option<i32> {
        self.task_id
    }

    /// The error that the function returned; `None` if it did not get as far, such as in a panic.
    pub fn error(&self) -> Option<&E> {
        self.error.as_ref()
    }

    /// The error that the function returned, by value.
    pub fn into_error(self) -> Option<E> {
        self.error
    }

    /// The error that the function returned, or what `other` makes of a failure that is none, such
    /// as a panic.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use serde::{Serialize, Deserialize};
    /// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
    /// enum Declined {
    ///     #[error("no money")]
    ///     NoMoney,
    ///     #[error("{0}")]
    ///     Broken(String),
    /// }
    ///
    /// #[activity]
    /// async fn charge(cents: u32) -> Result<(), Declined> { Err(Declined::NoMoney) }
    ///
    /// #[orchestrator]
    /// async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<(), Declined> {
    ///     charge(cents).await.map_err(|failed| {
    ///         failed.into_error_or_else(|details| Declined::Broken(details.message))
    ///     })
    /// }
    /// ```
    pub fn into_error_or_else(self, other: impl FnOnce(FailureDetails) -> E) -> E {
        self.error.unwrap_or_else(|| other(self.details))
    }

    /// What is recorded of the failure.
    pub fn details(&self) -> &FailureDetails {
        &self.details
    }
}

impl<E> fmt::Display for TaskFailed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.task, self.details)
    }
}

impl<E> fmt::Debug for TaskFailed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFailed")
            .field("task", &self.task)
            .field("details", &self.details)
            .finish_non_exhaustive()
    }
}

impl<E> StdError for TaskFailed<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.details)
    }
}
