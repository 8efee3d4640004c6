//! `#[durable::allow(DURABLE0001, reason = "..")]`: a rule that is broken on purpose, and the
//! reason.

use std::collections::BTreeSet;

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, Item, LitStr, Meta, Stmt, Token};

use crate::errors::Errors;
use crate::rules::{ALL, Rule};

/// The codes that are allowed at a place.
#[derive(Debug, Default)]
pub(crate) struct Allowed(BTreeSet<String>);

impl Allowed {
    pub(crate) fn contains(&self, rule: &Rule) -> bool {
        self.0.contains(rule.code)
    }

    /// Removes the attribute from `attributes`, and reports errors in it to `errors`.
    pub(crate) fn take(attributes: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let mut allowed = Self::default();
        for attribute in attributes.extract_if(.., |attribute| is_allow(attribute)) {
            allowed.add(&attribute, errors);
        }
        allowed
    }

    /// Removes the attribute from where it is not read, and reports it.
    pub(crate) fn refuse(attributes: &mut Vec<Attribute>, errors: &mut Errors) {
        for attribute in attributes.extract_if(.., |attribute| is_allow(attribute)) {
            errors.on(
                &attribute,
                "this has no effect on a part of a statement; write it above the whole statement, \
                 or above the function",
            );
        }
    }

    fn add(&mut self, attribute: &Attribute, errors: &mut Errors) {
        let before = errors.len();
        let mut codes = 0;
        let mut reason: Option<LitStr> = None;
        let mut read = |meta: ParseNestedMeta<'_>| {
            let path = &meta.path;
            if path.is_ident("reason") {
                reason = Some(meta.value()?.parse()?);
            } else if path.is_ident("crate") {
                // Accepted for consistency: this attribute generates no paths.
                meta.value()?.call(syn::Path::parse_mod_style)?;
            } else if let Some(rule) = ALL.iter().find(|rule| path.is_ident(rule.code)) {
                self.0.insert(rule.code.to_owned());
                codes += 1;
            } else if meta.input.peek(Token![=]) {
                meta.value()?.parse::<Expr>()?;
                errors.on(path, "unknown option; besides codes there is only `reason = \"..\"`");
            } else {
                let codes: Vec<_> = ALL.iter().map(|rule| rule.code).collect();
                errors
                    .on(path, format!("no rule has this code; the codes are {}", codes.join(", ")));
            }
            Ok(())
        };
        let what = "this allows nothing; write `#[durable::allow(DURABLE0001, reason = \"..\")]`";
        if let Meta::Path(path) = &attribute.meta {
            errors.on(path, what);
        } else if let Err(error) = attribute.parse_nested_meta(&mut read) {
            let message = "expected codes and a reason, as in `#[durable::allow(DURABLE0001, \
                           reason = \"..\")]`";
            errors.push(syn::Error::new(error.span(), message));
        } else if errors.len() > before {
            // One error is enough.
        } else if codes == 0 {
            errors.on(attribute, what);
        } else if reason.is_none_or(|reason| reason.value().trim().is_empty()) {
            errors.on(
                attribute,
                "a reason is missing; add `reason = \"..\"`, which says why this is safe in a \
                 replay",
            );
        }
    }
}

/// Whether this is `durable::allow`, under any path. The `allow` of the compiler has no path.
fn is_allow(attribute: &Attribute) -> bool {
    let segments = &attribute.path().segments;
    segments.len() > 1 && segments.last().is_some_and(|last| last.ident == "allow")
}

/// The attributes of a statement.
pub(crate) fn attributes(statement: &mut Stmt) -> Option<&mut Vec<Attribute>> {
    match statement {
        Stmt::Local(local) => Some(&mut local.attrs),
        Stmt::Macro(mac) => Some(&mut mac.attrs),
        Stmt::Expr(expr, _) => expression_attributes(expr),
        Stmt::Item(Item::Static(item)) => Some(&mut item.attrs),
        Stmt::Item(Item::Macro(item)) => Some(&mut item.attrs),
        Stmt::Item(_) => None,
    }
}

/// The attributes in front of an expression. They belong to its first operand, as in `#[..] a == b`.
fn expression_attributes(expr: &mut Expr) -> Option<&mut Vec<Attribute>> {
    Some(match expr {
        Expr::Assign(expr) => return expression_attributes(&mut expr.left),
        Expr::Binary(expr) => return expression_attributes(&mut expr.left),
        Expr::Cast(expr) => return expression_attributes(&mut expr.expr),
        Expr::Array(expr) => &mut expr.attrs,
        Expr::Async(expr) => &mut expr.attrs,
        Expr::Await(expr) => &mut expr.attrs,
        Expr::Block(expr) => &mut expr.attrs,
        Expr::Break(expr) => &mut expr.attrs,
        Expr::Call(expr) => &mut expr.attrs,
        Expr::Closure(expr) => &mut expr.attrs,
        Expr::Const(expr) => &mut expr.attrs,
        Expr::Continue(expr) => &mut expr.attrs,
        Expr::Field(expr) => &mut expr.attrs,
        Expr::ForLoop(expr) => &mut expr.attrs,
        Expr::Group(expr) => &mut expr.attrs,
        Expr::If(expr) => &mut expr.attrs,
        Expr::Index(expr) => &mut expr.attrs,
        Expr::Infer(expr) => &mut expr.attrs,
        Expr::Let(expr) => &mut expr.attrs,
        Expr::Lit(expr) => &mut expr.attrs,
        Expr::Loop(expr) => &mut expr.attrs,
        Expr::Macro(expr) => &mut expr.attrs,
        Expr::Match(expr) => &mut expr.attrs,
        Expr::MethodCall(expr) => &mut expr.attrs,
        Expr::Paren(expr) => &mut expr.attrs,
        Expr::Path(expr) => &mut expr.attrs,
        Expr::Range(expr) => &mut expr.attrs,
        Expr::RawAddr(expr) => &mut expr.attrs,
        Expr::Reference(expr) => &mut expr.attrs,
        Expr::Repeat(expr) => &mut expr.attrs,
        Expr::Return(expr) => &mut expr.attrs,
        Expr::Struct(expr) => &mut expr.attrs,
        Expr::Try(expr) => &mut expr.attrs,
        Expr::TryBlock(expr) => &mut expr.attrs,
        Expr::Tuple(expr) => &mut expr.attrs,
        Expr::Unary(expr) => &mut expr.attrs,
        Expr::Unsafe(expr) => &mut expr.attrs,
        Expr::While(expr) => &mut expr.attrs,
        Expr::Yield(expr) => &mut expr.attrs,
        // Expressions without attributes, which the compiler reports or none can have.
        _ => return None,
    })
}
