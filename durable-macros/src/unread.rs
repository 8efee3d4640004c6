//! A function with a parsed signature and an unparsed body.
//!
//! The compiler parses an item before its attribute sees it, and reports syntax errors. So a body
//! that cannot be parsed here must not cause a second error, nor errors in callers.

use proc_macro2::{Group, Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{AttrStyle, Attribute, Block, Expr, ItemFn, Signature, Stmt, Visibility, parse_quote};

use crate::paths::Crate;

struct Unread(ItemFn);

impl Parse for Unread {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis: Visibility = input.parse()?;
        let sig: Signature = input.parse()?;
        let body: Group = input.parse()?;
        if body.delimiter() != proc_macro2::Delimiter::Brace {
            return Err(syn::Error::new(body.span(), "expected a body"));
        }
        let mut item: ItemFn = parse_quote!(
            fn unread() {}
        );
        item.block.brace_token.span = body.delim_span();
        if !body.stream().is_empty() {
            item.block.stmts.push(Stmt::Expr(Expr::Verbatim(body.stream()), None));
        }
        (item.attrs, item.vis, item.sig) = (attrs, vis, sig);
        Ok(Self(item))
    }
}

/// The next function of a file.
pub(crate) fn parse_function(input: ParseStream<'_>) -> syn::Result<ItemFn> {
    Unread::parse(input).map(|Unread(item)| item)
}

/// The function of these tokens: its body is one expression of tokens.
pub(crate) fn parse(item: &TokenStream) -> syn::Result<ItemFn> {
    syn::parse2::<Unread>(item.clone()).map(|Unread(item)| item)
}

/// Parses such a body, if possible, and moves its inner attributes to `attributes`.
pub(crate) fn read(block: &Block, attributes: &mut Vec<Attribute>) -> Option<Block> {
    let tokens = block.stmts.iter().map(ToTokens::to_token_stream).collect::<TokenStream>();
    let parts = |input: ParseStream<'_>| {
        Ok((input.call(Attribute::parse_inner)?, input.call(Block::parse_within)?))
    };
    let (mut inner, stmts) = parts.parse2(tokens).ok()?;
    for attribute in &mut inner {
        attribute.style = AttrStyle::Outer;
    }
    attributes.append(&mut inner);
    Some(Block { brace_token: block.brace_token, stmts })
}

/// Reports a body that could not be parsed here. The report is a lint, which the compiler does not
/// reach after a syntax error of its own.
pub(crate) fn tell(ident: &Ident, krate: &Crate) -> TokenStream {
    let at = krate.at(ident.span());
    let unread = quote_spanned!(ident.span()=> #at::__private_0_1::unread_body);
    quote! {
        #[deny(unused_must_use)]
        const _: () = {
            #unread();
        };
    }
}
