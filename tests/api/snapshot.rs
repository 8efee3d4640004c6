//! The public API of `durable` is the one that `tests/api/public.txt` lists.
//!
//! After a deliberate change the list is rewritten with
//! `DURABLE_API=overwrite cargo test -p tests --test api`; its diff is the change of the API.
//!
//! The list is read from the sources, because rustdoc's JSON needs a nightly compiler. Items that a
//! `macro_rules!` generates are not visible there, so a macro is listed only by its name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use quote::{ToTokens, quote};
use syn::{
    Attribute, Fields, ImplItem, Item, ItemImpl, ItemUse, Meta, TraitItem, Type, UseTree,
    Visibility,
};

/// A module's path from the crate root, or an item's.
type Place = Vec<String>;

#[derive(Default)]
struct Module {
    is_public: bool,
    /// The items with a name of their own.
    items: BTreeMap<String, Item>,
    /// What a `use` names, by the name that it gets here, and whether it is public.
    uses: BTreeMap<String, (Place, bool)>,
    globs: Vec<Place>,
    impls: Vec<ItemImpl>,
}

#[derive(Default)]
pub(crate) struct Sources(BTreeMap<Place, Module>, BTreeSet<String>);

impl Sources {
    /// The sources of the library.
    pub(crate) fn of_durable() -> Self {
        Self::of_crate("durable")
    }

    /// The sources of a crate of this workspace.
    pub(crate) fn of_crate(krate: &str) -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = workspace.join(krate).join("src");
        let mut sources = Self::default();
        sources.read(&source.join("lib.rs"), &source, &Vec::new(), true);
        sources
    }

    /// The places of the public items that are defined in this crate.
    fn public_places(&self) -> BTreeSet<Place> {
        let mut public = BTreeSet::new();
        for (place, module) in self.0.iter().filter(|(_, module)| module.is_public) {
            let own = module.items.iter().filter(|(_, item)| is_public_item(item));
            let own = own.map(|(name, _)| [place.as_slice(), std::slice::from_ref(name)].concat());
            let used = module.uses.values().filter(|(_, is_public)| *is_public);
            let all = own.chain(used.map(|(target, _)| target.clone()));
            let defined = all.filter_map(|target| self.defined(&target, 8));
            public.extend(defined.filter(|defined| !self.0.contains_key(defined)));
        }
        public
    }

    /// The public items that are defined in this crate, each once, with its path.
    pub(crate) fn public_items(&self) -> Vec<(String, &Item)> {
        let places = self.public_places().into_iter();
        let item = |path: Place| {
            let (name, place) = path.split_last().unwrap();
            (path.join("::"), &self.0[place].items[name])
        };
        places.map(item).collect()
    }

    /// The names that the crate root exports, except modules.
    pub(crate) fn root_names(&self) -> BTreeSet<String> {
        let root = &self.0[&Place::new()];
        let used = root.uses.iter().filter(|(_, (_, is_public))| *is_public);
        used.map(|(name, _)| name.clone()).collect()
    }

    /// The items that the public modules export, by the paths of their definitions.
    pub(crate) fn exports(&self) -> BTreeSet<String> {
        let modules = self.0.iter().filter(|(_, module)| module.is_public);
        let exports = modules.flat_map(|(place, module)| {
            let used = module.uses.values().filter(|(_, is_public)| *is_public);
            used.map(|(target, _)| {
                target.strip_prefix(place.as_slice()).unwrap_or(target).join("::")
            })
        });
        exports.collect()
    }

    /// The items of other crates, except those of Rust itself, that the signatures of public items
    /// name.
    pub(crate) fn foreign_types(&self) -> BTreeSet<String> {
        let mut types = BTreeSet::new();
        for defined in self.public_places() {
            let (name, place) = defined.split_last().unwrap();
            self.add_foreign(place, describe(&self.0[place].items[name]), &mut types);
            for (place, module) in &self.0 {
                let is_of = |it: &&ItemImpl| self.of(it, place).is_some_and(|of| of == defined);
                let all = module.impls.iter().filter(is_of).flat_map(describe_impl);
                self.add_foreign(place, all, &mut types);
            }
        }
        types
    }

    fn add_foreign(
        &self,
        place: &[String],
        lines: impl Iterator<Item = String>,
        types: &mut BTreeSet<String>,
    ) {
        const RUST: [&str; 6] = ["std", "core", "alloc", "crate", "self", "super"];
        for line in lines {
            // A derive of another crate's macro is not part of the signature.
            let mut line = line.as_str();
            while line.starts_with("#[") {
                line = line.split_once("] ").unwrap_or_default().1;
            }
            for path in line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
                let path: Vec<_> = path.split("::").map(str::to_owned).collect();
                let used = self.0[place].uses.get(&path[0]);
                let full = match used.map(|(target, _)| target.strip_prefix(place)) {
                    Some(Some(target)) => [target, &path[1..]].concat(),
                    None if path.len() > 1 => path,
                    Some(None) | None => continue,
                };
                let is_module = self.0.contains_key(&[place, &full[..1]].concat());
                let is_crate = full[0].starts_with(|c: char| c.is_lowercase());
                if is_crate && !is_module && !RUST.contains(&full[0].as_str()) {
                    types.insert(full.join("::"));
                }
            }
        }
    }

    /// Reads a file and the files of its modules, which lie in `folder`.
    fn read(&mut self, file: &Path, folder: &Path, place: &Place, is_public: bool) {
        let items = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap().items;
        self.add(items, folder, place, is_public);
    }

    fn add(&mut self, items: Vec<Item>, folder: &Path, place: &Place, is_public: bool) {
        let mut module = Module { is_public, ..Module::default() };
        for item in items {
            match item {
                Item::Mod(item) if is_seen(&item.attrs) => {
                    let name = item.ident.to_string();
                    let inside = [place.as_slice(), std::slice::from_ref(&name)].concat();
                    let is_public = is_public && is_pub(&item.vis);
                    let below = folder.join(&name);
                    let [flat, nested] = [folder.join(format!("{name}.rs")), below.join("mod.rs")];
                    match item.content {
                        Some((_, items)) => self.add(items, &below, &inside, is_public),
                        None if flat.exists() => self.read(&flat, &below, &inside, is_public),
                        None => self.read(&nested, &below, &inside, is_public),
                    }
                }
                Item::Use(item) if is_seen(&item.attrs) => module.add_use(&item, place),
                Item::Impl(item) if is_seen(&item.attrs) => module.impls.push(item),
                Item::Macro(item)
                    if item.attrs.iter().any(|it| it.path().is_ident("macro_export"))
                        && is_seen(&item.attrs) =>
                {
                    self.1.extend(item.ident.map(|name| format!("macro {name}!")));
                }
                item => {
                    if let Some(name) = name_of(&item) {
                        module.items.insert(name, item);
                    }
                }
            }
        }
        self.0.insert(place.clone(), module);
    }

    /// The place where the item that a path names is defined, if it is in this crate.
    fn defined(&self, path: &[String], fuel: u8) -> Option<Place> {
        let (name, place) = path.split_last()?;
        let module = match self.0.get(place) {
            Some(module) => module,
            None => self.0.get(&self.defined(place, fuel.checked_sub(1)?)?)?,
        };
        if module.items.contains_key(name) || self.0.contains_key(path) {
            return Some(path.to_vec());
        }
        let fuel = fuel.checked_sub(1)?;
        let used = module.uses.get(name).and_then(|(target, _)| self.defined(target, fuel));
        used.or_else(|| {
            let through = |glob: &Place| [glob.as_slice(), std::slice::from_ref(name)].concat();
            module.globs.iter().find_map(|glob| self.defined(&through(glob), fuel))
        })
    }

    /// The lines of all public items, each below its shortest path that is not in the crate root.
    fn lines(&self) -> BTreeSet<String> {
        let mut lines = self.1.clone();
        let mut public: BTreeMap<Place, BTreeSet<(usize, Place)>> = BTreeMap::new();
        for (place, module) in self.0.iter().filter(|(_, module)| module.is_public) {
            let own = module.items.iter().filter(|(_, item)| is_public_item(item));
            let own = own
                .map(|(name, _)| (name, [place.as_slice(), std::slice::from_ref(name)].concat()));
            let used = module.uses.iter().filter(|(_, (_, is_public))| *is_public);
            for (name, target) in own.chain(used.map(|(name, (target, _))| (name, target.clone())))
            {
                let path = [place.as_slice(), std::slice::from_ref(name)].concat();
                match self.defined(&target, 8) {
                    Some(defined) if !self.0.contains_key(&defined) => {
                        let rank = if place.is_empty() { 9 } else { place.len() };
                        public.entry(defined).or_default().insert((rank, path));
                    }
                    _ => drop(lines.insert(format!(
                        "use {} = {}",
                        path.join("::"),
                        target.join("::")
                    ))),
                }
            }
        }
        for (defined, paths) in public {
            let mut paths = paths.into_iter().map(|(_, path)| path.join("::"));
            let Some(path) = paths.next() else { continue };
            lines.extend(paths.map(|other| format!("use {other} = {path}")));
            let (name, place) = defined.split_last().unwrap();
            lines
                .extend(describe(&self.0[place].items[name]).map(|line| format!("{path}: {line}")));
            for (place, module) in &self.0 {
                let is_of = |it: &&ItemImpl| self.of(it, place).is_some_and(|of| of == defined);
                let all = module.impls.iter().filter(is_of).flat_map(describe_impl);
                lines.extend(all.map(|line| format!("{path}: {line}")));
            }
        }
        lines
    }

    /// The type that an `impl` is for.
    fn of(&self, item: &ItemImpl, place: &Place) -> Option<Place> {
        let mut ty = &*item.self_ty;
        while let Type::Reference(reference) = ty {
            ty = &reference.elem;
        }
        let Type::Path(ty) = ty else { return None };
        let path = ty.path.segments.iter().map(|it| it.ident.to_string()).collect();
        self.defined(&absolute(&path, place), 8)
    }
}

impl Module {
    fn add_use(&mut self, item: &ItemUse, place: &Place) {
        let is_public = is_pub(&item.vis);
        let mut trees = vec![(Vec::new(), &item.tree)];
        while let Some((mut path, tree)) = trees.pop() {
            let (name, known) = match tree {
                UseTree::Path(tree) => {
                    path.push(tree.ident.to_string());
                    trees.push((path, &tree.tree));
                    continue;
                }
                UseTree::Group(group) => {
                    trees.extend(group.items.iter().map(|tree| (path.clone(), tree)));
                    continue;
                }
                UseTree::Glob(_) => {
                    self.globs.push(absolute(&path, place));
                    continue;
                }
                // `fmt::{self}` names the module.
                UseTree::Name(tree) if tree.ident == "self" => match path.pop() {
                    Some(module) => (module.clone(), module),
                    None => continue,
                },
                UseTree::Name(tree) => (tree.ident.to_string(), tree.ident.to_string()),
                UseTree::Rename(tree) => (tree.ident.to_string(), tree.rename.to_string()),
            };
            path.push(name);
            self.uses.insert(known, (absolute(&path, place), is_public));
        }
    }
}

/// A path from the crate root. The path of another crate stays as it is.
fn absolute(path: &Place, place: &Place) -> Place {
    let mut base = place.clone();
    let mut rest = path.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        match first.as_str() {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            _ => break,
        }
        rest = behind;
    }
    [base.as_slice(), rest].concat()
}

fn is_pub(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

/// Whether an item is documented, and compiled outside of tests.
fn is_seen(attributes: &[Attribute]) -> bool {
    let is_of_tests =
        |attribute: &Attribute| has(attribute, "cfg", "test") || has(attribute, "cfg", "doctest");
    !is_hidden(attributes) && !attributes.iter().any(is_of_tests)
}

/// Whether an item is left out of the documentation.
pub(crate) fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| has(attribute, "doc", "hidden"))
}

/// Whether an attribute is `#[name(tokens)]`.
fn has(attribute: &Attribute, name: &str, tokens: &str) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    list.path.is_ident(name) && list.tokens.to_string() == tokens
}

/// The parts of an item that the list needs: its attributes, its visibility and its name.
pub(crate) fn parts(item: &Item) -> Option<(&[Attribute], &Visibility, String)> {
    Some(match item {
        Item::Struct(it) => (&it.attrs, &it.vis, it.ident.to_string()),
        Item::Enum(it) => (&it.attrs, &it.vis, it.ident.to_string()),
        Item::Trait(it) => (&it.attrs, &it.vis, it.ident.to_string()),
        Item::Type(it) => (&it.attrs, &it.vis, it.ident.to_string()),
        Item::Fn(it) => (&it.attrs, &it.vis, it.sig.ident.to_string()),
        Item::Const(it) => (&it.attrs, &it.vis, it.ident.to_string()),
        _ => return None,
    })
}

fn name_of(item: &Item) -> Option<String> {
    parts(item).map(|(_, _, name)| name)
}

fn is_public_item(item: &Item) -> bool {
    parts(item).is_some_and(|(attributes, vis, _)| is_pub(vis) && is_seen(attributes))
}

/// The attributes that are part of the API.
fn marks(attributes: &[Attribute]) -> String {
    let mut marks = String::new();
    for attribute in attributes {
        match &attribute.meta {
            Meta::Path(path) if path.is_ident("non_exhaustive") => marks += "#[non_exhaustive] ",
            Meta::List(list) if list.path.is_ident("derive") || list.path.is_ident("cfg") => {
                marks.extend(["#[", &plain(list), "] "]);
            }
            _ => {}
        }
    }
    marks
}

fn describe(item: &Item) -> impl Iterator<Item = String> {
    let marks = parts(item).map(|(attributes, ..)| marks(attributes)).unwrap_or_default();
    let mut lines = Vec::new();
    match item {
        Item::Struct(it) => {
            let (name, generics) = (&it.ident, &it.generics);
            lines.push(marks + &plain(quote!(struct #name #generics)));
            lines.extend(fields(&it.fields, true));
        }
        Item::Enum(it) => {
            let (name, generics) = (&it.ident, &it.generics);
            lines.push(marks + &plain(quote!(enum #name #generics)));
            for variant in it.variants.iter().filter(|it| is_seen(&it.attrs)) {
                let all = fields(&variant.fields, false).collect::<Vec<_>>().join(", ");
                lines.push(format!("variant {} {{ {all} }}", variant.ident).replace(" {  }", ""));
            }
        }
        Item::Trait(it) => {
            let (name, generics, bounds) = (&it.ident, &it.generics, &it.supertraits);
            lines.push(marks + &plain(quote!(trait #name #generics : #bounds)));
            lines.extend(it.items.iter().filter_map(|item| match item {
                TraitItem::Fn(it) if is_seen(&it.attrs) => {
                    let is_provided = if it.default.is_some() { " { .. }" } else { "" };
                    Some(plain(&it.sig) + is_provided)
                }
                TraitItem::Type(it) if is_seen(&it.attrs) => Some(plain(it_type(it))),
                TraitItem::Const(it) if is_seen(&it.attrs) => {
                    let (name, ty) = (&it.ident, &it.ty);
                    Some(plain(quote!(const #name: #ty)))
                }
                _ => None,
            }));
        }
        Item::Fn(it) => lines.push(marks + &plain(&it.sig)),
        Item::Const(it) => lines.push(plain(&it.ty)),
        Item::Type(it) => {
            let (name, generics, ty) = (&it.ident, &it.generics, &it.ty);
            lines.push(plain(quote!(type #name #generics = #ty)));
        }
        _ => {}
    }
    lines.into_iter()
}

fn it_type(item: &syn::TraitItemType) -> impl ToTokens {
    let (name, bounds) = (&item.ident, &item.bounds);
    quote!(type #name : #bounds)
}

fn fields(fields: &Fields, only_public: bool) -> impl Iterator<Item = String> {
    let all = fields.iter().enumerate().filter(move |(_, it)| !only_public || is_pub(&it.vis));
    all.map(|(at, it)| {
        let name = it.ident.as_ref().map_or_else(|| at.to_string(), ToString::to_string);
        format!("{name}: {}", plain(&it.ty))
    })
}

fn describe_impl(item: &ItemImpl) -> Vec<String> {
    let (generics, ty, bounds) = (&item.generics, &item.self_ty, &item.generics.where_clause);
    if let Some((path, _)) = &item.trait_ {
        return vec![plain(quote!(impl #generics #path for #ty #bounds))];
    }
    let methods = item.items.iter().filter_map(|item| match item {
        ImplItem::Fn(it) if is_pub(&it.vis) && is_seen(&it.attrs) => Some(plain(&it.sig)),
        ImplItem::Const(it) if is_pub(&it.vis) && is_seen(&it.attrs) => {
            let (name, ty) = (&it.ident, &it.ty);
            Some(plain(quote!(const #name: #ty)))
        }
        _ => None,
    });
    methods.collect()
}

/// Tokens with the usual spacing.
fn plain(tokens: impl ToTokens) -> String {
    const TIGHT: [(&str, &str); 17] = [
        (" < ", "<"),
        (" >", ">"),
        (" :: ", "::"),
        (":: ", "::"),
        ("( ", "("),
        (" )", ")"),
        (" (", "("),
        (" ,", ","),
        (",)", ")"),
        ("& ", "&"),
        (" :", ":"),
        ("< ", "<"),
        (" ;", ";"),
        ("[ ", "["),
        (" ]", "]"),
        (",>", ">"),
        ("->(", "-> ("),
    ];
    let tight = |text: String, (loose, tight): (&str, &str)| text.replace(loose, tight);
    let text = TIGHT.into_iter().fold(tokens.to_token_stream().to_string(), tight);
    text.trim_end_matches([':', ' ']).to_owned()
}

#[test]
fn the_public_api_is_the_listed_one() {
    let found = Sources::of_durable().lines();
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("api/public.txt");
    if std::env::var_os("DURABLE_API").is_some_and(|value| value == "overwrite") {
        let text: String = found.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        fs::write(&list, text).unwrap();
        return;
    }
    let listed: BTreeSet<String> =
        fs::read_to_string(list).unwrap().lines().map(str::to_owned).collect();
    let gone = listed.difference(&found).map(|line| format!("- {line}"));
    let new = found.difference(&listed).map(|line| format!("+ {line}"));
    let changes: Vec<_> = gone.chain(new).collect();
    assert!(
        changes.is_empty(),
        "the public API changed; if that is meant, run this test with DURABLE_API=overwrite\n{}",
        changes.join("\n")
    );
}
