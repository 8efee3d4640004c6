//! An entity that is a function: it is told which operation to carry out, and keeps the state itself.
//!
//! ```text
//! enum name {}                         what callers see: `name::at(key)`
//! impl name { fn run(..) }             the user's body
//! impl Entity, EntityFunction          name, how the runtime runs it
//! submit!                              its registration
//! ```
//! There is no function of that name any more: nothing could be asked of it without a key.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ItemFn;
use syn::ext::IdentExt;

use crate::ast::{Function, Kind};
use crate::attr::Options;
use crate::errors::Errors;
use crate::expand::input::Inputs;
use crate::expand::{conditions, hidden_types, outcome_of, twin};
use crate::fallback::for_body;
use crate::paths::Crate;
use crate::valid;

pub(super) fn function(
    item: &ItemFn,
    options: Options,
    mut errors: Errors,
    code_hash: u64,
) -> TokenStream {
    let function = Function::new(Kind::Entity, item);
    valid::check(&function, &mut errors);
    if let Some(initial) = &options.initial {
        errors.on(
            initial,
            "an entity that is a function finds no state at first, and makes one with \
             `ctx.set_state(..)`; leave `initial` out",
        );
    }
    let ident = &item.sig.ident;
    let name = super::name(options.name.as_ref(), &ident.unraw().to_string());
    let krate = Crate(options.krate);
    let conditions = conditions(item);
    let body = if errors.is_empty() { item.clone() } else { for_body(Kind::Entity, item.clone()) };
    let hidden = if errors.is_empty() { hidden_types(&function, &krate) } else { None };
    let twin = twin(&Function::new(Kind::Entity, &body), hidden.as_ref());
    let (entry, runs) = if errors.is_empty() {
        let inputs = Inputs::new(&function, &krate);
        let states = inputs.states();
        let body = quote! {
            #krate::__private_0_1::Body::Entity {
                run: #krate::__private_0_1::run_entity_function::<#ident>,
                states: &[#(<#states as #krate::__private_0_1::Shared>::TYPE),*],
                operations: &[],
            }
        };
        let entry = super::entry((&name, ident.span(), code_hash), &body, &krate);
        (entry, runs(&function, &inputs, &krate))
    } else {
        (quote!(::core::unreachable!()), TokenStream::new())
    };
    let entity = entity(&function, &entry, &krate);
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
            unused_mut,
            unused_variables
        )]
        const _: () = {
            #entity
            #runs
        };
    }
}

/// How it is found, and what its operations are asked of.
fn entity(function: &Function<'_>, entry: &TokenStream, krate: &Crate) -> TokenStream {
    let ident = &function.item.sig.ident;
    let handle = quote!(#krate::__private_0_1::DynamicHandle);
    let new = quote!(#handle::new(#krate::__private_0_1::EntityRef::new::<Self>(__key)));
    let doc = "The entity of this key, to be asked for operations by their names.";
    let at = super::at(doc, ident, &handle, &new);
    let implementation = quote_spanned! {ident.span()=>
        impl #krate::Entity for #ident {
            const ENTRY: #krate::__private_0_1::Entry = #entry;
            type Handle = #handle;
            type State = #krate::__private_0_1::Json;

            fn handle(__entity: #krate::__private_0_1::EntityRef) -> Self::Handle {
                #handle::new(__entity)
            }

            fn state_codec() -> #krate::__private_0_1::Codec<Self::State> {
                <#krate::__private_0_1::Json as #krate::__private_0_1::StoredState>::codec()
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

/// How the runtime runs it.
fn runs(function: &Function<'_>, inputs: &Inputs<'_>, krate: &Crate) -> TokenStream {
    let ident = &function.item.sig.ident;
    let runner = inputs.runner();
    let outcome = outcome_of(ident, function, krate);
    quote! {
        #outcome
        #runner
        impl #krate::__private_0_1::EntityFunction for #ident {
            fn run(__context: &#krate::EntityContext) -> #krate::__private_0_1::OperationRun<'_> {
                __run(__context).unwrap_or_else(#krate::__private_0_1::OperationRun::failed)
            }
        }
        #krate::__private_0_1::inventory::submit! {
            <#ident as #krate::Entity>::ENTRY
        }
    }
}
