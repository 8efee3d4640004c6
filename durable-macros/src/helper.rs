//! `#[helper]`, `#[deterministic]` and `#[allow]`: what orchestrators use besides calls.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::Parser;
use syn::visit::Visit;
use syn::{
    Attribute, Block, ItemFn, ReturnType, Signature, TraitItemFn, Type, Visibility, parse_quote,
};

use crate::attr::Given;
use crate::body;
use crate::errors::Errors;
use crate::foreign;
use crate::parameters;
use crate::paths::Crate;
use crate::syntax::ends;
use crate::unread;

/// A function that is free, in an `impl`, or declared in a trait.
struct AnyFn {
    attrs: Vec<Attribute>,
    vis: Visibility,
    sig: Signature,
    block: Option<Block>,
    /// Whether the body could be parsed.
    is_read: bool,
}

impl AnyFn {
    fn parse(item: &TokenStream) -> syn::Result<Self> {
        if let Ok(ItemFn { mut attrs, vis, sig, block, .. }) = unread::parse(item) {
            let read = unread::read(&block, &mut attrs);
            let is_read = read.is_some();
            return Ok(Self { attrs, vis, sig, block: Some(read.unwrap_or(*block)), is_read });
        }
        let TraitItemFn { attrs, sig, default, .. } = syn::parse2(item.clone())?;
        Ok(Self { attrs, vis: Visibility::Inherited, sig, block: default, is_read: true })
    }
}

/// Turns an `async fn` that awaits durable futures into a function that returns one.
pub(crate) fn helper(options: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let krate = krate("helper", options, &mut errors);
    let Ok(mut function) = AnyFn::parse(item) else {
        return refuse_item("`#[helper]` can only be applied to an `async fn`", item);
    };
    let AnyFn { attrs, vis, sig, block, is_read } = &mut function;
    if foreign::is_of_async_trait(sig) {
        errors.on(&sig.ident, foreign::ASYNC_TRAIT);
        foreign::make_durable(sig, &krate);
        let errors = errors.to_compile_errors(&[]);
        let end = block.as_ref().map_or_else(|| quote!(;), |_| quote!({ ::core::unreachable!() }));
        return quote!(#errors #(#attrs)* #vis #sig #end);
    }
    if sig.asyncness.is_none() {
        errors.on(
            sig.fn_token,
            "a helper must be an `async fn`; for a function that awaits nothing, use \
             `#[durable::deterministic]`",
        );
    }
    if let Some(block) = block.as_mut().filter(|block| foreign::is_instrumented(block)) {
        errors.on(&sig.ident, foreign::instrumented("durable::helper"));
        foreign::empty(block);
    }
    if let Some(block) = block.as_mut().filter(|_| *is_read) {
        body::check(attrs, sig, block, &krate, &mut errors);
    }
    let unread = (!*is_read).then(|| unread::tell(&sig.ident, &krate));
    sig.asyncness = None;
    let output = match &sig.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, ty) => ty.clone(),
    };
    let coerces = coerces(&output);
    sig.output = parse_quote!(-> impl #krate::__private_0_1::DurableFuture<Output = #output>);
    let errors = errors.to_compile_errors(&[]);
    let Some(block) = block else { return quote!(#errors #(#attrs)* #vis #sig;) };
    let kept = parameters::keep(sig);
    let statements = &block.stmts;
    let span = block.brace_token.span.join();
    let body = match coerces {
        Some(coerces) => {
            let (inner, at) =
                (quote_spanned!(span=> { #(#statements)* }), Span::mixed_site().located_at(span));
            // As in an `async fn`, the last expression's temporaries are dropped before the
            // parameters.
            let result = quote_spanned! {at=>
                let __result: #output = #inner;
                #[allow(unreachable_code)]
                __result
            };
            quote_spanned!(span=> { #coerces #kept #result })
        }
        None => quote_spanned!(span=> { #kept #(#statements)* }),
    };
    quote! {
        #errors
        #(#attrs)*
        #[allow(clippy::manual_async_fn)]
        #vis #sig {
            #unread
            #krate::__private_0_1::durable_block(async move #body)
        }
    }
}

/// Statements for the beginning of an `async` block that tell the compiler its output type, so that
/// the value is coerced as in an `async fn`, and a mismatch is reported at the last expression
/// instead of the whole function.
fn coerces(output: &Type) -> Option<TokenStream> {
    struct Nameless(bool);
    impl<'ast> Visit<'ast> for Nameless {
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.0 = true;
        }

        fn visit_type_never(&mut self, _: &'ast syn::TypeNever) {
            self.0 = true;
        }
    }
    let mut nameless = Nameless(false);
    nameless.visit_type(output);
    let span = Span::mixed_site().located_at(ends(output).0);
    (!nameless.0).then(|| {
        quote_spanned! {span=>
            #[allow(clippy::diverging_sub_expression, clippy::needless_return, unreachable_code)]
            if let ::core::option::Option::Some(__output) =
                ::core::option::Option::None::<#output>
            {
                return __output;
            }
        }
    })
}

/// A plain function to which the rules of determinism apply.
pub(crate) fn deterministic(options: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let krate = krate("deterministic", options, &mut errors);
    let Ok(mut function) = AnyFn::parse(item) else {
        return refuse_item("`#[deterministic]` can only be applied to a `fn`", item);
    };
    let AnyFn { attrs, vis, sig, block, is_read } = &mut function;
    let unread = (!*is_read).then(|| unread::tell(&sig.ident, &krate));
    if let Some(token) = sig.asyncness {
        errors.on(
            token,
            "an `async fn` that orchestrators await is a helper; write \
                          `#[durable::helper]`",
        );
    } else if let Some(block) = block.as_mut().filter(|_| *is_read) {
        body::check(attrs, sig, block, &krate, &mut errors);
    }
    let errors = errors.to_compile_errors(&[]);
    let block = match block {
        Some(Block { stmts, .. }) => quote!({ #unread #(#stmts)* }),
        None => quote!(;),
    };
    quote!(#errors #(#attrs)* #vis #sig #block)
}

/// `#[allow]` above another of our attributes, to which it is passed on.
pub(crate) fn allow(options: &TokenStream, item: &TokenStream) -> TokenStream {
    const READERS: [&str; 3] = ["orchestrator", "helper", "deterministic"];
    let Ok(mut function) = AnyFn::parse(item) else {
        return refuse_item(
            "`#[durable::allow]` can only be applied to a function or a statement",
            item,
        );
    };
    let is_reader = |attribute: &Attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|last| READERS.iter().any(|reader| last.ident == reader))
    };
    if !function.attrs.iter().any(is_reader) {
        let message = "this has no effect, because no determinism rule is checked here; use it \
                       with `#[orchestrator]`, `#[durable::helper]` or \
                       `#[durable::deterministic]`";
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
    let AnyFn { attrs, vis, sig, block, .. } = function;
    let block = block.map_or_else(|| quote!(;), |block| quote!(#block));
    quote!(#(#attrs)* #vis #sig #block)
}

/// Reads the only option: the path of `durable`.
fn krate(attribute: &str, options: &TokenStream, errors: &mut Errors) -> Crate {
    let mut krate = None;
    let parser = syn::meta::parser(|meta| {
        let given = Given::parse(&meta)?;
        if given.path.is_ident("crate") {
            given.set(&mut krate, given.module(errors), errors);
        } else {
            let message = format!(
                "unknown option of `#[{attribute}]`; the only option is `crate \
                                   = path`"
            );
            errors.on(&given.path, message);
        }
        Ok(())
    });
    if parser.parse2(options.clone()).is_err() {
        errors.on(options, format!("the only option of `#[{attribute}]` is `crate = path`"));
    }
    Crate(krate)
}

fn refuse_item(message: &str, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let first = item.clone().into_iter().next();
    errors.on(first, message);
    let errors = errors.to_compile_errors(&[]);
    quote!(#errors #item)
}
