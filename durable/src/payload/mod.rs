//! A user's values on their way to JSON and back.
//!
//! Generated code never bounds a user's type itself: it asks [`Stored`] for a [`Codec`] once per
//! type, so that a missing derive causes one error, in our words, on the type.
//!
//! Read next: `input.rs` (the parameters of a call), `invalid.rs` (why a value cannot be stored).

mod input;
mod invalid;

use std::any::{TypeId, type_name};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::input::{InputReader, InputWriter};
pub use self::invalid::InvalidPayload;

use crate::panics::Guarded;
use crate::protocol::Json;

/// A value that can be stored in a history: anything that serde can write as JSON and read back.
///
/// Derive `serde::Serialize` and `serde::Deserialize`, and this trait is implemented.
///
/// # What JSON cannot hold
///
/// Every value is read back where it is created. A value that can be written but not read is an
/// error there: of the call, of the entity operation (whose state is unchanged), or of the client
/// that starts, raises or signals. It never reaches a history. Such values are
///
/// * NaN and infinite floats, because JSON writes them as `null`; all other floats round-trip
///   exactly;
/// * values nested more than 127 levels deep, such as a long list of boxes, which `serde_json`
///   refuses to read;
/// * types whose `Deserialize` does not accept the output of their `Serialize`.
///
/// The inputs that an orchestrator passes on are read by the called function, which then fails with
/// [`INVALID_INPUT`](crate::protocol::FailureDetails::INVALID_INPUT).
///
/// A value that is read back as a *different* value is not detected. JSON has a single `null`, so
/// `Some(())`, `Some(None)` and a `Some` of NaN come back as `None`. Use `bool` instead of
/// `Option<()>`, an `enum` instead of `Option<Option<T>>`, and check floats before you return them.
///
/// ```
/// # use durable::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// /// Instead of an `Option<Option<String>>`.
/// #[derive(Serialize, Deserialize)]
/// enum Change {
///     Keep,
///     Clear,
///     Set(String),
/// }
///
/// #[activity]
/// async fn next_change() -> Result<Change> {
///     Ok(Change::Clear)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in history",
    label = "cannot be written as JSON and read back",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on it, or on the types that it \
            contains"
)]
pub trait Payload: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Payload for T {}

/// [`Payload`] for generated code: a trait without supertraits, so that an error does not point at
/// a bound of ours.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in history",
    label = "used as the input or output of a durable function",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on it, or on the types that it \
            contains"
)]
pub trait Stored {
    /// Writes and reads its values.
    fn codec() -> Codec<Self>
    where
        Self: Sized;
}

#[diagnostic::do_not_recommend]
impl<T: Payload> Stored for T {
    fn codec() -> Codec<Self> {
        payload()
    }
}

/// A [`Payload`] that is the state of an entity, for generated code.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the state of an entity",
    label = "cannot be written as JSON and read back",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on it, or on the types that it \
            contains"
)]
pub trait StoredState {
    /// Writes and reads its values.
    fn codec() -> Codec<Self>
    where
        Self: Sized;
}

#[diagnostic::do_not_recommend]
impl<T: Payload> StoredState for T {
    fn codec() -> Codec<Self> {
        payload()
    }
}

/// Writes values of one type as JSON and reads them.
#[derive(Debug)]
pub struct Codec<T> {
    write: fn(&T) -> serde_json::Result<String>,
    read: fn(&str) -> serde_json::Result<T>,
    /// Reads a written value, and drops it.
    check: fn(&str) -> serde_json::Result<()>,
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

/// The codec of `T`, if `T` can be stored.
pub(crate) const fn payload<T: Payload>() -> Codec<T> {
    Codec {
        write: serde_json::to_string,
        read: |json| serde_json::from_str(json),
        check: |json| {
            if is_always_readable::<T>() {
                return Ok(());
            }
            // This value exists only for the check, so a panic of its destructor must not surface.
            serde_json::from_str::<T>(json).map(|value| drop(Guarded::new(value)))
        },
    }
}

/// Whether all values of `T` can be read back: a plain type, or a list or option of one. It is a
/// chain of comparisons because the compiler evaluates each of them, unlike a search in a list.
fn is_always_readable<T: 'static>() -> bool {
    fn is<T: 'static, U: 'static>() -> bool {
        TypeId::of::<T>() == TypeId::of::<U>()
    }
    macro_rules! is_one_of {
        ($($plain:ty)*) => {
            false $(|| is::<T, $plain>() || is::<T, Vec<$plain>>() || is::<T, Option<$plain>>())*
        };
    }
    is_one_of!(() bool i8 i16 i32 i64 isize u8 u16 u32 u64 usize String)
}

impl<T> Codec<T> {
    /// Writes `value`.
    pub(crate) fn encode(self, value: &T) -> serde_json::Result<Json> {
        (self.write)(value).map(Json::trusted)
    }

    /// Writes `value` so that it can be read again; `what` names it in an error.
    pub(crate) fn encode_readable(
        self,
        what: &str,
        value: &T,
    ) -> Result<Json, Box<InvalidPayload>> {
        let json = self.encode(value).map_err(|error| InvalidPayload::no_json(what, error))?;
        self.check_readable(what, json.as_str())?;
        Ok(json)
    }

    /// Checks that a written value can be read again.
    fn check_readable(
        self,
        what: impl Into<String>,
        json: &str,
    ) -> Result<(), Box<InvalidPayload>> {
        (self.check)(json).map_err(|error| {
            let (what, type_name) = (what.into(), type_name::<T>());
            Box::new(InvalidPayload::NotReadable { what, type_name, source: Arc::new(error) })
        })
    }

    /// Reads a value.
    pub(crate) fn decode(self, json: &Json) -> serde_json::Result<T> {
        (self.read)(json.as_str())
    }
}
