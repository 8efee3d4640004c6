//! One option as it is written, and its value as the type that the option needs.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::meta::ParseNestedMeta;
use syn::{Expr, ExprLit, Lit, LitStr, Path, UnOp};

use super::duration::{self, Wrong};
use crate::errors::Errors;

/// An option: its name, and what follows it.
pub(crate) struct Given {
    pub(crate) path: Path,
    pub(super) name: String,
    pub(super) value: Value,
}

/// What follows the name of an option. Anything is accepted, so that one wrong option is one error.
pub(super) enum Value {
    Nothing,
    Is(Expr),
    List(TokenStream),
}

impl Given {
    pub(crate) fn parse(meta: &ParseNestedMeta) -> syn::Result<Self> {
        let path = meta.path.clone();
        let name = path.get_ident().map(ToString::to_string).unwrap_or_default();
        Ok(Self { path, name, value: Value::parse(meta)? })
    }

    /// The tokens at which a wrong value is reported: the value, or the name if there is no value.
    pub(super) fn wrong(&self) -> TokenStream {
        match &self.value {
            Value::Is(value) => value.to_token_stream(),
            Value::Nothing | Value::List(_) => self.path.to_token_stream(),
        }
    }

    /// Stores the value, which may be given only once.
    pub(crate) fn set<T>(&self, slot: &mut Option<T>, value: Option<T>, errors: &mut Errors) {
        let Some(value) = value else { return };
        if slot.replace(value).is_some() {
            errors.on(&self.path, format!("`{}` is given twice; remove one", self.name));
        }
    }

    fn expr(&self) -> Option<&Expr> {
        match &self.value {
            Value::Is(value) => Some(value),
            Value::Nothing | Value::List(_) => None,
        }
    }

    /// Checks that it is a name without a value, in the parentheses of `attribute`.
    pub(super) fn check_flag(&self, attribute: &str, errors: &mut Errors) {
        let name = &self.name;
        if !matches!(self.value, Value::Nothing) {
            let message = format!("`{name}` has no value; write `#[{attribute}({name})]`");
            errors.on(self.wrong(), message);
        }
    }

    /// A string that is not blank.
    pub(crate) fn text(&self, errors: &mut Errors) -> Option<LitStr> {
        let name = &self.name;
        let message = match self.expr() {
            Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => {
                if !text.value().trim().is_empty() {
                    return Some(text.clone());
                }
                format!("`{name}` must not be empty; remove it for the default")
            }
            Some(_) => format!("`{name}` must be a string; write `{name} = \"..\"`"),
            None => format!("`{name}` needs a value; write `{name} = \"..\"`"),
        };
        errors.on(self.wrong(), message);
        None
    }

    /// The path of a module.
    pub(crate) fn module(&self, errors: &mut Errors) -> Option<Path> {
        let instead = match self.expr() {
            Some(Expr::Path(value)) if value.qself.is_none() => return Some(value.path.clone()),
            Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => text.value(),
            _ => "path::of::durable".to_owned(),
        };
        errors.on(self.wrong(), format!("`crate` must be a path; write `crate = {instead}`"));
        None
    }

    /// The path of a function.
    pub(crate) fn function(&self, errors: &mut Errors) -> Option<Path> {
        let name = &self.name;
        let instead = match self.expr() {
            Some(Expr::Path(value)) if value.qself.is_none() => return Some(value.path.clone()),
            Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => text.value(),
            Some(Expr::Call(call)) => call.func.to_token_stream().to_string().replace(' ', ""),
            _ => "path::of::function".to_owned(),
        };
        let message = format!(
            "`{name}` must be the path of a function; write `{name} = \
                               {instead}`"
        );
        errors.on(self.wrong(), message);
        None
    }

    /// A duration.
    pub(super) fn time(&self, example: &str, errors: &mut Errors) -> Option<Duration> {
        let name = &self.name;
        let Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) = self.expr() else {
            let example = match self.expr() {
                Some(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) => {
                    format!("{}s", number.base10_digits())
                }
                _ => example.to_owned(),
            };
            errors.on(
                self.wrong(),
                format!(
                    "`{name}` must be a duration with a unit, as a string; write `{name} = \
                     \"{example}\"`"
                ),
            );
            return None;
        };
        let written = text.value();
        let message = match duration::parse(&written) {
            Ok(time) => return Some(time),
            Err(Wrong::NotATime) => {
                format!(
                    "`{written:?}` is not a duration; write a number with a unit, such as \
                     `\"{example}\"`"
                )
            }
            Err(Wrong::NoUnit) => format!(
                "`{written:?}` has no unit; write `ms`, `s`, `m`, `h` or `d` after each number, \
                 such as `\"{example}\"`"
            ),
            Err(Wrong::UnknownUnit(unit)) => format!(
                "`{unit}` is not a known unit; write `ms`, `s`, `m`, `h` or `d` directly after \
                 the number, such as `\"{example}\"`"
            ),
            Err(Wrong::Zero) => {
                format!("`{name}` must be longer than zero; write, for example, `\"{example}\"`")
            }
            Err(Wrong::TooLong) => format!(
                "`{written:?}` is too long to be represented; write a shorter duration, such as \
                 `\"{example}\"`"
            ),
        };
        errors.on(text, message);
        None
    }

    /// A whole number of at least 1; `why` explains why it cannot be 0.
    pub(super) fn whole(&self, example: &str, why: &str, errors: &mut Errors) -> Option<u32> {
        if let Some(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) = self.expr()
            && let Ok(number @ 1..) = number.base10_parse()
        {
            return Some(number);
        }
        let name = &self.name;
        errors.on(
            self.wrong(),
            format!(
                "`{name}` must be a whole number of at least 1, because {why}; write `{name} = \
                 {example}`"
            ),
        );
        None
    }

    /// A number with or without decimals.
    pub(super) fn number(&self, example: &str, errors: &mut Errors) -> Option<f64> {
        let (digits, sign) = match self.expr() {
            Some(Expr::Unary(minus)) if matches!(minus.op, UnOp::Neg(_)) => {
                (Some(&*minus.expr), -1.0)
            }
            value => (value, 1.0),
        };
        let number: Option<f64> = match digits {
            Some(Expr::Lit(ExprLit { lit: Lit::Float(number), .. })) => number.base10_parse().ok(),
            Some(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) => number.base10_parse().ok(),
            _ => None,
        };
        if number.is_none() {
            let name = &self.name;
            errors.on(
                self.wrong(),
                format!(
                    "`{name}` must be a number; write `{name} = \
                                             {example}`"
                ),
            );
        }
        number.map(|number| sign * number)
    }
}

impl Value {
    fn parse(meta: &ParseNestedMeta) -> syn::Result<Self> {
        if meta.input.peek(syn::Token![=]) {
            let mut value: Expr = meta.value()?.parse()?;
            // A fragment of a `macro_rules!` macro comes in an invisible group.
            while let Expr::Group(group) = value {
                value = *group.expr;
            }
            return Ok(Self::Is(value));
        }
        if meta.input.peek(syn::token::Paren) {
            let inside;
            syn::parenthesized!(inside in meta.input);
            return Ok(Self::List(inside.parse()?));
        }
        Ok(Self::Nothing)
    }
}
