//! Errors of durable functions: the error that a function returns, and the one that its caller
//! receives.
//!
//! An activity, orchestrator or operation returns a [`Result<T>`](Result). Its error is either
//! [`Error`], into which `?` converts any `std::error::Error`, or a type of your own
//! ([`TaskError`]), which the history gives back as the original value. An orchestrator that awaits
//! a failed call receives a [`TaskFailed`]. Errors that no retry can fix are marked with
//! [`Error::non_retriable`] or [`NonRetriable`].
//!
//! Errors of the library itself are in the modules of the operations that return them:
//! [`client`](crate::client), [`schedule`](crate::schedule) and [`store`](crate::store).
//!
//! ```
//! # use durable::prelude::*;
//! use durable::protocol::FailureDetails;
//!
//! #[activity]
//! async fn charge(cents: u32) -> Result<String> {
//!     if cents == 0 {
//!         return Err(Error::msg("nothing to charge").non_retriable());
//!     }
//!     Ok(std::fs::read_to_string("receipt.txt")?)
//! }
//!
//! #[orchestrator]
//! async fn pay(ctx: &OrchestrationContext, cents: u32) -> Result<bool> {
//!     match charge(cents).await {
//!         Ok(_receipt) => Ok(true),
//!         Err(failed) if failed.details().error_type == FailureDetails::PANIC => Ok(false),
//!         Err(failed) => Err(failed.into()),
//!     }
//! }
//! ```

// Read next: `codec.rs` (how errors are recorded), `names.rs` (the recorded names of their types),
// `said.rs` (which causes are shown), `task_failed.rs` (a failed call in an orchestrator).

pub(crate) mod codec;
pub(crate) mod names;
mod said;
mod task_failed;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

pub(crate) use self::codec::{ErrorCodec, task_error};
pub use self::codec::{NonRetriable, TaskError};
pub(crate) use self::names::is_name_of;
pub use self::task_failed::TaskFailed;

use crate::protocol::FailureDetails;

/// The result of a durable function. Its error is [`Error`], unless the function has an error type of
/// its own.
///
/// ```
/// #[derive(Debug, serde::Serialize, serde::Deserialize, thiserror::Error)]
/// #[error("the card was declined")]
/// struct Declined;
///
/// fn check(cents: u32) -> durable::Result<()> {
///     if cents == 0 { Err(durable::Error::msg("nothing to pay")) } else { Ok(()) }
/// }
///
/// fn charge(cents: u32) -> durable::Result<u32, Declined> {
///     if cents > 1_000 { Err(Declined) } else { Ok(cents) }
/// }
/// # assert!(check(1).is_ok() && charge(1).is_ok());
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error in its recorded form. `?` converts every [`std::error::Error`] into it.
///
/// It holds only data (type, message, causes), because another process has to read it from the
/// history. To get an error back as its original value, return your own type instead: one with
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
///
/// # Other error types
/// `Error` is itself a [`std::error::Error`], `Send`, `Sync` and `'static`. So `?` turns it into
/// `anyhow::Error`, `eyre::Report`, `Box<dyn std::error::Error>` or an error of your own that has
/// `#[from] durable::Error`. Conversely, [`from_boxed`](Self::from_boxed) takes values that are not
/// a `std::error::Error` themselves: `anyhow::Error`, `eyre::Report`, boxed errors, strings.
///
/// `?` does not convert an error that contains an `Error` by value (`Error` is not [`Unpin`], which
/// tells the two conversions apart): box the field, or use `from_boxed`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(FailureDetails, #[serde(skip)] NotUnpin<()>);

/// Makes [`Error`] a type that is not `Unpin`, by an `impl` whose bound `()` does not meet.
///
/// `From<E>` for every `E: std::error::Error` would overlap with `From<T> for T` if `Error` were
/// such an `E`. With `E: Unpin` the two do not overlap, and `Error` can implement
/// `std::error::Error`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct NotUnpin<T>(PhantomData<T>);

/// A bound that no type meets.
trait Never {}

impl<T: Never> Unpin for NotUnpin<T> {}

/// A type that `?` converts into an [`Error`]: every [`std::error::Error`].
///
/// ```
/// // `?` converts any error of the standard library's trait.
/// fn parse(text: &str) -> durable::Result<u32> {
///     Ok(text.trim().parse()?)
/// }
/// assert!(parse("4 2").is_err_and(|error| error.to_string().contains("invalid digit")));
/// ```
#[diagnostic::on_unimplemented(
    message = "`?` cannot convert `{Self}` into a `durable::Error`",
    label = "is not a `std::error::Error`; `anyhow::Error`, `eyre::Report`, boxed errors and strings: \
             write `.map_err(durable::Error::from_boxed)?`"
)]
pub trait Cause: StdError + 'static {}

#[diagnostic::do_not_recommend]
impl<E: StdError + Unpin + 'static> Cause for E {}

impl Error {
    /// Creates an error with this message.
    pub fn msg(message: impl fmt::Display) -> Self {
        Self::new(FailureDetails::of_error(names::name_of::<Self>(), &message))
    }

    /// Converts an error that `?` cannot convert, because it does not implement
    /// [`std::error::Error`], but that can be boxed as one: `anyhow::Error`, `eyre::Report`,
    /// `Box<dyn std::error::Error + Send + Sync>`, a string. The chain of causes is kept; a boxed
    /// `Error` comes out as it was.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # type BoxError = Box<dyn std::error::Error + Send + Sync>;
    /// fn call_the_bank() -> Result<String, BoxError> {
    ///     Err("the bank is closed".into())
    /// }
    ///
    /// #[activity]
    /// fn charge(cents: u32) -> Result<String> {
    ///     let receipt = call_the_bank().map_err(Error::from_boxed)?;
    ///     Ok(receipt)
    /// }
    ///
    /// assert_eq!(charge::run(5).unwrap_err().to_string(), "the bank is closed");
    /// ```
    pub fn from_boxed<E: Into<Box<dyn StdError + Send + Sync>>>(error: E) -> Self {
        let error = match error.into().downcast::<Self>() {
            Ok(error) => return *error,
            Err(error) => error,
        };
        match error.downcast::<FailureDetails>() {
            Ok(details) => Self::new(details.shortened()),
            Err(error) => Self::of(names::name_of_path::<E>(), &*error),
        }
    }

    /// Marks the error as one that is never retried.
    #[must_use]
    pub fn non_retriable(self) -> Self {
        Self::new(self.0.non_retriable())
    }

    /// Returns the recorded form of the error.
    pub fn details(&self) -> &FailureDetails {
        &self.0
    }

    const fn new(details: FailureDetails) -> Self {
        Self(details, NotUnpin(PhantomData))
    }

    fn of(name: String, error: &dyn StdError) -> Self {
        let mut details = FailureDetails::of_error(name, error);
        details.inner = said::recording(|| FailureDetails::from_source(error.source()));
        Self::new(details)
    }
}

impl<E: Cause> From<E> for Error {
    fn from(mut error: E) -> Self {
        let made = match (&error as &dyn Any).downcast_ref::<FailureDetails>() {
            Some(details) if !names::are_those_of_before() => {
                Self::new(details.clone().shortened())
            }
            _ => Self::of(names::name_of::<E>(), &error),
        };
        if let Some(details) = (&mut error as &mut dyn Any).downcast_mut::<FailureDetails>() {
            details.drop_causes();
        }
        made
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Prints the message, then the causes, because a `main` that returns an error prints it this way.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut causes =
            std::iter::successors(said::next_cause(&self.0), |it| said::next_cause(it));
        causes.try_for_each(|cause| write!(f, "\n  caused by: {cause}"))
    }
}
