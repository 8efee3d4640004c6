//! The code that is generated beside a block of operations. The rules are checked elsewhere.
//!
//! ```text
//! impl Name { .. }                     the user's block
//! impl Name { fn at(key) }             returns the handle of an entity
//! struct NameHandle                    a method for each operation, which returns an `Operation`
//! struct NameLocked                    the same for a critical section
//! struct __Operation0 ..               for each operation its codecs, and how it runs
//! impl Entity, EntityBody for Name     name, handle, state, how it runs
//! submit!                              the registration
//! ```
//! If a rule is broken, the same names are generated without behavior, so that callers compile.
//! Each bound on a user's type is in one place (`codec`, `initial`, `RUN` of the state; `__inputs`
//! and `codecs` of an operation), so that a missing derive is one error.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::visit_mut::VisitMut;
use syn::{Attribute, FnArg, Generics, Ident, ItemFn, Lifetime, Type, parse_quote};

use super::block::{Block, Operation};
use super::common;
use super::valid::is_conditional;
use crate::ast::{Function, Kind, Output};
use crate::attr::Options;
use crate::errors::Errors;
use crate::expand::input::{Inputs, runnable};
use crate::expand::{conditions, constructor, hidden_types, outcome_of, outcome_types, parameter};
use crate::fallback::{Lifetimes, for_callers};
use crate::paths::{self, Crate, private};

/// A block and what is needed to expand it.
struct Expansion<'a> {
    block: &'a Block<'a>,
    krate: Crate,
    /// The type.
    entity: Type,
    ident: &'a Ident,
    /// The operations without duplicates, except those with `cfg` conditions.
    operations: Vec<&'a Operation<'a>>,
    is_broken: bool,
}

/// The block itself, and the code that makes its type an entity.
pub(super) fn block(
    block: &Block<'_>,
    options: Options,
    errors: &Errors,
    (tokens, code_hash): (&TokenStream, u64),
) -> TokenStream {
    let conditions = block.conditions();
    let compile_errors = errors.to_compile_errors(&conditions);
    let Some(ident) = block.ident else { return quote!(#compile_errors #tokens) };
    let is_broken = !errors.is_empty();
    let krate = Crate(options.krate);
    let operations = once_each(&block.operations);
    let entity = free(&block.item.self_ty, &block.item.generics);
    let expansion = Expansion { block, krate, entity, ident, operations, is_broken };
    let handles = [Handle::Free, Handle::Locked].map(|kind| expansion.handle(kind));
    let at = expansion.at();
    let (entry, body) = if is_broken {
        (quote!(::core::unreachable!()), TokenStream::new())
    } else {
        let name = common::name(options.name.as_ref(), &ident.unraw().to_string());
        (expansion.entry(&name, code_hash), expansion.body(options.initial.as_ref()))
    };
    let definition = expansion.definition(&entry);
    let import = expansion.krate.import();
    quote! {
        #compile_errors
        // The library requires these signatures, so lints about them do not help the user.
        #[allow(
            clippy::future_not_send,
            clippy::missing_const_for_fn,
            clippy::missing_errors_doc,
            clippy::missing_panics_doc,
            clippy::must_use_candidate,
            clippy::needless_pass_by_value,
            clippy::ptr_arg,
            clippy::trivially_copy_pass_by_ref,
            clippy::unused_async,
            clippy::unused_self
        )]
        #tokens
        #(#conditions)*
        #[allow(
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            dead_code,
            deprecated,
            missing_docs,
            private_bounds,
            private_interfaces,
            unnameable_types,
            unreachable_pub,
            unused_imports,
            unused_mut,
            unused_variables
        )]
        const _: () = {
            #import
            #(#handles)*
            #at
            #definition
            #body
        };
    }
}

/// The operations without duplicates, which the compiler reports.
fn once_each<'a>(all: &'a [Operation<'a>]) -> Vec<&'a Operation<'a>> {
    let mut operations: Vec<&Operation<'_>> = Vec::new();
    for operation in all {
        let again = operations.iter().any(|known| {
            let both = known.name() == operation.name();
            both && !(is_conditional(known) && is_conditional(operation))
        });
        if !again {
            operations.push(operation);
        }
    }
    operations
}

/// The type with all lifetimes written out.
fn free(entity: &Type, generics: &Generics) -> Type {
    let other = Lifetime::new("'static", Span::call_site());
    let known = generics.lifetimes().map(|known| known.lifetime.clone());
    let mut entity = entity.clone();
    Lifetimes { declared: known.collect(), other }.visit_type_mut(&mut entity);
    entity
}

/// The kinds of handles.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Handle {
    /// The entity.
    Free,
    /// The entity while a critical section has it locked.
    Locked,
}

impl Expansion<'_> {
    fn type_of(&self, handle: Handle) -> Ident {
        let name = self.ident.unraw();
        match handle {
            Handle::Free => format_ident!("{name}Handle"),
            Handle::Locked => format_ident!("{name}Locked"),
        }
    }

    /// A handle type, with the operations as methods.
    fn handle(&self, handle: Handle) -> TokenStream {
        let (private, ident, entity) =
            (private(Span::call_site()), self.type_of(handle), &self.entity);
        let (parameters, arguments, bounds) = self.block.item.generics.split_for_impl();
        let mut methods: Vec<_> = (0..)
            .zip(&self.operations)
            .map(|(index, operation)| self.method(handle, index, operation))
            .collect();
        if !self.operations.iter().any(|it| it.name().eq_ignore_ascii_case("delete")) {
            methods.push(self.delete(handle));
        }
        let doc = match handle {
            Handle::Free => format!("An entity of type `{}`, by its key.", self.ident),
            Handle::Locked => {
                format!("An entity of type `{}`, locked by a critical section.", self.ident)
            }
        };
        let derives = match handle {
            Handle::Free => quote! {
                #[derive(
                    ::core::clone::Clone,
                    ::core::fmt::Debug,
                    ::core::cmp::PartialEq,
                    ::core::cmp::Eq,
                )]
            },
            Handle::Locked => quote!(#[derive(::core::fmt::Debug)]),
        };
        let inner = if self.is_broken {
            quote!(::core::marker::PhantomData<fn() -> #entity>)
        } else {
            quote!(#private::EntityRef)
        };
        quote! {
            #[doc = #doc]
            #derives
            pub struct #ident #parameters (#inner) #bounds;

            impl #parameters #ident #arguments #bounds {
                #(#methods)*
            }
        }
    }

    /// The name of the generated type for an operation.
    fn owner(index: usize) -> Ident {
        format_ident!("__Operation{index}")
    }

    /// An operation as a handle's method.
    fn method(&self, handle: Handle, index: usize, operation: &Operation<'_>) -> TokenStream {
        let krate = &self.krate;
        let mut item = operation.outside.clone();
        if self.is_broken {
            item = for_callers(item);
        }
        expose(&mut item, handle);
        let function = Function::new(Kind::Operation, &item, &self.block.uses);
        let owner = Self::owner(index);
        let span = function.result_span();
        let private = private(span);
        let types = if self.is_broken || !matches!(function.output, Output::Result(_)) {
            let (output, error) = outcome_types(&function.output, paths::private);
            [output, error]
        } else {
            [quote_spanned!(span=> Output), quote_spanned!(span=> Error)]
                .map(|part| quote_spanned!(span=> <#owner as #private::Outcome>::#part))
        };
        if self.is_broken {
            let returns = handle.returns(item.sig.ident.span(), &types, krate);
            return constructor(&function, &returns, &quote!(::core::unreachable!()));
        }
        let inputs = Inputs::of_operation(&function, owner.clone(), &self.entity);
        let codecs = quote_spanned!(span=> <#owner as #private::Outcome>::codecs());
        let asked = [inputs.writer(&private), codecs];
        let returns = handle.returns(span, &types, krate);
        constructor(&function, &returns, &handle.asks(&operation.name(), &asked, span))
    }

    /// The operation that every entity has.
    fn delete(&self, handle: Handle) -> TokenStream {
        let (krate, private) = (&self.krate, private(Span::call_site()));
        let mut item: ItemFn = parse_quote! {
            /// Deletes the entity. Its next operation finds the initial state.
            fn delete(&self) {}
        };
        expose(&mut item, handle);
        let function = Function::new(Kind::Operation, &item, &self.block.uses);
        let types = [quote!(()), quote!(#private::Error)];
        let returns = handle.returns(Span::call_site(), &types, krate);
        if self.is_broken {
            return constructor(&function, &returns, &quote!(::core::unreachable!()));
        }
        let codecs = quote! {(
            <() as #private::Stored>::codec(),
            <#private::Error as #private::StoredError>::codec(),
        )};
        let asked = [quote!(#private::InputWriter::new(0)), codecs];
        constructor(&function, &returns, &handle.asks("delete", &asked, Span::call_site()))
    }

    /// The function `at`, which returns a handle.
    fn at(&self) -> TokenStream {
        // The user's own function `at` is reported as an error.
        if self.block.function("at").is_some() {
            return TokenStream::new();
        }
        let (private, entity) = (private(Span::call_site()), &self.entity);
        let (parameters, arguments, bounds) = self.block.item.generics.split_for_impl();
        let handle = self.type_of(Handle::Free);
        let new = if self.is_broken {
            quote!(::core::unreachable!())
        } else {
            quote!(#handle(#private::EntityRef::new::<Self>(__key)))
        };
        let doc = "The entity of this key, to be asked for operations.";
        let at = common::at(doc, self.ident, &quote!(#handle #arguments), &new);
        quote! {
            #[allow(clippy::needless_pass_by_value, unused_variables)]
            impl #parameters #entity #bounds {
                #at
            }
        }
    }

    /// The impl of `Entity` and the impls of its handles.
    fn definition(&self, entry: &TokenStream) -> TokenStream {
        let (private, entity) = (private(Span::call_site()), &self.entity);
        let mut generics = self.block.item.generics.clone();
        let (_, arguments, bounds) = self.block.item.generics.split_for_impl();
        let (handle, locked) = (self.type_of(Handle::Free), self.type_of(Handle::Locked));
        let nothing = quote!(::core::unreachable!());
        let [new, codec, inner, lock] = if self.is_broken {
            [nothing.clone(), nothing.clone(), nothing.clone(), nothing]
        } else {
            let codec = quote!(<Self as #private::EntityBody>::codec());
            [quote!(#handle(__entity)), codec, quote!(&self.0), quote!(#locked(self.0))]
        };
        let free_parameters = self.block.item.generics.split_for_impl().0;
        let handles = quote! {
            impl #free_parameters #private::EntityHandle for #handle #arguments #bounds {
                type Locked = #locked #arguments;

                fn entity(&self) -> &#private::EntityRef {
                    #inner
                }

                fn locked(self) -> Self::Locked {
                    #lock
                }
            }
        };
        if !generics.params.is_empty() {
            generics.make_where_clause().predicates.push(parse_quote!(Self: 'static));
        }
        let (parameters, _, bounds) = generics.split_for_impl();
        quote! {
            #handles
            #[allow(unused_variables)]
            impl #parameters #private::Entity for #entity #bounds {
                const ENTRY: #private::Entry = #entry;
                type Handle = #handle #arguments;
                type State = Self;

                fn handle(__entity: #private::EntityRef) -> Self::Handle {
                    #new
                }

                fn state_codec() -> #private::Codec<Self> {
                    #codec
                }
            }
        }
    }

    /// The registry entry.
    fn entry(&self, name: &str, code_hash: u64) -> TokenStream {
        let (private, entity) = (private(Span::call_site()), &self.entity);
        let mut states = Vec::new();
        for operation in &self.operations {
            let (all, function) = (
                conditions(&operation.item),
                Function::new(Kind::Operation, &operation.outside, &self.block.uses),
            );
            for state in Inputs::new(&function).states() {
                let state = quote!(#(#all)* <#state as #private::Shared>::TYPE);
                // A state that several operations need is listed once.
                if !states.iter().any(|known: &TokenStream| known.to_string() == state.to_string())
                {
                    states.push(state);
                }
            }
        }
        let run = runnable(entity);
        let body = quote! {
            #private::Body::Entity {
                run: #run,
                states: &[#(#states),*],
                operations: <#entity as #private::EntityBody>::OPERATIONS,
            }
        };
        common::entry((name, self.ident.span(), code_hash), &body)
    }

    /// The code that runs the entity.
    fn body(&self, initial: Option<&syn::Path>) -> TokenStream {
        let (private, entity) = (private(Span::call_site()), &self.entity);
        let initial = match initial {
            Some(path) => quote! {
                let __initial: fn() -> Self = #path;
                __initial()
            },
            None => quote!(<#entity as #private::Initial>::initial()),
        };
        let all: Vec<_> = self.operations.iter().map(|it| conditions(&it.item)).collect();
        let names = self.operations.iter().map(|operation| operation.name());
        let reads = self.operations.iter().map(|operation| operation.reads());
        let parameters = self.operations.iter().map(|operation| {
            let function = Function::new(Kind::Operation, &operation.outside, &self.block.uses);
            Inputs::new(&function).described()
        });
        let owners: Vec<_> = (0..self.operations.len()).map(Self::owner).collect();
        let operations = self.operations.iter().zip(&owners).zip(&all);
        let operations =
            operations.map(|((operation, owner), all)| self.operation(operation, owner, all));
        quote! {
            #(#operations)*

            impl #private::EntityBody for #entity {
                const OPERATIONS: &'static [#private::OperationEntry] = &[
                    #(
                        #(#all)*
                        #private::OperationEntry {
                            name: #names,
                            reads: #reads,
                            parameters: #parameters,
                        },
                    )*
                ];

                fn codec() -> #private::Codec<Self> {
                    <#entity as #private::StoredState>::codec()
                }

                fn initial() -> Self {
                    #initial
                }

                fn run<'a>(
                    &'a mut self,
                    __operation: usize,
                    __context: &'a #private::EntityContext,
                    __input: &'a #private::Json,
                ) -> #private::OperationRun<'a> {
                    let __all: &[#private::RunOperation<Self>] =
                        &[#(#(#all)* #owners::__run,)*];
                    __all[__operation](self, __context, __input)
                        .unwrap_or_else(#private::OperationRun::failed)
                }
            }

            #private::inventory::submit! {
                <#entity as #private::Entity>::ENTRY
            }
        }
    }

    /// The generated type for an operation, with its codecs and how it runs.
    fn operation(
        &self,
        operation: &Operation<'_>,
        owner: &Ident,
        conditions: &[&Attribute],
    ) -> TokenStream {
        let function = Function::new(Kind::Operation, &operation.outside, &self.block.uses);
        let inputs = Inputs::of_operation(&function, owner.clone(), &self.entity);
        let (codecs, runner) = (inputs.codecs(), inputs.runner());
        let outcome = outcome_of(owner, &function);
        // As visible as the operation, because its types may be private.
        let vis = &operation.outside.vis;
        let [parameter, field] = parameter(hidden_types(&function).as_ref());
        quote! {
            #(#conditions)*
            #[allow(missing_copy_implementations, missing_debug_implementations)]
            #vis struct #owner #parameter { #field }
            #(#conditions)*
            #[allow(non_local_definitions)]
            const _: () = {
                impl #owner {
                    #codecs
                    #runner
                }
                #outcome
            };
        }
    }
}

impl Handle {
    /// The return type of a method, with this span.
    fn returns(self, span: Span, [output, error]: &[TokenStream; 2], krate: &Crate) -> TokenStream {
        let at = krate.at(span);
        match self {
            Self::Free => quote_spanned!(span=> #at::entity::Operation<#output, #error>),
            Self::Locked => {
                quote_spanned!(span=> #at::entity::LockedOperation<'_, #output, #error>)
            }
        }
    }

    /// The body of a method, with this span.
    fn asks(self, name: &str, [input, codecs]: &[TokenStream; 2], span: Span) -> TokenStream {
        let (make, entity) = match self {
            Self::Free => (quote_spanned!(span=> operation), quote!(&self.0)),
            Self::Locked => (quote_spanned!(span=> locked_operation), quote!(&mut self.0)),
        };
        let private = private(span);
        let asks = quote_spanned!(span=> #private::#make(__entity, #name, __input, #codecs));
        let (taken, written) = (Ident::new("__entity", span), Ident::new("__input", span));
        quote! {
            let #taken = #entity;
            let #written = #input;
            #asks
        }
    }
}

/// Turns a method of the type into one of a handle.
fn expose(item: &mut ItemFn, handle: Handle) {
    let receiver: FnArg = match handle {
        Handle::Free => parse_quote!(&self),
        Handle::Locked => parse_quote!(&mut self),
    };
    if let Some(first) = item.sig.inputs.first_mut() {
        *first = receiver;
    }
}
