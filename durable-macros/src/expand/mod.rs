//! From a function to what stands in its place: tokens only, no rules.
//!
//! ```text
//! fn name(..) -> Call<name>            the constructor of calls, which is what callers see
//! struct name {}                       its twin in the type namespace; one `use` brings both
//! impl name { fn run(..) }             the user's body, unchanged
//! impl Definition, Activity for name   name, options, codecs, how the runtime runs it
//! submit!                              its registration
//! ```
//! A type of the user's is bounded in one place only (`__inputs`, `codecs`), so that a missing
//! derive is one error.

mod input;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Ident, Item, ItemFn, Type};

use self::input::Inputs;
use crate::ast::{Function, Kind, Output, generic_argument};
use crate::attr::Options;
use crate::errors::Errors;
use crate::paths::Crate;
use crate::{fallback, hash, valid};

/// What an attribute makes of the item that it stands on.
pub(crate) fn function(kind: Kind, options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(kind, options, &mut errors);
    let item = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Fn(item)) => item,
        Ok(other) => {
            errors.on(&other, format!("`#[{}]` goes on a function", kind.attribute()));
            let errors = errors.to_compile_errors();
            return quote!(#errors #other);
        }
        Err(error) => match syn::parse2::<ItemFn>(item.clone()) {
            Ok(item) => item,
            Err(_) => {
                errors.push(error);
                let errors = errors.to_compile_errors();
                return quote!(#errors #item);
            }
        },
    };
    let function = Function::new(kind, &item);
    valid::check(&function, &mut errors);
    if errors.is_empty() {
        expand(&function, options)
    } else {
        fallback::expand(&function, &Crate(options.krate), &errors)
    }
}

fn expand(function: &Function<'_>, options: Options) -> TokenStream {
    let Options { name, version, krate } = options;
    let krate = Crate(krate);
    let ident = &function.item.sig.ident;
    let inputs = Inputs::new(function, &krate);
    let constructor = constructor(function, &krate, &inputs.write());
    let twin = twin(function, &krate);
    let codecs = inputs.codecs();
    let outcome = outcome(function, &krate);
    let runner = inputs.runner();
    let body = body(function, &krate, &inputs);
    let name = name.map_or_else(|| ident.to_string().trim_start_matches("r#").to_owned(), |name| name.value());
    let version = match version {
        Some(version) => quote!(::core::option::Option::Some(#version)),
        None => quote!(::core::option::Option::None),
    };
    let code = &function.item;
    let code_hash = hash::of(code.sig.to_token_stream().into_iter().chain(code.block.to_token_stream()).collect());
    let line = quote_spanned!(ident.span()=> ::core::line!());
    quote! {
        #constructor
        #twin
        const _: () = {
            impl #ident { #codecs }
            impl #krate::__private::Definition for #ident {
                const ENTRY: #krate::__private::Entry = #krate::__private::Entry {
                    name: #name,
                    version: #version,
                    file: ::core::file!(),
                    line: #line,
                    code_hash: #code_hash,
                    body: #body,
                };
            }
            #outcome
            #runner
            #krate::__private::inventory::submit! {
                <#ident as #krate::__private::Definition>::ENTRY
            }
        };
    }
}

/// The function that callers see.
pub(crate) fn constructor(function: &Function<'_>, krate: &Crate, write: &TokenStream) -> TokenStream {
    let item = function.item;
    let (vis, ident) = (&item.vis, &item.sig.ident);
    let attributes = item.attrs.iter().filter(|attribute| is_for_callers(attribute));
    let parameters = function.parameters.iter().enumerate().filter_map(|(index, parameter)| {
        let name = input::name(index, parameter)?;
        let ty = &parameter.argument.ty;
        Some(quote!(#name: #ty))
    });
    quote! {
        #(#attributes)*
        #[allow(clippy::all, clippy::pedantic, clippy::nursery, unused_variables)]
        #[track_caller]
        #vis fn #ident(#(#parameters),*) -> #krate::Call<#ident> { #write }
    }
}

/// The type that bears the function's name, with the user's body.
pub(crate) fn twin(function: &Function<'_>, krate: &Crate) -> TokenStream {
    let item = function.item;
    let (vis, ident) = (&item.vis, &item.sig.ident);
    let mut run = item.clone();
    run.sig.ident = Ident::new("run", ident.span());
    run.attrs.retain(|attribute| !is_for_callers(attribute) || attribute.path().is_ident("allow"));
    let doc = format!("Names the {} [`{ident}`](fn@{ident}).", function.kind.attribute());
    let _ = krate;
    quote! {
        #[doc = #doc]
        #[allow(non_camel_case_types, missing_debug_implementations, dead_code)]
        #vis struct #ident {}
        #[allow(dead_code, clippy::unused_async, clippy::unused_async_trait_impl)]
        impl #ident {
            /// The body, for unit tests.
            #run
        }
    }
}

/// Whether an attribute of the user's function is for its callers, and not for its body.
fn is_for_callers(attribute: &Attribute) -> bool {
    ["doc", "deprecated", "cfg", "allow"].iter().any(|name| attribute.path().is_ident(name))
}

/// What the function returns, and how that is recorded.
fn outcome(function: &Function<'_>, krate: &Crate) -> TokenStream {
    let ident = &function.item.sig.ident;
    let (output, error) = outcome_types(&function.output, krate);
    let output_codec = match &function.output {
        Output::Unit => quote!(#krate::__private::payload::<()>()),
        Output::Plain(ty) => quote_spanned!(ty.span()=> #krate::__private::payload::<#output>()),
        Output::Result(ty) => {
            let span = generic_argument(ty).map_or_else(|| ty.span(), Spanned::span);
            quote_spanned!(span=> #krate::__private::payload::<#output>())
        }
    };
    let error_codec = match &function.output {
        Output::Unit | Output::Plain(_) => quote!(#krate::__private::task_error::<#error>()),
        Output::Result(ty) => {
            let span = second_argument(ty).map_or_else(|| ty.span(), Spanned::span);
            quote_spanned!(span=> #krate::__private::task_error::<#error>())
        }
    };
    let kind = kind_trait(function.kind);
    quote! {
        impl #krate::#kind for #ident {
            type Output = #output;
            type Error = #error;
            fn codecs() -> (
                #krate::__private::Codec<#output>,
                #krate::__private::ErrorCodec<#error>,
            ) {
                (#output_codec, #error_codec)
            }
        }
    }
}

pub(crate) fn kind_trait(kind: Kind) -> Ident {
    match kind {
        Kind::Activity => format_ident!("Activity"),
        Kind::Orchestrator => format_ident!("Orchestrator"),
    }
}

/// The types of success and failure.
pub(crate) fn outcome_types(output: &Output<'_>, krate: &Crate) -> (TokenStream, TokenStream) {
    match output {
        Output::Unit => (quote!(()), quote!(#krate::Error)),
        Output::Plain(ty) => (quote!(#ty), quote!(#krate::Error)),
        Output::Result(ty) => (
            quote_spanned!(ty.span()=> <#ty as #krate::__private::Fallible>::Ok),
            quote_spanned!(ty.span()=> <#ty as #krate::__private::Fallible>::Err),
        ),
    }
}

fn second_argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let syn::PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    let mut types = arguments.args.iter().filter_map(|argument| match argument {
        syn::GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.nth(1)
}

/// What the registry keeps of it: how it is run, and what it wants of the hub.
fn body(function: &Function<'_>, krate: &Crate, inputs: &Inputs<'_>) -> TokenStream {
    match function.kind {
        Kind::Orchestrator => quote!(#krate::__private::Body::Orchestrator { run: __run }),
        Kind::Activity => {
            let states = inputs.states();
            quote! {
                #krate::__private::Body::Activity {
                    run: __run,
                    states: &[#(#krate::__private::state_type::<#states>()),*],
                }
            }
        }
    }
}
