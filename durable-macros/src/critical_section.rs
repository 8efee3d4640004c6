//! Where a critical section is held, judged by the text of a body.
//!
//! It is held from the statement after `let section = ctx.lock_entities(..).await?` to the end of
//! the block, and in the body of an `if let` or the arm of a `match` that takes the section apart.
//! It ends earlier with a statement that moves the section, into `drop` or anything else, because
//! what happens to it then is unknown. The `Result` of a lock holds nothing until a pattern, `?` or
//! a method such as `unwrap` takes the section out of it. In case of doubt, the section counts as
//! not held; the check at run time remains.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Arm, Expr, Local, Macro, Pat, Stmt, parse_quote};

use crate::errors::Errors;
use crate::syntax::{bound, find};

/// The variables that hold a critical section.
#[derive(Clone)]
pub(crate) struct Held(Vec<String>);

/// Variables with the `Result` of a lock, each with the number of `Result`s around the section.
/// They hold no section, because the lock may have failed.
#[derive(Clone, Default)]
pub(crate) struct Locks(BTreeMap<String, usize>);

impl Locks {
    /// The variables after a statement.
    pub(crate) fn after(&self, statement: &Stmt) -> Self {
        let mut locks = self.clone();
        if let Stmt::Local(Local { pat, init, .. }) = statement {
            let names = bound(pat);
            let depth = init.as_ref().and_then(|init| depth(&init.expr, self));
            for name in names {
                match depth.and_then(|depth| depth.checked_sub(taken_off(pat))) {
                    Some(depth @ 1..) => locks.0.insert(name, depth),
                    _ => locks.0.remove(&name),
                };
            }
        }
        locks
    }
}

impl Held {
    /// The critical section that is held after a statement, if the statement begins one.
    pub(crate) fn after(statement: &Stmt, locks: &Locks) -> Option<Self> {
        let Stmt::Local(Local { pat, init: Some(init), .. }) = statement else { return None };
        Self::by(pat, depth(&init.expr, locks)?)
    }

    /// The section that is held if a condition is met.
    pub(crate) fn if_met(condition: &Expr, locks: &Locks) -> Option<Self> {
        match condition {
            Expr::Let(condition) => Self::by(&condition.pat, depth(&condition.expr, locks)?),
            Expr::Binary(both) => {
                Self::if_met(&both.left, locks).or_else(|| Self::if_met(&both.right, locks))
            }
            _ => None,
        }
    }

    /// The section that is held in an arm of a `match` on a value with `depth` `Result`s around it.
    pub(crate) fn in_arm(arm: &Arm, depth: usize) -> Option<Self> {
        Self::by(&arm.pat, depth)
    }

    /// The section that a pattern binds, if it binds the section itself.
    fn by(pattern: &Pat, depth: usize) -> Option<Self> {
        let names = bound(pattern);
        let is_bare = taken_off(pattern) >= depth;
        (is_bare && !names.is_empty() && is_granted(pattern)).then_some(Self(names))
    }

    /// Rejects a loop over the section, which would move it, and replaces it by a loop over its
    /// content.
    pub(crate) fn refuse_iteration(&self, values: &mut Expr, errors: &mut Errors) {
        let place = match &*values {
            Expr::Reference(reference) => &*reference.expr,
            place => place,
        };
        let Expr::Path(name) = place else { return };
        if let Some(name) = name.path.get_ident()
            && self.0.iter().any(|held| name == held)
        {
            errors.on(
                &*values,
                format!(
                    "a critical section is not an iterator; to iterate over a locked `Vec`, write \
                     `{name}.iter_mut()`, which keeps the entities locked"
                ),
            );
            *values = parse_quote!(#name.iter_mut());
        }
    }

    /// Whether a statement moves the section, in any of its branches.
    pub(crate) fn is_given_away(&self, statement: &Stmt) -> bool {
        let mut uses = Uses { names: &self.0, given_away: false };
        uses.visit_stmt(statement);
        uses.given_away
    }
}

/// Rejects a statement that creates a critical section and drops it at once.
pub(crate) fn refuse_unbound(statement: &Stmt, errors: &mut Errors) {
    const MESSAGE: &str = "this critical section is dropped at once, which ends it; give it a \
                           name: `let mut section = ctx.lock_entities(..).await?;`, or `_section` \
                           if nothing is called through it";
    match statement {
        Stmt::Local(Local { pat, init: Some(init), .. })
            if bound(pat).is_empty() && is_made(&init.expr) =>
        {
            errors.on(pat, MESSAGE);
        }
        Stmt::Expr(Expr::Assign(assign), _)
            if matches!(&*assign.left, Expr::Infer(_)) && is_made(&assign.right) =>
        {
            errors.on(&assign.left, MESSAGE);
        }
        Stmt::Expr(expr, Some(_)) if is_made(expr) => {
            errors.on(Method::of(expr), MESSAGE);
        }
        _ => {}
    }
}

/// Whether an expression creates a critical section, or locks entities for one.
fn is_made(expr: &Expr) -> bool {
    is_lock(expr) || depth(expr, &Locks::default()).is_some()
}

/// The number of `Result`s around the critical section that is the value of an expression; `None`
/// if the value contains no section.
pub(crate) fn depth(expr: &Expr, locks: &Locks) -> Option<usize> {
    /// Methods of a `Result` or an `Option` that keep the section inside.
    const KEEPING: [&str; 9] = [
        "context",
        "inspect",
        "inspect_err",
        "map_err",
        "ok",
        "ok_or",
        "ok_or_else",
        "or_else",
        "with_context",
    ];
    /// Methods that take the section out of it.
    const OPENING: [&str; 4] = ["expect", "unwrap", "unwrap_or_else", "unwrap_unchecked"];
    match expr {
        Expr::Await(awaited) => results(&awaited.base),
        Expr::Paren(inner) => depth(&inner.expr, locks),
        Expr::Try(inner) => depth(&inner.expr, locks).map(|depth| depth.saturating_sub(1)),
        Expr::Block(inner) if inner.label.is_none() => match inner.block.stmts.last() {
            Some(Stmt::Expr(last, None)) => depth(last, locks),
            _ => None,
        },
        Expr::MethodCall(call) => {
            let inner = || depth(&call.receiver, locks);
            let is_one_of = |methods: &[&str]| methods.iter().any(|method| call.method == method);
            if is_one_of(&KEEPING) || call.method == "wrap_err" {
                inner()
            } else if is_one_of(&OPENING) {
                inner().map(|depth| depth.saturating_sub(1))
            } else {
                None
            }
        }
        Expr::Match(choice) => {
            let depth = depth(&choice.expr, locks)?;
            choice.arms.iter().find_map(|arm| {
                let names = bound(&arm.pat);
                let Expr::Path(body) = &*arm.body else { return None };
                let is_it =
                    is_granted(&arm.pat) && names.iter().any(|name| body.path.is_ident(name));
                is_it.then(|| depth.saturating_sub(taken_off(&arm.pat)))
            })
        }
        Expr::Path(path) => locks.0.get(&path.path.get_ident()?.to_string()).copied(),
        _ => None,
    }
}

/// Whether an expression is a lock that is not yet awaited, with or without a timeout.
fn is_lock(expr: &Expr) -> bool {
    results(expr).is_some()
}

/// The number of `Result`s around the section of a lock that is not yet awaited.
fn results(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::MethodCall(call) => (call.method == "lock_entities").then_some(1),
        Expr::Paren(inner) => results(&inner.expr),
        Expr::Call(call) => {
            let Expr::Path(function) = &*call.func else { return None };
            let last = function.path.segments.last();
            let is_limit = last.is_some_and(|last| last.ident == "timeout");
            call.args.iter().filter(|_| is_limit).find_map(results).map(|results| results + 1)
        }
        _ => None,
    }
}

/// The number of `Result`s that a pattern removes.
fn taken_off(pattern: &Pat) -> usize {
    match pattern {
        Pat::TupleStruct(pattern) => 1 + pattern.elems.first().map_or(0, taken_off),
        Pat::Paren(inner) => taken_off(&inner.pat),
        Pat::Ident(name) => name.subpat.as_ref().map_or(0, |(_, inner)| taken_off(inner)),
        Pat::Type(typed) => taken_off(&typed.pat),
        _ => 0,
    }
}

/// Whether a pattern may match a section, and not only an error.
fn is_granted(pattern: &Pat) -> bool {
    struct Errs(bool);
    impl Visit<'_> for Errs {
        fn visit_path(&mut self, path: &syn::Path) {
            let last = path.segments.last();
            self.0 |= last.is_some_and(|last| last.ident == "Err" || last.ident == "None");
        }
    }
    let mut errs = Errs(false);
    errs.visit_pat(pattern);
    !errs.0
}

/// The name of the method that locks, at which errors about the lock are reported.
#[derive(Default)]
struct Method(Option<syn::Ident>);

impl Method {
    fn of(expr: &Expr) -> Option<syn::Ident> {
        let mut method = Self::default();
        method.visit_expr(expr);
        method.0
    }
}

impl<'ast> Visit<'ast> for Method {
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.method == "lock_entities" {
            self.0.get_or_insert_with(|| call.method.clone());
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// Looks for uses of a name by itself, which move the value.
struct Uses<'a> {
    names: &'a [String],
    given_away: bool,
}

impl Uses<'_> {
    fn is_named(&self, name: &syn::Ident) -> bool {
        self.names.iter().any(|held| name == held)
    }

    fn is_name(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Path(path) if path.path.get_ident().is_some_and(|it| self.is_named(it)))
    }

    /// Visits an expression before a `.` or after a `&`, where a name by itself moves nothing.
    fn visit_place(&mut self, place: &Expr) {
        match place {
            Expr::Paren(inner) => self.visit_place(&inner.expr),
            place if self.is_name(place) => {}
            place => self.visit_expr(place),
        }
    }

    fn is_given_away_in(&self, tokens: &TokenStream) -> bool {
        let tokens: Vec<_> = tokens.clone().into_iter().collect();
        let is = |token: Option<&TokenTree>, wanted: char| matches!(token, Some(TokenTree::Punct(found)) if found.as_char() == wanted);
        tokens.iter().enumerate().any(|(at, token)| match token {
            TokenTree::Group(group) => self.is_given_away_in(&group.stream()),
            TokenTree::Ident(name) if self.is_named(name) => {
                let before = at.checked_sub(1).and_then(|before| tokens.get(before));
                !is(tokens.get(at + 1), '.') && !is(before, '&')
            }
            _ => false,
        })
    }

    /// A `move` closure or block moves what it captures.
    fn visit_capture(&mut self, moves: bool, body: &impl ToTokens) {
        let body = body.to_token_stream();
        self.given_away |= moves && self.names.iter().any(|name| find(name, &body).is_some());
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::MethodCall(call) => {
                self.visit_place(&call.receiver);
                call.args.iter().for_each(|argument| self.visit_expr(argument));
            }
            Expr::Field(field) => self.visit_place(&field.base),
            Expr::Index(index) => {
                self.visit_place(&index.expr);
                self.visit_expr(&index.index);
            }
            Expr::Reference(reference) => self.visit_place(&reference.expr),
            Expr::Unary(unary) => self.visit_place(&unary.expr),
            _ => {
                self.given_away |= self.is_name(expr);
                visit::visit_expr(self, expr);
            }
        }
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.visit_capture(block.capture.is_some(), &block.block);
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        self.visit_capture(closure.capture.is_some(), &closure.body);
        visit::visit_expr_closure(self, closure);
    }

    /// In a macro, a name does not move only if it is followed by `.` or preceded by `&`.
    fn visit_macro(&mut self, mac: &'ast Macro) {
        self.given_away |= self.is_given_away_in(&mac.tokens);
    }

    fn visit_item(&mut self, _: &'ast syn::Item) {}
}
