//! A store that wraps another one must delegate every method.
//!
//! Otherwise a method with a default could be forgotten unnoticed, and the wrapper would behave as
//! if the inner store lacked the feature.

use crate::{none, root};

/// The traits, and where they are defined.
const TRAITS: [(&str, &str); 2] =
    [("Store", "durable/src/store/mod.rs"), ("Cluster", "durable/src/store/cluster.rs")];
/// The files of the wrappers of any store.
const WRAPPERS: [&str; 3] = [
    "durable/src/hub/guarded_store.rs",
    "durable/src/store/encoded.rs",
    "durable/src/store/shared.rs",
];

/// The names of the methods in the block that begins with a line that contains `start`.
fn methods(text: &str, start: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| !line.contains(start));
    let first = lines.next().unwrap_or_default();
    let indent = first.len() - first.trim_start().len();
    let end = format!("{}}}", " ".repeat(indent));
    let name = |line: &str| {
        let rest = line.trim_start().strip_prefix("fn ")?;
        Some(rest.split(['(', '<']).next()?.to_owned())
    };
    lines.take_while(|line| *line != end).filter_map(name).collect()
}

#[test]
fn a_wrapper_of_a_store_forwards_every_method() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let mut missing = Vec::new();
    for (name, definition) in TRAITS {
        let wanted = methods(&read(definition), &format!("pub trait {name}:"));
        assert!(wanted.len() > 5, "{wanted:?}");
        for wrapper in WRAPPERS {
            let found = methods(&read(wrapper), &format!(" {name} for "));
            // A wrapper that returns the cluster of the inner store need not implement it.
            if found.is_empty() && name == "Cluster" {
                continue;
            }
            let forgotten = wanted.iter().filter(|method| !found.contains(method));
            missing.extend(forgotten.map(|method| format!("{wrapper}: {name}::{method}")));
        }
    }
    none(&missing);
}
