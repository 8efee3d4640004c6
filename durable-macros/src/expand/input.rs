//! The parameters of a function: how a call writes them, and how the body gets them back.
//!
//! The generated code names two things that the caller generates: the type with the codecs
//! (`owner`), and the body.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, Pat, Type};

use crate::ast::{Function, Kind, Output, Parameter, Passing, Role, last_name};
use crate::paths::{self, Crate, private};
use crate::syntax::ends;

/// The name of a parameter in the constructor; `None` if it is not part of the call.
pub(crate) fn name(index: usize, parameter: &Parameter<'_>) -> Option<Ident> {
    match (&parameter.role, &*parameter.argument.pat) {
        (Role::Input(_), Pat::Ident(pattern)) => Some(pattern.ident.clone()),
        (Role::Input(_), _) => Some(format_ident!("parameter_{index}")),
        _ => None,
    }
}

pub(crate) struct Inputs<'a> {
    function: &'a Function<'a>,
    /// The type that has `__inputs` and implements the trait that records a result.
    owner: Ident,
    /// The type whose method the body is, if it is one.
    entity: Option<&'a Type>,
    parts: Vec<Part<'a>>,
    /// The types that need a codec, each once, and their texts.
    stored: Vec<&'a Type>,
    texts: Vec<String>,
}

/// A part of the input.
struct Part<'a> {
    name: Ident,
    passing: &'a Passing<'a>,
    /// The index of its codec; unused for a `&str` or a `&Path`.
    codec: syn::Index,
}

impl<'a> Inputs<'a> {
    /// The inputs of a free function, whose twin has the codecs and the body.
    pub(crate) fn new(function: &'a Function<'a>) -> Self {
        Self::of(function, function.item.sig.ident.clone(), None)
    }

    /// The inputs of an operation: a method of `entity`.
    pub(crate) fn of_operation(function: &'a Function<'a>, owner: Ident, entity: &'a Type) -> Self {
        Self::of(function, owner, Some(entity))
    }

    fn of(function: &'a Function<'a>, owner: Ident, entity: Option<&'a Type>) -> Self {
        let (parts, stored, texts) = (Vec::new(), Vec::new(), Vec::new());
        let mut inputs = Self { function, owner, entity, parts, stored, texts };
        for (index, parameter) in function.parameters.iter().enumerate() {
            if let (Role::Input(passing), Some(name)) = (&parameter.role, name(index, parameter)) {
                let codec = inputs.codec(passing).into();
                inputs.parts.push(Part { name, passing, codec });
            }
        }
        inputs
    }

    /// The index of the codec for a parameter.
    fn codec(&mut self, passing: &'a Passing<'a>) -> usize {
        let Some(ty) = passing.stored() else { return 0 };
        let text = ty.to_token_stream().to_string();
        let known = self.texts.iter().position(|known| *known == text);
        known.unwrap_or_else(|| {
            self.texts.push(text);
            self.stored.push(ty);
            self.stored.len() - 1
        })
    }

    /// The shared states that the function needs.
    pub(crate) fn states(&self) -> Vec<&'a Type> {
        let state = |parameter: &Parameter<'a>| match parameter.role {
            Role::State { state, .. } => Some(state),
            Role::Context(_) | Role::Transaction(_) | Role::Input(_) => None,
        };
        self.function.parameters.iter().filter_map(state).collect()
    }

    /// The parameters of a call for the registry: the name and the type of each, as written.
    pub(crate) fn described(&self) -> TokenStream {
        let described = |(index, parameter): (usize, &Parameter<'_>)| {
            let label = name(index, parameter)?.unraw().to_string();
            let ty = text(parameter.argument.ty.to_token_stream());
            Some(quote!((#label, #ty)))
        };
        let parameters = self.function.parameters.iter().enumerate().filter_map(described);
        quote!(&[#(#parameters),*])
    }

    /// The owned types of the parameters of a call: one as itself, several as a tuple. The span is
    /// that of the first type, where errors such as a private type are reported.
    pub(super) fn owned(&self) -> TokenStream {
        let span = self.stored.first().map_or_else(Span::call_site, |ty| ends(ty).0);
        let owned = |part: &Part<'_>| match part.passing {
            Passing::Value(ty) | Passing::Reference(ty) => ty.to_token_stream(),
            Passing::Slice(ty) => quote_spanned!(span=> ::std::vec::Vec<#ty>),
            Passing::Str => quote_spanned!(span=> ::std::string::String),
            Passing::Path => quote_spanned!(span=> ::std::path::PathBuf),
        };
        match &*self.parts {
            [one] => owned(one),
            parts => {
                let types = parts.iter().map(owned);
                quote_spanned!(span=> (#(#types),*))
            }
        }
    }

    /// The codecs of the parameters. Only this code has bounds on the types of parameters.
    pub(crate) fn codecs(&self) -> Option<TokenStream> {
        let (stored, private) = (&self.stored, private(Span::call_site()));
        self.has_codecs().then(|| {
            quote! {
                fn __inputs() -> (#(#private::Codec<#stored>,)*) {
                    (#(<#stored as #private::Stored>::codec(),)*)
                }
            }
        })
    }

    fn has_codecs(&self) -> bool {
        !self.stored.is_empty()
    }

    /// A statement that binds the codecs to `__codecs`.
    fn let_codecs(&self) -> Option<TokenStream> {
        let owner = &self.owner;
        self.has_codecs().then(|| quote!(let __codecs = <#owner>::__inputs();))
    }

    /// An expression that writes the parameters of a call, for the body of a constructor. `private`
    /// is the path of `durable::__private_0_1`.
    pub(crate) fn writer(&self, private: &impl ToTokens) -> TokenStream {
        let codecs = self.let_codecs();
        let count = self.parts.len();
        let puts = self.parts.iter().map(|Part { name, passing, codec }| {
            let label = name.unraw().to_string();
            match passing {
                Passing::Value(_) => quote!(.put(__codecs.#codec, #label, &#name)),
                Passing::Reference(_) => quote!(.put(__codecs.#codec, #label, #name)),
                Passing::Slice(_) => quote!(.put_slice(__codecs.#codec, #label, #name)),
                Passing::Str => quote!(.put_str(#label, #name)),
                Passing::Path => quote!(.put_path(#label, #name)),
            }
        });
        quote! {{
            #codecs
            #private::InputWriter::new(#count)#(#puts)*
        }}
    }

    /// The body of the constructor of calls.
    pub(super) fn write(&self, krate: &Crate) -> TokenStream {
        let private = quote!(#krate::__private_0_1);
        let writer = self.writer(&private);
        quote!(#private::call(#writer))
    }

    /// A closure that runs the body with stored input, for the registry.
    pub(super) fn closure(&self) -> TokenStream {
        let run = self.run();
        quote!(|__context, __input| { #run })
    }

    /// A function `__run` that runs an operation with stored input.
    pub(crate) fn runner(&self) -> TokenStream {
        let private = private(Span::call_site());
        let run = self.run();
        let entity = self.entity.map(|it| quote!(__entity: &'__run mut #it,));
        let input = self.entity.map(|_| quote!(__input: &'__run #private::Json,));
        quote! {
            fn __run<'__run>(#entity __context: &'__run #private::EntityContext, #input)
            -> #private::Began<#private::OperationRun<'__run>> {
                #run
            }
        }
    }

    /// Reads the input, and starts the body with it.
    fn run(&self) -> TokenStream {
        let (reads, states) = (self.reads(), self.finds());
        let (function, private) = (self.function, private(Span::call_site()));
        let finish = self.finish();
        // A future that is not `Send` is reported at the function's name.
        let span = function.item.sig.ident.span();
        let awaited = || {
            let private = paths::private(span);
            quote_spanned!(span=> #private::Boxed::pin(async move { #finish }))
        };
        let run = match (function.kind, function.is_async()) {
            (Kind::Orchestrator, _) => awaited(),
            (Kind::Activity, true) => {
                let awaited = self.in_transaction(awaited());
                quote!(#private::ActivityRun::Async(#awaited))
            }
            (Kind::Activity, false) => {
                quote!(#private::ActivityRun::Blocking(#private::Boxed::new(move || #finish)))
            }
            (Kind::Entity | Kind::Operation, true) => {
                let awaited = awaited();
                // If the state is not `Send`, this is the only error, not also the future.
                let check = self.entity.map(|entity| {
                    let run = runnable(entity);
                    quote!(let _ = #run;)
                });
                quote!({ #check #private::OperationRun::Async(#awaited) })
            }
            (Kind::Entity | Kind::Operation, false) => {
                quote!(#private::OperationRun::Done(#finish))
            }
        };
        quote! {
            #reads
            #(#states)*
            #private::Ok(#run)
        }
    }

    /// The boxed future of the body, in a transaction if it takes one.
    fn in_transaction(&self, awaited: TokenStream) -> TokenStream {
        let Some((_, ty)) = self.function.transaction() else { return awaited };
        let (first, _) = ends(ty);
        let private = paths::private(first);
        quote_spanned! {first=>
            #private::Boxed::pin(#private::run_in_transaction::<#ty, _>(
                ::core::clone::Clone::clone(&__context),
                move |__transaction| #awaited,
            ))
        }
    }

    /// The body's result in recorded form.
    fn finish(&self) -> TokenStream {
        let function = self.function;
        let (owner, ident) = (&self.owner, &function.item.sig.ident);
        let span = function.result_span();
        let private = private(span);
        let arguments = self.arguments();
        let wait = function.is_async().then(|| quote!(.await));
        let call = match self.entity {
            Some(entity) => {
                quote_spanned!(span=> <#entity>::#ident(__entity, #(#arguments),*)#wait)
            }
            None => quote_spanned!(span=> <#owner>::run(#(#arguments),*)#wait),
        };
        let finish = Ident::new(function.kind.finish(), span);
        let result = match function.output {
            Output::Result(ty) => {
                quote_spanned!(span=> <#ty as #private::Fallible>::into_result(#call))
            }
            Output::Unit | Output::Plain(_) => quote_spanned!(span=> #private::Ok(#call)),
        };
        quote_spanned!(span=> #private::#finish::<#owner>(#result))
    }

    /// Reads the input, if the types of its parts are known.
    fn reads(&self) -> TokenStream {
        if self.function.kind == Kind::Entity || self.parts.is_empty() {
            return TokenStream::new();
        }
        let (codecs, private) = (self.let_codecs(), private(Span::call_site()));
        let count = self.parts.len();
        let optional = self.parts.iter().rev().take_while(|part| part.passing.is_option()).count();
        let takes = self.parts.iter().map(|Part { name, passing, codec }| {
            let label = name.unraw().to_string();
            match passing {
                Passing::Value(_) | Passing::Reference(_) => {
                    quote!(let #name = __reader.take(__codecs.#codec, #label)?;)
                }
                Passing::Slice(_) => {
                    quote!(let #name = __reader.take_vec(__codecs.#codec, #label)?;)
                }
                Passing::Str => quote!(let #name = __reader.take_string(#label)?;),
                Passing::Path => quote!(let #name = __reader.take_path(#label)?;),
            }
        });
        quote! {
            #codecs
            let mut __reader = #private::InputReader::new(&__input, #count, #optional)?;
            #(#takes)*
        }
    }

    /// Finds the shared states.
    fn finds(&self) -> Vec<TokenStream> {
        let private = private(Span::call_site());
        let find = |(index, parameter): (usize, &Parameter<'_>)| {
            let Role::State { state, .. } = parameter.role else { return None };
            let name = format_ident!("__state_{index}");
            Some(quote! {
                let #name = <#state as #private::Shared>::find(__context.states())?;
            })
        };
        self.function.parameters.iter().enumerate().filter_map(find).collect()
    }

    /// The arguments with which the body is called.
    fn arguments(&self) -> Vec<TokenStream> {
        let argument = |(index, parameter): (usize, &Parameter<'_>)| {
            let name = name(index, parameter);
            let state = format_ident!("__state_{index}");
            match &parameter.role {
                Role::Context(_) => quote!(&__context),
                Role::Transaction(_) => quote!(__transaction),
                Role::State { by_reference: true, .. } => quote!(&#state),
                Role::State { by_reference: false, .. } => quote!(#state),
                Role::Input(Passing::Value(_)) => quote!(#name),
                Role::Input(
                    Passing::Reference(_) | Passing::Slice(_) | Passing::Str | Passing::Path,
                ) => {
                    quote!(&#name)
                }
            }
        };
        self.function.parameters.iter().enumerate().map(argument).collect()
    }
}

/// Tokens as rustfmt writes them: spaces between words, after commas and around `->`, `+`, `=`.
fn text(tokens: TokenStream) -> String {
    let mut text = String::new();
    write(tokens, &mut text);
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        if let TokenTree::Group(group) = &token {
            let (open, close) = match group.delimiter() {
                Delimiter::Parenthesis => ("(", ")"),
                Delimiter::Bracket => ("[", "]"),
                Delimiter::Brace => ("{", "}"),
                Delimiter::None => ("", ""),
            };
            push(open, text);
            write(group.stream(), text);
            text.push_str(close);
        } else {
            push(&token.to_string(), text);
        }
    }
}

fn push(token: &str, text: &mut String) {
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    let is_spaced = |char: char| matches!(char, '+' | '=' | '-');
    let (last, next) = (text.chars().next_back(), token.chars().next());
    let apart = last.zip(next).is_some_and(|(last, next)| match (last, next) {
        ('-', '>') => false,
        (',' | ';' | '+' | '=', _) => true,
        _ if is_spaced(next) => true,
        _ if text.ends_with("->") => true,
        (last, next) => is_word(last) && (is_word(next) || next == '\'' || next == '{'),
    });
    if apart {
        text.push(' ');
    }
    text.push_str(token);
}

/// The function that runs the operations of a type. It exists only if the type is `Send`.
pub(crate) fn runnable(entity: &Type) -> TokenStream {
    let (first, last) = ends(entity);
    let (private, run) = (private(first), Ident::new("RUN", last));
    quote_spanned!(first=> <#entity as #private::RunnableEntity>::#run)
}

impl Passing<'_> {
    /// Whether a parameter at the end may be missing: if the input was stored before the parameter
    /// was added, it is `None`.
    fn is_option(&self) -> bool {
        match self {
            Self::Value(ty) | Self::Reference(ty) => {
                last_name(ty).is_some_and(|name| name == "Option")
            }
            Self::Slice(_) | Self::Str | Self::Path => false,
        }
    }

    /// The type that needs a codec; none for a `&str` or a `&Path`.
    fn stored(&self) -> Option<&Type> {
        match self {
            Self::Value(ty) | Self::Reference(ty) | Self::Slice(ty) => Some(ty),
            Self::Str | Self::Path => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_formatted_like_rustfmt() {
        for ty in [
            "u32",
            "&str",
            "&'static str",
            "&[Order]",
            "[u8; 4]",
            "(String, Option<Vec<shop::Item>>)",
            "HashMap<String, Box<dyn Fn(u8) -> u8 + Send>>",
        ] {
            let parsed: Type = syn::parse_str(ty).unwrap();
            assert_eq!(text(parsed.to_token_stream()), ty);
        }
    }
}
