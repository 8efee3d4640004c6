//! Functions that an attribute of another crate has rewritten before ours sees them.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Path, Signature, TypeParamBound, TypeTraitObject, parse_quote};

use crate::paths::Crate;

pub(crate) const ASYNC_TRAIT: &str = "`#[async_trait]` has rewritten this `async fn` before `#[durable::helper]` could check its \
     awaits; remove `#[async_trait]`: a trait and its `impl`s may have helpers without it";

/// The message for a function that `#[tracing::instrument]` has rewritten.
pub(crate) fn instrumented(attribute: &str) -> String {
    format!(
        "`#[instrument]` above `#[{attribute}]` has rewritten the body, so its awaits cannot be \
         checked; move `#[instrument]` below `#[{attribute}]`"
    )
}

/// Whether `#[async_trait]` has turned an `async fn` into a plain function.
pub(crate) fn is_of_async_trait(signature: &Signature) -> bool {
    let mut lifetimes = signature.generics.lifetimes();
    signature.asyncness.is_none() && lifetimes.any(|it| it.lifetime.ident == "async_trait")
}

/// Makes the future that such a function returns durable, so that its callers compile.
pub(crate) fn make_durable(signature: &mut Signature, krate: &Crate) {
    struct Futures(Path);
    impl VisitMut for Futures {
        fn visit_type_trait_object_mut(&mut self, object: &mut TypeTraitObject) {
            let is = |bound: &TypeParamBound, name: &str| match bound {
                TypeParamBound::Trait(bound) => {
                    bound.path.segments.last().is_some_and(|last| last.ident == name)
                }
                _ => false,
            };
            let bounds = std::mem::take(&mut object.bounds).into_iter();
            object.bounds = bounds.filter(|bound| !is(bound, "Send")).collect();
            for bound in &mut object.bounds {
                if is(bound, "Future")
                    && let TypeParamBound::Trait(bound) = bound
                {
                    let arguments = bound.path.segments.pop();
                    bound.path = self.0.clone();
                    if let (Some(last), Some(arguments)) =
                        (bound.path.segments.last_mut(), arguments)
                    {
                        last.arguments = arguments.arguments;
                    }
                }
            }
            visit_mut::visit_type_trait_object_mut(self, object);
        }
    }
    let krate = krate.at(Span::call_site());
    Futures(parse_quote!(#krate::__private_0_1::DurableFuture))
        .visit_return_type_mut(&mut signature.output);
}

/// Whether `#[tracing::instrument]` has rewritten a body.
pub(crate) fn is_instrumented(block: &Block) -> bool {
    fn has_name(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Group(group) => has_name(group.stream()),
            TokenTree::Ident(name) => name.to_string().starts_with("__tracing_"),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        })
    }
    has_name(block.to_token_stream())
}

/// Removes the body, so that it causes no further errors.
pub(crate) fn empty(block: &mut Block) {
    *block = parse_quote!({ ::core::unreachable!() });
}
