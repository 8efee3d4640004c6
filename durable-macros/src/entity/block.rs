//! An `impl` block of operations, in the user's own tokens.

use std::rc::Rc;

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, Ident, ImplItem, ImplItemFn, ItemFn, ItemImpl, Receiver, ReceiverKind,
    Signature, Type, parse_quote,
};

use crate::ast::last_name;
use crate::source;
use crate::syntax::ungroup;
use crate::uses::Uses;

pub(super) struct Block<'a> {
    pub(super) item: &'a ItemImpl,
    /// The name of the type; `None` if it has no name.
    pub(super) ident: Option<&'a Ident>,
    pub(super) operations: Vec<Operation<'a>>,
    /// The meaning of the names in the block.
    pub(super) uses: Rc<Uses>,
}

/// A method with a `self`.
pub(super) struct Operation<'a> {
    pub(super) receiver: &'a Receiver,
    /// The method as a function, as written.
    pub(super) item: ItemFn,
    /// The same with `Self` replaced by the type, for code outside of the block.
    pub(super) outside: ItemFn,
}

impl<'a> Block<'a> {
    pub(super) fn new(item: &'a ItemImpl) -> Self {
        let ident = last_name(&item.self_ty);
        let method = |member: &'a ImplItem| match member {
            ImplItem::Fn(method) => Operation::new(method, &item.self_ty),
            _ => None,
        };
        let operations = item.items.iter().filter_map(method).collect();
        let uses = ident.map(|ident| source::around_block(ident, item)).unwrap_or_default();
        Self { item, ident, operations, uses }
    }

    /// The function of this name in the block, whether it is an operation or not.
    pub(super) fn function(&self, name: &str) -> Option<&'a Ident> {
        self.item.items.iter().find_map(|member| match member {
            ImplItem::Fn(method) if method.sig.ident.unraw() == name => Some(&method.sig.ident),
            _ => None,
        })
    }

    /// The `cfg` attributes of the block.
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
        ungroup(&mut item.sig);
        let mut outside = item.clone();
        let sig = replace_self(item.sig.to_token_stream(), entity);
        // If `Self` cannot be replaced here, the compiler reports it.
        if let Ok(sig) = syn::parse2::<Signature>(sig) {
            outside.sig = sig;
        }
        Some(Self { receiver, item, outside })
    }

    /// The name of the operation.
    pub(super) fn name(&self) -> String {
        self.item.sig.ident.unraw().to_string()
    }

    /// Whether the operation only reads the state.
    pub(super) fn reads(&self) -> bool {
        matches!(self.receiver.kind, ReceiverKind::Reference(_, _, None))
    }
}

/// Replaces every `Self` by the type, with the span of the `Self`.
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
