//! External events that have a type: the name and the data in one.

use crate::error::{Error, Result};
use crate::payload::{Codec, Payload, payload};

/// The data of an external event, which knows the event's name. The attribute
/// [`#[durable::event]`](macro@crate::event) implements it for any [`Payload`].
///
/// An event is raised and waited for by name. With a type for it, both sides have one name and one
/// kind of data, and neither can be mistaken.
///
/// ```
/// use durable::ExternalEvent;
/// use serde::{Deserialize, Serialize};
///
/// #[durable::event]
/// #[derive(Serialize, Deserialize)]
/// struct Approval {
///     by: String,
/// }
///
/// #[durable::event(name = "order-cancelled")]
/// #[derive(Serialize, Deserialize)]
/// enum Cancelled {
///     ByCustomer,
///     ByShop { reason: String },
/// }
///
/// assert_eq!(Approval::NAME, "Approval");
/// assert_eq!(Cancelled::NAME, "order-cancelled");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an external event",
    label = "has no event's name",
    note = "put `#[durable::event]` on it"
)]
pub trait ExternalEvent: EventData {
    /// The event's name. It is not empty, and compared without regard to case.
    const NAME: &'static str;
}

/// The longest name of an event, in characters.
const NAME_MAX: usize = 256;

/// What is wrong with the name of an event, if something is.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let characters = name.chars().count();
    if (1..=NAME_MAX).contains(&characters) {
        return Ok(());
    }
    Err(Error::msg(format!(
        "the name of an external event has 1 to {NAME_MAX} characters, and this one has {characters}"
    )))
}

/// The data of an event: every [`Payload`] is.
///
/// It stands between them since it requires no other trait, so that a missing derive is one error,
/// in our words.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in history",
    label = "is the data of an external event",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on it, or on what it is made of"
)]
pub trait EventData {
    /// How the data becomes JSON and comes back.
    fn codec() -> Codec<Self>
    where
        Self: Sized;
}

#[diagnostic::do_not_recommend]
impl<T: Payload> EventData for T {
    fn codec() -> Codec<Self> {
        payload()
    }
}
