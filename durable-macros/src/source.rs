//! The source file of a function, read for what is around the function.
//!
//! A macro sees the tokens of one item only. The file that they come from can be read, though, and the
//! `use`s, aliases and items in it say what most names in the function mean. Where the file cannot be
//! read (in an editor, perhaps), names stand for themselves.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::token::Brace;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, File, Item, ItemFn, ItemMod, Signature, Token, Type, Visibility, parse_quote,
};

use crate::expand::unread;
use crate::uses::{Place, Uses};

thread_local! {
    /// What was found in files for earlier functions of the crate. Tokens do not outlive the call of
    /// a macro, so only names are kept.
    static FILES: RefCell<BTreeMap<PathBuf, Rc<Source>>> = const { RefCell::new(BTreeMap::new()) };
}

/// What is visible in each place of a file from which a function may come.
#[derive(Default)]
struct Source {
    /// By the function's name; of several of one name, each with its body.
    functions: BTreeMap<String, Vec<(String, Uses)>>,
    /// Calls of macros among the items, with all names in them: what they write is not in the file.
    calls: Vec<(BTreeSet<String>, Uses)>,
    /// At the top of the file.
    top: Uses,
}

/// What is visible where the function `name` stands.
pub(crate) fn around(name: &Ident, body: &Block) -> Uses {
    // The compiler's own span, which knows its file. There is none outside of a macro.
    let span = proc_macro2::Span::unwrap(name.span());
    let Some(path) = span.local_file() else { return Uses::default() };
    let source = FILES.with_borrow_mut(|files| {
        Rc::clone(files.entry(path).or_insert_with_key(|path| Rc::new(read(path))))
    });
    let name = name.unraw().to_string();
    let Some(found) = source.functions.get(&name) else {
        // A macro wrote it.
        let call = source.calls.iter().find(|(names, _)| names.contains(&name));
        return call.map_or(&source.top, |(_, uses)| uses).clone();
    };
    let same = match &found[..] {
        [_] => None,
        _ => found.iter().find(|(text, _)| *text == without_space(body)),
    };
    same.or(found.first()).map(|(_, uses)| uses.clone()).unwrap_or_default()
}

/// Whether an attribute looks into the function, or makes something else of it.
pub(crate) fn looks_into(attribute: &Attribute) -> bool {
    const HARMLESS: [&str; 9] =
        ["allow", "cfg", "cold", "deny", "doc", "expect", "inline", "must_use", "track_caller"];
    !HARMLESS.iter().any(|name| attribute.path().is_ident(name))
}

/// All names in these tokens.
fn idents(tokens: &TokenStream, names: &mut BTreeSet<String>) {
    for token in tokens.clone() {
        match token {
            TokenTree::Group(group) => idents(&group.stream(), names),
            TokenTree::Ident(ident) => {
                names.insert(ident.unraw().to_string());
            }
            _ => {}
        }
    }
}

/// What tells bodies apart: where spaces are depends on where the tokens are from.
fn without_space(tokens: impl ToTokens) -> String {
    tokens.to_token_stream().to_string().split_whitespace().collect()
}

fn read(path: &PathBuf) -> Source {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    parse(&text).map(|file| Search::through(&file)).unwrap_or_default()
}

/// A file, without the items that are not finished.
fn parse(text: &str) -> syn::Result<File> {
    syn::parse_file(text).or_else(|_| {
        let items = items.parse_str(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        let mut file: File = parse_quote!();
        file.items = items;
        Ok(file)
    })
}

/// Items of which some cannot be parsed: of a function only its signature counts, of a module what it
/// has inside, and others are left out.
fn items(input: ParseStream<'_>) -> syn::Result<Vec<Item>> {
    let mut found = Vec::new();
    input.call(Attribute::parse_inner)?;
    while !input.is_empty() {
        if let Some(item) = attempt(input, Item::parse) {
            found.push(item);
        } else if let Some(function) = attempt(input, unread::parse_function) {
            found.push(Item::Fn(function));
        } else if let Some((mut module, inner)) = attempt(input, module) {
            module.content = Some((Brace::default(), inner));
            found.push(Item::Mod(module));
        } else {
            // The rest of what was no item: up to its block or its semicolon.
            while let Ok(token) = input.parse::<TokenTree>() {
                let is_end = match &token {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    token => token.to_string() == ";",
                };
                if is_end {
                    break;
                }
            }
        }
    }
    Ok(found)
}

/// What `parse` finds, or nothing, and then nothing is taken.
fn attempt<T>(input: ParseStream<'_>, parse: fn(ParseStream<'_>) -> syn::Result<T>) -> Option<T> {
    let ahead = input.fork();
    let found = parse(&ahead).ok()?;
    input.advance_to(&ahead);
    Some(found)
}

/// A module whose items cannot all be parsed.
fn module(input: ParseStream<'_>) -> syn::Result<(ItemMod, Vec<Item>)> {
    input.call(Attribute::parse_outer)?;
    input.parse::<Visibility>()?;
    input.parse::<Token![mod]>()?;
    let name: Ident = input.parse()?;
    let inner;
    syn::braced!(inner in input);
    Ok((parse_quote!(mod #name {}), items(&inner)?))
}

/// Goes through a file, and gathers what is visible on the way to each function.
#[derive(Default)]
struct Search {
    stack: Vec<Uses>,
    found: Source,
    file: Rc<Uses>,
}

impl Search {
    fn through(file: &File) -> Source {
        let uses = Uses::of_items(&file.items);
        let mut search = Self { file: Rc::new(uses.clone()), ..Self::default() };
        search.found.top = uses.clone();
        search.found.top.file = Some(Rc::clone(&search.file));
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
        let visible = self.visible();
        let body = body.map(without_space).unwrap_or_default();
        let name = signature.ident.unraw().to_string();
        self.found.functions.entry(name).or_default().push((body, visible));
    }

    /// What is visible in the place that is visited.
    fn visible(&self) -> Uses {
        let Some((first, rest)) = self.stack.split_first() else { return Uses::default() };
        let mut visible = first.clone();
        for uses in rest {
            visible.extend(uses);
        }
        visible.file = Some(Rc::clone(&self.file));
        visible
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
        // A function in a block is no member of the type around it.
        let uses = Uses::of_block(block).at(Place::Block);
        self.inside(uses, |search| visit::visit_block(search, block));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let ty = match &*item.self_ty {
            Type::Path(ty) => ty.path.get_ident().map(ToString::to_string),
            _ => None,
        };
        let uses = Uses::default().at(Place::Impl(ty));
        self.inside(uses, |search| visit::visit_item_impl(search, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let uses = Uses::default().at(Place::Trait);
        self.inside(uses, |search| visit::visit_item_trait(search, item));
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if item.ident.is_none() {
            let mut names = BTreeSet::new();
            idents(&item.mac.tokens, &mut names);
            let visible = self.visible();
            self.found.calls.push((names, visible));
        }
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

    #[test]
    fn what_is_visible_depends_on_the_module_and_the_block() {
        let file: File = syn::parse_str(
            "use std::fs; mod m { use std::env; #[h] fn f() { use std::net; #[h] fn g() {} } }",
        )
        .unwrap();
        let functions = Search::through(&file);
        let find = |name: &str| functions.functions[name][0].1.brought().collect::<Vec<_>>();
        assert_eq!(find("f"), ["env"]);
        assert_eq!(find("g"), ["env", "net"]);
    }

    #[test]
    fn an_unfinished_item_hides_no_other() {
        let file = parse(
            "use std::fs; #[h] fn f() { a(1).; } struct S { x: } mod m { use std::env; fn g() { let \
             x = ; } #[h] fn k() {} }",
        )
        .unwrap();
        let found = Search::through(&file);
        let find = |name: &str| found.functions[name][0].1.brought().collect::<Vec<_>>();
        assert_eq!(find("f"), ["fs"]);
        assert_eq!(find("k"), ["env"]);
    }
}
