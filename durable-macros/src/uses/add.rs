//! What the items of a module or a block define and import.

use std::rc::Rc;

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{
    Attribute, Block, Expr, ImplItem, ImplItemConst, ImplItemFn, Item, ItemConst, ItemExternCrate,
    ItemFn, ItemImpl, ItemType, ItemUse, Signature, Type, UseTree,
};

use super::{Body, Place, Uses, looks_into, segments};
use crate::names::names;
use crate::table;
use crate::truth::is_true;

impl Uses {
    pub(super) fn add(&mut self, item: &Item) {
        let own = match item {
            Item::Static(item) => {
                self.statics.insert(item.ident.to_string());
                return;
            }
            Item::Use(ItemUse { tree, .. }) => return self.add_tree(tree, &mut Vec::new()),
            Item::Type(alias) => return self.add_alias(alias),
            Item::ExternCrate(item) => {
                self.add_extern_crate(item);
                return;
            }
            Item::Macro(item) => return self.add_macro(item),
            Item::Const(ItemConst { ident, expr, .. }) => {
                self.add_const(ident.to_string(), expr);
                return;
            }
            Item::Enum(item) => &item.ident,
            Item::Fn(ItemFn { attrs, sig, block, .. }) => {
                self.add_body(sig.ident.to_string(), attrs, sig, Self::of_block(block), block);
                if attrs.iter().any(is_activity) {
                    self.activities.insert(sig.ident.to_string());
                }
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

    fn add_alias(&mut self, alias: &ItemType) {
        let name = alias.ident.to_string();
        let paths = names(&alias.ty.to_token_stream()).into_iter().map(|name| name.path);
        self.aliases.insert(name.clone(), Rc::new(paths.collect()));
        let mut ty = &*alias.ty;
        while let Type::Reference(reference) = ty {
            ty = &reference.elem;
        }
        if let Type::Path(ty) = ty {
            self.known.insert(name, segments(&ty.path));
        } else {
            self.own.insert(name);
        }
    }

    fn add_extern_crate(&mut self, item: &ItemExternCrate) {
        let name = item.ident.to_string();
        // Only its macros: `#[macro_use] extern crate log;`
        let has_macros = item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_use"));
        if has_macros && table::LOGGERS.contains(&name.as_str()) {
            self.globs.push(vec![name.clone()]);
        }
        if let Some((_, renamed)) = item.rename.as_ref().filter(|_| name != "self") {
            self.known.insert(renamed.to_string(), vec![name]);
        }
    }

    fn add_body(
        &mut self,
        name: String,
        attrs: &[Attribute],
        sig: &Signature,
        uses: Self,
        block: &Block,
    ) {
        if sig.asyncness.is_none() && !attrs.iter().any(looks_into) {
            self.bodies.insert(name, Body::of(&block.to_token_stream(), uses));
        }
    }

    /// A constant, which may name a function.
    fn add_const(&mut self, name: String, value: &Expr) {
        if is_true(value, &|path| self.is_truth(path)) {
            self.truths.insert(name.clone());
        }
        self.bodies.insert(name, Body::of(&value.to_token_stream(), Self::default()));
    }

    /// Adds `T::f`, unless two members have the same name.
    fn add_impl(&mut self, item: &ItemImpl) {
        let Type::Path(ty) = &*item.self_ty else { return };
        let Some(ty) = ty.path.get_ident().map(ToString::to_string) else { return };
        for inner in &item.items {
            let member = match inner {
                ImplItem::Fn(ImplItemFn { sig, .. }) => &sig.ident,
                ImplItem::Const(ImplItemConst { ident, .. }) => ident,
                _ => continue,
            };
            let name = format!("{ty}::{member}");
            if self.bodies.remove(&name).is_some() {
                continue;
            }
            let place = Place::Impl(Some(ty.clone()));
            match inner {
                ImplItem::Fn(ImplItemFn { attrs, sig, block, .. }) => {
                    let uses = Self::of_block(block).at(place);
                    self.add_body(name, attrs, sig, uses, block);
                }
                ImplItem::Const(ImplItemConst { expr, .. }) => {
                    let uses = Self::default().at(place);
                    self.bodies.insert(name, Body::of(&expr.to_token_stream(), uses));
                }
                _ => {}
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
}

/// Whether an attribute makes a function an activity.
fn is_activity(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "activity")
}
