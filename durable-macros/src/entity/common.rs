//! Generated code that entities of both kinds share: blocks of operations, and functions.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Ident, LitStr};

use crate::expand::Entry;

/// The registered name of an entity: the option `name`, or its name in the code.
pub(super) fn name(option: Option<&LitStr>, ident: &str) -> String {
    option.map_or_else(|| ident.to_owned(), LitStr::value).to_lowercase()
}

/// The registry entry of an entity.
pub(super) fn entry((name, at, code_hash): (&str, Span, u64), body: &TokenStream) -> TokenStream {
    Entry { name, at, code_hash, parameters: quote!(&[]) }.expand(body)
}

/// The function `at`, which returns the handle of an entity.
pub(super) fn at(
    doc: &str,
    ident: &Ident,
    handle: &TokenStream,
    body: &TokenStream,
) -> TokenStream {
    let at = Ident::new("at", ident.span());
    quote! {
        #[doc = #doc]
        #[must_use]
        pub fn #at(__key: impl ::core::convert::AsRef<str>) -> #handle {
            #body
        }
    }
}
