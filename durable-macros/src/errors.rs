//! The errors of one function, which are reported together.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Attribute;

#[derive(Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    /// Adds an error at these tokens.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.0.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All errors as `compile_error!` items, under the same `cfg` conditions as the item.
    pub(crate) fn to_compile_errors(&self, conditions: &[&Attribute]) -> TokenStream {
        let errors = self.0.iter().map(syn::Error::to_compile_error);
        errors.map(|error| quote!(#(#conditions)* #error)).collect()
    }
}
