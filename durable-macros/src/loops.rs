//! Loops that never end.

use std::collections::BTreeSet;

use quote::ToTokens;
use syn::{Block, Expr, Item, Macro};

use crate::syntax::find;

/// Whether a loop awaits and never ends.
pub(crate) fn never_ends(body: &Block) -> bool {
    Ways::of(body).is_endless() && !begins_anew(body)
}

/// Whether a `for` loop iterates without end: over `0..`, `repeat(..)`, or an adapter of these. A
/// bound such as `u64::MAX` counts as no end.
pub(crate) fn is_endless(values: &Expr) -> bool {
    /// Methods that keep an endless iterator endless.
    const KEEPING: [&str; 17] = [
        "by_ref",
        "chain",
        "cloned",
        "copied",
        "enumerate",
        "filter",
        "filter_map",
        "flat_map",
        "fuse",
        "inspect",
        "into_iter",
        "map",
        "peekable",
        "rev",
        "skip",
        "skip_while",
        "step_by",
    ];
    let last = |expr: &Expr| match expr {
        Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    };
    match values {
        Expr::Group(inner) => is_endless(&inner.expr),
        Expr::Paren(inner) => is_endless(&inner.expr),
        Expr::Reference(inner) => is_endless(&inner.expr),
        Expr::Range(range) => match &range.end {
            None => true,
            Some(end) => is_out_of_reach(end),
        },
        Expr::Call(call) => {
            last(&call.func).is_some_and(|last| last == "repeat" || last == "repeat_with")
        }
        Expr::MethodCall(call) => {
            call.method == "cycle"
                || KEEPING.iter().any(|method| call.method == method) && is_endless(&call.receiver)
        }
        _ => false,
    }
}

/// Whether a bound is the maximum of its type, which no loop with an await ever reaches.
fn is_out_of_reach(end: &Expr) -> bool {
    const TYPES: [&str; 8] = ["i32", "i64", "i128", "isize", "u32", "u64", "u128", "usize"];
    let Expr::Path(end) = end else { return false };
    let names: Vec<_> = end.path.segments.iter().map(|name| name.ident.to_string()).collect();
    matches!(&names[..], [.., ty, max] if max == "MAX" && TYPES.contains(&ty.as_str()))
}

/// Whether a loop contains `continue_as_new`, in any branch, block or macro. If so, its author has
/// thought of the size of the history.
fn begins_anew(body: &Block) -> bool {
    find("continue_as_new", &body.to_token_stream()).is_some()
}

/// The awaits in the body of a loop, and the ways out of the loop.
#[derive(Default)]
struct Ways {
    awaits: bool,
    leaves: bool,
    /// The number of loops inside the body that surround the current place.
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
