//! System calls that fail: a sync or any other call fails with an I/O error, or because descriptors
//! or space are exhausted.
//!
//! Whatever fails, each acknowledged commit is found again, and nothing hangs. If a resource was
//! lacking, the commit is made once the resource is available again. Otherwise all waiting commits
//! fail, and from then on nothing is acknowledged.
//!
//! After a failed sync, the content of the disk is unknown, and another sync proves nothing,
//! because the system may have dropped the data that it could not write. Therefore the store
//! accepts nothing more until it is opened again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::check::{Case, Finding};
use crate::child::{self, End, Judge, Marks, Session};
use crate::seed::{self, Random};
use crate::shim::Shim;
use crate::trace::{self, Deed, Sync};
use crate::work::Size;

const STEPS: usize = 40;

/// Runs the work in a separate process, in which `failing` fails. Returns the shim of the process,
/// and how the process ended.
fn run(shim: &Shim, seed: u64, failing: Option<&str>, end: End) -> (Shim, String) {
    let shim = shim.with_other_root(&failing.unwrap_or("nothing").replace(' ', "-"));
    let root = shim.root().to_owned();
    let size = Size::Large;
    let ended = shim.run(Session { root, seed, size, steps: STEPS, to: STEPS, end }, failing);
    (shim, ended)
}

/// The number of syncs and writes if nothing fails.
fn counted(shim: &Shim, seed: u64) -> (u64, u64) {
    let (shim, _ended) = run(shim, seed, None, End::Closed);
    let entries = trace::read(shim.trace());
    let count =
        |is: fn(&Deed) -> bool| entries.iter().filter(|entry| is(&entry.deed)).count() as u64;
    (
        count(|deed| matches!(deed, Deed::Sync(Sync::Begins, _))),
        count(|deed| matches!(deed, Deed::Write { .. } | Deed::Grow(_))),
    )
}

/// The numbers from 1 to `most`: all of them, or a sample.
fn numbers(most: u64, random: &mut Random) -> Vec<u64> {
    if seed::is_long() {
        return (1..=most).collect();
    }
    let sampled: BTreeSet<_> = (0..12).map(|_| 1 + random.below(most)).collect();
    sampled.into_iter().collect()
}

/// Makes each of the numbered syncs or writes fail, each in a separate folder. Returns what is
/// wrong with the answers to the work and with the remaining content.
fn complaints(
    shim: &Shim,
    what: &str,
    numbers: &[u64],
    seed: u64,
    must_say: Option<&str>,
) -> Vec<String> {
    let mut judge = Judge::new(seed, Size::Large, STEPS);
    let mut complaints = Vec::new();
    for number in numbers {
        let failing = format!("{what} {number}");
        // A store that has failed can be closed, too.
        let end = if number % 2 == 0 { End::Killed } else { End::Closed };
        let (shim, ended) = run(shim, seed, Some(&failing), end);
        let marks = Marks::of(shim.root());
        let Marks { acknowledged, issued, .. } = marks;
        let folder = shim.root().join("hub");
        let finding = judge.judge(&Case { folder, acknowledged, issued });
        let told = told(&marks, &ended, must_say);
        let left = (!matches!(finding, Finding::Holds(_))).then(|| format!("{finding:?}"));
        let after = format!("{failing}, after {acknowledged} steps");
        complaints.extend(told.or(left).map(|complaint| format!("{after}: {complaint}")));
        let _ = fs::remove_dir_all(shim.root());
    }
    complaints
}

/// What is wrong with the answers to the work, if anything is.
fn told(marks: &Marks, ended: &str, must_say: Option<&str>) -> Option<String> {
    if marks.goes_on {
        return Some(format!("it goes on after: {}", marks.failures.join("; ")));
    }
    if marks.failures.is_empty() && marks.acknowledged < STEPS {
        return Some(format!("the process died: {ended}"));
    }
    let later = marks.failures.iter().skip(1);
    let unsaid = |failure: &&String| must_say.is_some_and(|must_say| !failure.contains(must_say));
    later.clone().find(unsaid).map(|failure| format!("later commits only say: {failure}"))
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_nothing_is_lost() {
    let seed = seed::seed();
    let (_guard, folder) = child::folder();
    let shim = Shim::build(&folder);
    let (syncs, _writes) = counted(&shim, seed);
    assert!(syncs >= STEPS as u64, "every step is synced");
    let numbers = numbers(syncs, &mut Random::new(seed));
    let must_say = Some("nothing more is accepted until the store is reopened");
    let complaints = complaints(&shim, "sync", &numbers, seed, must_say);
    assert!(complaints.is_empty(), "seed {seed}:\n{}", complaints.join("\n"));
}

#[test]
fn acknowledged_commits_survive_a_write_that_finds_no_room() {
    let seed = seed::seed();
    let (_guard, folder) = child::folder();
    let shim = Shim::build(&folder);
    let (_syncs, writes) = counted(&shim, seed);
    let numbers = numbers(writes, &mut Random::new(seed));
    let complaints = complaints(&shim, "write", &numbers, seed, None);
    assert!(complaints.is_empty(), "seed {seed}:\n{}", complaints.join("\n"));
}

/// The numbers of calls that can be made to fail: all of them, or a sample that includes the calls
/// that begin a new file of the log.
fn calls(shim: &Shim, what: &str, seed: u64, random: &mut Random) -> Vec<u64> {
    let none = format!("{what} 0");
    let (shim, _ended) = run(shim, seed, Some(&none), End::Closed);
    let entries = trace::read(shim.trace());
    let calls = (1..).zip(entries.iter().filter(|entry| matches!(entry.deed, Deed::Call)));
    let calls: Vec<(u64, &Path)> = calls.map(|(n, entry)| (n, entry.path.as_path())).collect();
    let is_named = |path: &Path| path.extension().is_some_and(|ending| ending == "log");
    let is_new = |path: &Path| path.ends_with("next") || is_named(path);
    let named = calls.windows(2).filter(|two| is_named(two[1].1) && !is_named(two[0].1));
    assert!(named.count() >= 2, "the log has more than one file");
    let mut before = Path::new("");
    let mut numbers = numbers(calls.len() as u64, random);
    for (number, path) in calls {
        if is_new(path) && path != before {
            numbers.push(number);
        }
        before = path;
    }
    numbers
}

#[test]
fn commits_wait_while_file_descriptors_or_disk_space_are_exhausted() {
    let seed = seed::seed();
    let (_guard, folder) = child::folder();
    let shim = Shim::build(&folder);
    let mut judge = Judge::new(seed, Size::Large, STEPS);
    let mut complaints = Vec::new();
    for number in calls(&shim, "lack", seed, &mut Random::new(seed)) {
        let (shim, ended) = run(&shim, seed, Some(&format!("lack {number}")), End::Closed);
        let marks = Marks::of(shim.root());
        let Marks { acknowledged, issued, .. } = marks;
        // While a store is being opened, it may report that a resource is lacking. Once it is open,
        // it waits.
        let was_opened = issued > 0;
        if was_opened && acknowledged < STEPS {
            complaints.push(format!("lack {number}: {marks:?}, {ended}"));
        }
        let folder = shim.root().join("hub");
        let finding = judge.judge(&Case { folder, acknowledged, issued });
        if !matches!(finding, Finding::Holds(_)) {
            complaints.push(format!("lack {number}, after {acknowledged} steps: {finding:?}"));
        }
        fs::remove_dir_all(shim.root()).unwrap();
    }
    assert!(complaints.is_empty(), "seed {seed}:\n{}", complaints.join("\n"));
}

#[test]
fn an_io_error_of_any_system_call_loses_nothing_and_hangs_nothing() {
    let seed = seed::seed();
    let (_guard, folder) = child::folder();
    let shim = Shim::build(&folder);
    let numbers = calls(&shim, "break", seed, &mut Random::new(seed));
    let complaints = complaints(&shim, "break", &numbers, seed, None);
    assert!(complaints.is_empty(), "seed {seed}:\n{}", complaints.join("\n"));
}
