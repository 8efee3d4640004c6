//! The types of a function's variables, judged by its tokens.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Block, Expr, Local, Pat, PatIdent, PatType, Signature, Type};

use crate::table;
use crate::uses::Uses;

/// The variables of a function.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// All names that are bound anywhere in the function.
    bound: BTreeSet<String>,
    /// Their types, where these are written: the last name, unless the user defines the type.
    types: BTreeMap<String, String>,
}

impl Values {
    pub(crate) fn of(signature: &Signature, block: &Block, uses: &Uses) -> Self {
        let mut search = Search { values: Self::default(), uses };
        signature.inputs.iter().for_each(|input| search.visit_fn_arg(input));
        search.visit_block(block);
        search.values
    }

    pub(crate) fn is_bound(&self, name: &str) -> bool {
        self.bound.contains(name)
    }

    /// The last name of a value's type, or of the constant that it is.
    pub(crate) fn type_of(&self, value: &Expr, uses: &Uses) -> Option<String> {
        // Methods that return the same type.
        const SAME: [&str; 8] = [
            "as_path",
            "as_ref",
            "clone",
            "join",
            "to_owned",
            "to_path_buf",
            "with_extension",
            "with_file_name",
        ];
        match value {
            Expr::Paren(inner) => self.type_of(&inner.expr, uses),
            Expr::Reference(inner) => self.type_of(&inner.expr, uses),
            Expr::Unary(inner) => self.type_of(&inner.expr, uses),
            Expr::MethodCall(call) if SAME.iter().any(|same| call.method == same) => {
                self.type_of(&call.receiver, uses)
            }
            Expr::Call(call) => {
                let Expr::Path(function) = &*call.func else { return None };
                let mut path = uses.resolve(&function.path)?;
                path.pop();
                known(path, uses)
            }
            Expr::Path(variable) => match variable.path.get_ident().map(ToString::to_string) {
                Some(name) if self.is_bound(&name) => self.types.get(&name).cloned(),
                _ => known(uses.resolve(&variable.path)?, uses),
            },
            _ => None,
        }
    }
}

/// The last name of a path, unless it leads to a type that the user defines.
fn known(mut path: Vec<String>, uses: &Uses) -> Option<String> {
    let is_known = match &path[..] {
        [] => false,
        [_] => !uses.is_obscured(),
        [first, ..] => table::is_known(first),
    };
    path.pop().filter(|_| is_known)
}

struct Search<'a> {
    values: Values,
    uses: &'a Uses,
}

impl Search<'_> {
    fn note(&mut self, name: &PatIdent, ty: Option<String>) {
        let name = name.ident.to_string();
        match ty {
            Some(ty) => self.values.types.insert(name, ty),
            // If two have the same name, the last counts.
            None => self.values.types.remove(&name),
        };
    }

    fn written(&self, mut ty: &Type) -> Option<String> {
        while let Type::Reference(reference) = ty {
            ty = &reference.elem;
        }
        let Type::Path(ty) = ty else { return None };
        known(self.uses.resolve(&ty.path)?, self.uses)
    }
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_pat_type(&mut self, typed: &'ast PatType) {
        visit::visit_pat_type(self, typed);
        if let Pat::Ident(name) = &*typed.pat {
            self.note(name, self.written(&typed.ty));
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        visit::visit_local(self, local);
        if let (Pat::Ident(name), Some(init)) = (&local.pat, &local.init) {
            let ty = self.values.type_of(&init.expr, self.uses);
            self.note(name, ty);
        }
    }

    fn visit_pat_ident(&mut self, name: &'ast PatIdent) {
        self.values.bound.insert(name.ident.to_string());
        visit::visit_pat_ident(self, name);
    }
}
