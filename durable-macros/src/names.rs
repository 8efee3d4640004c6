//! Finds names in unparsed tokens.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::ext::IdentExt;

/// A path in tokens.
#[derive(Debug)]
pub(crate) struct Name<T> {
    pub(crate) path: Vec<String>,
    pub(crate) kind: Kind,
    /// Its tokens, or `()` if they are not kept.
    pub(crate) tokens: T,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// `name(..)`
    Call,
    /// `name!(..)`
    Macro,
    Other,
}

/// All paths in these tokens, except fields, methods and the contents of attributes.
pub(crate) fn names(tokens: &TokenStream) -> Vec<Name<TokenStream>> {
    let mut names = Vec::new();
    gather(tokens, &mut names);
    names
}

fn gather(tokens: &TokenStream, names: &mut Vec<Name<TokenStream>>) {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let is = |at: usize, text: char| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == text);
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                let is_attribute =
                    group.delimiter() == Delimiter::Bracket && at > 0 && is(at - 1, '#');
                if !is_attribute {
                    gather(&group.stream(), names);
                }
            }
            TokenTree::Ident(first) => {
                let begin = at;
                let mut path = vec![first.unraw().to_string()];
                while is(at + 1, ':')
                    && is(at + 2, ':')
                    && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                {
                    path.push(next.unraw().to_string());
                    at += 3;
                }
                // The name after a range `..` is a path.
                let is_member =
                    begin > 0 && is(begin - 1, '.') && !(begin > 1 && is(begin - 2, '.'));
                let is_variable = begin > 0 && is(begin - 1, '$');
                if !is_member && !is_variable {
                    let kind = match (tokens.get(at + 1), tokens.get(at + 2)) {
                        (Some(TokenTree::Group(group)), _)
                            if group.delimiter() == Delimiter::Parenthesis =>
                        {
                            Kind::Call
                        }
                        (Some(TokenTree::Punct(mark)), Some(TokenTree::Group(_)))
                            if mark.as_char() == '!' =>
                        {
                            Kind::Macro
                        }
                        _ => Kind::Other,
                    };
                    let tokens = tokens[begin..=at].iter().cloned().collect();
                    names.push(Name { path, kind, tokens });
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_tokens() {
        let tokens = "a::b(c.d, $e, #[f] 0..g, h!(::i::r#j), k == l) => ?m";
        let names = names(&tokens.parse().unwrap());
        let found: Vec<_> = names.iter().map(|name| name.path.join("::")).collect();
        assert_eq!(found, ["a::b", "c", "g", "h", "i::j", "k", "l", "m"]);
        assert_eq!(names[0].kind, Kind::Call);
        assert_eq!(names[3].kind, Kind::Macro);
    }
}
