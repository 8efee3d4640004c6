//! Small questions about tokens and syntax trees.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Item, Pat, PatIdent, Signature, Type, TypeParen};

/// The place where `name` is first used in these tokens.
pub(crate) fn find(name: &str, tokens: &TokenStream) -> Option<Span> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == name => Some(ident.span()),
        TokenTree::Group(group) => find(name, &group.stream()),
        _ => None,
    })
}

/// The names that a pattern binds.
pub(crate) fn bound(pattern: &Pat) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_pat_ident(&mut self, name: &'ast PatIdent) {
            self.0.push(name.ident.to_string());
            visit::visit_pat_ident(self, name);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_pat(pattern);
    names.0
}

/// Whether this is a `cfg`.
pub(crate) fn is_condition(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
}

/// Removes the invisible groups around types that are fragments of a `macro_rules`, so that every
/// type can be recognized.
pub(crate) fn ungroup(signature: &mut Signature) {
    struct Types;
    impl VisitMut for Types {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            while let Type::Group(group) = ty {
                let inner = std::mem::replace(&mut *group.elem, Type::Verbatim(TokenStream::new()));
                *ty = match inner {
                    // `&(dyn A + B)`
                    Type::TraitObject(_) | Type::ImplTrait(_) => Type::Paren(TypeParen {
                        attrs: Vec::new(),
                        paren_token: syn::token::Paren::default(),
                        elem: Box::new(inner),
                    }),
                    inner => inner,
                };
            }
            visit_mut::visit_type_mut(self, ty);
        }
    }
    Types.visit_signature_mut(signature);
}

/// The spans of the first and the last token. An error between tokens with these spans is shown at
/// all of the code.
pub(crate) fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// The keyword of an item.
pub(crate) fn keyword(item: &Item) -> TokenStream {
    match item {
        Item::Const(item) => item.const_token.to_token_stream(),
        Item::Enum(item) => item.enum_token.to_token_stream(),
        Item::Fn(item) => item.sig.fn_token.to_token_stream(),
        Item::Impl(item) => item.impl_token.to_token_stream(),
        Item::Mod(item) => item.mod_token.to_token_stream(),
        Item::Static(item) => item.static_token.to_token_stream(),
        Item::Struct(item) => item.struct_token.to_token_stream(),
        Item::Trait(item) => item.trait_token.to_token_stream(),
        Item::Type(item) => item.type_token.to_token_stream(),
        Item::Union(item) => item.union_token.to_token_stream(),
        other => other.to_token_stream(),
    }
}
