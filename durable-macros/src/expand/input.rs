//! The parameters of a function on their way into a call, and from there to its body.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Pat, Type};

use crate::ast::{Function, Kind, Output, Parameter, Passing, Role};
use crate::paths::Crate;

/// The name of a parameter in the constructor; none if it is not part of the call.
pub(crate) fn name(index: usize, parameter: &Parameter<'_>) -> Option<Ident> {
    match (&parameter.role, &*parameter.argument.pat) {
        (Role::Input(_), Pat::Ident(pattern)) => Some(pattern.ident.clone()),
        (Role::Input(_), _) => Some(format_ident!("parameter_{index}")),
        _ => None,
    }
}

pub(super) struct Inputs<'a> {
    function: &'a Function<'a>,
    krate: &'a Crate,
}

/// A part of the input.
struct Part<'a> {
    name: Ident,
    passing: &'a Passing<'a>,
    /// Its place in the tuple of codecs; a `&str` needs none.
    codec: syn::Index,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(function: &'a Function<'a>, krate: &'a Crate) -> Self {
        Self { function, krate }
    }

    fn parts(&self) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let mut codecs = 0;
        for (index, parameter) in self.function.parameters.iter().enumerate() {
            let (Role::Input(passing), Some(name)) = (&parameter.role, name(index, parameter)) else {
                continue;
            };
            parts.push(Part { name, passing, codec: codecs.into() });
            codecs += usize::from(passing.stored().is_some());
        }
        parts
    }

    /// The shared states that the function wants.
    pub(super) fn states(&self) -> Vec<&'a Type> {
        let state = |parameter: &Parameter<'a>| match parameter.role {
            Role::State { state, .. } => Some(state),
            Role::Context(_) | Role::Input(_) => None,
        };
        self.function.parameters.iter().filter_map(state).collect()
    }

    /// The one place where the types of parameters are bounded.
    pub(super) fn codecs(&self) -> TokenStream {
        let krate = self.krate;
        let parts = self.parts();
        let types: Vec<_> = parts.iter().filter_map(|part| part.passing.stored()).collect();
        let codecs = types
            .iter()
            .map(|ty| quote_spanned!(ty.span()=> #krate::__private::payload::<#ty>()));
        quote! {
            #[allow(clippy::unused_unit, clippy::type_complexity)]
            fn __inputs() -> (#(#krate::__private::Codec<#types>,)*) {
                (#(#codecs,)*)
            }
        }
    }

    /// The body of the constructor.
    pub(super) fn write(&self) -> TokenStream {
        let (krate, ident) = (self.krate, &self.function.item.sig.ident);
        let parts = self.parts();
        let count = parts.len();
        let puts = parts.iter().map(|Part { name, passing, codec }| {
            let label = name.to_string();
            match passing {
                Passing::Value(_) => quote!(.put(codecs.#codec, #label, &#name)),
                Passing::Reference(_) => quote!(.put(codecs.#codec, #label, #name)),
                Passing::Slice(_) => quote!(.put_slice(codecs.#codec, #label, #name)),
                Passing::Str => quote!(.put_str(#label, #name)),
            }
        });
        quote! {
            let codecs = <#ident>::__inputs();
            #krate::__private::call(
                #krate::__private::InputWriter::new(#count)#(#puts)*,
                ::core::panic::Location::caller(),
            )
        }
    }

    /// How the runtime runs the body with stored input.
    pub(super) fn runner(&self) -> TokenStream {
        let (function, krate) = (self.function, self.krate);
        let ident = &function.item.sig.ident;
        let reads = self.reads();
        let arguments = self.arguments();
        let wait = function.is_async().then(|| quote!(.await));
        let call = quote!(<#ident>::run(#(#arguments),*)#wait);
        let result = match function.output {
            Output::Result(_) => call,
            Output::Unit | Output::Plain(_) => {
                quote!(::core::result::Result::<_, #krate::Error>::Ok(#call))
            }
        };
        let kind = super::kind_trait(function.kind);
        let finish = quote! {
            #krate::__private::finish(#result, <#ident as #krate::#kind>::codecs())
        };
        let (context, future, run) = match (function.kind, function.is_async()) {
            (Kind::Orchestrator, _) => (
                quote!(#krate::OrchestrationContext),
                quote!(#krate::__private::OrchestratorFuture),
                quote!(::std::boxed::Box::pin(async move { #finish })),
            ),
            (Kind::Activity, true) => (
                quote!(#krate::ActivityContext),
                quote!(#krate::__private::ActivityRun),
                quote! {
                    #krate::__private::ActivityRun::Async(::std::boxed::Box::pin(async move { #finish }))
                },
            ),
            (Kind::Activity, false) => (
                quote!(#krate::ActivityContext),
                quote!(#krate::__private::ActivityRun),
                quote! {
                    #krate::__private::ActivityRun::Blocking(::std::boxed::Box::new(move || #finish))
                },
            ),
        };
        quote! {
            #[allow(unused_variables, unused_mut, clippy::let_unit_value, clippy::unit_arg)]
            fn __run(
                __context: #context,
                __input: #krate::__private::Json,
            ) -> ::core::result::Result<#future, #krate::__private::FailureDetails> {
                #reads
                ::core::result::Result::Ok(#run)
            }
        }
    }

    fn reads(&self) -> TokenStream {
        let (krate, ident) = (self.krate, &self.function.item.sig.ident);
        let parts = self.parts();
        let count = parts.len();
        let takes = parts.iter().map(|Part { name, passing, codec }| {
            let label = name.to_string();
            match passing {
                Passing::Value(_) | Passing::Reference(_) => {
                    quote!(let #name = __reader.take(__codecs.#codec, #label)?;)
                }
                Passing::Slice(_) => quote!(let #name = __reader.take_vec(__codecs.#codec, #label)?;),
                Passing::Str => quote! {
                    let #name = __reader.take(
                        #krate::__private::payload::<::std::string::String>(),
                        #label,
                    )?;
                },
            }
        });
        let states = self.function.parameters.iter().enumerate().filter_map(|(index, parameter)| {
            let Role::State { state, .. } = parameter.role else { return None };
            let name = format_ident!("__state_{index}");
            Some(quote!(let #name = __context.state::<#state>()?;))
        });
        quote! {
            let __codecs = <#ident>::__inputs();
            let mut __reader = #krate::__private::InputReader::new(&__input, #count)?;
            #(#takes)*
            #(#states)*
        }
    }

    /// The arguments with which the body is called.
    fn arguments(&self) -> Vec<TokenStream> {
        let argument = |(index, parameter): (usize, &Parameter<'_>)| {
            let name = name(index, parameter);
            let state = format_ident!("__state_{index}");
            match &parameter.role {
                Role::Context(_) => quote!(&__context),
                Role::State { by_reference: true, .. } => quote!(&#state),
                Role::State { by_reference: false, .. } => quote!(#state),
                Role::Input(Passing::Value(_)) => quote!(#name),
                Role::Input(Passing::Reference(_) | Passing::Slice(_) | Passing::Str) => {
                    quote!(&#name)
                }
            }
        };
        self.function.parameters.iter().enumerate().map(argument).collect()
    }
}

impl Passing<'_> {
    /// The type for which a codec is needed; a `&str` needs none of the user's.
    fn stored(&self) -> Option<&Type> {
        match self {
            Self::Value(ty) | Self::Reference(ty) | Self::Slice(ty) => Some(ty),
            Self::Str => None,
        }
    }
}
