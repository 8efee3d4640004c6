//! What is generated for every entity, whether it is a block of operations or one function.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Ident, LitStr};

use crate::expand::Entry;

/// The name by which an entity is found: that of the option, or else what it is called in the code.
pub(super) fn name(option: Option<&LitStr>, ident: &str) -> String {
    option.map_or_else(|| ident.to_owned(), LitStr::value).to_lowercase()
}

/// What the registry keeps of an entity.
pub(super) fn entry((name, at, code_hash): (&str, Span, u64), body: &TokenStream) -> TokenStream {
    Entry { name, at, code_hash, parameters: quote!(&[]) }.expand(body)
}

/// What makes the handle of an entity, as a method of what the entity is called.
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
