//! `#[activity]` and `#[orchestrator]`: from the tokens of a function to its expansion.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Item, ItemFn};

use crate::ast::{Function, Kind};
use crate::attr::Options;
use crate::errors::Errors;
use crate::paths::Crate;
use crate::syntax::{self, keyword};
use crate::{body, expand, fallback, foreign, hash, source, unread, valid};

/// Expands an attribute on a function.
pub(crate) fn function(kind: Kind, options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(kind, options, &mut errors);
    let Some(mut item) = parse(kind, item, &mut errors) else {
        let errors = errors.to_compile_errors(&[]);
        return quote!(#errors #item);
    };
    let code = item.sig.to_token_stream().into_iter().chain(item.block.to_token_stream());
    let code_hash = hash::of(code.collect());
    syntax::ungroup(&mut item.sig);
    let uses = source::around(&item.sig.ident, &item.block);
    let krate = Crate(options.krate.clone());
    let mut is_read = true;
    if kind == Kind::Orchestrator {
        if foreign::is_instrumented(&item.block) {
            errors.on(&item.sig.ident, foreign::instrumented(kind.attribute()));
            foreign::empty(&mut item.block);
        } else if let Some(block) = unread::read(&item.block, &mut item.attrs) {
            *item.block = block;
            body::check_function(&mut item, &krate, &mut errors);
        } else {
            is_read = false;
        }
    }
    let function = Function::new(kind, &item, &uses);
    let function = function.transactional(options.transactional.is_some());
    valid::check(&function, &mut errors);
    let is_member = valid::check_place(&function, &uses, &mut errors);
    if errors.is_empty() && is_read {
        expand::expand(&function, options, code_hash)
    } else {
        let broken = fallback::expand(&function, &krate, &errors, is_member);
        let unread = (!is_read).then(|| unread::tell(&item.sig.ident, &krate));
        quote!(#broken #unread)
    }
}

/// Parses the item below the attribute, if it is a function, with its body as written.
fn parse(kind: Kind, item: &TokenStream, errors: &mut Errors) -> Option<ItemFn> {
    if let Ok(item) = unread::parse(item) {
        return Some(item);
    }
    match syn::parse2::<Item>(item.clone()) {
        Ok(other) => {
            let message =
                format!("`#[{}]` can only be applied to a free `fn` with a body", kind.attribute());
            errors.on(keyword(&other), message);
        }
        Err(error) => errors.push(error),
    }
    None
}
