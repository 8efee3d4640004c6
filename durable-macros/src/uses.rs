//! What the names in a function stand for, as far as its source file tells.
//!
//! A macro sees the tokens of one item only. The file that they come from can be read, though, and
//! the `use`s, aliases and items around the function say what most of its names mean. Where the file
//! cannot be read (in an editor, perhaps), names stand for themselves.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, File, ImplItem, ImplItemFn, Item, ItemFn, ItemImpl, ItemUse, Path, Signature,
    Stmt, Type, UseTree,
};

use crate::names::{self, Name};
use crate::rules;

thread_local! {
    /// What was found in files for earlier functions of the crate. Tokens do not outlive the call of
    /// a macro, so only names are kept.
    static FILES: RefCell<BTreeMap<PathBuf, Rc<Functions>>> = const { RefCell::new(BTreeMap::new()) };
}

/// What is visible in each function of a file, by the function's name; of several of one name, each
/// with its body.
type Functions = BTreeMap<String, Vec<(String, Uses)>>;

/// Names and what they stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses {
    /// What is brought in, or renamed, by its name here.
    known: BTreeMap<String, Vec<String>>,
    /// What is defined here, and so is the user's own.
    own: BTreeSet<String>,
    /// What is a `static` of the file.
    statics: BTreeSet<String>,
    /// What all is brought in from: `use a::b::*`.
    globs: Vec<Vec<String>>,
    /// Modules that are written out here.
    modules: BTreeMap<String, Rc<Uses>>,
    /// Functions that no attribute looks into, and macros (with a `!`): what they name.
    bodies: BTreeMap<String, Rc<Body>>,
    /// The module around this one.
    outside: Option<Rc<Uses>>,
    /// The file.
    file: Option<Rc<Uses>>,
}

/// What is in a function or macro that no attribute looks into.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) names: Vec<Name<()>>,
    pub(crate) awaits: bool,
    pub(crate) uses: Uses,
}

impl Body {
    fn of(tokens: &TokenStream, uses: Uses) -> Rc<Self> {
        let found = names::names(tokens).into_iter();
        let names: Vec<_> =
            found.map(|Name { path, kind, .. }| Name { path, kind, tokens: () }).collect();
        let awaits = contains(tokens, "await");
        Rc::new(Self { names, awaits, uses })
    }
}

impl Uses {
    /// What is visible where the function `name` stands.
    pub(crate) fn around(name: &Ident, body: &Block) -> Self {
        // The compiler's own span, which knows its file. There is none outside of a macro.
        let span = proc_macro2::Span::unwrap(name.span());
        let Some(path) = span.local_file() else { return Self::default() };
        let functions = FILES.with_borrow_mut(|files| {
            Rc::clone(files.entry(path).or_insert_with_key(|path| Rc::new(read(path))))
        });
        let Some(found) = functions.get(&name.unraw().to_string()) else { return Self::default() };
        let same = match &found[..] {
            [_] => None,
            _ => found.iter().find(|(text, _)| *text == without_space(body)),
        };
        same.or(found.first()).map(|(_, uses)| uses.clone()).unwrap_or_default()
    }

    fn of_items<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut uses = Self::default();
        items.into_iter().for_each(|item| uses.add(item));
        uses
    }

    /// The items that stand among the statements of a block.
    ///
    /// A `static` among them is refused where it stands, so its name is no second error.
    pub(crate) fn of_block(block: &Block) -> Self {
        let uses = Self::of_items(block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(item) => Some(item),
            _ => None,
        }));
        Self { statics: BTreeSet::new(), ..uses }
    }

    /// Adds what an inner scope knows.
    pub(crate) fn extend(&mut self, inner: &Self) {
        for (name, path) in &inner.known {
            self.own.remove(name);
            self.known.insert(name.clone(), path.clone());
        }
        for name in &inner.own {
            self.known.remove(name);
            self.own.insert(name.clone());
        }
        self.statics.extend(inner.statics.iter().cloned());
        self.globs.extend(inner.globs.iter().cloned());
        self.modules.extend(inner.modules.clone());
        self.bodies.extend(inner.bodies.clone());
    }

    /// Whether a path is the name of a `static` that stands in this file.
    pub(crate) fn is_static(&self, path: &Path) -> bool {
        self.has_static(&segments(path), 8)
    }

    fn has_static(&self, path: &[String], depth: usize) -> bool {
        if let Some((place, rest)) = self.place(path) {
            return depth > 0 && place.has_static(rest, depth - 1);
        }
        let [name] = path else { return false };
        match self.known.get(name) {
            Some(known) => depth > 0 && known != path && self.has_static(known, depth - 1),
            None => self.statics.contains(name),
        }
    }

    /// The function or macro of this name that no attribute looks into.
    pub(crate) fn body(&self, name: &str) -> Option<&Rc<Body>> {
        let first = name.split("::").next().unwrap_or_default();
        self.bodies.get(name).filter(|_| !self.known.contains_key(first))
    }

    /// The place in this file that a path begins with.
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

    fn add(&mut self, item: &Item) {
        let own = match item {
            Item::Static(item) => {
                self.statics.insert(item.ident.to_string());
                return;
            }
            Item::Use(ItemUse { tree, .. }) => return self.add_tree(tree, &mut Vec::new()),
            Item::Type(alias) => {
                let mut ty = &*alias.ty;
                while let Type::Reference(reference) = ty {
                    ty = &reference.elem;
                }
                if let Type::Path(ty) = ty {
                    let path = segments(&ty.path);
                    self.known.insert(alias.ident.to_string(), path);
                }
                return;
            }
            Item::ExternCrate(item) => {
                if let Some((_, name)) = item.rename.as_ref().filter(|_| item.ident != "self") {
                    self.known.insert(name.to_string(), vec![item.ident.to_string()]);
                }
                return;
            }
            Item::Macro(item) => return self.add_macro(item),
            Item::Enum(item) => &item.ident,
            Item::Fn(ItemFn { attrs, sig, block, .. }) => {
                self.add_body(sig.ident.to_string(), attrs, sig, block);
                &sig.ident
            }
            Item::Impl(item) => return self.add_impl(item),
            Item::Mod(item) => {
                if let Some((_, items)) = &item.content {
                    self.modules.insert(item.ident.to_string(), Rc::new(Self::of_items(items)));
                }
                &item.ident
            }
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Union(item) => &item.ident,
            _ => return,
        };
        self.own.insert(own.to_string());
    }

    fn add_body(&mut self, name: String, attrs: &[Attribute], sig: &Signature, block: &Block) {
        if sig.asyncness.is_none() && !attrs.iter().any(looks_into) {
            let body = Body::of(&block.to_token_stream(), Self::of_block(block));
            self.bodies.insert(name, body);
        }
    }

    /// `T::f`, but for two of one name.
    fn add_impl(&mut self, item: &ItemImpl) {
        let Type::Path(ty) = &*item.self_ty else { return };
        for inner in &item.items {
            if let (ImplItem::Fn(ImplItemFn { attrs, sig, block, .. }), Some(ty)) =
                (inner, ty.path.get_ident())
            {
                let name = format!("{ty}::{}", sig.ident);
                if self.bodies.contains_key(&name) {
                    self.bodies.remove(&name);
                } else {
                    self.add_body(name, attrs, sig, block);
                }
            }
        }
    }

    fn add_macro(&mut self, item: &syn::ItemMacro) {
        if let Some(name) = &item.ident {
            let body = Body::of(&item.mac.tokens, Self::default());
            self.bodies.insert(format!("{name}!"), body);
            self.own.insert(format!("{name}!"));
        } else if item
            .mac
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "thread_local" || last.ident == "lazy_static")
        {
            let tokens: Vec<_> =
                item.mac.tokens.clone().into_iter().map(|it| it.to_string()).collect();
            for (at, _) in tokens.iter().enumerate().filter(|(_, token)| *token == "static") {
                let name = tokens[at + 1..].iter().find(|token| *token != "ref");
                self.statics.extend(name.cloned());
            }
        }
    }

    fn add_tree(&mut self, tree: &UseTree, prefix: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_tree(&path.tree, prefix);
                prefix.pop();
            }
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = prefix.last() {
                    self.known.insert(last.clone(), prefix.clone());
                }
            }
            UseTree::Name(name) => self.bring(&name.ident, &name.ident, prefix),
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.known.insert(rename.rename.to_string(), prefix.clone());
            }
            UseTree::Rename(rename) => self.bring(&rename.rename, &rename.ident, prefix),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_tree(tree, prefix));
            }
            UseTree::Glob(_) => self.globs.push(prefix.clone()),
        }
    }

    fn bring(&mut self, name: &Ident, original: &Ident, prefix: &[String]) {
        let mut path = prefix.to_vec();
        path.push(original.to_string());
        self.known.insert(name.to_string(), path);
    }

    /// Whether a macro of this name is defined here.
    pub(crate) fn is_own_macro(&self, path: &Path) -> bool {
        path.get_ident().is_some_and(|name| self.own.contains(&format!("{name}!")))
    }

    /// A path in full; none if it is the user's own.
    pub(crate) fn resolve(&self, path: &Path) -> Option<Vec<String>> {
        self.resolve_names(segments(path), 8)
    }

    /// An alias may be of an alias, and so on; `depth` ends it.
    pub(crate) fn resolve_names(&self, mut path: Vec<String>, depth: usize) -> Option<Vec<String>> {
        let first = path.first()?.clone();
        match self.known.get(&first) {
            // A name that stands for itself.
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

    /// A path that begins with a place in this file: only what is seen there to be another's.
    fn resolve_inside(&self, path: &[String], depth: usize) -> Option<Vec<String>> {
        let (place, rest) = self.place(path).filter(|_| depth > 0)?;
        let is_there = place.known.contains_key(&rest[0]) || place.place(rest).is_some();
        let inside = || place.resolve_names(rest.to_vec(), depth - 1);
        if is_there { inside() } else { place.globbed(rest, depth - 1) }
    }

    /// Whether a name came with all others of a module of this file that defines it.
    fn is_own_by_glob(&self, name: &str) -> bool {
        self.globs.iter().any(|glob| {
            let whole = [&glob[..], &[name.to_owned()]].concat();
            let mut place = (self, &whole[..]);
            while let Some(inner) = place.0.place(place.1) {
                place = inner;
            }
            place.1.len() == 1 && place.0.own.contains(name)
        })
    }

    /// A path whose first name came with all others of a module.
    fn globbed(&self, path: &[String], depth: usize) -> Option<Vec<String>> {
        self.globs.iter().filter(|_| depth > 0).find_map(|glob| {
            let whole = [glob, path].concat();
            if self.place(&whole).is_some() {
                return self.resolve_inside(&whole, depth - 1);
            }
            let module = self.resolve_names(glob.clone(), depth - 1)?.join("::");
            let (_, known) = rules::GLOBS.iter().find(|(name, _)| *name == module)?;
            let whole = module.split("::").map(str::to_owned).chain(path.iter().cloned());
            known.contains(&path[0].as_str()).then(|| whole.collect())
        })
    }
}

/// Whether an attribute looks into the function, or makes something else of it.
fn looks_into(attribute: &Attribute) -> bool {
    const HARMLESS: [&str; 9] =
        ["allow", "cfg", "cold", "deny", "doc", "expect", "inline", "must_use", "track_caller"];
    !HARMLESS.iter().any(|name| attribute.path().is_ident(name))
}

fn contains(tokens: &TokenStream, name: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        proc_macro2::TokenTree::Group(group) => contains(&group.stream(), name),
        token => token.to_string() == name,
    })
}

/// What tells bodies apart: where spaces are depends on where the tokens are from.
fn without_space(tokens: impl ToTokens) -> String {
    tokens.to_token_stream().to_string().split_whitespace().collect()
}

fn segments(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect()
}

fn read(path: &PathBuf) -> Functions {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    syn::parse_file(&text).map(|file| Search::through(&file)).unwrap_or_default()
}

/// Goes through a file, and gathers what is visible on the way to each function.
#[derive(Default)]
struct Search {
    stack: Vec<Uses>,
    found: Functions,
    file: Rc<Uses>,
}

impl Search {
    fn through(file: &File) -> Functions {
        let uses = Uses::of_items(&file.items);
        let mut search = Self { file: Rc::new(uses.clone()), ..Self::default() };
        search.inside(uses, |search| visit::visit_file(search, file));
        search.found
    }

    fn inside(&mut self, uses: Uses, visit: impl FnOnce(&mut Self)) {
        self.stack.push(uses);
        visit(self);
        self.stack.pop();
    }

    /// Only a function that an attribute looks into is ever asked for.
    fn note(&mut self, attrs: &[Attribute], signature: &Signature, body: Option<&Block>) {
        if !attrs.iter().any(looks_into) {
            return;
        }
        let Some((first, rest)) = self.stack.split_first() else { return };
        let mut visible = first.clone();
        for uses in rest {
            visible.extend(uses);
        }
        visible.file = Some(Rc::clone(&self.file));
        let body = body.map(without_space).unwrap_or_default();
        self.found.entry(signature.ident.unraw().to_string()).or_default().push((body, visible));
    }
}

impl<'ast> Visit<'ast> for Search {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let Some((_, items)) = &module.content else { return };
        // What is outside of a module is not visible in it.
        let outside = std::mem::take(&mut self.stack);
        let mut uses = Uses::of_items(items);
        uses.outside = outside.first().cloned().map(Rc::new);
        self.inside(uses, |search| visit::visit_item_mod(search, module));
        self.stack = outside;
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.inside(Uses::of_block(block), |search| visit::visit_block(search, block));
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.note(&item.attrs, &item.sig, Some(&item.block));
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note(&item.attrs, &item.sig, Some(&item.block));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.note(&item.attrs, &item.sig, item.default.as_ref());
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
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
    fn what_is_the_users_own_is_not_followed() {
        let uses = "use crate::time::Instant; struct Mutex; mod fs {}";
        assert_eq!(resolve(uses, "Instant::now"), None);
        assert_eq!(resolve(uses, "Mutex::new"), None);
        assert_eq!(resolve(uses, "fs::read"), None);
        assert_eq!(resolve(uses, "crate::fs::read"), None);
    }

    #[test]
    fn what_is_visible_depends_on_the_module_and_the_block() {
        let file: File = syn::parse_str(
            "use std::fs; mod m { use std::env; #[h] fn f() { use std::net; #[h] fn g() {} } }",
        )
        .unwrap();
        let functions = Search::through(&file);
        let find = |name: &str| functions[name][0].1.known.keys().cloned().collect::<Vec<_>>();
        assert_eq!(find("f"), ["env"]);
        assert_eq!(find("g"), ["env", "net"]);
    }
}
