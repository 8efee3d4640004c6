//! What the names in a function stand for, as far as its source file tells.
//!
//! A macro sees the tokens of one item only. The file that they come from can be read, though, and
//! the `use`s, aliases and items around the function say what most of its names mean. Where the file
//! cannot be read (in an editor, perhaps), names stand for themselves.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use proc_macro2::Ident;
use syn::visit::{self, Visit};
use syn::{Block, File, Item, ItemUse, Path, Signature, Stmt, Type, UseTree};

thread_local! {
    /// What was found in files for earlier functions of the crate. Tokens do not outlive the call of
    /// a macro, so only names are kept.
    static FILES: RefCell<BTreeMap<PathBuf, Rc<Functions>>> = const { RefCell::new(BTreeMap::new()) };
}

/// What is visible in each function of a file, by the function's name.
type Functions = BTreeMap<String, Uses>;

/// Names and what they stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses {
    /// What is brought in, or renamed, by its name here.
    known: BTreeMap<String, Vec<String>>,
    /// What is defined here, and so is the user's own.
    own: BTreeSet<String>,
    /// What is a `static` of the file.
    statics: BTreeSet<String>,
}

impl Uses {
    /// What is visible where the function `name` stands. Of several of one name in a file the first
    /// counts.
    pub(crate) fn around(name: &Ident) -> Self {
        // The compiler's own span, which knows its file. There is none outside of a macro.
        let span = proc_macro2::Span::unwrap(name.span());
        let Some(path) = span.local_file() else { return Self::default() };
        let functions = FILES.with_borrow_mut(|files| {
            Rc::clone(files.entry(path).or_insert_with_key(|path| Rc::new(read(path))))
        });
        functions.get(&name.to_string()).cloned().unwrap_or_default()
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
    }

    /// Whether a path is the name of a `static` that stands beside the function.
    pub(crate) fn is_static(&self, path: &Path) -> bool {
        path.get_ident().is_some_and(|name| self.statics.contains(&name.to_string()))
    }

    fn add(&mut self, item: &Item) {
        let own = match item {
            Item::Static(item) => {
                self.statics.insert(item.ident.to_string());
                return;
            }
            Item::Use(ItemUse { tree, .. }) => return self.add_tree(tree, &mut Vec::new()),
            Item::Type(alias) => {
                if let Type::Path(ty) = &*alias.ty {
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
            Item::Macro(item) => {
                self.own.extend(item.ident.as_ref().map(|name| format!("{name}!")));
                return;
            }
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Mod(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Union(item) => &item.ident,
            _ => return,
        };
        self.own.insert(own.to_string());
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
            UseTree::Glob(_) => {}
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
        let mut path = segments(path);
        // An alias of an alias, and so on; a name that stands for itself ends it.
        for _ in 0..8 {
            let first = path.first()?.clone();
            match self.known.get(&first) {
                Some(known) if known.first() != Some(&first) => {
                    path.splice(0..1, known.iter().cloned());
                }
                Some(known) => {
                    path.splice(0..1, known.iter().cloned());
                    break;
                }
                None if self.own.contains(&first) => return None,
                None => break,
            }
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
}

fn segments(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
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
}

impl Search {
    fn through(file: &File) -> Functions {
        let mut search = Self::default();
        search.inside(Uses::of_items(&file.items), |search| visit::visit_file(search, file));
        search.found
    }

    fn inside(&mut self, uses: Uses, visit: impl FnOnce(&mut Self)) {
        self.stack.push(uses);
        visit(self);
        self.stack.pop();
    }
}

impl<'ast> Visit<'ast> for Search {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let Some((_, items)) = &module.content else { return };
        // What is outside of a module is not visible in it.
        let outside = std::mem::take(&mut self.stack);
        self.inside(Uses::of_items(items), |search| visit::visit_item_mod(search, module));
        self.stack = outside;
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.inside(Uses::of_block(block), |search| visit::visit_block(search, block));
    }

    fn visit_signature(&mut self, signature: &'ast Signature) {
        let mut visible = Uses::default();
        self.stack.iter().for_each(|uses| visible.extend(uses));
        self.found.entry(signature.ident.to_string()).or_insert(visible);
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
            "use std::fs; mod m { use std::env; fn f() { use std::net; fn g() {} } }",
        )
        .unwrap();
        let functions = Search::through(&file);
        let find = |name: &str| functions[name].known.keys().cloned().collect::<Vec<_>>();
        assert_eq!(find("f"), ["env"]);
        assert_eq!(find("g"), ["env", "net"]);
    }
}
