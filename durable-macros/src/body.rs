//! The body of a function that is replayed: its awaits checked by type, its rules by name.
//!
//! Every `E.await` becomes `check(E).await`, where `check` gives back what it is given and is bounded
//! by `Durable`: so awaiting anything else is an error of the compiler, on the user's expression.
//! `async` blocks become durable futures, since their awaits are checked too. Functions inside of the
//! body are not looked into: they have a body of their own.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Arm, Attribute, Block, Expr, Item, ItemFn, Macro, Path, Signature, Stmt, StmtMacro, Token,
};

use crate::allow::{self, Allowed};
use crate::errors::Errors;
use crate::expand::ends;
use crate::paths::Crate;
use crate::rules::{self, Rule};
use crate::uses::Uses;

/// Checks and rewrites an `async` function: its parameters by the rules, its body altogether.
pub(crate) fn check_function(item: &mut ItemFn, krate: &Crate, errors: &mut Errors) {
    let ItemFn { attrs, sig, block, .. } = item;
    check(attrs, sig, block, krate, errors);
}

/// Checks the parts of a function. If it is `async`, its awaits are checked and rewritten.
pub(crate) fn check(
    attributes: &mut Vec<Attribute>,
    signature: &mut Signature,
    block: &mut Block,
    krate: &Crate,
    errors: &mut Errors,
) {
    let allowed = Allowed::take(attributes, errors);
    let uses = Uses::around(&signature.ident);
    let is_async = signature.asyncness.is_some();
    let allowed = vec![allowed];
    let mut body = Body { krate, errors, uses, allowed, is_async, refused: 0, blind: false };
    for input in &mut signature.inputs {
        body.visit_fn_arg_mut(input);
    }
    body.visit_block_mut(block);
}

/// Checks and rewrites a body.
struct Body<'a> {
    krate: &'a Crate,
    errors: &'a mut Errors,
    uses: Uses,
    allowed: Vec<Allowed>,
    /// Whether awaits are looked at: a function that is not `async` has none.
    is_async: bool,
    /// How much was refused so far.
    refused: usize,
    /// Whether an `async` closure was refused: what awaits it is not told the same again.
    blind: bool,
}

impl Body<'_> {
    fn refuse(&mut self, tokens: impl ToTokens, what: &str, rule: &Rule) {
        if self.allowed.iter().any(|allowed| allowed.contains(rule)) {
            return;
        }
        let Rule { code, why, instead } = rule;
        self.refused += 1;
        self.errors.on(
            tokens,
            format!("{code}: {what} does not belong in a function that is replayed\n  why: {why}\n  write: {instead}"),
        );
    }

    /// Runs `visit` with what a statement's own attributes allow.
    fn allowing(&mut self, allowed: Allowed, visit: impl FnOnce(&mut Self)) {
        self.allowed.push(allowed);
        visit(self);
        self.allowed.pop();
    }

    fn check_path(&mut self, path: &Path) {
        if self.uses.is_static(path) {
            let name = path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
            self.refuse(path, &format!("`{name}`, a `static`,"), &rules::SHARED);
            return;
        }
        let Some(resolved) = self.uses.resolve(path) else { return };
        let breaks = |entry: &&str| breaks(&resolved, entry);
        let broken = rules::PATHS.iter().find(|(_, entries)| entries.iter().any(breaks));
        if let Some((rule, _)) = broken {
            let written = path.segments.iter().map(|segment| segment.ident.to_string());
            let written = written.collect::<Vec<_>>().join("::");
            let full = resolved.join("::");
            let what = if full.ends_with(&written) {
                format!("`{written}`")
            } else {
                format!("`{written}` (`{full}`)")
            };
            self.refuse(path, &what, rule);
        }
    }

    fn check_macro(&mut self, mac: &mut Macro) {
        let resolved = self.resolve_macro(&mac.path);
        let written = mac.path.segments.last().map(|last| last.ident.to_string());
        let name = match &resolved {
            Some(path) => path.last().cloned().unwrap_or_default(),
            None => written.unwrap_or_default(),
        };
        let is_durables = resolved.as_ref().is_some_and(|path| path[0] == "durable");
        let broken = rules::MACROS.iter().find(|(_, names)| names.contains(&name.as_str()));
        match broken {
            Some((rule, _)) if resolved.is_some() && !is_durables => {
                let what = match mac.path.segments.last() {
                    Some(last) if last.ident != name => format!("`{}!` (`{name}!`)", last.ident),
                    _ => format!("`{name}!`"),
                };
                self.refuse(&mac.path, &what, rule);
            }
            _ => self.look_into(mac, &name),
        }
    }

    /// The path of a macro in full; none if it is the user's own.
    fn resolve_macro(&self, path: &Path) -> Option<Vec<String>> {
        self.uses.resolve(path).filter(|_| !self.uses.is_own_macro(path))
    }

    /// Checks the arguments of a macro, if they are expressions; else there must be no await.
    fn look_into(&mut self, mac: &mut Macro, name: &str) {
        let hidden = find("await", &mac.tokens).filter(|_| self.is_async);
        let is_lazy = rules::LOGS.contains(&name) || rules::LAZY.contains(&name);
        let is_read = rules::EXPRESSIONS.contains(&name) && !(is_lazy && hidden.is_some());
        if let Some(mut arguments) = is_read.then(|| arguments(&mac.tokens)).flatten() {
            for (argument, _) in &mut arguments {
                self.visit_expr_mut(argument);
            }
            mac.tokens = arguments.iter().map(|(argument, end)| quote!(#argument #end)).collect();
            return;
        }
        if let Some(span) = hidden {
            let at = quote_spanned!(span=> await);
            self.refuse(at, &format!("an `.await` in `{name}!`"), &rules::HIDDEN_AWAIT);
        }
    }

    /// A log line of a replay was written before, so it is not written again.
    fn silence(&self, mac: &Macro) -> Option<TokenStream> {
        let path = self.resolve_macro(&mac.path)?;
        let name = path.last()?;
        let is_known = path.len() == 1 || ["tracing", "log"].contains(&path[0].as_str());
        let krate = self.krate;
        (self.is_async && is_known && rules::LOGS.contains(&name.as_str()))
            .then(|| quote!(if !#krate::__private::is_replaying() { #mac; }))
    }

    fn check_loop(&mut self, token: impl ToTokens, body: &Block) {
        if self.is_async && Ways::of(body).is_endless() && !begins_anew(body) {
            self.refuse(token, "a `loop` that awaits and never ends", &rules::ENDLESS);
        }
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
                let check = quote_spanned!(first=> #krate::__private::check);
                let (attrs, dot, token) =
                    (&awaited.attrs, &awaited.dot_token, &awaited.await_token);
                let base = quote_spanned!(base.span()=> (#base));
                *expr = Expr::Verbatim(quote!(#(#attrs)* #check #base #dot #token));
            }
            Expr::Async(block) => {
                let span = block.async_token.span;
                let krate = self.krate.at(span);
                let durable = quote_spanned!(span=> #krate::__private::durable_block);
                *expr = Expr::Verbatim(quote!(#durable(#block)));
            }
            _ => {}
        }
    }
}

impl VisitMut for Body<'_> {
    fn visit_block_mut(&mut self, block: &mut Block) {
        let inner = Uses::of_block(block);
        let outer = self.uses.clone();
        self.uses.extend(&inner);
        visit_mut::visit_block_mut(self, block);
        self.uses = outer;
    }

    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        let allowed = match allow::attributes(statement) {
            Some(attributes) => Allowed::take(attributes, self.errors),
            None => Allowed::default(),
        };
        self.allowing(allowed, |body| {
            visit_mut::visit_stmt_mut(body, statement);
            if let Stmt::Macro(StmtMacro { mac, .. }) = statement
                && let Some(silent) = body.silence(mac)
            {
                *statement = Stmt::Expr(Expr::Verbatim(silent), None);
            }
        });
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Loop(endless) => {
                let token = endless.loop_token;
                self.check_loop(token, &endless.body);
            }
            Expr::While(endless) if is_true(&endless.cond) => {
                let token = endless.while_token;
                self.check_loop(token, &endless.body);
            }
            Expr::Closure(closure) => {
                if let Some(token) = closure.asyncness {
                    self.refuse(token, "an `async` closure", &rules::ASYNC_CLOSURE);
                    self.blind = true;
                }
            }
            _ => {}
        }
        let before = self.refused;
        visit_mut::visit_expr_mut(self, expr);
        // What was refused already is not refused again for its type.
        let is_refused = self.blind || self.refused > before;
        if self.is_async && !(matches!(expr, Expr::Await(_)) && is_refused) {
            self.rewrite(expr);
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        let allowed = Allowed::take(&mut arm.attrs, self.errors);
        self.allowing(allowed, |body| visit_mut::visit_arm_mut(body, arm));
    }

    fn visit_path_mut(&mut self, path: &mut Path) {
        self.check_path(path);
        visit_mut::visit_path_mut(self, path);
    }

    fn visit_macro_mut(&mut self, mac: &mut Macro) {
        self.check_macro(mac);
    }

    fn visit_item_mut(&mut self, item: &mut Item) {
        match item {
            Item::Static(item) => self.refuse(item.static_token, "a `static`", &rules::SHARED),
            Item::Macro(item) => self.check_macro(&mut item.mac),
            _ => {}
        }
    }

    fn visit_attribute_mut(&mut self, _: &mut syn::Attribute) {}
}

/// Whether a resolved path meets an entry of the table.
fn breaks(path: &[String], entry: &str) -> bool {
    match entry.strip_prefix("::") {
        Some(inside) => {
            let inside: Vec<_> = inside.split("::").collect();
            // What follows a type is its variant or function, and no type.
            let follows_type = |at: usize| at > 0 && path[at - 1].starts_with(char::is_uppercase);
            let mut windows = path.windows(inside.len()).enumerate();
            windows.any(|(at, window)| window == inside && !follows_type(at))
        }
        None => {
            let start: Vec<_> = entry.split("::").collect();
            // A module alone is not used; a variable may have its name.
            let is_module = start.last().is_some_and(|last| rules::MODULES.contains(last));
            let least = if start.len() == 1 || is_module { start.len() + 1 } else { start.len() };
            path.len() >= least && path[..start.len()] == start[..]
        }
    }
}

/// The arguments of a macro with what ends each, if they are expressions; `vec![0; 5]` has two.
fn arguments(tokens: &TokenStream) -> Option<Vec<(Expr, Option<TokenTree>)>> {
    let separated = Punctuated::<Expr, Token![,]>::parse_terminated;
    if let Ok(arguments) = separated.parse2(tokens.clone()) {
        let end = |comma: Option<Token![,]>| {
            comma.and_then(|comma| comma.into_token_stream().into_iter().next())
        };
        let pairs = arguments.into_pairs().map(syn::punctuated::Pair::into_tuple);
        return Some(pairs.map(|(argument, comma)| (argument, end(comma))).collect());
    }
    let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(end) if end.as_char() == ';');
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let (element, rest) = tokens.split_at(tokens.iter().position(is_end)?);
    let parse = |part: &[TokenTree]| syn::parse2(part.iter().cloned().collect()).ok();
    Some(vec![(parse(element)?, rest.first().cloned()), (parse(&rest[1..])?, None)])
}

/// Where `name` is, if it is there.
fn find(name: &str, tokens: &TokenStream) -> Option<Span> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == name => Some(ident.span()),
        TokenTree::Group(group) => find(name, &group.stream()),
        _ => None,
    })
}

fn is_true(condition: &Expr) -> bool {
    let Expr::Lit(literal) = condition else { return false };
    matches!(&literal.lit, syn::Lit::Bool(value) if value.value)
}

/// Whether a loop leaves its history behind. In which branch, part or macro does not matter: whoever
/// names it has thought of it.
fn begins_anew(body: &Block) -> bool {
    find("continue_as_new", &body.to_token_stream()).is_some()
}

/// What a loop's body has in it.
#[derive(Default)]
struct Ways {
    awaits: bool,
    leaves: bool,
    /// Loops around the place that is looked at, within the body.
    depth: usize,
    labels: BTreeSet<String>,
}

impl Ways {
    fn of(body: &Block) -> Self {
        let mut ways = Self::default();
        syn::visit::Visit::visit_block(&mut ways, body);
        ways
    }

    fn is_endless(&self) -> bool {
        self.awaits && !self.leaves
    }

    fn inside(&mut self, label: Option<&syn::Label>, visit: impl FnOnce(&mut Self)) {
        let label = label.map(|label| label.name.ident.to_string());
        let fresh = label.as_ref().is_some_and(|label| self.labels.insert(label.clone()));
        self.depth += 1;
        visit(self);
        self.depth -= 1;
        if let Some(label) = label.filter(|_| fresh) {
            self.labels.remove(&label);
        }
    }
}

impl<'ast> syn::visit::Visit<'ast> for Ways {
    fn visit_expr_await(&mut self, awaited: &'ast syn::ExprAwait) {
        self.awaits = true;
        syn::visit::visit_expr_await(self, awaited);
    }

    fn visit_expr_return(&mut self, _: &'ast syn::ExprReturn) {
        self.leaves = true;
    }

    fn visit_expr_break(&mut self, leaves: &'ast syn::ExprBreak) {
        self.leaves |= match &leaves.label {
            Some(label) => !self.labels.contains(&label.ident.to_string()),
            None => self.depth == 0,
        };
    }

    fn visit_expr_loop(&mut self, inner: &'ast syn::ExprLoop) {
        self.inside(inner.label.as_ref(), |ways| syn::visit::visit_expr_loop(ways, inner));
    }

    fn visit_expr_while(&mut self, inner: &'ast syn::ExprWhile) {
        self.inside(inner.label.as_ref(), |ways| syn::visit::visit_expr_while(ways, inner));
    }

    fn visit_expr_for_loop(&mut self, inner: &'ast syn::ExprForLoop) {
        self.inside(inner.label.as_ref(), |ways| syn::visit::visit_expr_for_loop(ways, inner));
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        self.awaits |= find("await", &mac.tokens).is_some();
    }

    fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}

    fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}

    fn visit_item(&mut self, _: &'ast Item) {}
}
