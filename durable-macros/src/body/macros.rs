//! The macros in a body: how their arguments are checked, and which are rejected.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{Attribute, Expr, ExprMacro, Macro, Path, Token};

use super::Body;
use crate::broken::broken_macro;
use crate::names::{self, Kind, Name};
use crate::rules;
use crate::syntax::find;
use crate::table;
use crate::uses::segments;

impl Body<'_> {
    pub(super) fn check_macro(&mut self, mac: &mut Macro) {
        let resolved = self.resolve_macro(&mac.path);
        let written = mac.path.segments.last().map(|last| last.ident.to_string());
        let name = match &resolved {
            Some(path) => path.last().cloned().unwrap_or_default(),
            None => written.unwrap_or_default(),
        };
        match resolved.as_deref().and_then(broken_macro) {
            Some(rule) => {
                let what = match mac.path.segments.last() {
                    Some(last) if last.ident != name => format!("`{}!` (`{name}!`)", last.ident),
                    _ => format!("`{name}!`"),
                };
                self.refuse(&mac.path, &what, rule);
            }
            None => self.look_into(mac, &name),
        }
    }

    /// The full path of a macro; none if the user defines it.
    pub(super) fn resolve_macro(&self, path: &Path) -> Option<Vec<String>> {
        self.uses.resolve(path).filter(|_| self.uses.own_macro(&segments(path)).is_none())
    }

    /// Checks the arguments of a macro. If they are not expressions, they must not contain an
    /// await.
    fn look_into(&mut self, mac: &mut Macro, name: &str) {
        let hidden = find("await", &mac.tokens).filter(|_| self.is_async);
        // A macro of the user's own is known by its body, not by its name.
        let own = self.uses.own_macro(&segments(&mac.path));
        let is_lazy = table::LOGS.contains(&name) || table::LAZY.contains(&name);
        let advances = advances(&mac.tokens).filter(|_| is_lazy && own.is_none());
        if let Some(method) = advances {
            self.refuse(&method, &format!("`.{method}(..)` in `{name}!`"), &rules::LEFT_OUT);
        }
        let is_read = table::EXPRESSIONS.contains(&name) && !(is_lazy && hidden.is_some());
        if let Some(mut arguments) = is_read.then(|| arguments(&mac.tokens)).flatten() {
            for (argument, _) in &mut arguments {
                self.visit_expr_mut(argument);
            }
            mac.tokens = arguments.iter().map(|(argument, end)| quote!(#argument #end)).collect();
            if let Some(own) = own {
                self.check_reached(&mac.path, &format!("{name}!"), own);
            }
            return;
        }
        if let Some(span) = hidden {
            let at = quote_spanned!(span=> await);
            self.refuse(at, &format!("an `.await` in `{name}!`"), &rules::HIDDEN_AWAIT);
        } else if let Some(own) = own {
            self.check_reached(&mac.path, &format!("{name}!"), own);
        }
        self.check_tokens(&mac.tokens);
    }

    /// Checks the names in tokens that are not parsed.
    fn check_tokens(&mut self, tokens: &TokenStream) {
        for Name { path, kind, tokens } in names::names(tokens) {
            if kind == Kind::Macro {
                let is_own = self.uses.own_macro(&path).is_some();
                if let Some(rule) = broken_macro(&path).filter(|_| !is_own) {
                    self.refuse(tokens, &format!("`{}!`", path.join("::")), rule);
                }
            } else if let Ok(path) = syn::parse2::<Path>(tokens)
                && let Some(resolved) = self.uses.resolve(&path).filter(|path| path.len() > 1)
            {
                self.check_resolved(&path, &resolved);
            }
        }
    }

    /// Wraps a log macro so that it is silent in a replay, because the line was already written. A
    /// macro of the same name that no `use` declares may be one of the user's, from another file.
    pub(super) fn silence(&self, attributes: &[Attribute], mac: &Macro) -> Option<TokenStream> {
        let path = self.resolve_macro(&mac.path)?;
        let (name, place) = path.split_last()?;
        let is_known = place.first().is_some_and(|first| table::LOGGERS.contains(&first.as_str()));
        let krate = self.krate;
        (self.is_async && is_known && table::LOGS.contains(&name.as_str()))
            .then(|| quote!(#(#attributes)* if !#krate::__private_0_1::is_replaying() { #mac; }))
    }

    /// Replaces `futures::join!`, which was rejected, by its counterpart in `durable`. Otherwise
    /// there would be a second error, because calls are not futures. The path is kept, so that its
    /// `use` is not reported as unused.
    pub(super) fn make_ours(&mut self, path: &[String], expr: &mut Expr) {
        let ours = match path.last().map(String::as_str) {
            Some("join") => "join",
            Some("try_join") => "try_join",
            _ => return,
        };
        let Expr::Macro(ExprMacro { mac, .. }) = expr else { return };
        let parts = match arguments(&mac.tokens) {
            Some(mut parts) => {
                for (part, _) in &mut parts {
                    self.visit_expr_mut(part);
                }
                parts.iter().map(|(part, end)| quote!(#part #end)).collect()
            }
            None => mac.tokens.clone(),
        };
        let (krate, foreign, ours) = (self.krate, &mac.path, Ident::new(ours, Span::call_site()));
        *expr = Expr::Verbatim(quote! {{
            #[allow(unused_imports)]
            use #foreign as _;
            #krate::#ours((#parts)).await
        }});
    }
}

/// A method call in these tokens that changes the state of the context.
fn advances(tokens: &TokenStream) -> Option<Ident> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let is_dot = |at: usize| matches!(&tokens[at], TokenTree::Punct(dot) if dot.as_char() == '.');
    let is_context = |at: usize| {
        let TokenTree::Ident(receiver) = &tokens[at] else { return false };
        let name = receiver.to_string();
        name.ends_with("ctx") || name.ends_with("context")
    };
    let is_called = |at: usize| match tokens.get(at + 1) {
        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
        _ => false,
    };
    tokens.iter().enumerate().find_map(|(at, token)| match token {
        TokenTree::Group(group) => advances(&group.stream()),
        TokenTree::Ident(name) if at > 0 && is_dot(at - 1) && is_called(at) => {
            let called = name.to_string();
            let of_context = at > 1 && is_context(at - 2) && called == "start";
            let is_one = table::ADVANCING.contains(&called.as_str()) || of_context;
            is_one.then(|| name.clone())
        }
        _ => None,
    })
}

/// The arguments of a macro, each with the token after it, if they are expressions; `vec![0; 5]`
/// has two.
fn arguments(tokens: &TokenStream) -> Option<Vec<(Expr, Option<TokenTree>)>> {
    let separated = Punctuated::<Expr, Token![,]>::parse_terminated;
    if let Ok(arguments) = separated.parse2(tokens.clone()) {
        let end = |comma: Option<Token![,]>| {
            comma.and_then(|comma| comma.into_token_stream().into_iter().next())
        };
        let pairs = arguments.into_pairs().map(syn::punctuated::Pair::into_tuple);
        return Some(pairs.map(|(argument, comma)| (argument, end(comma))).collect());
    }
    let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(end) if end.as_char() == ';');
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let (element, rest) = tokens.split_at(tokens.iter().position(is_end)?);
    let parse = |part: &[TokenTree]| syn::parse2(part.iter().cloned().collect()).ok();
    Some(vec![(parse(element)?, rest.first().cloned()), (parse(&rest[1..])?, None)])
}
