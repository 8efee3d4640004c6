//! The source file of a function, which shows what surrounds the function.
//!
//! An attribute sees only the tokens of its item. But it can read the file that they come from,
//! whose `use`s, aliases and items show what most names in the function mean. If the file cannot be
//! read, for example in an editor, names are taken literally.

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
    Attribute, Block, File, Item, ItemFn, ItemImpl, ItemMod, Signature, Stmt, Token, Type,
    Visibility, parse_quote,
};

use crate::ast::last_name;
use crate::uses::{HARMLESS, Place, Uses, looks_into};
use crate::{scan, unread};

thread_local! {
    /// The files of earlier functions of the crate. Only names are kept, because tokens do not
    /// outlive the call of a macro.
    static FILES: RefCell<BTreeMap<PathBuf, Rc<Source>>> = const { RefCell::new(BTreeMap::new()) };
}

/// What is visible at each place of a file where a function may be.
#[derive(Default)]
struct Source {
    /// By the name of the function, or the key of the `impl` block. Items with the same name are
    /// distinguished by their bodies.
    functions: BTreeMap<String, Vec<(String, Rc<Uses>)>>,
    /// Macro calls among the items, with all names in them. What they expand to is not in the file.
    calls: Vec<(BTreeSet<String>, Rc<Uses>)>,
    /// At the top of the file.
    top: Rc<Uses>,
}

/// What is visible at the function `name`.
pub(crate) fn around(name: &Ident, body: &Block) -> Rc<Uses> {
    find(name, &name.unraw().to_string(), || without_space(body))
}

/// What is visible in an `impl` block of the type `name`.
pub(crate) fn around_block(name: &Ident, block: &ItemImpl) -> Rc<Uses> {
    find(name, &key(name), || members(block))
}

/// What is visible at the item with this `key`, which has a `name`. Items with the same key are
/// distinguished by their `text`.
fn find(name: &Ident, key: &str, text: impl Fn() -> String) -> Rc<Uses> {
    // The compiler's span knows its file. There is none outside of a macro.
    if !proc_macro::is_available() {
        return Rc::default();
    }
    let span = proc_macro2::Span::unwrap(name.span());
    let Some(path) = span.local_file() else { return Rc::default() };
    let source = FILES.with_borrow_mut(|files| {
        Rc::clone(files.entry(path).or_insert_with_key(|path| Rc::new(read(path))))
    });
    let Some(found) = source.functions.get(key) else {
        // A macro wrote it.
        let name = name.unraw().to_string();
        let call = source.calls.iter().find(|(names, _)| names.contains(&name));
        return Rc::clone(call.map_or(&source.top, |(_, uses)| uses));
    };
    let same = match &found[..] {
        [_] => None,
        _ => {
            let text = text();
            found.iter().find(|(known, _)| *known == text)
        }
    };
    same.or(found.first()).map(|(_, uses)| Rc::clone(uses)).unwrap_or_default()
}

/// The key of the `impl` blocks of a type.
fn key(name: &Ident) -> String {
    format!("impl {}", name.unraw())
}

/// The text of the members of a block.
fn members(block: &ItemImpl) -> String {
    block.items.iter().map(without_space).collect()
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

/// Text for comparing bodies. Spaces are removed, because they depend on where the tokens come
/// from.
fn without_space(tokens: impl ToTokens) -> String {
    tokens.to_token_stream().to_string().split_whitespace().collect()
}

fn read(path: &PathBuf) -> Source {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    through(&text).unwrap_or_default()
}

fn through(text: &str) -> syn::Result<Source> {
    let file = parse(&scan::without_bodies(text, &HARMLESS))?;
    let uses = Uses::of_items(&file.items);
    let source = Search::new(&uses).through(&file, uses.clone());
    let alike = source.functions.iter().filter(|(_, found)| found.len() > 1);
    let alike: BTreeSet<_> = alike.map(|(name, _)| name.clone()).collect();
    if alike.is_empty() {
        return Ok(source);
    }
    // Functions of one name are told apart by their bodies.
    Ok(Search { alike, ..Search::new(&uses) }.through(&parse(text)?, uses))
}

/// Parses a file, and skips incomplete items.
fn parse(text: &str) -> syn::Result<File> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // As it is in `syn::parse_file`.
    let text = if text.starts_with("#!") && !text.starts_with("#![") {
        text.split_once('\n').map_or("", |(_, rest)| rest)
    } else {
        text
    };
    let mut file: File = parse_quote!();
    file.items = items.parse_str(text)?;
    Ok(file)
}

/// Items, some of which may be incomplete. Of an incomplete function the signature is used, of an
/// incomplete module its items; other incomplete items are skipped.
fn items(input: ParseStream<'_>) -> syn::Result<Vec<Item>> {
    let mut found = Vec::new();
    input.call(Attribute::parse_inner)?;
    while !input.is_empty() {
        // Most of a file is function bodies, and few of them are needed.
        if is_function(input)
            && let Some(mut function) = attempt(input, unread::parse_function)
        {
            if may_have_items(&function.block.to_token_stream())
                && let Some(block) = unread::read(&function.block, &mut Vec::new())
            {
                *function.block = block;
            }
            found.push(Item::Fn(function));
        } else if let Some(item) = attempt(input, Item::parse) {
            found.push(item);
        } else if let Some((mut module, inner)) = attempt(input, module) {
            module.content = Some((Brace::default(), inner));
            found.push(Item::Mod(module));
        } else {
            // Skips the rest of an incomplete item, up to its block or semicolon.
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

/// Whether the next item is a function.
fn is_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    while ahead.peek(Token![#]) {
        let _ = ahead.parse::<TokenTree>().and_then(|_| ahead.parse::<TokenTree>());
    }
    if ahead.parse::<Visibility>().is_err() {
        return false;
    }
    while ahead.peek(Token![const]) || ahead.peek(Token![async]) || ahead.peek(Token![unsafe]) {
        let _ = ahead.parse::<TokenTree>();
    }
    ahead.peek(Token![fn])
}

/// Whether these tokens may contain items, so that they have to be parsed.
fn may_have_items(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => may_have_items(&group.stream()),
        TokenTree::Ident(name) => scan::ITEMS.contains(&name.to_string().as_str()),
        _ => false,
    })
}

/// Tries to parse something; on failure, consumes nothing.
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

/// Visits a file, and records what is visible at each function.
#[derive(Default)]
struct Search {
    /// What is visible at the current place.
    visible: Rc<Uses>,
    /// What is visible in the current module.
    module: Rc<Uses>,
    found: Source,
    file: Rc<Uses>,
    /// Names that several functions have, whose bodies are recorded.
    alike: BTreeSet<String>,
}

impl Search {
    fn new(uses: &Uses) -> Self {
        Self { file: Rc::new(uses.clone()), ..Self::default() }
    }

    fn through(mut self, file: &File, uses: Uses) -> Source {
        let top = self.of_module(uses);
        self.inside_module(Rc::clone(&top), |search| visit::visit_file(search, file));
        Source { top, ..self.found }
    }

    /// What is visible in a module of these items.
    fn of_module(&self, mut uses: Uses) -> Rc<Uses> {
        uses.file = Some(Rc::clone(&self.file));
        Rc::new(uses)
    }

    fn inside_module(&mut self, module: Rc<Uses>, visit: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.module, Rc::clone(&module));
        self.inside(module, visit);
        self.module = outside;
    }

    fn inside(&mut self, visible: Rc<Uses>, visit: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.visible, visible);
        visit(self);
        self.visible = outside;
    }

    /// Notes a function that an attribute checks; no other functions are looked up.
    fn note(&mut self, attrs: &[Attribute], signature: &Signature, body: Option<&Block>) {
        let text = || body.map(without_space).unwrap_or_default();
        self.note_as(signature.ident.unraw().to_string(), attrs, text);
    }

    fn note_as(&mut self, key: String, attrs: &[Attribute], text: impl FnOnce() -> String) {
        if attrs.iter().any(looks_into) {
            let text = if self.alike.contains(&key) { text() } else { String::new() };
            let visible = Rc::clone(&self.visible);
            self.found.functions.entry(key).or_default().push((text, visible));
        }
    }
}

impl<'ast> Visit<'ast> for Search {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let Some((_, items)) = &module.content else { return };
        // The names outside of a module are not visible in it.
        let mut uses = Uses::of_items(items);
        uses.outside = Some(Rc::clone(&self.module));
        self.inside_module(self.of_module(uses), |search| visit::visit_item_mod(search, module));
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let mut items = block.stmts.iter().filter(|it| matches!(it, Stmt::Item(_)));
        if items.next().is_none() {
            return visit::visit_block(self, block);
        }
        // A function in a block is not a member of the surrounding type.
        let visible = self.visible.with(&Uses::of_block(block).at(Place::Block));
        self.inside(visible, |search| visit::visit_block(search, block));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if let (None, Some(name)) = (&item.trait_, last_name(&item.self_ty)) {
            self.note_as(key(name), &item.attrs, || members(item));
        }
        let ty = match &*item.self_ty {
            Type::Path(ty) => ty.path.get_ident().map(ToString::to_string),
            _ => None,
        };
        let visible = self.visible.with(&Uses::default().at(Place::Impl(ty)));
        self.inside(visible, |search| visit::visit_item_impl(search, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let visible = self.visible.with(&Uses::default().at(Place::Trait));
        self.inside(visible, |search| visit::visit_item_trait(search, item));
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if item.ident.is_none() {
            let mut names = BTreeSet::new();
            idents(&item.mac.tokens, &mut names);
            self.found.calls.push((names, Rc::clone(&self.visible)));
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
    fn visibility_depends_on_the_module_and_the_block() {
        let source = through(
            "use std::fs; mod m { use std::env; #[h] fn f() { use std::net; #[h] fn g() {} } }",
        )
        .unwrap();
        let find = |name: &str| source.functions[name][0].1.brought().collect::<Vec<_>>();
        assert_eq!(find("f"), ["env"]);
        assert_eq!(find("g"), ["env", "net"]);
    }

    #[test]
    fn an_unfinished_item_hides_no_other() {
        let found = through(
            "use std::fs; #[h] fn f() { a(1).; } struct S { x: } mod m { use std::env; fn g() { let \
             x = ; } #[h] fn k() {} }",
        )
        .unwrap();
        let find = |name: &str| found.functions[name][0].1.brought().collect::<Vec<_>>();
        assert_eq!(find("f"), ["fs"]);
        assert_eq!(find("k"), ["env"]);
    }
}
