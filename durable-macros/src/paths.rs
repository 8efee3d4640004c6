//! Where generated code finds the crate `durable`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Path;
use syn::token::PathSep;

/// The path of `durable`: the default, or the option `crate`.
pub(crate) struct Crate(pub(crate) Option<Path>);

/// The path, in code whose errors are shown at `span`.
pub(crate) struct At<'a> {
    path: Option<&'a Path>,
    span: Span,
}

/// The name that a block of generated code gives to `durable::__private_0_1`, because short paths
/// compile faster.
pub(crate) fn private(span: Span) -> Ident {
    Ident::new("__durable", span)
}

impl Crate {
    /// Imports for the beginning of a block: the name [`private`], and traits that some of its
    /// expressions need. The block must allow `unused_imports`.
    pub(crate) fn import(&self) -> TokenStream {
        let name = private(Span::call_site());
        quote!(use #self::__private_0_1::{self as #name, Plain as _, Retriable as _};)
    }

    /// The path, in code whose errors are shown at `span`.
    pub(crate) fn at(&self, span: Span) -> At<'_> {
        At { path: self.0.as_ref(), span }
    }
}

impl ToTokens for Crate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.at(Span::call_site()).to_tokens(tokens);
    }
}

/// Token by token, because adding a whole stream is a call into the compiler.
impl ToTokens for At<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(path) = self.path {
            path.to_tokens(tokens);
        } else {
            PathSep { spans: [self.span; 2] }.to_tokens(tokens);
            Ident::new("durable", self.span).to_tokens(tokens);
        }
    }
}
