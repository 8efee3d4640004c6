//! Licenses and sources of all dependencies, by the rules in `deny.toml`.
//!
//! `cargo deny` checks the same, and advisories and duplicates too, but building it takes minutes. So
//! this part runs with the tests, and `.ci/run` runs the rest where `cargo deny` is installed.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde::Deserialize;

use crate::{none, root};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The quoted texts of a list in `deny.toml`.
fn listed(rules: &str, list: &str) -> BTreeSet<String> {
    let (_, rest) = rules.split_once(&format!("\n{list} = [\n")).expect("the list is there");
    let (list, _) = rest.split_once("\n]").expect("the list ends");
    let lines = list.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Whether a license expression is met by allowed licenses.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    expression.replace('/', " OR ").split(" AND ").all(|part| {
        let part = part.trim_matches(['(', ')', ' ']);
        part.split(" OR ").any(|license| allowed.contains(license.trim()))
    })
}

#[test]
fn every_dependency_has_an_allowed_license_and_source() {
    let rules = fs::read_to_string(root().join("deny.toml")).unwrap();
    let (allowed, exceptions) = (listed(&rules, "allow"), listed(&rules, "exceptions"));
    assert!(rules.contains(REGISTRY.trim_start_matches("registry+")));
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--all-features", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let Metadata { packages } = serde_json::from_slice(&output.stdout).unwrap();
    let mut found = Vec::new();
    for Package { name, version, license, source } in packages {
        let license = license.unwrap_or_default();
        let is_exception = exceptions.contains(&name) && exceptions.contains(&license);
        if !is_exception && !is_allowed(&license, &allowed) {
            found.push(format!("{name} {version}: the license `{license}` is not in deny.toml"));
        }
        if source.as_deref().is_some_and(|source| source != REGISTRY) {
            found.push(format!("{name} {version} comes from {source:?}"));
        }
    }
    none(&found);
}

/// An exception without a reason would stay forever.
#[test]
fn every_exception_of_an_advisory_has_a_reason() {
    let rules = fs::read_to_string(root().join("deny.toml")).unwrap();
    assert_eq!(rules.matches("{ id = \"RUSTSEC-").count(), rules.matches("reason = ").count());
}
