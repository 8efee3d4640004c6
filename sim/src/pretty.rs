//! Cases in a readable form: programs and operations look like Rust.
//!
//! The text is derived from the JSON of a value, so this file does not depend on the grammar.

use serde::Serialize;
use serde_json::Value;

/// The longest text that stays on one line.
const WIDTH: usize = 90;

/// A value as calls: `{"Timer": "Second"}` is `timer(Second)`.
pub(crate) fn call(value: &impl Serialize) -> String {
    serde_json::to_value(value).map(|value| print(&value, 0)).unwrap_or_default()
}

/// Like [`call`], if it fits on one line.
pub(crate) fn brief(value: &impl Serialize) -> String {
    let text = serde_json::to_value(value).map(|value| one_line(&value)).unwrap_or_default();
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text,
    }
}

fn print(value: &Value, indent: usize) -> String {
    let line = one_line(value);
    let (name, parts) = match value {
        Value::Object(fields) if fields.len() == 1 => {
            let Some((name, inner)) = fields.iter().next() else { return line };
            match inner {
                Value::Array(list) => (snake(name), list.iter().map(|it| (None, it)).collect()),
                inner => (snake(name), vec![(None, inner)]),
            }
        }
        Value::Object(fields) => {
            let named = fields.iter().filter(|(_, value)| !value.is_null());
            (String::new(), named.map(|(name, value)| (Some(name), value)).collect())
        }
        Value::Array(list) => (String::new(), list.iter().map(|it| (None, it)).collect::<Vec<_>>()),
        _ => return line,
    };
    if line.len() + indent <= WIDTH {
        return line;
    }
    let inner = "    ".repeat(indent / 4 + 1);
    let parts = parts.into_iter().map(|(field, value)| {
        let field = field.map(|field| format!("{field}: ")).unwrap_or_default();
        format!("{inner}{field}{}", print(value, indent + 4))
    });
    let parts = parts.collect::<Vec<_>>().join(",\n");
    format!("{name}(\n{parts}\n{})", "    ".repeat(indent / 4))
}

fn one_line(value: &Value) -> String {
    let list = |list: &[Value]| list.iter().map(one_line).collect::<Vec<_>>().join(", ");
    match value {
        Value::Null => "none".to_owned(),
        Value::String(name) => name.clone(),
        Value::Array(values) => format!("[{}]", list(values)),
        Value::Object(fields) if fields.len() == 1 => {
            let Some((name, inner)) = fields.iter().next() else { return String::new() };
            match inner {
                Value::Array(values) => format!("{}({})", snake(name), list(values)),
                inner => format!("{}({})", snake(name), one_line(inner)),
            }
        }
        Value::Object(fields) => {
            let named = fields.iter().filter(|(_, value)| !value.is_null());
            let named = named.map(|(name, value)| format!("{name}: {}", one_line(value)));
            format!("{{ {} }}", named.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// `TimeoutOf` is `timeout_of`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variants_are_calls_and_absent_fields_are_left_out() {
        let value = json!({"Seq": [{"Timer": "Second"}, "Status", {"Event": 1}]});
        assert_eq!(call(&value), "seq(timer(Second), Status, event(1))");
        let value = json!({"Activity": {"attempts": 2, "timeout": null, "seed": 7}});
        assert_eq!(call(&value), "activity({ attempts: 2, seed: 7 })");
    }

    #[test]
    fn what_is_long_has_a_line_for_each_part() {
        let part = json!({"StartDetached": ["a long name of an instance", {"Timer": "Hour"}]});
        let text = call(&json!({"Join": [part, part]}));
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.starts_with("join(\n    start_detached("), "{text}");
    }
}
