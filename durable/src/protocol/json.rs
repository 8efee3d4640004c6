//! A user's value as it is stored: JSON text.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::payload::InvalidPayload;

/// A user's value as it is stored: immutable, shared JSON text.
///
/// Serde writes it as JSON in human-readable formats, and as a string in all others.
///
/// ```
/// use durable::protocol::Json;
///
/// let input = Json::parse(r#"{"cents": 5}"#)?;
/// assert_eq!(input.as_str(), r#"{"cents": 5}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Arc<str>);

impl Json {
    /// Wraps text that must be one JSON value.
    ///
    /// # Errors
    /// The text is not a single JSON value. The error says what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&RawValue>(text)?;
        Ok(Self(text.into()))
    }

    /// Returns the JSON value `null`.
    pub fn null() -> Self {
        Self("null".into())
    }

    /// The nesting depth of arrays and objects up to which `serde_json` reads.
    pub(crate) const DEPTH_MAX: usize = 127;

    /// The nesting depth of arrays and objects in JSON text.
    pub(crate) fn depth_of(json: &str) -> usize {
        let (mut depth, mut deepest, mut in_text, mut is_escaped) = (0_usize, 0, false, false);
        for byte in json.bytes() {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => in_text = !in_text,
                b'[' | b'{' if !in_text => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        deepest
    }

    /// The value, unless it is nested too deep to be read again.
    pub(crate) fn checked(self, what: &str) -> Result<Self, Box<InvalidPayload>> {
        let (depth, max) = (Self::depth_of(&self.0), Self::DEPTH_MAX);
        if depth > max {
            return Err(Box::new(InvalidPayload::TooDeep { what: what.to_owned(), depth, max }));
        }
        Ok(self)
    }

    /// Wraps text that a serializer has just written.
    pub(crate) fn trusted(text: String) -> Self {
        Self(text.into())
    }

    /// Reads the value as a `T`.
    ///
    /// ```
    /// use durable::protocol::Json;
    ///
    /// let json = Json::parse("[1, 2]").unwrap();
    /// assert_eq!(json.read::<Vec<u32>>()?, [1, 2]);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    /// The value cannot be read as a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Returns the JSON inside a JSON string: for `"500"`, the number 500. `None` for any other
    /// value.
    ///
    /// Some clients, such as the Python client of Durable Functions 1.x, encode payloads twice. If
    /// an event or the input of an entity's operation cannot be read as the requested type, the
    /// value inside is read instead.
    ///
    /// ```
    /// use durable::protocol::Json;
    ///
    /// let json = Json::parse(r#""{\"cents\": 5}""#).unwrap();
    /// assert_eq!(json.inside().unwrap().as_str(), r#"{"cents": 5}"#);
    /// assert!(Json::parse(r#""Tokyo""#).unwrap().inside().is_none());
    /// ```
    pub fn inside(&self) -> Option<Self> {
        if !self.0.trim_start().starts_with('"') {
            return None;
        }
        let text: Cow<'_, str> = serde_json::from_str(&self.0).ok()?;
        Self::parse(&text).ok()
    }

    /// Returns the JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serde_json::from_str::<&RawValue>(&self.0)
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer)
        } else {
            serializer.serialize_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let raw = Box::<RawValue>::deserialize(deserializer)?;
            Ok(Self(raw.get().into()))
        } else {
            let text = Cow::<'de, str>::deserialize(deserializer)?;
            Ok(Self(text.as_ref().into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_depth_is_that_of_serde_json() {
        for (json, depth) in
            [("1", 0), (r#"{"[[": "\"[[", "a": [[], []]}"#, 3), (r#"["\\", []]"#, 2)]
        {
            assert_eq!(Json::depth_of(json), depth, "{json}");
        }
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        for depth in [1, Json::DEPTH_MAX, Json::DEPTH_MAX + 1] {
            let read = serde_json::from_str::<serde_json::Value>(&nested(depth));
            assert_eq!(read.is_ok(), Json::depth_of(&nested(depth)) <= Json::DEPTH_MAX, "{depth}");
        }
    }
}
