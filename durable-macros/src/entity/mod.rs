//! `#[entity]`: the methods of a type, or one function, become the operations of an entity.
//!
//! Owns what an `impl` block is to the attribute (`block`), its rules (`valid`) and what is
//! generated beside it (`expand`); of a function, `function` does it all. A method of a block is a
//! function as those of the other attributes are: how its parameters and result are recorded is
//! generated where theirs are, in `expand/input.rs`.

mod block;
mod common;
mod expand;
mod function;
mod valid;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Item;

use self::block::Block;
use crate::ast::Kind;
use crate::attr::Options;
use crate::errors::Errors;
use crate::hash;
use crate::syntax::keyword;

/// What the attribute makes of the item that it stands on.
pub(crate) fn entity(options: TokenStream, tokens: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(Kind::Entity, options, &mut errors);
    valid::check_name(options.name.as_ref(), &mut errors);
    let code_hash = hash::of(tokens.clone());
    match syn::parse2::<Item>(tokens.clone()) {
        Ok(Item::Impl(item)) => {
            let block = Block::new(&item);
            valid::check(&block, &mut errors);
            expand::block(&block, options, &errors, (tokens, code_hash))
        }
        Ok(Item::Fn(item)) if item.sig.receiver().is_some() => {
            errors.on(
                item.sig.fn_token,
                "`#[entity]` goes on the whole `impl` block; each method with a `self` in it is an \
                 operation",
            );
            unchanged(&errors, tokens)
        }
        Ok(Item::Fn(item)) => function::function(&item, options, errors, code_hash),
        Ok(other) => {
            errors.on(
                keyword(&other),
                "`#[entity]` goes on the `impl` block with the methods that are the operations, or \
                 on a `fn` that carries out all of them",
            );
            unchanged(&errors, tokens)
        }
        Err(error) => {
            errors.push(error);
            unchanged(&errors, tokens)
        }
    }
}

fn unchanged(errors: &Errors, tokens: &TokenStream) -> TokenStream {
    let errors = errors.to_compile_errors(&[]);
    quote!(#errors #tokens)
}
