//! Every public type, trait and function has a compiled example.
//!
//! Methods are left to judgment: one that only sets an option or returns a field needs none if its type
//! has one.

use syn::{Attribute, Expr, Item, Lit, Meta};

use crate::snapshot::{Sources, parts};

const CRATES: [&str; 5] =
    ["durable", "durable-http", "durable-postgres", "durable-ui", "durable-cli"];

/// The answers of the HTTP API are plain data, and the requests that return them have the examples. The
/// points of the contract of stores are run by a macro, which has one.
const WITHOUT: [&str; 2] = ["client::model::", "testing::conformance::"];

/// The text of a documentation attribute; an example of a page that is included counts, too.
fn has_example(attribute: &Attribute) -> bool {
    let Meta::NameValue(meta) = &attribute.meta else { return false };
    let text = match &meta.value {
        Expr::Lit(value) => match &value.lit {
            Lit::Str(text) => text.value(),
            _ => return false,
        },
        included => return matches!(included, Expr::Macro(_)),
    };
    meta.path.is_ident("doc") && text.trim_start().starts_with("```")
}

#[test]
fn every_public_type_trait_and_function_has_an_example() {
    let mut found = Vec::new();
    for krate in CRATES {
        let sources = Sources::of_crate(krate);
        for (path, item) in sources.public_items() {
            let Some((attributes, ..)) = parts(item) else { continue };
            let needs_none = matches!(item, Item::Const(_))
                || WITHOUT.iter().any(|module| path.starts_with(module));
            if !needs_none && !attributes.iter().any(has_example) {
                found.push(format!("{krate}: {path}"));
            }
        }
    }
    assert!(found.is_empty(), "without an example:\n{}", found.join("\n"));
}
