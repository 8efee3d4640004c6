//! The error of a failed call in an orchestrator or a client: [`TaskFailed`].

use std::error::Error as StdError;
use std::fmt;

use super::{Error, ErrorCodec, said};
use crate::protocol::FailureDetails;
use crate::replay_rules;

/// The error returned when an awaited task has failed.
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
#[derive(Clone)]
pub struct TaskFailed<E = Error> {
    task: String,
    task_id: Option<i32>,
    details: FailureDetails,
    /// In a box, so that a failure is `Unpin` for any type of error: see [`Error`].
    error: Option<Box<E>>,
}

impl<E> TaskFailed<E> {
    pub(crate) fn new(task: String, details: FailureDetails, codec: ErrorCodec<E>) -> Self {
        let error = codec.read(&details).map(Box::new);
        Self { task, task_id: None, details, error }
    }

    /// The same failure, attributed to the call with this number.
    pub(crate) fn of_task(self, task_id: i32) -> Self {
        Self { task_id: Some(task_id), ..self }
    }

    /// Returns the number of the call in its execution, which the history calls `event_id`; `None`
    /// for a call that was not made by an orchestrator.
    pub fn task_id(&self) -> Option<i32> {
        self.task_id
    }

    /// Returns the error that the function returned; `None` if the call failed otherwise, for
    /// example by a panic.
    pub fn error(&self) -> Option<&E> {
        self.error.as_deref()
    }

    /// Returns the error that the function returned, by value; see [`error`](Self::error).
    pub fn into_error(self) -> Option<E> {
        self.error.map(|error| *error)
    }

    /// Returns the error that the function returned, or the result of `other` for any other
    /// failure, such as a panic.
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
        match self.error {
            Some(error) => *error,
            None => other(self.details),
        }
    }

    /// Returns the recorded failure.
    pub fn details(&self) -> &FailureDetails {
        &self.details
    }

    /// Whether the text has the whole message of the failure.
    fn text_is_complete(&self) -> bool {
        // An orchestrator of release 0.1 may depend on the text, so a replay must give the same.
        let is_whole = replay_rules::are_those_of_release_0_1;
        self.details.message.len() <= CAUSE_MAX || self.details.inner.is_none() || is_whole()
    }
}

/// Prints the task and the text of its failure.
///
/// The text of a failure that is passed up through sub-orchestrations is shortened to its beginning
/// and end if it exceeds 1 KiB, because each level would otherwise repeat all levels below it.
/// [`details`](TaskFailed::details) has every cause.
impl<E> fmt::Display for TaskFailed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = &*self.details.message;
        if self.text_is_complete() {
            return write!(f, "{} failed: {said}", self.task);
        }
        let begin = &said[..said.floor_char_boundary(CAUSE_MAX / 4)];
        let end = &said[said.ceil_char_boundary(said.len() - CAUSE_MAX / 2)..];
        write!(f, "{} failed: {begin} .. {end}", self.task)
    }
}

/// The maximum number of bytes of a cause that the text of a failure repeats.
const CAUSE_MAX: usize = 1024;

impl<E> fmt::Debug for TaskFailed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFailed")
            .field("task", &self.task)
            .field("details", &self.details)
            .finish_non_exhaustive()
    }
}

/// The source is the first cause of the failure that the text does not contain, so a printed chain
/// has no repetitions. It is `None` if the text contains every cause;
/// [`details`](TaskFailed::details) has the failure and every cause, with their types.
impl<E> StdError for TaskFailed<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        if said::gives_all() || !self.text_is_complete() {
            return Some(&self.details);
        }
        self.details.source()
    }
}
