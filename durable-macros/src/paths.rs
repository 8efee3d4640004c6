//! Where generated code finds the crate `durable`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Path;

/// The path of `durable`, or what the option `crate` says.
pub(crate) struct Crate(pub(crate) Option<Path>);

impl ToTokens for Crate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match &self.0 {
            Some(path) => path.to_tokens(tokens),
            None => tokens.extend(quote!(::durable)),
        }
    }
}
