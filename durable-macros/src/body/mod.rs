//! The body of a function that is replayed: its awaits are checked by type, its names by the rules.
//!
//! Every `E.await` becomes `check(E).await`, where `check` is an identity function with the bound
//! `Durable`, so that awaiting anything else is a compile error at the user's expression. `async`
//! blocks become durable futures, because their awaits are checked too. Functions inside the body
//! are not checked. While a critical section is held (see `critical_section.rs`),
//! `check_in_critical_section` replaces `check`. The rules are applied in `body/refuse.rs`, those
//! for macros in `body/macros.rs`.

mod macros;
mod refuse;

use std::collections::BTreeSet;
use std::rc::Rc;

use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Arm, Attribute, Block, Expr, ExprIf, ExprMacro, ExprMatch, ExprPath, ExprWhile, FnArg, Item,
    ItemFn, Local, Macro, Path, QSelf, Signature, Stmt, StmtMacro, Token, Type,
};

use crate::allow::{self, Allowed};
use crate::critical_section::{self, Held, Locks};
use crate::errors::Errors;
use crate::loops::{is_endless, never_ends};
use crate::paths::Crate;
use crate::rules;
use crate::source;
use crate::syntax::{bound, ends, find};
use crate::table;
use crate::truth::is_true;
use crate::uses::Uses;
use crate::values::Values;

/// Checks and rewrites an `async` function.
pub(crate) fn check_function(item: &mut ItemFn, krate: &Crate, errors: &mut Errors) {
    let ItemFn { attrs, sig, block, .. } = item;
    check(attrs, sig, block, krate, errors);
}

/// Checks the parts of a function. If it is `async`, its awaits are rewritten.
pub(crate) fn check(
    attributes: &mut Vec<Attribute>,
    signature: &mut Signature,
    block: &mut Block,
    krate: &Crate,
    errors: &mut Errors,
) {
    let allowed = Allowed::take(attributes, errors);
    let uses = source::around(&signature.ident, block);
    let values = Values::of(signature, block, &uses);
    let is_async = signature.asyncness.is_some();
    let allowed = vec![allowed];
    let tainted = BTreeSet::new();
    let mut body = Body {
        krate,
        errors,
        uses,
        values,
        allowed,
        is_async,
        held: None,
        locks: Locks::default(),
        reported: BTreeSet::new(),
        refused: 0,
        blind: false,
        tainted,
    };
    for input in &mut signature.inputs {
        let before = body.refused;
        body.visit_fn_arg_mut(input);
        if let FnArg::Typed(typed) = input
            && body.refused > before
        {
            body.tainted.extend(bound(&typed.pat));
        }
    }
    body.visit_return_type_mut(&mut signature.output);
    body.visit_block_mut(block);
}

/// Checks and rewrites a body.
struct Body<'a> {
    krate: &'a Crate,
    errors: &'a mut Errors,
    uses: Rc<Uses>,
    values: Values,
    allowed: Vec<Allowed>,
    /// Whether the function is `async`, so that awaits are checked.
    is_async: bool,
    /// The critical section that is held here.
    held: Option<Held>,
    /// Variables with the result of a lock, which may contain a critical section.
    locks: Locks,
    /// The rejected entries of the table that are reported only once.
    reported: BTreeSet<&'static str>,
    /// The number of errors so far.
    refused: usize,
    /// Whether an `async` closure was rejected, so that awaits of it are not reported again.
    blind: bool,
    /// Variables that were computed from something rejected, so that awaits of them are not
    /// reported again.
    tainted: BTreeSet<String>,
}

impl Body<'_> {
    /// Runs `visit` with the rules that a statement's own attributes allow.
    fn allowing(&mut self, allowed: Allowed, visit: impl FnOnce(&mut Self)) {
        self.allowed.push(allowed);
        visit(self);
        self.allowed.pop();
    }

    fn check_method(&mut self, call: &syn::ExprMethodCall) {
        let has = |methods: &[&str]| methods.iter().any(|method| call.method == method);
        let always = table::METHODS.iter().find(|(_, methods)| has(methods)).map(|(rule, _)| *rule);
        let of_type = || {
            let (rule, types, _) = table::METHODS_OF.iter().find(|(_, _, methods)| has(methods))?;
            let known = Some(&call.receiver).filter(|value| !self.is_tainted(value))?;
            let ty = self.values.type_of(known, &self.uses)?;
            types.contains(&ty.as_str()).then_some(*rule)
        };
        if let Some(rule) = always.or_else(of_type) {
            self.refuse(&call.method, &format!("`.{}()`", call.method), rule);
        } else if let Expr::Path(receiver) = &*call.receiver
            && receiver.path.is_ident("self")
        {
            let path = self.uses.without_self(vec!["Self".to_owned(), call.method.to_string()]);
            if let Some(body) = self.uses.body(&path) {
                self.check_reached(&call.method, &path.join("::"), body);
            }
        }
    }

    /// Whether an expression uses a tainted variable.
    fn is_tainted(&self, tokens: &impl ToTokens) -> bool {
        let tokens = tokens.to_token_stream();
        !self.tainted.is_empty() && self.tainted.iter().any(|name| find(name, &tokens).is_some())
    }

    fn is_true(&self, condition: &Expr) -> bool {
        is_true(condition, &|path| self.uses.is_truth(path))
    }

    fn check_loop(&mut self, token: impl ToTokens, body: &Block) {
        if self.is_async && never_ends(body) {
            self.refuse(token, "a loop that awaits and never ends", &rules::ENDLESS);
        }
    }

    /// Runs `visit` with this critical section held, if any, or the one that was held before.
    fn holding(&mut self, held: Option<Held>, visit: impl FnOnce(&mut Self)) {
        let before = self.held.clone();
        self.held = held.or(self.held.take());
        visit(self);
        self.held = before;
    }

    fn rewrite(&self, expr: &mut Expr) {
        match expr {
            Expr::Await(awaited) => {
                let mut base = &*awaited.base;
                while let Expr::Paren(paren) = base {
                    base = &paren.expr;
                }
                let (first, _) = ends(base);
                let krate = self.krate.at(first);
                let check = match self.held {
                    None => quote_spanned!(first=> #krate::__private_0_1::check),
                    Some(_) => {
                        quote_spanned!(first=> #krate::__private_0_1::check_in_critical_section)
                    }
                };
                let (attrs, dot, token) =
                    (&awaited.attrs, &awaited.dot_token, &awaited.await_token);
                let base = quote_spanned!(base.span()=> (#base));
                *expr = Expr::Verbatim(quote!(#(#attrs)* #check #base #dot #token));
            }
            Expr::Async(block) => {
                let span = block.async_token.span;
                let krate = self.krate.at(span);
                let durable = quote_spanned!(span=> #krate::__private_0_1::durable_block);
                *expr = Expr::Verbatim(quote!(#durable(#block)));
            }
            _ => {}
        }
    }
}

impl VisitMut for Body<'_> {
    fn visit_block_mut(&mut self, block: &mut Block) {
        let inner = self.uses.with(&Uses::of_block(block));
        let outer = std::mem::replace(&mut self.uses, inner);
        let before = self.refused;
        let locks = self.locks.clone();
        self.holding(None, |body| visit_mut::visit_block_mut(body, block));
        self.locks = locks;
        self.uses = outer;
        // A `while` has no value, but a `loop` may have any, which avoids a second error about the
        // type.
        if self.refused > before
            && let Some(Stmt::Expr(last, None)) = block.stmts.last_mut()
            && let Expr::While(ExprWhile { attrs, label, cond, while_token, body }) = last
            && self.is_true(cond)
        {
            let token = Token![loop](while_token.span);
            *last = Expr::Verbatim(quote!(#(#attrs)* #label #token #body));
        }
    }

    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        let allowed = match allow::attributes(statement) {
            Some(attributes) => Allowed::take(attributes, self.errors),
            None => Allowed::default(),
        };
        let made = match statement {
            Stmt::Local(Local { pat, init: Some(init), .. }) => {
                Some((bound(pat), self.is_tainted(&init.expr)))
            }
            _ => None,
        };
        let begins = Held::after(statement, &self.locks);
        let locks = self.locks.after(statement);
        let ends = self.held.as_ref().is_some_and(|held| held.is_given_away(statement));
        if self.is_async {
            critical_section::refuse_unbound(statement, self.errors);
        }
        let before = self.refused;
        self.allowing(allowed, |body| {
            visit_mut::visit_stmt_mut(body, statement);
            if let Stmt::Macro(StmtMacro { attrs, mac, .. }) = statement
                && let Some(silent) = body.silence(attrs, mac)
            {
                *statement = Stmt::Expr(Expr::Verbatim(silent), None);
            }
        });
        if begins.is_some() || ends {
            self.held = begins;
        }
        self.locks = locks;
        if let Some((names, is_tainted)) = made
            && (is_tainted || self.refused > before)
        {
            self.tainted.extend(names);
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Loop(endless) => {
                let token = endless.loop_token;
                self.check_loop(token, &endless.body);
            }
            Expr::While(endless) if self.is_true(&endless.cond) => {
                let token = endless.while_token;
                self.check_loop(token, &endless.body);
            }
            Expr::ForLoop(repeated) => {
                if is_endless(&repeated.expr) {
                    self.check_loop(repeated.for_token, &repeated.body);
                }
                if let Some(held) = &self.held {
                    held.refuse_iteration(&mut repeated.expr, self.errors);
                }
            }
            Expr::MethodCall(call) => self.check_method(call),
            Expr::Closure(closure) => {
                if let Some(token) = closure.asyncness {
                    self.refuse(token, "an `async` closure", &rules::ASYNC_CLOSURE);
                    self.blind = true;
                }
            }
            _ => {}
        }
        let before = self.refused;
        let is_tainted = matches!(expr, Expr::Await(_)) && self.is_tainted(expr);
        visit_mut::visit_expr_mut(self, expr);
        // What was already rejected is not also reported for its type.
        let is_refused = self.blind || is_tainted || self.refused > before;
        if let Expr::Macro(ExprMacro { attrs, mac }) = expr
            && let Some(path) = self.resolve_macro(&mac.path).filter(|path| path.len() > 1)
        {
            if let Some(silent) = self.silence(attrs, mac) {
                *expr = Expr::Verbatim(silent);
            } else if is_refused && path[0].starts_with("futures") {
                self.make_ours(&path, expr);
            }
        }
        if self.is_async && !(matches!(expr, Expr::Await(_)) && is_refused) {
            self.rewrite(expr);
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        let allowed = Allowed::take(&mut arm.attrs, self.errors);
        self.allowing(allowed, |body| visit_mut::visit_arm_mut(body, arm));
    }

    fn visit_expr_match_mut(&mut self, choice: &mut ExprMatch) {
        let depth = critical_section::depth(&choice.expr, &self.locks);
        self.visit_expr_mut(&mut choice.expr);
        for arm in &mut choice.arms {
            let held = depth.and_then(|depth| Held::in_arm(arm, depth));
            self.holding(held, |body| body.visit_arm_mut(arm));
        }
    }

    fn visit_expr_if_mut(&mut self, choice: &mut ExprIf) {
        let held = Held::if_met(&choice.cond, &self.locks);
        self.visit_expr_mut(&mut choice.cond);
        self.holding(held, |body| body.visit_block_mut(&mut choice.then_branch));
        if let Some((_, other)) = &mut choice.else_branch {
            self.visit_expr_mut(other);
        }
    }

    fn visit_expr_while_mut(&mut self, repeated: &mut ExprWhile) {
        let held = Held::if_met(&repeated.cond, &self.locks);
        self.visit_expr_mut(&mut repeated.cond);
        self.holding(held, |body| body.visit_block_mut(&mut repeated.body));
    }

    fn visit_path_mut(&mut self, path: &mut Path) {
        self.check_path(path);
        visit_mut::visit_path_mut(self, path);
    }

    fn visit_expr_path_mut(&mut self, expr: &mut ExprPath) {
        let before = self.refused;
        visit_mut::visit_expr_path_mut(self, expr);
        // `<T>::f` is `T::f`.
        if let Some(QSelf { ty, position, .. }) = &expr.qself
            && let Type::Path(ty) = &**ty
            && self.refused == before
        {
            let rest = expr.path.segments.iter().skip(*position).cloned();
            let segments = ty.path.segments.iter().cloned().chain(rest).collect();
            self.check_path(&Path { leading_colon: None, segments });
        }
    }

    fn visit_macro_mut(&mut self, mac: &mut Macro) {
        self.check_macro(mac);
    }

    fn visit_item_mut(&mut self, item: &mut Item) {
        match item {
            Item::Static(item) => self.refuse(item.static_token, "a `static`", &rules::SHARED),
            Item::Macro(item) if item.ident.is_none() => self.check_macro(&mut item.mac),
            _ => {}
        }
    }

    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        // Those of statements, match arms and the function are already taken.
        Allowed::refuse(attributes, self.errors);
    }
}
