//! The functions, constants and macros of a file that no attribute of ours checks.

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::Uses;
use crate::names::{self, Name};
use crate::syntax::find;

/// The body of a function, a constant or a macro that no attribute of ours checks.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) names: Vec<Name<()>>,
    pub(crate) awaits: bool,
    pub(crate) uses: Uses,
}

/// Such a body, and what is visible where it is defined.
pub(crate) type Found = (Rc<Uses>, Rc<Body>);

impl Body {
    pub(super) fn of(tokens: &TokenStream, uses: Uses) -> Rc<Self> {
        let found = names::names(tokens).into_iter();
        let names: Vec<_> =
            found.map(|Name { path, kind, .. }| Name { path, kind, tokens: () }).collect();
        let awaits = find("await", tokens).is_some();
        Rc::new(Self { names, awaits, uses })
    }
}

impl Uses {
    /// The body of the function or constant to which a path leads.
    pub(crate) fn body(self: &Rc<Self>, path: &[String]) -> Option<Found> {
        let (mut scope, mut rest) = (self, path);
        while let [first, after @ ..] = rest
            && let Some(place) = match first.as_str() {
                "self" => Some(scope),
                "super" => scope.outside.as_ref(),
                "crate" => scope.file.as_ref(),
                name => scope.modules.get(name),
            }
        {
            (scope, rest) = (place, after);
        }
        let first = rest.first().filter(|first| !scope.known.contains_key(*first))?;
        let body = match rest {
            [_] => scope.bodies.get(first),
            _ => scope.bodies.get(&rest.join("::")),
        };
        body.map(|body| (Rc::clone(scope), Rc::clone(body)))
    }

    /// The body of the macro of this file to which a path leads. A macro is visible in the modules
    /// below it, and from everywhere in the root of the crate if it is exported.
    pub(crate) fn own_macro(self: &Rc<Self>, path: &[String]) -> Option<Found> {
        let (mut scope, name) = match path {
            [name] => (self, name),
            [first, name] if first == "crate" => (self.file.as_ref()?, name),
            _ => return None,
        };
        let key = format!("{name}!");
        loop {
            if let Some(body) = scope.bodies.get(&key) {
                return Some((Rc::clone(scope), Rc::clone(body)));
            }
            if scope.known.contains_key(name) {
                return None;
            }
            scope = scope.outside.as_ref()?;
        }
    }
}
