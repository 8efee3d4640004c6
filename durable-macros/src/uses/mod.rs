//! What the names in a function mean, according to the `use`s, aliases and items around it.

mod add;
mod bodies;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use syn::ext::IdentExt;
use syn::{Attribute, Block, Item, Path, Stmt};

pub(crate) use self::bodies::{Body, Found};
use crate::table;

/// Names and what they mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses {
    /// Imports and aliases: their names here, and the paths that they stand for.
    known: BTreeMap<String, Vec<String>>,
    /// Aliases, and the paths in the types that they stand for.
    aliases: BTreeMap<String, Rc<Vec<Vec<String>>>>,
    /// Names that are defined here.
    own: BTreeSet<String>,
    /// The `static`s of the file.
    statics: BTreeSet<String>,
    /// Modules whose names are all imported: `use a::b::*`.
    globs: Vec<Vec<String>>,
    /// Inline modules.
    modules: BTreeMap<String, Rc<Uses>>,
    /// The names in the bodies of functions without our attributes, of constants, and of macros
    /// (with a `!`).
    bodies: BTreeMap<String, Rc<Body>>,
    /// Activities. Their bodies are called only by the runtime.
    activities: BTreeSet<String>,
    /// Constants that are always `true`.
    truths: BTreeSet<String>,
    /// The item that contains the function, if it is not a module.
    pub(crate) place: Option<Place>,
    /// The parent module.
    pub(crate) outside: Option<Rc<Uses>>,
    /// The top of the file.
    pub(crate) file: Option<Rc<Uses>>,
}

/// An item that contains a function.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Trait,
    /// An `impl` block of this type, if the type is a single name.
    Impl(Option<String>),
    /// The body of another function.
    Block,
}

impl Uses {
    pub(crate) fn of_items<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut uses = Self::default();
        items.into_iter().for_each(|item| uses.add(item));
        uses
    }

    /// The items among the statements of a block.
    ///
    /// A `static` among them is an error where it is defined, so its uses are not reported again.
    pub(crate) fn of_block(block: &Block) -> Self {
        let uses = Self::of_items(block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(item) => Some(item),
            _ => None,
        }));
        Self { statics: BTreeSet::new(), ..uses }
    }

    /// The same names, in another place.
    pub(crate) fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// These names and those of an inner scope.
    pub(crate) fn with(self: &Rc<Self>, inner: &Self) -> Rc<Self> {
        let mut both = Rc::clone(self);
        if !inner.is_empty() {
            Rc::make_mut(&mut both).extend(inner);
        }
        both
    }

    /// Whether no names are known.
    fn is_empty(&self) -> bool {
        let Self { known, own, statics, globs, modules, bodies, .. } = self;
        let Self { aliases, activities, truths, place, outside: _, file: _, .. } = self;
        let sets = [own, statics, activities, truths];
        known.is_empty()
            && aliases.is_empty()
            && sets.iter().all(|set| set.is_empty())
            && globs.is_empty()
            && modules.is_empty()
            && bodies.is_empty()
            && place.is_none()
    }

    /// Adds the names of an inner scope.
    fn extend(&mut self, inner: &Self) {
        for (name, path) in &inner.known {
            self.own.remove(name);
            self.aliases.remove(name);
            self.known.insert(name.clone(), path.clone());
        }
        for name in &inner.own {
            self.known.remove(name);
            self.aliases.remove(name);
            self.own.insert(name.clone());
        }
        self.aliases.extend(inner.aliases.clone());
        self.statics.extend(inner.statics.iter().cloned());
        self.globs.extend(inner.globs.iter().cloned());
        self.modules.extend(inner.modules.clone());
        self.bodies.extend(inner.bodies.clone());
        self.activities.extend(inner.activities.iter().cloned());
        self.truths.extend(inner.truths.iter().cloned());
        if inner.place.is_some() {
            self.place.clone_from(&inner.place);
        }
    }

    /// Whether a path names a `static` of this file.
    pub(crate) fn is_static(&self, path: &Path) -> bool {
        self.has(&segments(path), |uses| &uses.statics, 8)
    }

    /// Whether a path names a constant of this file that is `true`.
    pub(crate) fn is_truth(&self, path: &Path) -> bool {
        self.has(&segments(path), |uses| &uses.truths, 8)
    }

    /// The activity of this file whose body a path names: `charge` of `charge::run`.
    pub(crate) fn body_of_activity(&self, path: &Path) -> Option<String> {
        let path = segments(path);
        let (_, activity) = path.split_last().filter(|(last, _)| *last == "run")?;
        let is_one = self.has(activity, |uses| &uses.activities, 8);
        activity.last().filter(|_| is_one).cloned()
    }

    /// Whether a path leads to a name of this file that is in the set `among`.
    fn has(&self, path: &[String], among: fn(&Self) -> &BTreeSet<String>, depth: usize) -> bool {
        if let Some((place, rest)) = self.place(path) {
            return depth > 0 && place.has(rest, among, depth - 1);
        }
        let [name] = path else { return false };
        match self.known.get(name) {
            Some(known) => depth > 0 && known != path && self.has(known, among, depth - 1),
            None if among(self).contains(name) => true,
            None => self.globs.iter().filter(|_| depth > 0).any(|glob| {
                let whole = [&glob[..], path].concat();
                self.place(&whole).is_some_and(|(place, rest)| place.has(rest, among, depth - 1))
            }),
        }
    }

    /// A path with `Self` replaced by the type, in an `impl`.
    pub(crate) fn without_self(&self, mut path: Vec<String>) -> Vec<String> {
        if let (Some(first), Some(Place::Impl(Some(ty)))) = (path.first_mut(), &self.place)
            && first == "Self"
        {
            first.clone_from(ty);
        }
        path
    }

    /// Whether a name without a `use` of its own may come from a glob import of something that
    /// cannot be read: a module of another file, or an unknown crate.
    pub(crate) fn is_obscured(&self) -> bool {
        self.may_hide(8)
    }

    fn may_hide(&self, depth: usize) -> bool {
        self.globs.iter().any(|glob| {
            let whole = [&glob[..], &["*".to_owned()]].concat();
            let mut place = (self, &whole[..]);
            while let Some(inner) = place.0.place(place.1) {
                place = inner;
            }
            match place.1 {
                // A glob import of a module of this file. `crate` is this file only if it is the
                // crate's root.
                [_] if glob.len() != 1 || glob[0] != "crate" => {
                    depth > 0 && !std::ptr::eq(place.0, self) && place.0.may_hide(depth - 1)
                }
                _ => match self.resolve_names(glob.clone(), 8) {
                    Some(path) => path[0] != "durable" && !table::is_known(&path[0]),
                    None => true,
                },
            }
        })
    }

    /// The names that are imported.
    #[cfg(test)]
    pub(crate) fn brought(&self) -> impl Iterator<Item = String> {
        self.known.keys().cloned()
    }

    /// The module of this file with which a path begins, and the rest of the path.
    fn place<'a>(&self, path: &'a [String]) -> Option<(&Self, &'a [String])> {
        let (first, rest) = path.split_first().filter(|(_, rest)| !rest.is_empty())?;
        let place = match first.as_str() {
            "self" => return Some((self, rest)),
            "super" => self.outside.as_deref(),
            "crate" => self.file.as_deref(),
            name => self.modules.get(name).map(|module| &**module),
        };
        place.map(|place| (place, rest))
    }

    /// The full path; `None` if the user defines the name.
    pub(crate) fn resolve(&self, path: &Path) -> Option<Vec<String>> {
        self.resolve_names(self.without_self(segments(path)), 8)
    }

    /// Aliases may lead to aliases; `depth` limits how many are followed.
    pub(crate) fn resolve_names(&self, mut path: Vec<String>, depth: usize) -> Option<Vec<String>> {
        let first = path.first()?.clone();
        match self.known.get(&first) {
            // `use rand;`
            Some(known) if known.first() == Some(&first) => {
                path.splice(0..1, known.iter().cloned());
            }
            Some(known) => {
                path.splice(0..1, known.iter().cloned());
                return if depth > 0 { self.resolve_names(path, depth - 1) } else { Some(path) };
            }
            None if self.place(&path).is_some() => return self.resolve_inside(&path, depth),
            None if self.own.contains(&first) => return None,
            None => match self.globbed(&path, depth) {
                Some(full) => path = full,
                None if self.is_own_by_glob(&first) => return None,
                None => {}
            },
        }
        match path.first()?.as_str() {
            "crate" | "self" | "super" | "Self" => None,
            "core" | "alloc" => {
                "std".clone_into(&mut path[0]);
                Some(path)
            }
            _ => Some(path),
        }
    }

    /// The full path of a name in a module of this file, if the module imports it.
    fn resolve_inside(&self, path: &[String], depth: usize) -> Option<Vec<String>> {
        let (place, rest) = self.place(path).filter(|_| depth > 0)?;
        let is_there = place.known.contains_key(&rest[0]) || place.place(rest).is_some();
        let inside = || place.resolve_names(rest.to_vec(), depth - 1);
        if is_there { inside() } else { place.globbed(rest, depth - 1) }
    }

    /// Whether a glob import of a module of this file brings in a name that the module defines.
    fn is_own_by_glob(&self, name: &str) -> bool {
        self.globs.iter().filter(|glob| self.may_have_place(glob)).any(|glob| {
            let whole = [&glob[..], &[name.to_owned()]].concat();
            let mut place = (self, &whole[..]);
            while let Some(inner) = place.0.place(place.1) {
                place = inner;
            }
            place.1.len() == 1 && place.0.own.contains(name)
        })
    }

    /// The full path of a name that comes from a glob import.
    fn globbed(&self, path: &[String], depth: usize) -> Option<Vec<String>> {
        let name = path.first()?.as_str();
        let modules = table::GLOBS.iter().filter(|(_, known)| known.contains(&name));
        let modules: Vec<_> = modules.map(|(module, _)| *module).collect();
        self.globs.iter().filter(|_| depth > 0).find_map(|glob| {
            if self.may_have_place(glob) {
                let whole = [glob, path].concat();
                if self.place(&whole).is_some() {
                    return self.resolve_inside(&whole, depth - 1);
                }
            }
            // Most names are local variables, which are in no rule.
            if modules.is_empty() {
                return None;
            }
            let module = self.resolve_names(glob.clone(), depth - 1)?;
            let is_known = modules.contains(&module.join("::").as_str());
            is_known.then(|| [&module, path].concat())
        })
    }

    /// Whether a path may begin with a module of this file.
    fn may_have_place(&self, path: &[String]) -> bool {
        path.first().is_some_and(|first| {
            ["self", "super", "crate"].contains(&first.as_str()) || self.modules.contains_key(first)
        })
    }
}

/// Attributes that do not change or check a function.
pub(crate) const HARMLESS: [&str; 9] =
    ["allow", "cfg", "cold", "deny", "doc", "expect", "inline", "must_use", "track_caller"];

/// Whether an attribute may check or rewrite the function.
pub(crate) fn looks_into(attribute: &Attribute) -> bool {
    !HARMLESS.iter().any(|name| attribute.path().is_ident(name))
}

pub(crate) fn segments(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use syn::File;

    use super::*;

    fn resolve(uses: &str, path: &str) -> Option<String> {
        let uses = Uses::of_items(&syn::parse_str::<File>(uses).unwrap().items);
        uses.resolve(&syn::parse_str(path).unwrap()).map(|path| path.join("::"))
    }

    #[test]
    fn names_are_followed_through_uses_and_aliases() {
        let uses = "use std::{time::{self, Instant as Clock}, fs}; type Map = Table<u8>; \
                    use std::collections::HashMap as Table; use rand;";
        assert_eq!(resolve(uses, "Clock::now").unwrap(), "std::time::Instant::now");
        assert_eq!(resolve(uses, "time::SystemTime::now").unwrap(), "std::time::SystemTime::now");
        assert_eq!(resolve(uses, "fs::read").unwrap(), "std::fs::read");
        assert_eq!(resolve(uses, "Map::new").unwrap(), "std::collections::HashMap::new");
        assert_eq!(resolve(uses, "core::mem::swap").unwrap(), "std::mem::swap");
        assert_eq!(resolve(uses, "rand::random").unwrap(), "rand::random");
    }

    #[test]
    fn names_of_the_user_are_not_followed() {
        let uses = "use crate::time::Instant; struct Mutex; mod fs {}";
        assert_eq!(resolve(uses, "Instant::now"), None);
        assert_eq!(resolve(uses, "Mutex::new"), None);
        assert_eq!(resolve(uses, "fs::read"), None);
        assert_eq!(resolve(uses, "crate::fs::read"), None);
    }
}
