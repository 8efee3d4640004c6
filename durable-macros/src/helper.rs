//! `#[helper]`, `#[deterministic]` and `#[allow]`: what orchestrators are written with besides calls.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Block, ItemFn, ReturnType, Signature, TraitItemFn, Visibility, parse_quote};

use crate::body;
use crate::errors::Errors;
use crate::paths::Crate;

/// A function that is free, in an `impl`, or declared in a trait.
struct AnyFn {
    attrs: Vec<Attribute>,
    vis: Visibility,
    sig: Signature,
    block: Option<Block>,
}

impl AnyFn {
    fn parse(item: &TokenStream) -> syn::Result<Self> {
        if let Ok(ItemFn { attrs, vis, sig, block, .. }) = syn::parse2(item.clone()) {
            return Ok(Self { attrs, vis, sig, block: Some(*block) });
        }
        let TraitItemFn { attrs, sig, default, .. } = syn::parse2(item.clone())?;
        Ok(Self { attrs, vis: Visibility::Inherited, sig, block: default })
    }
}

/// An `async fn` that awaits what is durable becomes a function that returns a durable future.
pub(crate) fn helper(options: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let krate = Crate(None);
    refuse_options("helper", options, &mut errors);
    let Ok(mut function) = AnyFn::parse(item) else {
        return refuse_item("`#[helper]` goes on an `async fn`", item);
    };
    let AnyFn { attrs, vis, sig, block } = &mut function;
    if sig.asyncness.is_none() {
        errors.on(
            sig.fn_token,
            "a helper awaits, so it must be an `async fn`; a function that awaits nothing may be a \
             `#[durable::deterministic] fn`",
        );
    }
    if let Some(block) = block {
        body::check(attrs, sig, block, &krate, &mut errors);
    }
    sig.asyncness = None;
    let output = match &sig.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, ty) => ty.clone(),
    };
    sig.output = parse_quote!(-> impl #krate::DurableFuture<Output = #output>);
    let errors = errors.to_compile_errors(&[]);
    let Some(block) = block else { return quote!(#errors #(#attrs)* #vis #sig;) };
    quote! {
        #errors
        #(#attrs)*
        #[allow(clippy::manual_async_fn)]
        #vis #sig {
            #krate::__private::durable_block(async move #block)
        }
    }
}

/// A plain function to which the rules of determinism apply.
pub(crate) fn deterministic(options: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    refuse_options("deterministic", options, &mut errors);
    let Ok(mut function) = AnyFn::parse(item) else {
        return refuse_item("`#[deterministic]` goes on a `fn`", item);
    };
    let AnyFn { attrs, vis, sig, block } = &mut function;
    if let Some(token) = sig.asyncness {
        errors.on(token, "a function that awaits is a helper; write `#[durable::helper]`");
    } else if let Some(block) = block {
        body::check(attrs, sig, block, &Crate(None), &mut errors);
    }
    let errors = errors.to_compile_errors(&[]);
    let block = block.as_ref().map_or_else(|| quote!(;), |block| quote!(#block));
    quote!(#errors #(#attrs)* #vis #sig #block)
}

/// `#[allow]` above the attribute that reads it: handed down to it.
pub(crate) fn allow(options: &TokenStream, item: &TokenStream) -> TokenStream {
    const READERS: [&str; 3] = ["orchestrator", "helper", "deterministic"];
    let Ok(mut function) = AnyFn::parse(item) else {
        return refuse_item("`#[durable::allow]` goes on a function or a statement", item);
    };
    let is_reader = |attribute: &Attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|last| READERS.iter().any(|reader| last.ident == reader))
    };
    if !function.attrs.iter().any(is_reader) {
        let message = "nothing is checked here that could be allowed; it goes with \
                       `#[orchestrator]`, `#[durable::helper]` or `#[durable::deterministic]`";
        let mut errors = Errors::default();
        errors.on(if options.is_empty() { item } else { options }, message);
        let errors = errors.to_compile_errors(&[]);
        return quote!(#errors #item);
    }
    function.attrs.push(if options.is_empty() {
        parse_quote!(#[durable::allow])
    } else {
        parse_quote!(#[durable::allow(#options)])
    });
    let AnyFn { attrs, vis, sig, block } = function;
    let block = block.map_or_else(|| quote!(;), |block| quote!(#block));
    quote!(#(#attrs)* #vis #sig #block)
}

fn refuse_options(attribute: &str, options: &TokenStream, errors: &mut Errors) {
    if !options.is_empty() {
        errors.on(options, format!("`#[{attribute}]` has no options"));
    }
}

fn refuse_item(message: &str, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let first = item.clone().into_iter().next();
    errors.on(first, message);
    let errors = errors.to_compile_errors(&[]);
    quote!(#errors #item)
}
