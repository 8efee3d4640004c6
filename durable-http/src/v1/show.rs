//! How values are shown: the names of the library's own fields in camel case, values of users as they
//! are.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;
use durable::client::InstanceStatus;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// Fields whose values are users' and are not looked into.
const OF_USERS: [&str; 8] =
    ["input", "output", "result", "custom_status", "tags", "state", "value", "properties"];

/// An object in its order, or rather its fields.
struct Fields(Vec<(String, Box<RawValue>)>);

/// A value of this library as JSON with names in camel case.
pub(super) fn camel(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    match to_raw_value(value) {
        Ok(raw) => renamed(raw),
        Err(_) => RawValue::NULL.to_owned(),
    }
}

/// As [`camel`], with these fields only.
pub(super) fn selected(value: &impl Serialize, fields: &[&str]) -> Box<RawValue> {
    let all = camel(value);
    let kept = serde_json::from_str::<Fields>(all.get()).and_then(|Fields(mut all)| {
        all.retain(|(name, _)| fields.contains(&name.as_str()));
        to_raw_value(&Fields(all))
    });
    kept.unwrap_or(all)
}

fn renamed(raw: Box<RawValue>) -> Box<RawValue> {
    let text = raw.get();
    let shown = match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<Fields>(text).map(|Fields(fields)| {
            let field = |(name, value): (String, Box<RawValue>)| {
                let is_of_user = OF_USERS.contains(&name.as_str());
                (camel_case(&name), if is_of_user { value } else { renamed(value) })
            };
            to_raw_value(&Fields(fields.into_iter().map(field).collect()))
        }),
        Some(b'[') => serde_json::from_str::<Vec<Box<RawValue>>>(text)
            .map(|items| to_raw_value(&items.into_iter().map(renamed).collect::<Vec<_>>())),
        _ => return raw,
    };
    shown.and_then(|shown| shown).unwrap_or(raw)
}

/// `created_at` as `createdAt`; a name without underscores stays as it is.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut chars = word.chars();
        camel.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(chars.as_str());
    }
    camel
}

/// An entity tag, which changes whenever the instance does.
pub(super) fn tag(status: &InstanceStatus) -> String {
    let micros = status.last_updated_at.to_datetime().timestamp_micros();
    format!("\"{}-{}-{micros}\"", status.execution_id, status.history_len)
}

/// Whether the client has the version of this tag.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get(IF_NONE_MATCH).and_then(|given| given.to_str().ok());
    let mut tags = given.unwrap_or_default().split(',').map(str::trim);
    tags.any(|given| given == "*" || given.trim_start_matches("W/") == tag)
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use durable::protocol::Json;

    use super::*;

    #[derive(Serialize)]
    struct Thing {
        created_at: u8,
        input: Json,
        all_items: Vec<Thing>,
    }

    #[test]
    fn names_are_in_camel_case_except_those_of_users() {
        let input = Json::parse(r#"{"my_name": 1.50}"#).unwrap();
        let inner = Thing { created_at: 2, input: Json::null(), all_items: Vec::new() };
        let thing = Thing { created_at: 1, input, all_items: vec![inner] };
        assert_eq!(
            camel(&thing).get(),
            r#"{"createdAt":1,"input":{"my_name": 1.50},"allItems":[{"createdAt":2,"input":null,"allItems":[]}]}"#
        );
    }
}
