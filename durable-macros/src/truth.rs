//! Conditions that are always met.

use syn::{BinOp, Expr, Lit, Pat, Path, UnOp};

/// Whether a condition is always met, judged by its text. `is_truth` tells whether a constant is
/// `true`.
pub(crate) fn is_true(condition: &Expr, is_truth: &dyn Fn(&Path) -> bool) -> bool {
    match condition {
        Expr::Let(condition) => always_matches(&condition.pat, &condition.expr),
        Expr::Binary(both) if matches!(both.op, BinOp::And(_)) => {
            is_true(&both.left, is_truth) && is_true(&both.right, is_truth)
        }
        Expr::Binary(both) if matches!(both.op, BinOp::Or(_)) => {
            is_true(&both.left, is_truth) || is_true(&both.right, is_truth)
        }
        Expr::Group(inner) => is_true(&inner.expr, is_truth),
        Expr::Paren(inner) => is_true(&inner.expr, is_truth),
        Expr::Path(path) => is_truth(&path.path),
        condition => value(condition) == Some(1),
    }
}

/// The value of an expression of literals; `true` is 1.
fn value(expr: &Expr) -> Option<i128> {
    match expr {
        Expr::Group(inner) => value(&inner.expr),
        Expr::Paren(inner) => value(&inner.expr),
        Expr::Lit(literal) => match &literal.lit {
            Lit::Bool(value) => Some(value.value.into()),
            Lit::Int(value) => value.base10_parse().ok(),
            Lit::Char(value) => Some(u32::from(value.value()).into()),
            _ => None,
        },
        Expr::Unary(unary) => match (unary.op, value(&unary.expr)?) {
            (UnOp::Not(_), value @ 0..=1) => Some(1 - value),
            (UnOp::Neg(_), value) => value.checked_neg(),
            _ => None,
        },
        Expr::Binary(both) => {
            let (left, right) = (value(&both.left)?, value(&both.right)?);
            match both.op {
                BinOp::Eq(_) => Some((left == right).into()),
                BinOp::Ne(_) => Some((left != right).into()),
                BinOp::Lt(_) => Some((left < right).into()),
                BinOp::Le(_) => Some((left <= right).into()),
                BinOp::Gt(_) => Some((left > right).into()),
                BinOp::Ge(_) => Some((left >= right).into()),
                BinOp::Add(_) => left.checked_add(right),
                BinOp::Sub(_) => left.checked_sub(right),
                BinOp::Mul(_) => left.checked_mul(right),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a pattern matches every value, or at least the given one.
fn always_matches(pattern: &Pat, value: &Expr) -> bool {
    match (pattern, value) {
        (Pat::TupleStruct(pattern), Expr::Call(call)) => {
            let (Expr::Path(function), [inner]) =
                (&*call.func, &call.args.iter().collect::<Vec<_>>()[..])
            else {
                return false;
            };
            function.path.get_ident().is_some()
                && function.path.get_ident() == pattern.path.get_ident()
                && pattern.elems.len() == 1
                && pattern.elems.iter().all(|pattern| always_matches(pattern, inner))
        }
        (Pat::Tuple(pattern), _) => pattern.elems.is_empty(),
        (Pat::Wild(_), _) => true,
        // A capitalized name may be a constant or a variant.
        (Pat::Ident(name), _) => {
            name.subpat.is_none() && name.ident.to_string().starts_with(char::is_lowercase)
        }
        (Pat::Paren(inner), _) => always_matches(&inner.pat, value),
        _ => false,
    }
}
