//! Names in tokens that are not parsed, and whether a name breaks a rule.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::ext::IdentExt;

use crate::rules::{self, Rule};

/// A path in tokens.
#[derive(Debug)]
pub(crate) struct Name<T> {
    pub(crate) path: Vec<String>,
    pub(crate) kind: Kind,
    /// Its tokens, or nothing where they are not kept.
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

/// All paths in these tokens; what follows a dot is none, nor what is in an attribute.
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
                // A range ends in a dot as well.
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

/// The rule that a path breaks.
pub(crate) fn broken(path: &[String]) -> Option<&'static Rule> {
    let breaks = |entry: &&str| breaks(path, entry);
    rules::PATHS.iter().find(|(_, entries)| entries.iter().any(breaks)).map(|(rule, _)| *rule)
}

/// The rule that a macro breaks by its name.
pub(crate) fn broken_macro(name: &str) -> Option<&'static Rule> {
    rules::MACROS.iter().find(|(_, names)| names.contains(&name)).map(|(rule, _)| *rule)
}

/// Whether a resolved path meets an entry of the table.
fn breaks(path: &[String], entry: &str) -> bool {
    match entry.strip_prefix("::") {
        Some(inside) => {
            let inside: Vec<_> = inside.split("::").collect();
            // What follows a type is its variant or function, and no type.
            let follows_type = |at: usize| at > 0 && path[at - 1].starts_with(char::is_uppercase);
            let mut windows = path.windows(inside.len()).enumerate();
            windows.any(|(at, window)| window == inside && !follows_type(at))
        }
        None => {
            let start: Vec<_> = entry.split("::").collect();
            // A module alone is not used; a variable may have its name.
            let is_module = start.last().is_some_and(|last| rules::MODULES.contains(last));
            let least = if start.len() == 1 || is_module { start.len() + 1 } else { start.len() };
            let is_same = |(part, entry): (&String, &&str)| match entry.strip_suffix('*') {
                Some(family) => part.starts_with(family),
                None => part == entry,
            };
            path.len() >= least && path.iter().zip(&start).all(is_same)
        }
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

    #[test]
    fn a_family_of_crates_is_one_entry() {
        let path = |text: &str| text.split("::").map(str::to_owned).collect::<Vec<_>>();
        assert!(breaks(&path("aws_sdk_sns::Client"), "aws_sdk_*"));
        assert!(!breaks(&path("aws_sdk_sns"), "aws_sdk_*"));
        assert!(!breaks(&path("aws::Client"), "aws_sdk_*"));
    }
}
