//! The code that replaces a function. The rules are checked elsewhere.
//!
//! ```text
//! fn name(..) -> Call<name>            the constructor of calls, which is what callers see
//! struct name {}                       its twin in the type namespace; one `use` brings both
//! impl name { fn run(..) }             the user's body; an orchestrator's with its awaits checked
//! impl Definition, Activity for name   name, options, codecs, how the runtime runs it
//! submit!                              its registration
//! ```
//! Each bound on a user's type is in one place (`__inputs`, `codecs`), so that a missing derive is
//! one error.

pub(crate) mod input;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, Ident, ItemFn, Meta, PatType, Signature, Type, Visibility, parse_quote,
};

use self::input::Inputs;
use crate::ast::{Function, Kind, Output, Role, generic_arguments, last_name};
use crate::attr::Options;
use crate::names;
use crate::paths::{Crate, private};
use crate::syntax::{ends, is_condition};

/// The expansion of a function that follows all rules.
pub(crate) fn expand(function: &Function<'_>, options: Options, code_hash: u64) -> TokenStream {
    let Options { name, version, krate, defaults, .. } = options;
    let krate = Crate(krate);
    let item = function.item;
    let ident = &item.sig.ident;
    let inputs = Inputs::new(function);
    let constructor = constructor(function, &call(ident, &krate), &inputs.write(&krate));
    let twin = twin(function, hidden_types(function).as_ref());
    let import = krate.import();
    let codecs = inputs.codecs().map(|codecs| quote!(impl #ident { #codecs }));
    let name = name.map_or_else(|| ident.unraw().to_string(), |name| name.value());
    let entry = Entry { name: &name, at: ident.span(), code_hash, parameters: inputs.described() };
    let version = version.map(|version| quote!(.version(#version)));
    let defaults = defaults.expand().map(|defaults| quote!(.options(#defaults)));
    let entry = entry.expand(&body(function, &inputs));
    let outcome = outcome(function, &quote!(#entry #version #defaults), &inputs.owned());
    let conditions = conditions(item);
    let allowed = item.attrs.iter().filter(|attribute| attribute.path().is_ident("allow"));
    let private = private(Span::call_site());
    quote! {
        #constructor
        #twin
        #(#conditions)*
        #(#allowed)*
        #[allow(clippy::all, clippy::nursery, clippy::pedantic, unused_imports, unused_variables)]
        const _: () = {
            #import
            #codecs
            #outcome
            #private::inventory::submit! {
                <#ident as #private::Definition>::ENTRY
            }
        };
    }
}

/// The registry entry of a function or an entity.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    /// The source location of the entry.
    pub(crate) at: Span,
    pub(crate) code_hash: u64,
    pub(crate) parameters: TokenStream,
}

impl Entry<'_> {
    pub(crate) fn expand(&self, body: &TokenStream) -> TokenStream {
        let Self { name, at, code_hash, parameters } = self;
        let private = private(*at);
        let module = quote_spanned!(*at=> ::core::module_path!());
        quote_spanned!(*at=> #private::Entry::new(#name, #module, #code_hash, #parameters, #body))
    }
}

/// The type of a call, with the span of the function's name.
pub(crate) fn call(ident: &Ident, krate: &Crate) -> TokenStream {
    quote_spanned!(ident.span()=> #krate::Call<#ident>)
}

/// The function that callers see, with the user's tokens where possible.
pub(crate) fn constructor(
    function: &Function<'_>,
    returns: &TokenStream,
    body: &TokenStream,
) -> TokenStream {
    let ItemFn { attrs, vis, sig, .. } = function.item;
    let Signature { fn_token, ident, generics, .. } = sig;
    let attributes = attrs.iter().filter(|attribute| is_for_callers(attribute));
    let receiver = sig.receiver().map(|receiver| quote!(#receiver,));
    let parameters = function.parameters.iter().enumerate().filter_map(|(index, parameter)| {
        let name = input::name(index, parameter)?;
        let PatType { attrs, ty, .. } = parameter.argument;
        // An error, of which callers should not hear.
        let conditions = attrs.iter().filter(|attribute| is_condition(attribute));
        Some(quote!(#(#conditions)* #name: #ty))
    });
    let bounds = &generics.where_clause;
    let body = quote_spanned!(ident.span()=> { #body });
    // The runtime finds the function by its name in a history, so it is never dead code.
    quote! {
        #(#attributes)*
        #[allow(
            dead_code,
            unused_variables,
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            clippy::single_call_fn
        )]
        #[track_caller]
        #vis #fn_token #ident #generics(#receiver #(#parameters),*) -> #returns #bounds #body
    }
}

/// The types in a signature that may be more private than the function, for [`twin`].
///
/// A `pub fn` in a private module may take a type that is private to the crate, but an associated
/// type of a `pub` type may not be that type. So the twin gets a type parameter that defaults to
/// these types, which makes it as private as they are.
pub(crate) fn hidden_types(function: &Function<'_>) -> Option<TokenStream> {
    /// Types of the standard library and of `durable`.
    const PUBLIC: [&str; 26] = [
        "Box", "Error", "Option", "PathBuf", "Result", "String", "Vec", "bool", "char", "durable",
        "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "std", "string", "u128", "u16",
        "u32", "u64", "u8", "usize",
    ];
    if matches!(function.item.vis, Visibility::Inherited) {
        return None;
    }
    let input = Inputs::new(function).owned();
    let types = match function.output {
        Output::Unit => input,
        Output::Plain(ty) | Output::Result(ty) => quote!((#input, #ty)),
    };
    let is_public = |name: &String| PUBLIC.contains(&name.as_str());
    let are_public = names::names(&types)
        .iter()
        .all(|name| name.path.iter().all(is_public) && function.uses.is_of_library(&name.path));
    (!are_public).then_some(types)
}

/// A type parameter with these types as its default, and a field that uses it.
pub(crate) fn parameter(hidden: Option<&TokenStream>) -> [TokenStream; 2] {
    match hidden {
        Some(types) => [
            quote!(<__Types = #types>),
            quote!(__types: ::core::marker::PhantomData<fn() -> __Types>),
        ],
        None => [TokenStream::new(), TokenStream::new()],
    }
}

/// The type with the function's name, which has the user's body.
pub(crate) fn twin(function: &Function<'_>, hidden: Option<&TokenStream>) -> TokenStream {
    let item = function.item;
    let (vis, ident) = (&item.vis, &item.sig.ident);
    let mut run = item.clone();
    run.sig.ident = Ident::new("run", ident.span());
    run.attrs.retain(|attribute| !is_for_callers(attribute) || attribute.path().is_ident("allow"));
    for (argument, parameter) in run.sig.inputs.iter_mut().zip(&function.parameters) {
        // An orchestrator must have a context, so an unused one is not worth a warning.
        if let (FnArg::Typed(context), Role::Context(Kind::Orchestrator)) =
            (argument, &parameter.role)
        {
            context.attrs.push(parse_quote!(#[allow(unused_variables)]));
        }
    }
    let conditions = conditions(item);
    let docs = docs(function);
    let [parameter, field] = parameter(hidden);
    let twin = match (function.kind, hidden) {
        // It has no values, so the compiler does not suggest constructing one.
        (Kind::Entity, None) => quote_spanned!(ident.span()=> #vis enum #ident {}),
        (Kind::Entity, Some(_)) => quote_spanned! {ident.span()=>
            #vis enum #ident #parameter {
                #[doc(hidden)]
                __Never { never: ::core::convert::Infallible, #field },
            }
        },
        _ => quote_spanned!(ident.span()=> #vis struct #ident #parameter { #field }),
    };
    quote! {
        #(#conditions)*
        #docs
        #[allow(
            non_camel_case_types,
            missing_copy_implementations,
            missing_debug_implementations,
            dead_code,
            private_interfaces,
            unreachable_pub,
            clippy::empty_structs_with_brackets
        )]
        #twin
        #(#conditions)*
        #[allow(
            dead_code,
            unreachable_pub,
            clippy::future_not_send,
            clippy::missing_const_for_fn,
            clippy::missing_errors_doc,
            clippy::missing_panics_doc,
            clippy::must_use_candidate,
            clippy::needless_pass_by_value,
            clippy::ptr_arg,
            clippy::single_call_fn,
            clippy::unused_async,
            clippy::unused_async_trait_impl
        )]
        impl #ident {
            /// The body, for unit tests.
            #run
        }
    }
}

/// The docs of the twin: those of the user, unless the constructor has them.
fn docs(function: &Function<'_>) -> TokenStream {
    let Function { kind, item, .. } = function;
    let docs = item.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
    if *kind == Kind::Entity {
        let deprecated = item.attrs.iter().filter(|it| it.path().is_ident("deprecated"));
        return quote!(#(#docs)* #(#deprecated)*);
    }
    let ident = &item.sig.ident;
    let doc = format!("Names the {} [`{}`](fn@{ident}).", kind.attribute(), ident.unraw());
    let hidden = docs.filter(|attribute| matches!(attribute.meta, Meta::List(_)));
    quote!(#[doc = #doc] #(#hidden)*)
}

/// Whether an attribute of the user's function is for its callers and not for its body.
fn is_for_callers(attribute: &Attribute) -> bool {
    ["doc", "deprecated", "cfg", "allow"].iter().any(|name| attribute.path().is_ident(name))
}

/// The `cfg` attributes of the function.
pub(crate) fn conditions(item: &ItemFn) -> Vec<&Attribute> {
    item.attrs.iter().filter(|attribute| is_condition(attribute)).collect()
}

/// The types of the output, and how it is recorded.
fn outcome(function: &Function<'_>, entry: &TokenStream, input: &TokenStream) -> TokenStream {
    let (output, error, codecs) = recorded(function);
    let implementation = implementation(function, [input, &output, &error], [entry, &codecs]);
    let check = no_result(&function.output);
    quote!(#implementation #check)
}

/// The impl of `Outcome` for the owner of an entity's function or operation.
pub(crate) fn outcome_of(owner: &Ident, function: &Function<'_>) -> TokenStream {
    let (output, error, codecs) = recorded(function);
    let span = function.result_span();
    let private = private(span);
    let check = no_result(&function.output);
    quote_spanned! {span=>
        impl #private::Outcome for #owner {
            type Output = #output;
            type Error = #error;
            fn codecs() -> #private::Codecs<Self::Output, Self::Error> {
                #codecs
            }
        }
        #check
    }
}

/// The types of success and failure, and their codecs in an `impl` that calls them `Output` and
/// `Error`.
fn recorded(function: &Function<'_>) -> (TokenStream, TokenStream, TokenStream) {
    let (output, error) = outcome_types(&function.output, private);
    let (stored, failed) = match &function.output {
        Output::Unit => (output.clone(), error.clone()),
        Output::Plain(ty) => (spanned(ty, "Output"), error.clone()),
        Output::Result(ty) => {
            let mut arguments = generic_arguments(ty);
            let stored = spanned(arguments.next().unwrap_or(ty), "Output");
            (stored, spanned(arguments.next().unwrap_or(ty), "Error"))
        }
    };
    let private = private(Span::call_site());
    let codecs = quote! {(
        <#stored as #private::Stored>::codec(),
        #private::ErrorProbe::<Self::Error>::codec(<#failed as #private::StoredError>::codec()),
    )};
    (output, error, codecs)
}

/// A check that the output is not a `Result` under another name, whose errors would be recorded as
/// successes.
fn no_result(output: &Output<'_>) -> TokenStream {
    let Output::Plain(ty) = output else { return TokenStream::new() };
    let message = "this is a `Result` whose name does not end in `Result`, so its errors would be \
                   recorded as successes; write `Result<..>`, or rename the alias";
    let (first, _) = ends(ty);
    let private = private(Span::call_site());
    let check = quote_spanned! {first=>
        ::core::assert!(!#private::Probe::<#ty>::IS_RESULT, #message)
    };
    quote!(const _: () = #check;)
}

/// The associated type `name`, with the span of `place`, where errors are reported.
fn spanned(place: &Type, name: &str) -> TokenStream {
    let (first, last) = ends(place);
    let (this, name) = (quote_spanned!(first=> Self::), Ident::new(name, last));
    quote!(#this #name)
}

/// The impls of `Definition` and of the trait for the kind of function.
pub(crate) fn implementation(
    function: &Function<'_>,
    [input, output, error]: [&TokenStream; 3],
    [entry, codecs]: [&TokenStream; 2],
) -> TokenStream {
    let ident = &function.item.sig.ident;
    let span = function.result_span();
    let private = private(span);
    // A type that is more private than the function is reported at this type.
    let (first, _) = ends(input);
    let input = quote_spanned!(first=> type Input = #input;);
    let kind = match (function.kind, &function.output) {
        (Kind::Activity, _) => quote!(impl #private::Activity for #ident {}),
        (Kind::Orchestrator, Output::Unit) => {
            quote!(impl #private::Orchestrator for #ident { type Return = (); })
        }
        (Kind::Orchestrator, Output::Plain(ty) | Output::Result(ty)) => {
            quote!(impl #private::Orchestrator for #ident { type Return = #ty; })
        }
        // They are not called like functions.
        (Kind::Entity | Kind::Operation, _) => return TokenStream::new(),
    };
    quote_spanned! {span=>
        impl #private::Definition for #ident {
            const ENTRY: #private::Entry = #entry;
            #input
            type Output = #output;
            type Error = #error;
            fn codecs() -> #private::Codecs<Self::Output, Self::Error> {
                #codecs
            }
        }
        #kind
    }
}

/// The types of success and failure. `private` returns the path of `durable::__private_0_1` with a
/// span.
pub(crate) fn outcome_types<T: ToTokens>(
    output: &Output<'_>,
    private: impl Fn(Span) -> T,
) -> (TokenStream, TokenStream) {
    let call_site = private(Span::call_site());
    match output {
        Output::Unit => (quote!(()), quote!(#call_site::Error)),
        Output::Plain(ty) => (quote!(#ty), quote!(#call_site::Error)),
        Output::Result(ty) => {
            let span = last_name(ty).map_or_else(Span::call_site, Ident::span);
            let private = private(span);
            (
                quote_spanned!(span=> <#ty as #private::Fallible>::Ok),
                quote_spanned!(span=> <#ty as #private::Fallible>::Err),
            )
        }
    }
}

/// How the function runs, and which shared states it needs.
fn body(function: &Function<'_>, inputs: &Inputs<'_>) -> TokenStream {
    let private = private(Span::call_site());
    let run = inputs.closure();
    if function.kind == Kind::Orchestrator {
        return quote!(#private::Body::Orchestrator { run: #run });
    }
    let states = inputs.states();
    let transactions = match function.transaction() {
        Some((_, ty)) => quote!(::core::option::Option::Some(#private::transactions::<#ty>())),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        #private::Body::Activity {
            run: #run,
            states: &[#(<#states as #private::Shared>::TYPE),*],
            transactions: #transactions,
        }
    }
}
