//! The input of a call: its parameters, written and read one by one.

use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::{Codec, InvalidPayload, payload};
use crate::protocol::{FailureDetails, Json};
use crate::replay_rules;

/// Writes the parameters of a call: one as itself, several as an array, none as `null`.
#[derive(Debug)]
pub struct InputWriter {
    json: String,
    several: bool,
    written: usize,
    broken: Option<Box<InvalidPayload>>,
    /// Whether each parameter is read back. Not in an orchestrator, because that would take time on
    /// the partition's thread; the called function reports an unreadable input instead.
    checks: bool,
}

impl InputWriter {
    /// Begins the input of a function with `count` parameters.
    pub fn new(count: usize) -> Self {
        let several = count > 1;
        let json = String::from(if several { "[" } else { "" });
        let checks = replay_rules::current().is_none();
        Self { json, several, written: 0, broken: None, checks }
    }

    /// Writes a parameter that is passed by value or by reference.
    #[must_use]
    pub fn put<T>(self, codec: Codec<T>, name: &str, value: &T) -> Self {
        self.element(name, (codec.write)(value), |what, json| codec.check_readable(what, json))
    }

    /// Writes a `&str` parameter.
    #[must_use]
    pub fn put_str(self, name: &str, value: &str) -> Self {
        self.element(name, serde_json::to_string(value), |_, _| Ok(()))
    }

    /// Writes a `&Path` parameter.
    #[must_use]
    pub fn put_path(self, name: &str, value: &Path) -> Self {
        self.element(name, serde_json::to_string(value), |_, _| Ok(()))
    }

    /// Writes a `&[T]` parameter.
    #[must_use]
    pub fn put_slice<T>(self, codec: Codec<T>, name: &str, values: &[T]) -> Self {
        let written: serde_json::Result<Vec<_>> = values.iter().map(codec.write).collect();
        let json = written.map(|values| format!("[{}]", values.join(",")));
        self.element(name, json, |what, json| {
            let values = serde_json::from_str::<Vec<&RawValue>>(json);
            let values = values.map_err(|error| InvalidPayload::no_json(what, error))?;
            values.into_iter().try_for_each(|value| codec.check_readable(what, value.get()))
        })
    }

    fn element(
        mut self,
        name: &str,
        written: serde_json::Result<String>,
        check: impl FnOnce(Parameter<'_>, &str) -> Result<(), Box<InvalidPayload>>,
    ) -> Self {
        let what = Parameter(name);
        let written =
            written.map_err(|error| InvalidPayload::no_json(what, error)).and_then(|json| {
                if self.checks { check(what, &json).map(|()| json) } else { Ok(json) }
            });
        match written {
            Ok(json) if self.several => {
                if self.written > 0 {
                    self.json.push(',');
                }
                self.json.push_str(&json);
            }
            Ok(json) => self.json = json,
            Err(invalid) => drop(self.broken.get_or_insert(invalid)),
        }
        self.written += 1;
        self
    }

    /// The input, or why it has no JSON form.
    pub(crate) fn finish(mut self) -> Result<Json, Box<InvalidPayload>> {
        if let Some(invalid) = self.broken {
            return Err(invalid);
        }
        match (self.several, self.written) {
            (true, _) => self.json.push(']'),
            (false, 0) => return Ok(Json::null()),
            (false, _) => {}
        }
        Ok(Json::trusted(self.json))
    }
}

/// The name of a parameter in errors.
#[derive(Clone, Copy)]
struct Parameter<'a>(&'a str);

impl From<Parameter<'_>> for String {
    fn from(Parameter(name): Parameter<'_>) -> Self {
        format!("parameter `{name}`")
    }
}

/// Reads back what [`InputWriter`] wrote, parameter by parameter.
#[derive(Debug)]
pub struct InputReader<'a> {
    values: std::vec::IntoIter<&'a str>,
}

impl<'a> InputReader<'a> {
    /// Begins to read the stored input of a function with `count` parameters, the last `optional`
    /// of which are `Option`s. Optional parameters that the input lacks, because older code stored
    /// it, are `None`.
    ///
    /// # Errors
    /// If the input has a different number of parameters.
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
    /// If the stored value does not fit the parameter's type.
    pub fn take<T>(&mut self, codec: Codec<T>, name: &str) -> Result<T, FailureDetails> {
        (codec.read)(self.next()).map_err(|error| unreadable(name, &error))
    }

    /// Reads a `&[T]` parameter.
    ///
    /// # Errors
    /// If the stored value does not fit the parameter's type.
    pub fn take_vec<T>(&mut self, codec: Codec<T>, name: &str) -> Result<Vec<T>, FailureDetails> {
        let values: Vec<&RawValue> =
            serde_json::from_str(self.next()).map_err(|error| unreadable(name, &error))?;
        let read = |value: &RawValue| (codec.read)(value.get());
        values.into_iter().map(read).collect::<Result<_, _>>().map_err(|e| unreadable(name, &e))
    }

    /// Reads a `&str` parameter.
    ///
    /// # Errors
    /// If the stored value is not a string.
    pub fn take_string(&mut self, name: &str) -> Result<String, FailureDetails> {
        self.take(payload(), name)
    }

    /// Reads a `&Path` parameter.
    ///
    /// # Errors
    /// If the stored value is not a path.
    pub fn take_path(&mut self, name: &str) -> Result<PathBuf, FailureDetails> {
        self.take(payload(), name)
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
    use crate::payload::payload;

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
    fn a_single_list_parameter_is_distinguished_from_several_parameters() {
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
        // One element for each present parameter.
        let refused = read("[1,2]").unwrap_err().message;
        assert!(refused.starts_with("parameter `list` cannot be read: "), "{refused}");
    }

    #[test]
    fn missing_required_parameters_are_an_error() {
        let json = Json::parse("\"Tokyo\"").unwrap();
        let error = InputReader::new(&json, 3, 1).unwrap_err();
        assert!(error.message.contains("; add parameters at the end, as `Option<..>`"));
    }

    #[test]
    fn a_mismatching_parameter_is_named() {
        let json = Json::parse("[1]").unwrap();
        let error = InputReader::new(&json, 2, 0).unwrap_err();
        assert!(error.message.starts_with("expected 2 parameters, found 1; "), "{}", error.message);
        let error = InputReader::new(&json, 1, 0).unwrap().take(payload::<String>(), "city");
        assert!(error.unwrap_err().message.starts_with("parameter `city` cannot be read: "));
    }

    #[test]
    fn a_parameter_without_a_json_form_is_named() {
        let map = BTreeMap::from([((1_u8, 2_u8), 3_u8)]);
        let written =
            InputWriter::new(2).put(payload(), "map", &map).put_str("city", "Tokyo").finish();
        let reason = written.unwrap_err().recorded();
        assert!(reason.starts_with("parameter `map` has no JSON form: "), "{reason}");
    }

    #[test]
    fn a_parameter_that_cannot_be_read_again_is_named() {
        let one = InputWriter::new(1).put(payload(), "ratio", &f64::NAN).finish();
        let several = InputWriter::new(2)
            .put_str("city", "Tokyo")
            .put_slice(payload(), "ratio", &[1.5, f64::INFINITY])
            .finish();
        for written in [one, several] {
            let reason = written.unwrap_err().recorded();
            let expected =
                "parameter `ratio` was written as JSON that cannot be read as `f64` again";
            assert!(reason.starts_with(expected), "{reason}");
        }
        let encode = |value| payload::<f64>().encode_readable("the output", &value);
        assert_eq!(encode(0.1).unwrap().as_str(), "0.1");
        let refused = encode(f64::NAN).unwrap_err().recorded();
        assert!(
            refused.starts_with("the output was written as JSON that cannot be read"),
            "{refused}"
        );
    }
}
