//! The options in an attribute's parentheses.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Expr, ExprLit, Lit, LitStr, Path};

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
        if let Ok(text) = syn::parse2::<LitStr>(tokens.clone()) {
            errors.on(&text, format!("an option has a name; write `name = \"{}\"`", text.value()));
            return options;
        }
        let parser = syn::meta::parser(|meta| options.option(kind, &meta, errors));
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
        options
    }

    fn option(
        &mut self,
        kind: Kind,
        meta: &ParseNestedMeta,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        let path = &meta.path;
        let value = value(meta)?;
        if path.is_ident("name") {
            set(&mut self.name, text("name", path, value, errors), path, errors);
        } else if path.is_ident("version") {
            set(&mut self.version, text("version", path, value, errors), path, errors);
        } else if path.is_ident("crate") {
            set(&mut self.krate, module(path, value, errors), path, errors);
        } else {
            let attribute = kind.attribute();
            errors.on(path, format!("unknown option of `#[{attribute}]`; there are {KNOWN}"));
        }
        Ok(())
    }
}

/// What follows the name of an option, whatever it is, so that one wrong option is one error.
fn value(meta: &ParseNestedMeta) -> syn::Result<Option<Expr>> {
    if meta.input.peek(syn::Token![=]) {
        let mut value: Expr = meta.value()?.parse()?;
        // What a `macro_rules!` passes on stands in an invisible group.
        while let Expr::Group(group) = value {
            value = *group.expr;
        }
        return Ok(Some(value));
    }
    if meta.input.peek(syn::token::Paren) {
        let inside;
        syn::parenthesized!(inside in meta.input);
        inside.parse::<TokenStream>()?;
    }
    Ok(None)
}

/// A value that must be a string with something in it.
fn text(name: &str, path: &Path, value: Option<Expr>, errors: &mut Errors) -> Option<LitStr> {
    match value {
        Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) if text.value().trim().is_empty() => {
            errors.on(&text, format!("`{name}` must not be empty; leave it out for the default"));
        }
        Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => return Some(text),
        Some(other) => errors.on(other, format!("`{name}` is a string; write `{name} = \"..\"`")),
        None => errors.on(path, format!("`{name}` needs a value; write `{name} = \"..\"`")),
    }
    None
}

/// A value that must be the path of a module.
fn module(path: &Path, value: Option<Expr>, errors: &mut Errors) -> Option<Path> {
    match value {
        Some(Expr::Path(value)) if value.qself.is_none() => return Some(value.path),
        Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => {
            errors.on(&text, format!("`crate` is a path; write `crate = {}`", text.value()));
        }
        other => {
            let wrong = other.map_or_else(|| path.to_token_stream(), Expr::into_token_stream);
            errors.on(wrong, "`crate` is a path; write `crate = path::of::durable`");
        }
    }
    None
}

fn set<T>(slot: &mut Option<T>, value: Option<T>, path: &Path, errors: &mut Errors) {
    let Some(value) = value else { return };
    if slot.replace(value).is_some() {
        let name = path.to_token_stream();
        errors.on(path, format!("`{name}` is given twice; keep one"));
    }
}
