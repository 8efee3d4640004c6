//! A user's values on their way to JSON and back.
//!
//! Generated code never bounds a user's type itself: it asks [`Stored`] for a [`Codec`] once per
//! type, so that a missing derive is one error, in our words, on the type.

use std::any::TypeId;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::orchestration::scope::Scope;
use crate::panics::Guarded;
use crate::protocol::{FailureDetails, Json};

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
///   refuses
///   to read;
/// * types whose `Deserialize` does not accept the output of their `Serialize`.
///
/// The inputs that an orchestrator passes on are read by the called function, which then fails with
/// [`INVALID_INPUT`](FailureDetails::INVALID_INPUT).
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
    label = "has no JSON form that can be read again",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on it, or on what it is made of"
)]
pub trait Payload: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Payload for T {}

/// [`Payload`] for generated code: a trait without supertraits, so that an error does not point at
/// a bound of ours.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in history",
    label = "used as the input or output of a durable function",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on it, or on what it is made of"
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
    label = "has no JSON form that can be read again",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on it, or on what it is made of"
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

/// Whether all values of `T` can be read back: a plain type, or a list or option of one.
fn is_always_readable<T: 'static>() -> bool {
    macro_rules! is_one_of {
        ($($plain:ty)*) => {
            [$(TypeId::of::<$plain>(), TypeId::of::<Vec<$plain>>(), TypeId::of::<Option<$plain>>()),*]
                .contains(&TypeId::of::<T>())
        };
    }
    is_one_of!(() bool i8 i16 i32 i64 isize u8 u16 u32 u64 usize String)
}

impl<T> Codec<T> {
    /// Writes `value`.
    pub(crate) fn encode(self, value: &T) -> serde_json::Result<Json> {
        (self.write)(value).map(Json::trusted)
    }

    /// Writes `value` so that it can be read again.
    ///
    /// # Errors
    /// Names `what` it is, and why it has no JSON form or cannot be read again.
    pub(crate) fn encode_readable(self, what: &str, value: &T) -> Result<Json, String> {
        let written = self.encode(value);
        let json = written.map_err(|error| format!("{what} has no JSON form: {error}"))?;
        match (self.check)(json.as_str()) {
            Ok(()) => Ok(json),
            Err(error) => Err(not_readable::<T>(what, &error)),
        }
    }

    /// Reads a value.
    pub(crate) fn decode(self, json: &Json) -> serde_json::Result<T> {
        (self.read)(json.as_str())
    }
}

fn not_readable<T>(what: &str, error: &serde_json::Error) -> String {
    let wanted = std::any::type_name::<T>();
    format!(
        "{what} was written as JSON that cannot be read as `{wanted}` again: {error}; \
         JSON has no NaN and no infinity, and is read up to 127 levels deep"
    )
}

/// Writes the parameters of a call: one as itself, several as an array, none as `null`.
#[derive(Debug)]
pub struct InputWriter {
    json: String,
    several: bool,
    written: usize,
    broken: Option<String>,
    /// Whether each parameter is read back. Not in an orchestrator, because that would take time on
    /// the partition's thread; the called function reports an unreadable input instead.
    checks: bool,
}

impl InputWriter {
    /// Begins the input of a function with `count` parameters.
    pub fn new(count: usize) -> Self {
        let several = count > 1;
        let json = String::from(if several { "[" } else { "" });
        let checks = Scope::current().is_none();
        Self { json, several, written: 0, broken: None, checks }
    }

    /// Writes a parameter that is passed by value or by reference.
    #[must_use]
    pub fn put<T>(self, codec: Codec<T>, name: &str, value: &T) -> Self {
        self.element(name, (codec.write)(value), |json| {
            (codec.check)(json).map_err(|error| not_readable::<T>(&parameter(name), &error))
        })
    }

    /// Writes a `&str` parameter.
    #[must_use]
    pub fn put_str(self, name: &str, value: &str) -> Self {
        self.element(name, serde_json::to_string(value), |_| Ok(()))
    }

    /// Writes a `&Path` parameter.
    #[must_use]
    pub fn put_path(self, name: &str, value: &Path) -> Self {
        self.element(name, serde_json::to_string(value), |_| Ok(()))
    }

    /// Writes a `&[T]` parameter.
    #[must_use]
    pub fn put_slice<T>(self, codec: Codec<T>, name: &str, values: &[T]) -> Self {
        let written: serde_json::Result<Vec<_>> = values.iter().map(codec.write).collect();
        let json = written.map(|values| format!("[{}]", values.join(",")));
        self.element(name, json, |json| {
            let values = serde_json::from_str::<Vec<&RawValue>>(json);
            let check = |values: Vec<&RawValue>| {
                values.into_iter().try_for_each(|value| (codec.check)(value.get()))
            };
            values.and_then(check).map_err(|error| not_readable::<T>(&parameter(name), &error))
        })
    }

    fn element(
        mut self,
        name: &str,
        written: serde_json::Result<String>,
        check: impl FnOnce(&str) -> Result<(), String>,
    ) -> Self {
        let written = written
            .map_err(|error| format!("{} has no JSON form: {error}", parameter(name)))
            .and_then(|json| if self.checks { check(&json).map(|()| json) } else { Ok(json) });
        match written {
            Ok(json) if self.several => {
                if self.written > 0 {
                    self.json.push(',');
                }
                self.json.push_str(&json);
            }
            Ok(json) => self.json = json,
            Err(reason) => drop(self.broken.get_or_insert(reason)),
        }
        self.written += 1;
        self
    }

    /// The input, or why it has no JSON form.
    pub(crate) fn finish(mut self) -> Result<Json, String> {
        if let Some(reason) = self.broken {
            return Err(reason);
        }
        match (self.several, self.written) {
            (true, _) => self.json.push(']'),
            (false, 0) => return Ok(Json::null()),
            (false, _) => {}
        }
        Ok(Json::trusted(self.json))
    }
}

fn parameter(name: &str) -> String {
    format!("parameter `{name}`")
}

/// Reads back what [`InputWriter`] wrote, parameter by parameter.
#[derive(Debug)]
pub struct InputReader<'a> {
    values: std::vec::IntoIter<&'a str>,
}

impl<'a> InputReader<'a> {
    /// Begins to read the stored input of a function with `count` parameters, of which the last
    /// `optional` are `Option`s. Those that the input lacks, because it was stored by code that did
    /// not have them yet, are `None`.
    ///
    /// # Errors
    /// The input has a different number of parameters.
    pub fn new(input: &'a Json, count: usize, optional: usize) -> Result<Self, FailureDetails> {
        let values = match count {
            0 => Vec::new(),
            1 => vec![input.as_str()],
            _ => split(input.as_str(), count, optional)?,
        };
        Ok(Self { values: values.into_iter() })
    }

    /// Reads a parameter that is passed by value or by reference.
    ///
    /// # Errors
    /// The stored value does not fit the parameter's type.
    pub fn take<T>(&mut self, codec: Codec<T>, name: &str) -> Result<T, FailureDetails> {
        (codec.read)(self.next()).map_err(|error| unreadable(name, &error))
    }

    /// Reads a `&[T]` parameter.
    ///
    /// # Errors
    /// The stored value does not fit the parameter's type.
    pub fn take_vec<T>(&mut self, codec: Codec<T>, name: &str) -> Result<Vec<T>, FailureDetails> {
        let values: Vec<&RawValue> =
            serde_json::from_str(self.next()).map_err(|error| unreadable(name, &error))?;
        let read = |value: &RawValue| (codec.read)(value.get());
        values.into_iter().map(read).collect::<Result<_, _>>().map_err(|e| unreadable(name, &e))
    }

    fn next(&mut self) -> &'a str {
        self.values.next().unwrap_or("null")
    }
}

/// The parameters of an input that was stored by this code, or by code with fewer of them.
///
/// One parameter is stored as its own value, several as an array. An array with as many elements as
/// the code had parameters is therefore read as the parameters, anything else as the only
/// parameter.
fn split(input: &str, count: usize, optional: usize) -> Result<Vec<&str>, FailureDetails> {
    const INSTEAD: &str = "an instance keeps the input with which it was started; add parameters at the \
                           end, as `Option<..>`, or take one struct and add fields with \
                           `#[serde(default)]`";
    let required = count - optional;
    let values: serde_json::Result<Vec<&RawValue>> = serde_json::from_str(input);
    match values {
        Ok(values) if values.len() <= count && values.len() >= required.max(2) => {
            Ok(values.into_iter().map(RawValue::get).collect())
        }
        _ if required <= 1 => Ok(vec![input]),
        Ok(values) => Err(invalid_input(format!(
            "expected {count} parameters, found {}; {INSTEAD}",
            values.len()
        ))),
        Err(error) => Err(invalid_input(format!(
            "expected an array of {count} parameters: {error}; {INSTEAD}"
        ))),
    }
}

fn unreadable(name: &str, error: &serde_json::Error) -> FailureDetails {
    invalid_input(format!("parameter `{name}` cannot be read: {error}"))
}

fn invalid_input(message: String) -> FailureDetails {
    FailureDetails::new(FailureDetails::INVALID_INPUT, message).non_retriable()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn no_parameter_is_null_one_is_itself_and_several_are_an_array() {
        let none = InputWriter::new(0).finish().unwrap();
        let one = InputWriter::new(1).put_str("city", "Tokyo").finish().unwrap();
        let two = InputWriter::new(2)
            .put_slice(payload::<u8>(), "numbers", &[1, 2])
            .put(payload::<Option<u8>>(), "more", &None)
            .finish()
            .unwrap();
        assert_eq!(
            [none.as_str(), one.as_str(), two.as_str()],
            ["null", "\"Tokyo\"", "[[1,2],null]"]
        );

        let mut reader = InputReader::new(&two, 2, 0).unwrap();
        assert_eq!(reader.take_vec(payload::<u8>(), "numbers").unwrap(), [1, 2]);
        assert_eq!(reader.take(payload::<Option<u8>>(), "more").unwrap(), None);
    }

    /// Reads a `String` and two optional numbers.
    fn grown(json: &str) -> Result<(String, Option<u8>, Option<u8>), FailureDetails> {
        let json = Json::parse(json).unwrap();
        let mut reader = InputReader::new(&json, 3, 2)?;
        let number = payload::<Option<u8>>();
        Ok((
            reader.take(payload(), "city")?,
            reader.take(number, "first")?,
            reader.take(number, "second")?,
        ))
    }

    #[test]
    fn a_missing_optional_parameter_at_the_end_is_none() {
        let city = || "Tokyo".to_owned();
        assert_eq!(grown("[\"Tokyo\",1,2]").unwrap(), (city(), Some(1), Some(2)));
        assert_eq!(grown("[\"Tokyo\",1]").unwrap(), (city(), Some(1), None));
        assert_eq!(grown("\"Tokyo\"").unwrap(), (city(), None, None));
    }

    #[test]
    fn a_list_that_was_the_only_parameter_is_told_from_several() {
        let read = |json: &str| {
            let json = Json::parse(json).unwrap();
            let mut reader = InputReader::new(&json, 2, 1)?;
            let list = reader.take_vec(payload::<u8>(), "list")?;
            Ok::<_, FailureDetails>((list, reader.take(payload::<Option<u8>>(), "more")?))
        };
        assert_eq!(read("[]").unwrap(), (vec![], None));
        assert_eq!(read("[1]").unwrap(), (vec![1], None));
        assert_eq!(read("[1,2,3]").unwrap(), (vec![1, 2, 3], None));
        assert_eq!(read("[[1],2]").unwrap(), (vec![1], Some(2)));
        // As many elements as there are parameters now.
        let refused = read("[1,2]").unwrap_err().message;
        assert!(refused.starts_with("parameter `list` cannot be read: "), "{refused}");
    }

    #[test]
    fn parameters_that_are_not_optional_are_not_made_up() {
        let json = Json::parse("\"Tokyo\"").unwrap();
        let error = InputReader::new(&json, 3, 1).unwrap_err();
        assert!(error.message.contains("; add parameters at the end, as `Option<..>`"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let json = Json::parse("[1]").unwrap();
        let error = InputReader::new(&json, 2, 0).unwrap_err();
        assert!(error.message.starts_with("expected 2 parameters, found 1; "), "{}", error.message);
        let error = InputReader::new(&json, 1, 0).unwrap().take(payload::<String>(), "city");
        assert!(error.unwrap_err().message.starts_with("parameter `city` cannot be read: "));
    }

    #[test]
    fn what_has_no_json_form_is_named() {
        let map = BTreeMap::from([((1_u8, 2_u8), 3_u8)]);
        let written =
            InputWriter::new(2).put(payload(), "map", &map).put_str("city", "Tokyo").finish();
        let reason = written.unwrap_err();
        assert!(reason.starts_with("parameter `map` has no JSON form: "), "{reason}");
    }

    #[test]
    fn what_cannot_be_read_again_is_named() {
        let one = InputWriter::new(1).put(payload(), "ratio", &f64::NAN).finish();
        let several = InputWriter::new(2)
            .put_str("city", "Tokyo")
            .put_slice(payload(), "ratio", &[1.5, f64::INFINITY])
            .finish();
        for written in [one, several] {
            let reason = written.unwrap_err();
            let expected =
                "parameter `ratio` was written as JSON that cannot be read as `f64` again";
            assert!(reason.starts_with(expected), "{reason}");
        }
        let encode = |value| payload::<f64>().encode_readable("the output", &value);
        assert_eq!(encode(0.1).unwrap().as_str(), "0.1");
        let refused = encode(f64::NAN).unwrap_err();
        assert!(
            refused.starts_with("the output was written as JSON that cannot be read"),
            "{refused}"
        );
    }
}
