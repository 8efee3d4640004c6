//! What replaces a function that breaks a rule: items with the same names and types but without
//! behavior, so that callers compile.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, GenericParam, Ident, ItemFn, Lifetime, ParenthesizedGenericArguments,
    PathArguments, PathSegment, Type, TypeFnPtr, TypeParamBound, TypeReference, parse_quote,
};

use crate::ast::{Function, Kind};
use crate::errors::Errors;
use crate::expand::{
    call, conditions, constructor, hidden_types, implementation, outcome_types, twin,
};
use crate::paths::Crate;
use crate::valid::{Unstorable, borrowed, owner, unstorable};

/// Expands a function that breaks a rule. `is_member` tells whether the function is in an `impl` or
/// a trait, where no other items are possible.
pub(crate) fn expand(
    function: &Function<'_>,
    krate: &Crate,
    errors: &Errors,
    is_member: bool,
) -> TokenStream {
    let conditions = conditions(function.item);
    let errors = errors.to_compile_errors(&conditions);
    let nothing = quote!(::core::unreachable!());
    let kind = function.kind;
    let seen = for_callers(function.item.clone());
    let is_transactional = function.is_transactional;
    let seen = Function::new(kind, &seen, function.uses).transactional(is_transactional);
    let (ident, generics) = (&seen.item.sig.ident, &seen.item.sig.generics);
    let (mut output, mut error) = outcome_types(&seen.output, |_| quote!(#krate::__private_0_1));
    let is_generic = generics.params.iter().any(|it| !matches!(it, GenericParam::Lifetime(_)));
    let mut call = call(ident, krate);
    if is_generic || is_member {
        call = quote!(#krate::Call<#krate::__private_0_1::Broken<#output, #error>>);
        (output, error) = (quote!(()), quote!(()));
    }
    let constructor = constructor(&seen, &call, &nothing);
    if is_member {
        return quote!(#errors #constructor);
    }
    let body = for_body(kind, function.item.clone());
    let hidden = hidden_types(&seen);
    let import = krate.import();
    let twin = twin(&Function::new(kind, &body, function.uses), hidden.as_ref());
    let types = [&quote!(()), &output, &error];
    let implementation = implementation(&seen, types, [&nothing, &nothing]);
    quote! {
        #errors
        #constructor
        #twin
        #(#conditions)*
        #[allow(unused_imports)]
        const _: () = {
            #import
            #implementation
        };
    }
}

/// The function as callers see it: with any lifetimes in its parameters, and an owned output.
pub(crate) fn for_callers(mut item: ItemFn) -> ItemFn {
    let declared = item.sig.generics.lifetimes().map(|known| known.lifetime.clone()).collect();
    let mut lifetimes = Lifetimes { declared, other: Lifetime::new("'_", Span::call_site()) };
    item.sig.inputs.iter_mut().for_each(|input| lifetimes.visit_fn_arg_mut(input));
    Owned.visit_return_type_mut(&mut item.sig.output);
    item
}

/// The function as its body sees it, with a signature that causes no further errors.
///
/// The body is kept, because it uses the user's imports and may contain errors of its own.
pub(crate) fn for_body(kind: Kind, mut item: ItemFn) -> ItemFn {
    let sig = &mut item.sig;
    if kind == Kind::Orchestrator {
        sig.asyncness.get_or_insert(syn::Token![async](sig.fn_token.span));
    }
    sig.constness = None;
    sig.abi = None;
    sig.variadic = None;
    // One lifetime for all elided ones, so that the output may borrow from any parameter.
    let other = Lifetime::new("'__parameters", Span::call_site());
    let known = sig.generics.lifetimes().map(|known| known.lifetime.clone());
    let known = known.chain([Lifetime::new("'static", Span::call_site())]).collect();
    let mut lifetimes = Lifetimes { declared: known, other: other.clone() };
    sig.inputs.iter_mut().for_each(|input| lifetimes.visit_fn_arg_mut(input));
    lifetimes.visit_return_type_mut(&mut sig.output);
    sig.generics.params.insert(0, parse_quote!(#other));
    item
}

/// Replaces all elided and undeclared lifetimes by one.
pub(crate) struct Lifetimes {
    pub(crate) declared: Vec<Lifetime>,
    pub(crate) other: Lifetime,
}

impl VisitMut for Lifetimes {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if !self.declared.contains(lifetime) {
            *lifetime = self.other.clone();
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime.get_or_insert_with(|| self.other.clone());
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_path_segment_mut(&mut self, segment: &mut PathSegment) {
        if let (true, PathArguments::AngleBracketed(arguments)) =
            (segment.ident == "Cow", &mut segment.arguments)
            && !arguments.args.iter().any(|it| matches!(it, GenericArgument::Lifetime(_)))
        {
            arguments.args.insert(0, GenericArgument::Lifetime(self.other.clone()));
        }
        visit_mut::visit_path_segment_mut(self, segment);
    }

    // These have elision rules of their own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }
}

/// Replaces every borrowed type by an owned one.
struct Owned;

impl VisitMut for Owned {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match unstorable(ty) {
            Some(Unstorable::Borrows) => *ty = owned(ty),
            Some(Unstorable::Unnamed) => *ty = named(ty),
            None => {}
        }
        visit_mut::visit_type_mut(self, ty);
    }
}

fn owned(ty: &Type) -> Type {
    match borrowed(ty) {
        Some(Type::Slice(slice)) => {
            let elem = &slice.elem;
            parse_quote!(::std::vec::Vec<#elem>)
        }
        Some(other) => match owner(other) {
            Some((module, name)) => {
                let (module, name) = (format_ident!("{module}"), format_ident!("{name}"));
                parse_quote!(::std::#module::#name)
            }
            None => {
                let mut other = other.clone();
                Owned.visit_type_mut(&mut other);
                other
            }
        },
        None => {
            let declared = vec![Lifetime::new("'static", Span::call_site())];
            let mut ty = ty.clone();
            Lifetimes { other: declared[0].clone(), declared }.visit_type_mut(&mut ty);
            ty
        }
    }
}

/// A type that implements the traits of an `impl Trait`, if one is known.
fn named(ty: &Type) -> Type {
    const BOXED: [&str; 6] =
        ["Debug", "Display", "Error", "ExactSizeIterator", "Future", "Iterator"];
    let Type::ImplTrait(opaque) = ty else { return ty.clone() };
    let bounds = &opaque.bounds;
    let is_boxed = |name: &Ident| BOXED.iter().any(|boxed| name == boxed);
    match bounds.first() {
        Some(TypeParamBound::Trait(first))
            if first.path.segments.last().is_some_and(|last| is_boxed(&last.ident)) =>
        {
            parse_quote!(::std::boxed::Box<dyn #bounds>)
        }
        _ => parse_quote!(()),
    }
}
