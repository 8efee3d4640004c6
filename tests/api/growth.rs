//! The rules that let a later release add variants, fields, and methods of traits that users do not
//! implement, without breaking users. Also, the API must export the foreign types that it names.
//!
//! CONTRIBUTING states the rules, under "Public items".

use syn::{Fields, Item, ItemTrait, TraitItem, TypeParamBound, Visibility};

use crate::snapshot::{Sources, is_hidden};

/// Traits that users may implement.
const OPEN: [&str; 16] = [
    "Cluster",
    "ClusterUnderTest",
    "Cause",         // implemented for every error
    "Durable",       // a promise that the author of a future makes
    "DurableFuture", // implemented for every durable future
    "ExternalEvent", // the attribute implements it, but users may also do so by hand
    "HttpSend",
    "NonRetriable",
    "Payload", // implemented for everything with serde's traits
    "PayloadCodec",
    "Store",
    "StoreUnderTest",
    "TokenSource",
    "Transaction",  // crates of stores implement it
    "Transactions", // likewise
    "TaskError",    // implemented for every error with serde's traits
];

/// Structs whose public fields are complete: numbers with a name.
const NEWTYPES: [&str; 3] = ["PartitionId", "Epoch", "RequestId"];

/// Crates and types that the API names but does not export.
const NOT_EXPORTED: [&str; 4] = [
    "futures_core",      // only its trait `Stream`, which every crate of streams exports
    "serde",             // users derive its traits, and a derive needs the crate itself
    "serde_json::Value", // made with `json!`, so its users have the crate
    "tokio",             // its runtime runs every hub, so every program has it
];

#[test]
fn public_enums_and_structs_with_public_fields_are_non_exhaustive() {
    let sources = Sources::of_durable();
    let is_pub = |vis: &Visibility| matches!(vis, Visibility::Public(_));
    let mut found = Vec::new();
    for (path, item) in sources.public_items() {
        let (attributes, grows) = match item {
            Item::Enum(item) => (&item.attrs, true),
            Item::Struct(item) => {
                let is_complete = NEWTYPES.contains(&item.ident.to_string().as_str());
                (&item.attrs, !is_complete && item.fields.iter().any(|field| is_pub(&field.vis)))
            }
            _ => continue,
        };
        if grows && !attributes.iter().any(|it| it.path().is_ident("non_exhaustive")) {
            found.push(path);
        }
        // Code that reads a field of a tuple names its position, so a tuple cannot grow.
        if let Item::Struct(item) = item
            && let Fields::Unnamed(fields) = &item.fields
            && fields.unnamed.len() > 1
            && fields.unnamed.iter().any(|field| is_pub(&field.vis))
        {
            found.push(item.ident.to_string());
        }
    }
    assert!(found.is_empty(), "not `#[non_exhaustive]`: {}", found.join(", "));
}

#[test]
fn a_public_trait_is_open_or_has_a_hidden_required_item() {
    let sources = Sources::of_durable();
    let items = sources.public_items();
    let traits: Vec<_> = items
        .iter()
        .filter_map(|(_, item)| match item {
            Item::Trait(item) => Some(item),
            _ => None,
        })
        .collect();
    let is_sealed = |name: &str| traits.iter().any(|it| it.ident == name && has_hidden_item(it));
    for item in &traits {
        let name = item.ident.to_string();
        let above = item.supertraits.iter().filter_map(|bound| match bound {
            TypeParamBound::Trait(bound) => bound.path.segments.last(),
            _ => None,
        });
        let above: Vec<_> = above.map(|it| it.ident.to_string()).collect();
        let is_open = OPEN.contains(&name.as_str());
        let sealed = is_sealed(&name) || above.iter().any(|name| is_sealed(name));
        assert!(sealed || is_open, "users can implement the trait `{name}`");
        assert!(!above.iter().any(|it| it.contains("Sealed")), "`{name}` has a sealing supertrait");
        let says = item.attrs.iter().any(|it| {
            it.path().segments.last().is_some_and(|last| last.ident == "on_unimplemented")
        });
        assert!(says || is_open, "`{name}` has no `#[diagnostic::on_unimplemented]`");
    }
    let is_there = |name: &&&str| !traits.iter().any(|it| it.ident == **name);
    assert_eq!(OPEN.iter().find(is_there), None, "a trait that is listed as open is gone");
}

fn has_hidden_item(item: &ItemTrait) -> bool {
    item.items.iter().any(|item| match item {
        TraitItem::Fn(item) => item.default.is_none() && is_hidden(&item.attrs),
        TraitItem::Const(item) => item.default.is_none() && is_hidden(&item.attrs),
        TraitItem::Type(item) => item.default.is_none() && is_hidden(&item.attrs),
        _ => false,
    })
}

#[test]
fn a_type_of_another_crate_that_the_api_names_is_exported() {
    let sources = Sources::of_durable();
    let (named, exported) = (sources.foreign_types(), sources.exports());
    let is_exported = |path: &&String| {
        let krate = path.split("::").next().unwrap_or_default();
        exported.contains(*path)
            || exported.contains(krate)
            || [krate, path].iter().any(|it| NOT_EXPORTED.contains(it))
    };
    let missing: Vec<_> = named.iter().filter(|path| !is_exported(path)).collect();
    assert!(missing.is_empty(), "not exported: {missing:?}");
    for known in ["chrono::DateTime", "serde_json::Error", "uuid::Uuid"] {
        assert!(named.contains(known), "{named:?}");
    }
}

#[test]
fn the_crate_root_has_fewer_than_forty_names() {
    let names = Sources::of_durable().root_names();
    assert!(names.len() < 40, "{} names: {names:?}", names.len());
}
