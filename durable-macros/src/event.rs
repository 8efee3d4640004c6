//! `#[event]`: a type of data gets the name of the external event that carries it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Attribute, Generics, Ident, Item, LitStr, Path, parse_quote};

use crate::attr::Given;
use crate::errors::Errors;
use crate::paths::Crate;
use crate::syntax::keyword;

const KNOWN: &str = "`name = \"..\"`, `crate = path`";

#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    krate: Option<Path>,
}

impl Options {
    fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        if let Ok(text) = syn::parse2::<LitStr>(tokens.clone()) {
            errors
                .on(&text, format!("an option needs a name; write `name = \"{}\"`", text.value()));
            return options;
        }
        let parser = syn::meta::parser(|meta| options.option(&meta, errors));
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
        options
    }

    fn option(&mut self, meta: &ParseNestedMeta, errors: &mut Errors) -> syn::Result<()> {
        let given = Given::parse(meta)?;
        if given.path.is_ident("name") {
            given.set(&mut self.name, given.text(errors), errors);
        } else if given.path.is_ident("crate") {
            given.set(&mut self.krate, given.module(errors), errors);
        } else {
            errors
                .on(&given.path, format!("unknown option of `#[event]`; the options are {KNOWN}"));
        }
        Ok(())
    }
}

/// Returns the item unchanged, and the code that names the event. A type that breaks a rule still
/// becomes an event, so that its uses cause no further errors.
pub(crate) fn event(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(options, &mut errors);
    let Some((attributes, ident, mut generics)) = parse(item, &mut errors) else {
        let errors = errors.to_compile_errors(&[]);
        return quote!(#errors #item);
    };
    let krate = Crate(options.krate);
    let krate = krate.at(ident.span());
    if !generics.params.is_empty() {
        errors.on(
            &generics,
            "an external event cannot be generic, because its name identifies one type of data; \
             write one type for each, with a name of its own",
        );
        generics.make_where_clause().predicates.push(parse_quote!(Self: #krate::Payload));
    }
    let conditions: Vec<_> = attributes.iter().filter(|it| it.path().is_ident("cfg")).collect();
    let errors = errors.to_compile_errors(&conditions);
    let name = options.name.map_or_else(|| ident.unraw().to_string(), |name| name.value());
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let implementation = quote_spanned! {ident.span()=>
        impl #parameters #krate::ExternalEvent for #ident #arguments #bounds {
            const NAME: &'static str = #name;
        }
    };
    quote!(#errors #item #(#conditions)* #[allow(deprecated)] #implementation)
}

/// Parses the item below the attribute, if it is a type that can be an event.
fn parse(item: &TokenStream, errors: &mut Errors) -> Option<(Vec<Attribute>, Ident, Generics)> {
    match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Struct(item)) => Some((item.attrs, item.ident, item.generics)),
        Ok(Item::Enum(item)) => Some((item.attrs, item.ident, item.generics)),
        Ok(other) => {
            errors.on(
                keyword(&other),
                "`#[event]` can only be applied to a `struct` or an `enum`, the data of the event",
            );
            None
        }
        Err(error) => {
            errors.push(error);
            None
        }
    }
}
