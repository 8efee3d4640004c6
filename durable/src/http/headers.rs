//! Header fields: in order, with names in lower case, and every value of a name that repeats.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Fields that identify the sender to one origin. They are not sent to another origin.
const CREDENTIALS: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-functions-key",
    "x-api-key",
    "api-key",
    "x-auth-token",
    "ocp-apim-subscription-key",
];

/// The fields of a request or a response. As JSON, an object from names to a value or to a list of
/// values, which is the form of Durable Functions.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a value to those of this name.
    pub(super) fn add(&mut self, name: &str, value: String) {
        self.0.push((name.to_ascii_lowercase(), value));
    }

    /// Replaces all values of this name.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.retain(|known| !known.eq_ignore_ascii_case(name));
        self.add(name, value);
    }

    /// Sets the value unless the name has one.
    pub(super) fn set_default(&mut self, name: &str, value: impl FnOnce() -> String) {
        if self.all(name).next().is_none() {
            self.add(name, value());
        }
    }

    /// The values of this name, in order.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|it| it.1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Removes what identifies the sender.
    pub(super) fn drop_credentials(&mut self) {
        self.retain(|name| !CREDENTIALS.contains(&name));
    }

    /// Removes what describes a body.
    pub(super) fn drop_body(&mut self) {
        self.retain(|name| {
            !name.starts_with("content-") && !["transfer-encoding", "expect"].contains(&name)
        });
    }

    fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| is_kept(name));
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(name, value)| {
            (name, if CREDENTIALS.contains(&name) { "(hidden)" } else { value })
        });
        f.debug_map().entries(shown).finish()
    }
}

/// One value as itself, several as a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (index, (name, value)) in self.0.iter().enumerate() {
            if self.0[..index].iter().any(|(earlier, _)| earlier == name) {
                continue;
            }
            let values: Vec<_> = self.all(name).collect();
            if values.len() == 1 {
                map.serialize_entry(name, value)?;
            } else {
                map.serialize_entry(name, &values)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of header fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some((name, values)) = map.next_entry::<String, Values>()? {
                    match values {
                        Values::One(value) => fields.add(&name, value),
                        Values::Several(values) => {
                            for value in values {
                                fields.add(&name, value);
                            }
                        }
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_one_name_are_a_list_and_come_back_in_order() {
        let mut fields = Fields::default();
        fields.add("Set-Cookie", "a=1".into());
        fields.add("Date", "today".into());
        fields.add("set-cookie", "b=2".into());
        let json = serde_json::to_string(&fields).unwrap();
        assert_eq!(json, r#"{"set-cookie":["a=1","b=2"],"date":"today"}"#);
        let read: Fields = serde_json::from_str(&json).unwrap();
        assert_eq!(read.all("SET-COOKIE").collect::<Vec<_>>(), ["a=1", "b=2"]);
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }

    #[test]
    fn credentials_are_not_shown_by_debug() {
        let mut fields = Fields::default();
        fields.set("Authorization", "Bearer secret".into());
        fields.set("Accept", "*/*".into());
        assert_eq!(format!("{fields:?}"), r#"{"authorization": "(hidden)", "accept": "*/*"}"#);
    }

    #[test]
    fn body_fields_and_credentials_are_dropped_separately() {
        let mut fields = Fields::default();
        for name in ["Content-Type", "Content-Length", "Cookie", "X-Functions-Key", "Accept"] {
            fields.set(name, "x".into());
        }
        let names = |fields: &Fields| fields.iter().map(|it| it.0.to_owned()).collect::<Vec<_>>();
        fields.drop_body();
        assert_eq!(names(&fields), ["cookie", "x-functions-key", "accept"]);
        fields.drop_credentials();
        assert_eq!(names(&fields), ["accept"]);
    }
}
