//! Which types in a signature belong to the libraries, and which are the user's own.

use std::rc::Rc;

use syn::Path;

use super::{Uses, segments};

/// The maximum number of aliases and imports that are followed.
const DEPTH: usize = 4;

impl Uses {
    /// Whether a path may lead to `durable`, perhaps through a file or a crate that cannot be read.
    /// A type that is defined in this file does not.
    pub(crate) fn may_be_of_durable(&self, path: &Path) -> bool {
        !self.is_own(&segments(path))
    }

    /// Whether a path is, or may be, that of `std::path::Path`.
    pub(crate) fn may_be_std_path(&self, path: &Path) -> bool {
        let path = segments(path);
        if self.is_own(&path) {
            return false;
        }
        let imported = path.first().and_then(|first| self.known.get(first));
        let written = imported.filter(|_| path.len() == 1).unwrap_or(&path).clone();
        let is_named = |path: &[String]| path.last().is_some_and(|last| last == "Path");
        // A module above, in another file, may have imported it; other modules rarely export it.
        let first = imported.unwrap_or(&path).first();
        let is_elsewhere = first.is_some_and(|first| first == "crate");
        match self.resolve_names(path, DEPTH) {
            Some(full) => is_named(&full) && (full.len() == 1 || full[0] == "std"),
            None => is_named(&written) && !is_elsewhere,
        }
    }

    /// Whether a path certainly leads to the standard library or `durable`, without an alias, which
    /// may stand for a type of the user's own.
    pub(crate) fn is_of_library(&self, path: &[String]) -> bool {
        if self.is_own(path) || self.alias(path).is_some() {
            return false;
        }
        match self.resolve_names(path.to_vec(), DEPTH) {
            Some(full) if full.len() == 1 => !self.is_obscured(),
            Some(full) => ["std", "durable"].contains(&full[0].as_str()),
            None => false,
        }
    }

    /// Whether a path leads to an item of this file.
    fn is_own(&self, path: &[String]) -> bool {
        self.has(path, |uses| &uses.own, DEPTH)
    }

    /// The alias of this file with which a path begins: the scope in which it is defined, and the
    /// paths in the type that it stands for.
    pub(crate) fn alias(&self, path: &[String]) -> Option<(&Self, &Rc<Vec<Vec<String>>>)> {
        self.find_alias(path, DEPTH)
    }

    fn find_alias(&self, path: &[String], depth: usize) -> Option<(&Self, &Rc<Vec<Vec<String>>>)> {
        let depth = depth.checked_sub(1)?;
        if let Some((place, rest)) = self.place(path) {
            return place.find_alias(rest, depth);
        }
        let (first, rest) = path.split_first()?;
        if let Some(alias) = self.aliases.get(first) {
            return Some((self, alias));
        }
        if let Some(known) = self.known.get(first) {
            let whole = [known, rest].concat();
            return if whole == path { None } else { self.find_alias(&whole, depth) };
        }
        self.globs.iter().find_map(|glob| {
            let whole = [&glob[..], path].concat();
            self.place(&whole).and_then(|(place, rest)| place.find_alias(rest, depth))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(items: &str) -> Uses {
        Uses::of_items(&syn::parse_str::<syn::File>(items).unwrap().items)
    }

    #[test]
    fn a_path_is_that_of_std_unless_it_leads_elsewhere() {
        let is_std = |items: &str, path: &str| {
            uses(items).may_be_std_path(&syn::parse_str::<Path>(path).unwrap())
        };
        assert!(is_std("use std::path::Path;", "Path"));
        assert!(is_std("use std::path::Path as P;", "P"));
        assert!(is_std("use std::path;", "path::Path"));
        assert!(is_std("use std::path::*;", "Path"));
        assert!(is_std("type P = std::path::Path;", "P"));
        assert!(is_std("use super::Path;", "Path"));
        assert!(!is_std("struct Path;", "Path"));
        assert!(!is_std("type Path = Vec<u32>;", "Path"));
        assert!(!is_std("type Path = (u32, u32);", "Path"));
        assert!(!is_std("use crate::graph::Path;", "Path"));
        assert!(!is_std("use kurbo::Path;", "Path"));
        assert!(!is_std("mod graph { pub struct Path; } use graph::Path;", "Path"));
        assert!(!is_std("mod graph { pub struct Path; } use graph::*;", "Path"));
        assert!(!is_std("", "std::path::PathBuf"));
        assert!(!is_std("use super::Order;", "Order"));
        assert!(!is_std("use super::Path as Route; use super::Order as Path;", "Path"));
        assert!(is_std("use super::Path as Route;", "Route"));
        assert!(!is_std("use some_crate::{Order, Url};", "Url"));
    }

    #[test]
    fn only_types_of_libraries_are_certainly_public() {
        let is_public = |items: &str, name: &str| uses(items).is_of_library(&[name.to_owned()]);
        assert!(is_public("", "Option"));
        assert!(is_public("use durable::prelude::*;", "Result"));
        assert!(is_public("use durable::{Error, Result};", "Error"));
        assert!(is_public("use std::io::Error;", "Error"));
        assert!(!is_public("struct Error;", "Error"));
        assert!(!is_public("type Result<T> = std::result::Result<T, Error>;", "Result"));
        assert!(!is_public("use super::Error;", "Error"));
        assert!(!is_public("use anyhow::Error;", "Error"));
        assert!(!is_public("use super::*;", "Error"));
        assert!(!is_public("mod m { pub type Error = u8; } use m::*;", "Error"));
    }

    #[test]
    fn a_glob_of_everything_does_not_panic() {
        assert!(!uses("use *;").is_obscured());
    }
}
