//! JSON whose fields keep their order, and its form as YAML.

use std::fmt;
use std::fmt::Write;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::CliError;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    /// A text, number, boolean or null.
    Leaf(serde_json::Value),
}

impl Node {
    pub(crate) fn read(raw: &RawValue) -> Result<Self, CliError> {
        serde_json::from_str(raw.get())
            .map_err(|source| CliError::Json { what: "the answer of the hub".to_owned(), source })
    }

    /// The field at a path such as `suspension.code`.
    fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, name| match node {
            Self::Map(fields) => {
                fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
            }
            Self::List(_) | Self::Leaf(_) => None,
        })
    }

    /// A field as text: a string without its quotes, nothing for null.
    pub(crate) fn text_of(&self, path: &str) -> String {
        match self.at(path) {
            None | Some(Self::Leaf(serde_json::Value::Null)) => String::new(),
            Some(Self::Leaf(serde_json::Value::String(text))) => text.clone(),
            Some(node) => node.json(),
        }
    }

    /// Only these fields, in their order.
    pub(crate) fn only(&self, paths: &[String]) -> Self {
        let null = Self::Leaf(serde_json::Value::Null);
        let field = |path: &String| (path.clone(), self.at(path).unwrap_or(&null).clone());
        Self::Map(paths.iter().map(field).collect())
    }

    pub(crate) fn json(&self) -> String {
        match self {
            Self::Map(fields) => {
                let field = |(name, value): &(String, Node)| {
                    format!("{}:{}", serde_json::Value::from(name.as_str()), value.json())
                };
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
            }
            Self::List(items) => {
                format!("[{}]", items.iter().map(Self::json).collect::<Vec<_>>().join(","))
            }
            Self::Leaf(value) => value.to_string(),
        }
    }

    pub(crate) fn yaml(&self) -> String {
        let mut text = String::new();
        self.write_yaml(&mut text, 0);
        text
    }

    /// Writing to a `String` cannot fail.
    fn write_yaml(&self, text: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        match self {
            Self::Map(fields) if !fields.is_empty() => {
                for (name, value) in fields {
                    let _ = write!(text, "{indent}{}:", scalar(name));
                    value.write_below(text, depth + 1);
                }
            }
            Self::List(items) if !items.is_empty() => {
                for item in items {
                    let mut inner = String::new();
                    item.write_yaml(&mut inner, depth + 1);
                    let _ = write!(text, "{indent}- {}", inner.trim_start());
                }
            }
            Self::Leaf(serde_json::Value::String(value)) => {
                let _ = writeln!(text, "{indent}{}", scalar(value));
            }
            node => {
                let _ = writeln!(text, "{indent}{}", node.json());
            }
        }
    }

    /// Writes a node as the value of a field, on the same line if it fits there.
    fn write_below(&self, text: &mut String, depth: usize) {
        let is_block = match self {
            Self::Map(fields) => !fields.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Leaf(_) => false,
        };
        text.push(if is_block { '\n' } else { ' ' });
        self.write_yaml(text, if is_block { depth } else { 0 });
    }
}

/// A text without quotes if it cannot be mistaken for another value; JSON strings are valid YAML.
fn scalar(text: &str) -> String {
    let is_plain = text.chars().next().is_some_and(char::is_alphabetic)
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./@ ".contains(c))
        && !text.ends_with(' ')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Leaf(serde_json::Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Node::Map(fields))
            }
        }

        deserializer.deserialize_any(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn yaml_keeps_the_order_and_quotes_what_would_be_misread() {
        let yaml = node(r#"{"b": "no", "a": [1, {"x": "t u", "y": []}], "c": {"d": null}}"#).yaml();
        assert_eq!(yaml, "b: \"no\"\na:\n  - 1\n  - x: t u\n    \"y\": []\nc:\n  d: null\n");
    }

    #[test]
    fn fields_are_found_by_path() {
        let node = node(r#"{"a": {"b": "c"}, "d": [1, 2]}"#);
        assert_eq!(node.text_of("a.b"), "c");
        assert_eq!(node.text_of("d"), "[1,2]");
        assert_eq!(node.text_of("e"), "");
        assert_eq!(node.only(&["d".into()]).json(), r#"{"d":[1,2]}"#);
    }
}
