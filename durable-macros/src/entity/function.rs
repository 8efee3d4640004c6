//! An entity that is a function, which runs all operations and manages the state itself.
//!
//! ```text
//! enum name {}                         what callers see: `name::at(key)`
//! impl name { fn run(..) }             the user's body
//! impl Entity, EntityFunction          name, how the runtime runs it
//! submit!                              its registration
//! ```
//! No function of that name remains, because an entity is always addressed by a key.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ItemFn;
use syn::ext::IdentExt;

use super::common;
use crate::ast::{Function, Kind};
use crate::attr::Options;
use crate::errors::Errors;
use crate::expand::input::Inputs;
use crate::expand::{conditions, hidden_types, outcome_of, twin};
use crate::fallback::for_body;
use crate::paths::{Crate, private};
use crate::{source, valid};

pub(super) fn function(
    item: &ItemFn,
    options: Options,
    mut errors: Errors,
    code_hash: u64,
) -> TokenStream {
    let uses = source::around(&item.sig.ident, &item.block);
    let function = Function::new(Kind::Entity, item, &uses);
    valid::check(&function, &mut errors);
    if let Some(initial) = &options.initial {
        errors.on(
            initial,
            "an entity that is a function has no state until it calls `ctx.set_state(..)`; remove \
             `initial`",
        );
    }
    let ident = &item.sig.ident;
    let name = common::name(options.name.as_ref(), &ident.unraw().to_string());
    let import = Crate(options.krate).import();
    let private = private(Span::call_site());
    let conditions = conditions(item);
    let body = if errors.is_empty() { item.clone() } else { for_body(Kind::Entity, item.clone()) };
    let hidden = if errors.is_empty() { hidden_types(&function) } else { None };
    let twin = twin(&Function::new(Kind::Entity, &body, &uses), hidden.as_ref());
    let (entry, runs) = if errors.is_empty() {
        let inputs = Inputs::new(&function);
        let states = inputs.states();
        let body = quote! {
            #private::Body::Entity {
                run: #private::run_entity_function::<#ident>,
                states: &[#(<#states as #private::Shared>::TYPE),*],
                operations: &[],
            }
        };
        let entry = common::entry((&name, ident.span(), code_hash), &body);
        (entry, runs(&function, &inputs))
    } else {
        (quote!(::core::unreachable!()), TokenStream::new())
    };
    let entity = entity(&function, &entry);
    let errors = errors.to_compile_errors(&conditions);
    quote! {
        #errors
        #twin
        #(#conditions)*
        #[allow(
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            dead_code,
            deprecated,
            unreachable_pub,
            unused_imports,
            unused_mut,
            unused_variables
        )]
        const _: () = {
            #import
            #entity
            #runs
        };
    }
}

/// The impl of `Entity`, and the function `at`.
fn entity(function: &Function<'_>, entry: &TokenStream) -> TokenStream {
    let ident = &function.item.sig.ident;
    let private = private(Span::call_site());
    let handle = quote!(#private::DynamicHandle);
    let new = quote!(#handle::new(#private::EntityRef::new::<Self>(__key)));
    let doc = "The entity of this key, to be asked for operations by their names.";
    let at = common::at(doc, ident, &handle, &new);
    let implementation = quote_spanned! {ident.span()=>
        impl #private::Entity for #ident {
            const ENTRY: #private::Entry = #entry;
            type Handle = #handle;
            type State = #private::Json;

            fn handle(__entity: #private::EntityRef) -> Self::Handle {
                #handle::new(__entity)
            }

            fn state_codec() -> #private::Codec<Self::State> {
                <#private::Json as #private::StoredState>::codec()
            }
        }
    };
    quote! {
        impl #ident {
            #at
        }
        #implementation
    }
}

/// The code that runs the function.
fn runs(function: &Function<'_>, inputs: &Inputs<'_>) -> TokenStream {
    let ident = &function.item.sig.ident;
    let private = private(Span::call_site());
    let runner = inputs.runner();
    let outcome = outcome_of(ident, function);
    quote! {
        #outcome
        #runner
        impl #private::EntityFunction for #ident {
            fn run(__context: &#private::EntityContext) -> #private::OperationRun<'_> {
                __run(__context).unwrap_or_else(#private::OperationRun::failed)
            }
        }
        #private::inventory::submit! {
            <#ident as #private::Entity>::ENTRY
        }
    }
}
