//! Names in camel case: rewrites the JSON text of a value of the library in one pass, without
//! building a tree of values.
//!
//! The functions of this module expect valid JSON. For any other text, the result is unspecified,
//! but they do not panic.

use std::borrow::Cow;
use std::iter;

/// Fields whose values belong to users and are copied unchanged.
const OF_USERS: [&str; 8] =
    ["input", "output", "result", "custom_status", "tags", "state", "value", "properties"];

/// The same JSON with the names of all fields in camel case, except within values of users.
pub(super) fn renamed(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    rename(json, &mut shown);
    shown
}

/// Like [`renamed`], with only these fields of the object, which are given in camel case.
pub(super) fn selected(object: &str, wanted: &[&str]) -> String {
    let mut shown = String::from("{");
    for (name, value) in fields(object) {
        let camel = camel_case(name);
        if !wanted.contains(&&*camel) {
            continue;
        }
        if shown.len() > 1 {
            shown.push(',');
        }
        shown.extend(["\"", &*camel, "\":"]);
        if OF_USERS.contains(&name) {
            shown.push_str(value);
        } else {
            rename(value, &mut shown);
        }
    }
    shown.push('}');
    shown
}

fn rename(json: &str, shown: &mut String) {
    let mut rest = json;
    while let Some(quote) = position(rest, b'"') {
        let (before, string) = rest.split_at(quote);
        let (string, after) = string.split_at(string_length(string));
        shown.push_str(before);
        rest = after;
        let Some(value) = after.strip_prefix(':') else {
            shown.push_str(string);
            continue;
        };
        let name = unquoted(string);
        shown.extend(["\"", &*camel_case(name), "\":"]);
        let (of_user, after) =
            value.split_at(if OF_USERS.contains(&name) { value_length(value) } else { 0 });
        shown.push_str(of_user);
        rest = after;
    }
    shown.push_str(rest);
}

/// The names and the values of an object.
fn fields(object: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = object;
    iter::from_fn(move || {
        let (_, string) = rest.split_at(position(rest, b'"')?);
        let (name, value) = string.split_at(string_length(string));
        let value = value.strip_prefix(':')?;
        let (value, after) = value.split_at(value_length(value));
        rest = after;
        Some((unquoted(name), value))
    })
}

fn unquoted(string: &str) -> &str {
    let text = string.strip_prefix('"').unwrap_or(string);
    text.strip_suffix('"').unwrap_or(text)
}

/// The length of the string with which the text begins, in bytes with both quotes.
fn string_length(json: &str) -> usize {
    let mut bytes = json.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    json.len()
}

/// The length of the value with which the text begins, in bytes.
fn value_length(json: &str) -> usize {
    let bytes = json.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += string_length(&json[at..]);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth > 1 => depth -= 1,
            b']' | b'}' => return at + depth,
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    json.len()
}

/// `created_at` as `createdAt`. A name without underscores is unchanged.
fn camel_case(name: &str) -> Cow<'_, str> {
    let Some(first) = position(name, b'_') else { return Cow::Borrowed(name) };
    let mut camel = String::with_capacity(name.len());
    let (before, mut rest) = name.split_at(first);
    camel.push_str(before);
    while let Some(word) = rest.strip_prefix('_') {
        let (word, after) = word.split_at(position(word, b'_').unwrap_or(word.len()));
        let mut chars = word.chars();
        camel.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(chars.as_str());
        rest = after;
    }
    Cow::Owned(camel)
}

/// Names and values are short, so that a loop over bytes is faster than `str::find`.
fn position(text: &str, wanted: u8) -> Option<usize> {
    text.bytes().position(|byte| byte == wanted)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    #[test]
    fn names_are_in_camel_case_except_within_values_of_users() {
        let json = r#"{"created_at":1,"input":{"my_name": 1.50},"all_items":[{"created_at":"a:_b","input":null}]}"#;
        let shown = r#"{"createdAt":1,"input":{"my_name": 1.50},"allItems":[{"createdAt":"a:_b","input":null}]}"#;
        assert_eq!(renamed(json), shown);
        assert_eq!(selected(json, &["input"]), r#"{"input":{"my_name": 1.50}}"#);
        assert_eq!(selected(json, &["allItems", "none"]), {
            r#"{"allItems":[{"createdAt":"a:_b","input":null}]}"#
        });
        assert_eq!(selected("{}", &["input"]), "{}");
    }

    #[test]
    fn other_text_is_no_panic() {
        for text in ["", "\"", "{\"a", "{\"a\\", "{\"a\":", "{\"input\":\"", "{\"input\":[[", "]}"]
        {
            renamed(text);
            selected(text, &["input", "a"]);
            assert!(value_length(text) <= text.len() && string_length(text) <= text.len());
        }
    }

    /// What `renamed` does, on a tree of values.
    fn model(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let field = |(name, value): (String, Value)| {
                    let is_of_user = OF_USERS.contains(&name.as_str());
                    let value = if is_of_user { value } else { model(value) };
                    (camel_case(&name).into_owned(), value)
                };
                Value::Object(fields.into_iter().map(field).collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(model).collect()),
            other => other,
        }
    }

    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            // xorshift64*
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let roll = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
            usize::try_from(roll).unwrap() % sides
        }

        fn text(&mut self) -> String {
            let parts = ["a", "_", "\"", "\\", ":", "{", "]", ",", "\u{e9}", "\n", "state"];
            (0..self.roll(4)).map(|_| parts[self.roll(11)]).collect()
        }

        fn value(&mut self, depth: u64) -> Value {
            match self.roll(if depth == 0 { 3 } else { 6 }) {
                0 => json!(self.roll(1000)),
                1 => [Value::Null, json!(true), json!(-1.5)][self.roll(3)].clone(),
                2 => json!(self.text()),
                3 => (0..self.roll(4)).map(|_| self.value(depth - 1)).collect(),
                _ => {
                    let mut fields = Map::new();
                    for _ in 0..self.roll(4) {
                        let names = ["created_at", "input", "tags", "_", "custom_status"];
                        let name = match self.roll(6) {
                            5 => self.text(),
                            index => names[index].to_owned(),
                        };
                        fields.insert(name, self.value(depth - 1));
                    }
                    Value::Object(fields)
                }
            }
        }
    }

    #[test]
    fn any_json_is_renamed_as_its_tree_would_be() {
        for seed in 1..=2000 {
            let value = Dice(seed * 0x9e37_79b9).value(5);
            let text = value.to_string();
            let shown: Value = serde_json::from_str(&renamed(&text)).unwrap();
            assert_eq!(shown, model(value.clone()), "seed {seed}: {text}");
            let Value::Object(shown) = shown else { continue };
            // The names of selected fields need no escapes.
            for name in shown.keys().filter(|name| !name.contains(['"', '\\', '\n'])) {
                let only = selected(&text, &[name.as_str()]);
                let only: Map<_, _> = serde_json::from_str(&only).unwrap();
                assert_eq!(
                    only.into_iter().collect::<Vec<_>>(),
                    [(name.clone(), shown[name].clone())]
                );
            }
        }
    }
}
