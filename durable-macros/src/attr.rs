//! The options in an attribute's parentheses.

use proc_macro2::TokenStream;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{LitStr, Path};

use crate::ast::Kind;
use crate::errors::Errors;

const KNOWN: &str = "`name = \"..\"`, `version = \"..\"`, `crate = path`";

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) krate: Option<Path>,
}

impl Options {
    /// Reads the options; what is wrong with them goes to `errors`.
    pub(crate) fn parse(kind: Kind, tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let parser = syn::meta::parser(|meta| options.option(kind, &meta, errors));
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
        options
    }

    fn option(&mut self, kind: Kind, meta: &ParseNestedMeta, errors: &mut Errors) -> syn::Result<()> {
        let path = &meta.path;
        if path.is_ident("name") {
            let value = text(meta, errors)?;
            set(&mut self.name, value, path, errors);
        } else if path.is_ident("version") {
            let value = text(meta, errors)?;
            set(&mut self.version, value, path, errors);
        } else if path.is_ident("crate") {
            let value = meta.value()?.call(Path::parse_mod_style)?;
            set(&mut self.krate, Some(value), path, errors);
        } else {
            let attribute = kind.attribute();
            errors.on(path, format!("unknown option of `#[{attribute}]`; there are {KNOWN}"));
            skip_value(meta)?;
        }
        Ok(())
    }
}

/// A value that must be a string with something in it.
fn text(meta: &ParseNestedMeta, errors: &mut Errors) -> syn::Result<Option<LitStr>> {
    let text: LitStr = meta.value()?.parse()?;
    if text.value().trim().is_empty() {
        errors.on(&text, "must not be empty; leave the option out to take the default");
        return Ok(None);
    }
    Ok(Some(text))
}

fn set<T>(slot: &mut Option<T>, value: Option<T>, path: &Path, errors: &mut Errors) {
    if slot.is_some() {
        errors.on(path, "given twice");
    }
    *slot = value;
}

fn skip_value(meta: &ParseNestedMeta) -> syn::Result<()> {
    if meta.input.peek(syn::Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let inside;
        syn::parenthesized!(inside in meta.input);
        inside.parse::<TokenStream>()?;
    }
    Ok(())
}
