//! Typed external events: a name tied to a type of data.

use crate::payload::{Codec, InvalidPayload, Payload, payload};

/// The data of an external event, tied to the event's name. The attribute
/// [`#[durable::event]`](macro@crate::event) implements it for any [`Payload`].
///
/// An event is raised and awaited by name. With a type for it, both sides agree on the name and on
/// the type of the data.
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
    label = "has no event name",
    note = "put `#[durable::event]` on it"
)]
pub trait ExternalEvent: EventData {
    /// The event's name. It is not empty, and its case does not matter.
    const NAME: &'static str;
}

/// The longest name of an event, in characters.
const NAME_MAX: usize = 256;

/// The error returned when an external event cannot be raised.
///
/// ```
/// use durable::client::{InstanceHandle, InvalidEvent, ManageError};
///
/// async fn forward(instance: &InstanceHandle, name: &str) -> Result<(), ManageError> {
///     match instance.raise_event(name, &()).await {
///         Err(ManageError::InvalidEvent(InvalidEvent::Name { .. })) => Ok(()), // ignore it
///         other => other,
///     }
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// The name is empty or too long.
    #[error("an external event cannot have a name of {characters} characters; use 1 to {NAME_MAX}")]
    Name {
        /// Its length in characters.
        characters: usize,
    },
    /// The payload cannot be stored.
    #[error(transparent)]
    Payload(#[from] Box<InvalidPayload>),
}

/// An error if the name of an event breaks a rule.
pub(crate) fn check_name(name: &str) -> Result<(), InvalidEvent> {
    let characters = name.chars().count();
    if (1..=NAME_MAX).contains(&characters) {
        return Ok(());
    }
    Err(InvalidEvent::Name { characters })
}

/// The data of an event, which may be any [`Payload`].
///
/// It has no supertraits, so that a missing derive is a single error in our words.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in history",
    label = "used as the data of an external event",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on it, or on the types that it \
            contains"
)]
pub trait EventData {
    /// Writes and reads the data.
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
