//! The parameters of a helper, which live until its body ends, like those of an `async fn`.
//!
//! The body of a helper becomes an `async move` block, which captures only the variables, and the
//! parts of variables, that the body names. The function would drop everything else when it returns
//! the block, before the body begins. So the block takes every parameter as a whole. The parameters
//! of orchestrators and activities need none of this, because their bodies remain functions.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{FnArg, Pat, PatIdent, PatType, Receiver, ReceiverKind, Signature, parse_quote};

use crate::syntax::is_condition;

/// Statements for the beginning of the block that take all parameters. Patterns are moved from the
/// signature into them.
pub(crate) fn keep(signature: &mut Signature) -> TokenStream {
    (0..)
        .zip(&mut signature.inputs)
        .map(|(index, input)| match input {
            FnArg::Receiver(receiver) => keep_self(receiver),
            FnArg::Typed(parameter) => keep_one(index, parameter),
        })
        .collect()
}

/// A statement that captures `self` by naming it, because no local variable can have that name.
/// `self` is dropped after the parameters that follow it, as in an `async fn`.
fn keep_self(receiver: &Receiver) -> TokenStream {
    match receiver.kind {
        ReceiverKind::Reference(..) => TokenStream::new(),
        _ => {
            let token = &receiver.self_token;
            quote!(let _ = &#token;)
        }
    }
}

fn keep_one(index: usize, parameter: &mut PatType) -> TokenStream {
    // Lints of a parameter are about its variable. A condition applies to both places.
    let attributes = std::mem::take(&mut parameter.attrs);
    let conditions = attributes.iter().filter(|attribute| is_condition(attribute));
    parameter.attrs = conditions.cloned().collect();
    let conditions = &parameter.attrs;
    let taken = quote! {
        #[allow(
            clippy::no_effect_underscore_binding,
            clippy::redundant_locals,
            clippy::shadow_same,
            clippy::used_underscore_binding
        )]
    };
    if let Pat::Ident(PatIdent { by_ref: None, subpat: None, mutability, ident, .. }) =
        &mut *parameter.pat
    {
        let mutability = mutability.take();
        return quote!(#(#attributes)* #taken let #mutability #ident = #ident;);
    }
    let whole: Ident = format_ident!("__parameter_{index}", span = Span::mixed_site());
    let pattern = std::mem::replace(&mut *parameter.pat, parse_quote!(#whole));
    quote! {
        #(#conditions)*
        let #whole = #whole;
        #(#attributes)*
        let #pattern = #whole;
    }
}
