//! The attributes of `durable`. Use them through that crate, which re-exports them.
//!
//! `function` drives the steps for a function: `attr` reads the options, `ast` the function,
//! `valid` checks both, `body` checks and rewrites the body of an orchestrator, and `expand` writes
//! the item. If a rule is broken, `fallback` writes an inert item of the same name, so that its
//! callers compile. All errors of a function are reported at once.
//!
//! The examples in the docs of the attributes need `durable`, so the package `tests` compiles them.

mod allow;
mod ast;
mod attr;
mod body;
mod broken;
mod critical_section;
mod entity;
mod errors;
mod event;
mod expand;
mod fallback;
mod foreign;
mod function;
#[cfg(test)]
mod fuzz;
mod hash;
mod helper;
mod loops;
mod manifest;
mod names;
mod parameters;
mod paths;
mod rules;
mod scan;
mod source;
mod syntax;
mod table;
mod toml;
mod truth;
mod unread;
mod uses;
mod valid;
mod values;

use proc_macro::TokenStream;

use crate::ast::Kind;

#[cfg_attr(not(doctest), doc = include_str!("../docs/activity.md"))]
#[doc(alias = "task")]
#[doc(alias = "step")]
#[proc_macro_attribute]
pub fn activity(options: TokenStream, item: TokenStream) -> TokenStream {
    manifest::checked("activity", options, item, |options, item| {
        function::function(Kind::Activity, options, item)
    })
}

#[cfg_attr(not(doctest), doc = include_str!("../docs/orchestrator.md"))]
#[doc(alias = "workflow")]
#[doc(alias = "child_workflow")]
#[proc_macro_attribute]
pub fn orchestrator(options: TokenStream, item: TokenStream) -> TokenStream {
    manifest::checked("orchestrator", options, item, |options, item| {
        function::function(Kind::Orchestrator, options, item)
    })
}

#[cfg_attr(not(doctest), doc = include_str!("../docs/entity.md"))]
#[doc(alias = "actor")]
#[doc(alias = "virtual_object")]
#[proc_macro_attribute]
pub fn entity(options: TokenStream, item: TokenStream) -> TokenStream {
    manifest::checked("entity", options, item, entity::entity)
}

#[cfg_attr(not(doctest), doc = include_str!("../docs/helper.md"))]
#[proc_macro_attribute]
pub fn helper(options: TokenStream, item: TokenStream) -> TokenStream {
    manifest::checked("helper", options, item, |options, item| helper::helper(&options, item))
}

#[cfg_attr(not(doctest), doc = include_str!("../docs/deterministic.md"))]
#[proc_macro_attribute]
pub fn deterministic(options: TokenStream, item: TokenStream) -> TokenStream {
    helper::deterministic(&options.into(), &item.into()).into()
}

#[cfg_attr(not(doctest), doc = include_str!("../docs/event.md"))]
#[proc_macro_attribute]
pub fn event(options: TokenStream, item: TokenStream) -> TokenStream {
    manifest::checked("event", options, item, event::event)
}

#[cfg_attr(not(doctest), doc = include_str!("../docs/allow.md"))]
#[proc_macro_attribute]
pub fn allow(options: TokenStream, item: TokenStream) -> TokenStream {
    helper::allow(&options.into(), &item.into()).into()
}
