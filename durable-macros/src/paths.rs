//! Where generated code finds the crate `durable`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::Path;

/// The path of `durable`, or what the option `crate` says.
pub(crate) struct Crate(pub(crate) Option<Path>);

impl Crate {
    /// The path, in code that is shown as `span` if there is an error in it.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        match &self.0 {
            Some(path) => path.to_token_stream(),
            None => quote_spanned!(span=> ::durable),
        }
    }
}

impl ToTokens for Crate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.at(Span::call_site()));
    }
}
