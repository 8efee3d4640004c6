//! The imports between files: the layers of the library, and the files of the hub and of the
//! macros.
//!
//! The imports are read from the text of the sources: the `use` items, and the paths that begin
//! with `crate`, `self` or `super`. A method that another file adds to a type is not an import, so
//! it is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{library, none, root};

/// Names one after another: a module, or an item of one.
type Path = Vec<String>;

/// The sources of a crate without their tests, each with the path of its module.
struct Sources {
    files: BTreeMap<Path, String>,
    /// The name that a `pub use` gives an item, and the path of the item.
    exports: BTreeMap<Path, Path>,
}

struct Import {
    path: Path,
    is_export: bool,
}

/// The module that generated code names, and modules that are documentation.
const ABOVE_ALL: [&str; 2] = ["private", "guide"];

#[test]
fn a_layer_imports_only_what_the_table_of_layers_allows() {
    let (sources, layers) = (Sources::read("durable"), layers());
    let mut found = Vec::new();
    for (module, code) in &sources.files {
        let Some(layer) = module.first() else { continue };
        let Some(allowed) = layers.get(layer) else {
            if !ABOVE_ALL.contains(&layer.as_str()) {
                found.push(format!("ARCHITECTURE.md has no layer `{layer}`"));
            }
            continue;
        };
        for import in imports(code) {
            let path = sources.resolve(module, &import.path);
            if let Some(used) = path.first()
                && layers.contains_key(used)
                && used != layer
                && !allowed.contains(used)
            {
                found.push(format!("{}.rs imports {}", module.join("/"), path.join("::")));
            }
        }
    }
    found.dedup();
    none(&found);
}

#[test]
fn the_files_of_the_library_do_not_import_each_other_in_a_circle() {
    none(&circle(&Sources::read("durable"), |_| true));
}

/// The rules of the simulator check stored data, so they must not depend on the code that stored
/// it.
#[test]
fn the_rules_of_the_simulator_use_what_is_stored_only() {
    for file in fs::read_dir(root().join("sim/src/rules")).unwrap() {
        let path = file.unwrap().path();
        let code = code(&fs::read_to_string(&path).unwrap());
        for named in code.split("durable::").skip(1) {
            let is_allowed = ["protocol::", "store::", "testing::sim::Observer"];
            let is_allowed = is_allowed.iter().any(|allowed| named.starts_with(allowed));
            assert!(is_allowed, "{} uses durable::{named:.40}", path.display());
        }
    }
}

#[test]
fn the_files_of_the_macros_do_not_import_each_other_in_a_circle() {
    none(&circle(&Sources::read("durable-macros"), |_| true));
}

/// The files that import each other in a circle, of those that are `wanted`, each with those of them
/// that it imports.
fn circle(sources: &Sources, wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut edges: BTreeMap<Path, BTreeSet<Path>> = BTreeMap::new();
    for (module, code) in sources.files.iter().filter(|(module, _)| wanted(module)) {
        for import in imports(code) {
            let path = sources.resolve(module, &import.path);
            // The tree of modules: a parent exports what its children define.
            let is_tree = import.is_export && path.starts_with(module);
            if let Some(file) = sources.file_of(&path).filter(|_| !is_tree)
                && wanted(&file)
                && file != *module
            {
                edges.entry(module.clone()).or_default().insert(file);
            }
        }
    }
    let in_circle = |module: &&Path| reached_from(module, &edges).contains(*module);
    let circle: BTreeSet<_> = edges.keys().filter(in_circle).collect();
    let show = |module: &&Path| {
        let used = edges[*module].iter().filter(|used| circle.contains(used));
        let used: Vec<_> = used.map(|used| used.join("/")).collect();
        format!("{} imports {}", module.join("/"), used.join(", "))
    };
    circle.iter().map(show).collect()
}

/// Everything that a file imports, directly or indirectly.
fn reached_from<'a>(
    module: &Path,
    edges: &'a BTreeMap<Path, BTreeSet<Path>>,
) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<_> = edges.get(module).into_iter().flatten().collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(edges.get(file).into_iter().flatten());
        }
    }
    reached
}

/// The table of layers in ARCHITECTURE.md: each module with those that it may use. The modules of one
/// row may use each other.
fn layers() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| layer | may use |"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let names = |cell: &str| -> Vec<String> {
        let names = cell.split('`').skip(1).step_by(2);
        names.map(|name| name.trim_end_matches(['/']).replace(".rs", "")).collect()
    };
    let mut layers = BTreeMap::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').collect();
        let (row, below) = (names(cells[1]), names(cells[2]));
        let allowed: BTreeSet<_> = row.iter().chain(&below).cloned().collect();
        layers.extend(row.into_iter().map(|layer| (layer, allowed.clone())));
    }
    assert!(layers.len() > 20, "ARCHITECTURE.md has a table of all layers");
    layers
}

impl Sources {
    /// Those of a crate.
    fn read(krate: &str) -> Self {
        let folder = format!("{krate}/src/");
        let mut sources = Self { files: BTreeMap::new(), exports: BTreeMap::new() };
        for (path, text) in library() {
            let Some(path) = path.strip_prefix(&folder) else { continue };
            let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
            let module = if path == "lib" { Path::new() } else { names(path, '/') };
            sources.files.insert(module, code(&text));
        }
        let mut exports = BTreeMap::new();
        for (module, code) in &sources.files {
            for Import { path, is_export } in imports(code) {
                let name = path.last().cloned().filter(|_| is_export);
                let (Some(name), path) = (name, sources.absolute(module, &path)) else { continue };
                exports.insert([module.as_slice(), &[name]].concat(), path);
            }
        }
        sources.exports = exports;
        sources
    }

    /// The path from the root of the crate; empty for one into another crate.
    fn absolute(&self, module: &Path, path: &Path) -> Path {
        let mut base = module.clone();
        let mut rest = path.as_slice();
        match rest.first().map(String::as_str) {
            Some("crate") => base.clear(),
            Some("self") => {}
            Some("super") => {
                while let Some("super") = rest.get(1).map(String::as_str) {
                    base.pop();
                    rest = &rest[1..];
                }
                base.pop();
            }
            // A module names its own children without `self`.
            Some(first) if self.files.contains_key(&[module, &[first.to_owned()][..]].concat()) => {
                return [module.as_slice(), path].concat();
            }
            _ => return Path::new(),
        }
        base.extend_from_slice(&rest[1..]);
        base
    }

    /// The place where an item is defined, behind all re-exports.
    fn resolve(&self, module: &Path, path: &Path) -> Path {
        let mut path = self.absolute(module, path);
        let exported = |path: &Path| {
            (1..=path.len()).find_map(|end| {
                let item = self.exports.get(&path[..end])?;
                let defined = [item.as_slice(), &path[end..]].concat();
                (defined != *path && !item.is_empty()).then_some(defined)
            })
        };
        for _ in 0..8 {
            match exported(&path) {
                Some(defined) => path = defined,
                None => break,
            }
        }
        path
    }

    /// The file in which an item is.
    fn file_of(&self, path: &Path) -> Option<Path> {
        let ends = (1..=path.len()).rev();
        ends.map(|end| path[..end].to_vec()).find(|path| self.files.contains_key(path))
    }
}

fn names(path: &str, separator: char) -> Path {
    path.split(separator).map(str::to_owned).collect()
}

/// A source without its comments and tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn imports(code: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    let mut rest = code;
    while let Some(line) = rest.lines().next() {
        let item = line.trim_start();
        let public = ["pub use ", "pub(crate) use ", "pub(super) use "];
        let is_export = public.iter().any(|start| item.starts_with(start));
        let end = if is_export || item.starts_with("use ") {
            let end = rest.find(';').unwrap_or(rest.len());
            let tokens = tokens(&rest[..end]);
            let start = tokens.iter().position(|token| *token == "use").unwrap_or_default() + 1;
            let mut paths = Vec::new();
            tree(&mut tokens[start..].iter().copied(), &Path::new(), &mut paths);
            imports.extend(paths.into_iter().map(|path| Import { path, is_export }));
            end
        } else {
            imports.extend(inline(line).into_iter().map(|path| Import { path, is_export }));
            0
        };
        let behind = rest[end..].find('\n').map_or(rest.len(), |newline| end + newline + 1);
        rest = &rest[behind..];
    }
    imports
}

/// Splits code into names, `::` and other characters.
fn tokens(code: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let (mut tokens, mut rest) = (Vec::new(), code.trim_start());
    while let Some(first) = rest.chars().next() {
        let length = if is_name(first) {
            rest.find(|c| !is_name(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// The paths of a tree of imports such as `crate::{a, b::{c, d as e}}`. Gives what ends the tree.
fn tree<'a>(
    tokens: &mut impl Iterator<Item = &'a str>,
    prefix: &Path,
    paths: &mut Vec<Path>,
) -> Option<&'a str> {
    let mut path = prefix.clone();
    loop {
        match tokens.next() {
            Some("{") => {
                while tree(tokens, &path, paths) == Some(",") {}
                return tokens.next();
            }
            Some("::") => {}
            // Its new name is used in this file only.
            Some("as") => drop(tokens.next()),
            Some(name) if name != "," && name != "}" => path.push(name.to_owned()),
            end => {
                // Nothing is behind the last comma of a list.
                if path.len() > prefix.len() {
                    paths.push(path);
                }
                return end;
            }
        }
    }
}

/// The paths in a line that is no import.
fn inline(line: &str) -> Vec<Path> {
    let (tokens, mut paths) = (tokens(line), Vec::new());
    for (start, _) in tokens.iter().enumerate() {
        let begins = matches!(tokens[start], "crate" | "self" | "super");
        // `pub(in path)` limits the visibility of an item, and imports nothing.
        let is_visibility = start > 1 && tokens[start - 2..start] == ["(", "in"];
        if !begins || is_visibility || tokens.get(start + 1) != Some(&"::") {
            continue;
        }
        let mut path = vec![tokens[start].to_owned()];
        let mut rest = &tokens[start + 1..];
        while let [separator, name, ..] = rest
            && *separator == "::"
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        {
            path.push((*name).to_owned());
            rest = &rest[2..];
        }
        paths.push(path);
    }
    paths
}

#[test]
fn imports_are_read_from_the_text_of_a_source() {
    let code = "use crate::a::{self, b, c::{D as E, f}};\npub use x::Y;\nlet z = super::g::h(1);";
    let shown: Vec<_> = imports(code)
        .into_iter()
        .map(|import| (import.path.join("::"), import.is_export))
        .collect();
    let expected = [
        ("crate::a::self", false),
        ("crate::a::b", false),
        ("crate::a::c::D", false),
        ("crate::a::c::f", false),
        ("x::Y", true),
        ("super::g::h", false),
    ];
    assert_eq!(shown, expected.map(|(path, is_export)| (path.to_owned(), is_export)));
}
