//! An `impl` block of operations, in the user's own tokens.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, Ident, ImplItem, ImplItemFn, ItemFn, ItemImpl, Receiver, ReceiverKind,
    Signature, Type, parse_quote,
};

use crate::ast::last_name;

pub(super) struct Block<'a> {
    pub(super) item: &'a ItemImpl,
    /// What the type is called; none if it is not a type with a name.
    pub(super) ident: Option<&'a Ident>,
    pub(super) operations: Vec<Operation<'a>>,
}

/// A method with a `self`.
pub(super) struct Operation<'a> {
    pub(super) receiver: &'a Receiver,
    /// The method as it is written, as a function.
    pub(super) item: ItemFn,
    /// The same where `Self` would be another type.
    pub(super) outside: ItemFn,
}

impl<'a> Block<'a> {
    pub(super) fn new(item: &'a ItemImpl) -> Self {
        let ident = last_name(&item.self_ty);
        let method = |member: &'a ImplItem| match member {
            ImplItem::Fn(method) => Operation::new(method, &item.self_ty),
            _ => None,
        };
        Self { item, ident, operations: item.items.iter().filter_map(method).collect() }
    }

    /// The function of this name, if the block has one: an operation or another.
    pub(super) fn function(&self, name: &str) -> Option<&'a Ident> {
        self.item.items.iter().find_map(|member| match member {
            ImplItem::Fn(method) if method.sig.ident.unraw() == name => Some(&method.sig.ident),
            _ => None,
        })
    }

    /// The attributes that say whether the block is there at all.
    pub(super) fn conditions(&self) -> Vec<&'a Attribute> {
        self.item.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect()
    }
}

impl<'a> Operation<'a> {
    fn new(method: &'a ImplItemFn, entity: &Type) -> Option<Self> {
        let Some(FnArg::Receiver(receiver)) = method.sig.inputs.first() else { return None };
        let ImplItemFn { attrs, vis, sig, .. } = method;
        let mut item: ItemFn = parse_quote!(
            fn operation() {}
        );
        (item.attrs, item.vis, item.sig) = (attrs.clone(), vis.clone(), sig.clone());
        let mut outside = item.clone();
        let sig = replace_self(sig.to_token_stream(), entity);
        // With a `Self` that cannot be replaced, the compiler says so.
        if let Ok(sig) = syn::parse2::<Signature>(sig) {
            outside.sig = sig;
        }
        Some(Self { receiver, item, outside })
    }

    /// Its name, by which it is asked for.
    pub(super) fn name(&self) -> String {
        self.item.sig.ident.unraw().to_string()
    }

    /// Whether it cannot change the state.
    pub(super) fn reads(&self) -> bool {
        matches!(self.receiver.kind, ReceiverKind::Reference(_, _, None))
    }
}

/// Puts the type in the place of every `Self`, where it is shown as what the user wrote.
fn replace_self(tokens: TokenStream, entity: &Type) -> TokenStream {
    let replace = |token| match token {
        TokenTree::Ident(ident) if ident == "Self" => {
            let entity = entity.to_token_stream().into_iter().map(|mut token| {
                token.set_span(ident.span());
                token
            });
            entity.collect()
        }
        TokenTree::Group(group) => {
            let inner = replace_self(group.stream(), entity);
            let mut replaced = Group::new(group.delimiter(), inner);
            replaced.set_span(group.span());
            TokenTree::from(replaced).into()
        }
        token => TokenStream::from(token),
    };
    tokens.into_iter().map(replace).collect()
}
