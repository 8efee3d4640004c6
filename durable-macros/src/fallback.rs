//! What stands in a function's place when a rule was broken: the same names with the same types,
//! and nothing behind them, so that callers give no errors of their own.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::{Function, Output};
use crate::errors::Errors;
use crate::expand::{constructor, kind_trait, outcome_types, twin};
use crate::paths::Crate;

pub(crate) fn expand(function: &Function<'_>, krate: &Crate, errors: &Errors) -> TokenStream {
    let errors = errors.to_compile_errors();
    let item = function.item;
    // With a `self` or with generics there is no telling what the callers see: the function as the
    // user wrote it serves them best.
    let keeps_signature = item.sig.receiver().is_some()
        || !item.sig.generics.params.is_empty()
        || item.sig.generics.where_clause.is_some();
    if keeps_signature {
        return quote!(#errors #[allow(unused, clippy::all)] #item);
    }
    let constructor = constructor(function, krate, &quote!(::core::unreachable!()));
    let twin = twin(function, krate);
    let ident = &item.sig.ident;
    let kind = kind_trait(function.kind);
    let (output, error) = match &function.output {
        Output::Plain(ty) | Output::Result(ty) if borrows(ty) => (quote!(()), quote!(#krate::Error)),
        output => outcome_types(output, krate),
    };
    quote! {
        #errors
        #constructor
        #twin
        impl #krate::__private::Definition for #ident {
            const ENTRY: #krate::__private::Entry = ::core::panic!();
        }
        impl #krate::#kind for #ident {
            type Output = #output;
            type Error = #error;
            fn codecs() -> (
                #krate::__private::Codec<#output>,
                #krate::__private::ErrorCodec<#error>,
            ) {
                ::core::unreachable!()
            }
        }
    }
}

/// Whether a type names a reference or an `impl Trait`, which could not stand in an `impl`.
fn borrows(ty: &syn::Type) -> bool {
    let mut errors = Errors::default();
    crate::valid::check_borrows(ty, &mut errors);
    !errors.is_empty()
}
