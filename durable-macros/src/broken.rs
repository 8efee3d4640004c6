//! Looks up the rule that a name breaks.

use std::collections::HashMap;

use crate::rules::Rule;
use crate::table;
use crate::uses::Uses;

/// A rule that a path breaks.
#[derive(Clone, Copy)]
pub(crate) struct Broken {
    pub(crate) rule: &'static Rule,
    /// The entry of the table that the path matches.
    pub(crate) entry: &'static str,
    /// Whether only the end of the entry matches, because the origin of the first name is unknown.
    pub(crate) is_guess: bool,
}

impl Broken {
    /// The full name that the path is assumed to have.
    pub(crate) fn name(&self) -> String {
        self.entry.replacen('|', "::", 1)
    }
}

/// The rule that a path breaks, which `uses` has resolved.
pub(crate) fn broken(path: &[String], uses: &Uses) -> Option<Broken> {
    thread_local!(static INDEX: Index = Index::of(table::PATHS));
    INDEX.with(|index| {
        index.candidates(path).into_iter().find_map(|(_, rule, entry)| {
            let is_guess = match meets(path, entry)? {
                Met::Whole => false,
                Met::End => true,
            };
            (!is_guess || !uses.is_obscured()).then_some(Broken { rule, entry, is_guess })
        })
    })
}

/// The position of an entry in the table, its rule and its text.
type Indexed = (usize, &'static Rule, &'static str);

/// The entries of the table by the name that a path must contain to match, because comparing every
/// path with every entry would be slow.
#[derive(Default)]
struct Index {
    by_name: HashMap<&'static str, Vec<Indexed>>,
    /// The entries that begin with a family of names: `aws_sdk_*`.
    families: Vec<Indexed>,
}

impl Index {
    fn of(table: &[(&'static Rule, &'static [&'static str])]) -> Self {
        let mut index = Self::default();
        let entries = table.iter().flat_map(|(rule, all)| all.iter().map(|entry| (*rule, *entry)));
        for (at, (rule, entry)) in entries.enumerate() {
            let needed = entry.split_once('|').map_or(entry, |(_, end)| end);
            let name = needed.split("::").next().unwrap_or(needed);
            let list = if name.ends_with('*') {
                &mut index.families
            } else {
                index.by_name.entry(name).or_default()
            };
            list.push((at, rule, entry));
        }
        index
    }

    /// The entries that a path may match, in the order of the table.
    fn candidates(&self, path: &[String]) -> Vec<Indexed> {
        let named = path.iter().filter_map(|name| self.by_name.get(name.as_str()));
        let named = named.flatten().copied();
        let mut found: Vec<_> = named.chain(self.families.iter().copied()).collect();
        found.sort_unstable_by_key(|(at, ..)| *at);
        found
    }
}

/// The rule that a macro breaks by its name, unless it comes from `durable` or an unknown crate.
pub(crate) fn broken_macro(path: &[String]) -> Option<&'static Rule> {
    let (name, place) = path.split_last()?;
    if place.first().is_some_and(|first| first == "durable" || !table::is_known(first)) {
        return None;
    }
    let is_entry = |(_, names): &&(&Rule, &[&str])| names.contains(&name.as_str());
    table::MACROS.iter().find(is_entry).map(|(rule, _)| *rule)
}

/// How a path matches an entry of the table.
#[derive(Debug, PartialEq)]
enum Met {
    Whole,
    /// The end matches, and the origin of the first name is unknown.
    End,
}

/// Whether and how a resolved path matches an entry of the table.
fn meets(path: &[String], entry: &str) -> Option<Met> {
    let Some((_, end)) = entry.split_once('|') else {
        let start: Vec<_> = entry.split("::").collect();
        // A module by itself breaks nothing, and a variable may have the same name.
        let is_module = start.last().is_some_and(|last| table::MODULES.contains(last));
        let least = if start.len() == 1 || is_module { start.len() + 1 } else { start.len() };
        let is_same = |(part, entry): (&String, &&str)| match entry.strip_suffix('*') {
            Some(family) => part.starts_with(family),
            None => part == entry,
        };
        let is_met = path.len() >= least && path.iter().zip(&start).all(is_same);
        return is_met.then_some(Met::Whole);
    };
    let end: Vec<_> = end.split("::").collect();
    // A name after a type is a variant or a function, not a type.
    let follows_type = |at: usize| at > 0 && path[at - 1].starts_with(char::is_uppercase);
    let mut windows = path.windows(end.len()).enumerate();
    let (at, _) = windows.find(|(at, window)| *window == end && !follows_type(*at))?;
    match at {
        0 => Some(Met::End),
        _ => table::is_known(&path[0]).then_some(Met::Whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(path: &str, entry: &str) -> Option<Met> {
        meets(&path.split("::").map(str::to_owned).collect::<Vec<_>>(), entry)
    }

    #[test]
    fn a_family_of_crates_is_one_entry() {
        assert_eq!(met("aws_sdk_sns::Client", "aws_sdk_*"), Some(Met::Whole));
        assert_eq!(met("aws_sdk_sns", "aws_sdk_*"), None);
        assert_eq!(met("aws::Client", "aws_sdk_*"), None);
    }

    #[test]
    fn the_last_segment_of_an_entry_counts_in_known_crates() {
        let entry = "std::process|Command::new";
        assert_eq!(met("std::process::Command::new", entry), Some(Met::Whole));
        assert_eq!(met("tokio::process::Command::new", entry), Some(Met::Whole));
        assert_eq!(met("Command::new", entry), Some(Met::End));
        assert_eq!(met("domain::Command::new", entry), None);
        assert_eq!(met("std::Event::Command::new", entry), None);
    }

    /// The code of the rule that a path breaks below these items.
    fn code(items: &str, path: &str) -> Option<&'static str> {
        let uses = Uses::of_items(&syn::parse_str::<syn::File>(items).unwrap().items);
        let path = uses.resolve(&syn::parse_str(path).unwrap())?;
        broken(&path, &uses).map(|broken| broken.rule.code)
    }

    #[test]
    fn a_random_generator_of_a_glob_is_known() {
        for items in ["use rand::prelude::*;", "use rand::rngs::*;", "use rand::rngs::StdRng;"] {
            assert_eq!(code(items, "StdRng::from_os_rng"), Some("DURABLE0021"), "{items}");
        }
        assert_eq!(code("use own::StdRng;", "StdRng::from_os_rng"), None);
    }

    #[test]
    fn an_iterator_is_no_lock() {
        assert_eq!(code("use std::iter::Once;", "Once"), None);
        assert_eq!(code("", "std::iter::Once"), None);
        assert_eq!(code("use std::sync::Once;", "Once::new"), Some("DURABLE0024"));
        assert_eq!(code("use std::sync;", "sync::Once::new"), Some("DURABLE0024"));
    }

    #[test]
    fn functions_that_read_the_clock_or_block_are_known() {
        assert_eq!(code("", "std::thread::sleep_ms"), Some("DURABLE0003"));
        assert_eq!(code("use chrono::Utc;", "Utc::today"), Some("DURABLE0001"));
        assert_eq!(code("use chrono::prelude::*;", "Utc::today"), Some("DURABLE0001"));
        assert_eq!(code("use ulid::Ulid;", "Ulid::from_datetime"), Some("DURABLE0002"));
        for path in ["futures_lite::future::block_on", "async_io::block_on"] {
            assert_eq!(code("", path), Some("DURABLE0004"), "{path}");
        }
    }
}
