//! A fuzz test: no tokens make an attribute panic.

use std::path::Path;
use std::thread::{self, JoinHandle};

use proc_macro2::TokenStream;

use crate::ast::Kind;
use crate::{entity, event, function, helper};

#[path = "../../fuzz/mutate.rs"]
mod mutate;

/// The first line is the attribute with its options, and the rest is the item below the attribute.
fn expand(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let (attribute, item) = text.split_once('\n').unwrap_or((text, ""));
    let (name, options) = attribute.split_once('(').unwrap_or((attribute, ""));
    let options = options.rsplit_once(')').map_or(options, |(options, _)| options);
    let Ok(options) = options.parse::<TokenStream>() else { return };
    let Ok(item) = item.parse::<TokenStream>() else { return };
    let expanded = match name {
        "activity" => function::function(Kind::Activity, options, &item),
        "entity" => entity::entity(options, &item),
        "event" => event::event(options, &item),
        "helper" => helper::helper(&options, &item),
        "deterministic" => helper::deterministic(&options, &item),
        "allow" => helper::allow(&options, &item),
        _ => function::function(Kind::Orchestrator, options, &item),
    };
    drop(expanded);
}

#[test]
fn no_tokens_make_an_attribute_panic() {
    let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // Nested input needs a large stack, as the compiler has it.
    let run = move || mutate::run(repository, "macros", expand);
    let thread = thread::Builder::new().stack_size(256 << 20).spawn(run);
    assert!(matches!(thread.map(JoinHandle::join), Ok(Ok(()))), "an attribute panics");
}
