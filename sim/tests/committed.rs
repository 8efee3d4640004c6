//! What is committed beside the simulator: cases of faults that were mended, and planted faults.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of a folder of this package.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().unwrap() == ending).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The simulator, run at the root of the repository.
fn sim() -> Command {
    let mut sim = Command::new(env!("CARGO_BIN_EXE_sim"));
    sim.current_dir(root());
    sim
}

#[test]
fn no_case_of_a_mended_fault_fails() {
    let ran = sim().arg("--case").args(files("cases", "json")).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
}

/// In 29735, a sync succeeds after one that has failed, which proves nothing.
#[test]
fn no_seed_of_a_mended_fault_of_the_store_fails() {
    for seed in ["20119", "29735"] {
        let ran = sim().args(["--store-seed", seed]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    }
}

#[test]
fn every_planted_fault_applies_to_the_present_code() {
    let mut wrong = Vec::new();
    for patch in files("planted", "patch") {
        let applied =
            Command::new("git").current_dir(root()).args(["apply", "--check"]).arg(&patch).output();
        let applied = applied.unwrap();
        if !applied.status.success() {
            wrong.push(String::from_utf8_lossy(&applied.stderr).into_owned());
        }
    }
    assert!(wrong.is_empty(), "write these anew:\n{}", wrong.join(""));
}

#[test]
fn every_planted_fault_says_what_it_breaks_and_which_rule_sees_it() {
    for patch in files("planted", "patch") {
        let text = std::fs::read_to_string(&patch).unwrap();
        let head = text.split("--- a/").next().unwrap();
        let says = head.lines().next().is_some_and(|line| line.len() > 20);
        assert!(says && head.contains("\nSeen by: I"), "{}", patch.display());
    }
}

#[test]
fn every_fault_of_a_store_is_seen() {
    let faults = [
        "lost-commit",
        "lost-due-time",
        "lost-message",
        "kept-message",
        "swapped-events",
        "page-twice",
        "skipped-message",
        "skipped-due-time",
        "short-history",
    ];
    let is_seen = |fault: &&str| {
        let seeds = ["--seeds", "0..500", "--no-shrink", "--fault", fault];
        !sim().args(seeds).output().unwrap().status.success()
    };
    let unseen: Vec<_> = faults.into_iter().filter(|fault| !is_seen(fault)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}
