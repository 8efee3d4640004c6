//! JSON of users as a tree that can be read without a script and is harmless.
//!
//! The text is split without building values, so numbers and the order of members stay as they were
//! written. Parts that are too long or too deep are shortened, with a link to the whole text.

use std::fmt;

use maud::{Markup, html};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{copy, icon};
use crate::format;

/// The depth of the tree; deeper levels are text.
const LEVELS: usize = 24;
/// The number of levels that are open at first.
const OPEN: usize = 2;
/// The maximum number of members and items in the whole tree.
const NODES: usize = 2000;
/// The maximum number of characters of a string, and of text that is not a tree.
const CHARACTERS: usize = 2000;
/// The maximum size in bytes of a text that a button copies.
const COPIED: usize = 16 * 1024;

/// JSON to show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a> {
    pub(crate) text: &'a str,
    /// The address of the whole text.
    pub(crate) whole: Option<&'a str>,
}

/// Members in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

/// The tree, with buttons for its text.
pub(crate) fn json(json: Json<'_>) -> Markup {
    let mut left = NODES;
    let mut is_cut = false;
    let tree = tree(json.text, 0, &mut left, &mut is_cut);
    html! {
        div.js tabindex="0" role="group" aria-label="JSON" { (tree) }
        div.row {
            @if is_cut { span.q2 { "Shortened: it has " (format::bytes(json.text.len() as u64)) "." } }
            @if json.text.len() <= COPIED { (copy("JSON", json.text)) }
            @if let Some(whole) = json.whole {
                a.b.s href=(whole) { "Raw" }
                a.b.s href=(whole) download="value.json" { "Download" }
            }
        }
    }
}

/// One line of JSON or text, for a table.
pub(crate) fn preview(text: &str) -> Markup {
    let line: String =
        text.chars().take(200).map(|it| if it.is_control() { ' ' } else { it }).collect();
    html! { bdi.m { (format::cut(&line, 160)) } }
}

fn tree(text: &str, level: usize, left: &mut usize, is_cut: &mut bool) -> Markup {
    let text = text.trim();
    if level >= LEVELS {
        return plain(text, is_cut);
    }
    match text.as_bytes().first() {
        Some(b'{') => match serde_json::from_str::<Members<'_>>(text) {
            Ok(Members(members)) if members.is_empty() => html! { span.c { "{}" } },
            Ok(Members(members)) => {
                let shown = members.iter().map(|(name, value)| (Some(name.as_str()), *value));
                let count = format::counted(members.len() as u64, "key");
                branch(&format!("{{ {count} }}"), shown, level, left, is_cut)
            }
            Err(_) => plain(text, is_cut),
        },
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(items) if items.is_empty() => html! { span.c { "[]" } },
            Ok(items) => {
                let count = format::counted(items.len() as u64, "item");
                let shown = items.iter().map(|value| (None, *value));
                branch(&format!("[ {count} ]"), shown, level, left, is_cut)
            }
            Err(_) => plain(text, is_cut),
        },
        Some(b'"') => {
            let string = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
            html! { bdi.s { "\"" (shortened(&string, is_cut)) "\"" } }
        }
        _ => html! { bdi.v { (shortened(text, is_cut)) } },
    }
}

fn branch<'a>(
    summary: &str,
    members: impl Iterator<Item = (Option<&'a str>, &'a RawValue)>,
    level: usize,
    left: &mut usize,
    is_cut: &mut bool,
) -> Markup {
    html! {
        details open[level < OPEN] {
            summary { span.c { (summary) } }
            @for (name, value) in members.take_while(|_| {
                *left = left.saturating_sub(1);
                *is_cut |= *left == 0;
                *left > 0
            }).collect::<Vec<_>>() {
                div.o {
                    @if let Some(name) = name { bdi.k { "\"" (shortened(name, is_cut)) "\"" } ": " }
                    (tree(value.get(), level + 1, left, is_cut))
                }
            }
            @if *left == 0 { div.o.c { (icon("many")) " more" } }
        }
    }
}

/// Text that is too deep for the tree, or no JSON.
fn plain(text: &str, is_cut: &mut bool) -> Markup {
    html! { bdi.msg { (shortened(text, is_cut)) } }
}

fn shortened(text: &str, is_cut: &mut bool) -> String {
    let cut = format::cut(text, CHARACTERS);
    *is_cut |= cut.len() < text.len();
    cut
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        json(Json { text, whole: Some("/raw") }).into_string()
    }

    #[test]
    fn text_of_a_payload_is_never_markup() {
        let hostile = r#"{"</script><script>alert(1)</script>": "<img src=x onerror=alert(1)>"}"#;
        let html = shown(hostile);
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn numbers_and_the_order_of_members_stay_as_they_were_written() {
        let html = shown(r#"{"b": 1.50, "a": 123456789012345678901234567890}"#);
        let at = |text: &str| html.find(text).unwrap();
        assert!(at("1.50") < at("123456789012345678901234567890"));
    }

    #[test]
    fn deep_json_is_cut() {
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        let html = shown(&deep);
        assert!(html.matches("<details").count() <= LEVELS && html.contains("Shortened"));
    }

    #[test]
    fn long_strings_and_lists_are_cut_with_a_way_to_see_all() {
        let long = format!("\"{}\"", "x".repeat(1 << 20));
        let many = format!("[{}1]", "1,".repeat(100_000));
        for text in [long, many] {
            let html = shown(&text);
            assert!(html.len() < 200_000, "{} bytes", html.len());
            assert!(html.contains("Shortened") && html.contains("href=\"/raw\""));
        }
    }

    #[test]
    fn text_that_is_no_json_is_shown() {
        assert!(shown("{not json").contains("{not json"));
        assert!(shown("").contains("bdi"));
    }
}
