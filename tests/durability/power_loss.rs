//! The power fails: at any moment of a store's work, with any part of what nobody had synced lost,
//! it opens again and holds what was acknowledged, each step whole or not at all.
//!
//! The work is done once, under the shim. The crashes are made up from its record.

use std::fs;
use std::path::Path;

use crate::check::{Case, Finding};
use crate::child::{self, Judge, Marks, Session};
use crate::disk::Disk;
use crate::seed::{self, Random};
use crate::shim::Shim;
use crate::snapshot::Snapshot;
use crate::trace::{self, Deed, Entry};
use crate::work::Size;

/// Does the whole work in three processes, of which the second is killed, and gives the record.
fn recorded(folder: &Path, seed: u64, steps: usize) -> Vec<Entry> {
    let shim = Shim::build(folder);
    let root = shim.root().to_owned();
    let (first, second) = (steps / 3, 2 * steps / 3);
    for (from, to, is_killed) in [(0, first, false), (first, second, true), (second, steps, false)]
    {
        shim.run(
            Session { root: root.clone(), seed, size: Size::Large, steps, from, to, is_killed },
            None,
        );
    }
    let done = Marks { acknowledged: steps, issued: steps, ..Marks::default() };
    assert_eq!(Marks::of(&root), done, "the work is done without an error");
    let entries = trace::read(shim.trace());
    explains(&entries, &root);
    entries
}

/// The record says all that happened: it leads to the very files that are there.
fn explains(entries: &[Entry], root: &Path) {
    let mut disk = Disk::default();
    for entry in entries {
        disk.apply(entry);
    }
    let (mut modelled, mut found) = (disk.files(), Snapshot::of(root).files);
    for files in [&mut modelled, &mut found] {
        files.remove(Path::new("marks"));
    }
    assert!(modelled.keys().eq(found.keys()), "the shim did not see all files being made");
    for (path, content) in &found {
        let is_explained = modelled[path] == *content;
        assert!(is_explained, "{} was written past the shim", path.display());
    }
}

/// Moments of the record, in order: half of them any, half just behind a sync or a word of the
/// child, where a store must be right at once.
fn moments(entries: &[Entry], count: usize, random: &mut Random) -> Vec<usize> {
    let is_telling = |at: &usize| matches!(entries[at - 1].deed, Deed::Mark(_) | Deed::Sync(..));
    let telling: Vec<_> = (1..=entries.len()).filter(is_telling).collect();
    let mut below = |limit: usize| usize::try_from(random.below(limit as u64)).unwrap();
    let mut moments: Vec<_> = (0..count)
        .map(|number| match number % 2 {
            0 => below(entries.len() + 1),
            _ => telling[below(telling.len())],
        })
        .collect();
    moments.sort_unstable();
    moments
}

/// Makes crashes of a record and judges each; gives what was found where it is not right.
fn crashes(
    folder: &Path,
    entries: &[Entry],
    moments: &[usize],
    mut judge: Judge,
    (disk, random): (&mut Disk, &mut Random),
) -> Vec<String> {
    let (mut marks, mut at, mut wrong) = (Marks::default(), 0, Vec::new());
    for moment in moments {
        for entry in &entries[at..*moment] {
            disk.apply(entry);
            if let Deed::Mark(line) = &entry.deed {
                marks.note(line.trim_end());
            }
        }
        at = *moment;
        let crashed = folder.join("crashed");
        fs::create_dir(&crashed).unwrap();
        disk.crash_into(&crashed, random);
        let Marks { acknowledged, issued, .. } = marks;
        let finding = judge.judge(&Case { folder: crashed.join("hub"), acknowledged, issued });
        if !matches!(finding, Finding::Holds(_)) {
            let known = format!("{acknowledged} steps acknowledged, {issued} issued");
            let of = entries.len();
            wrong.push(format!("moment {moment} of {of}, {known}: {finding:?}"));
        }
        fs::remove_dir_all(&crashed).unwrap();
    }
    wrong
}

#[test]
fn what_was_acknowledged_survives_a_loss_of_power() {
    let seed = seed::seed();
    let (records, states, steps) = if seed::is_long() { (4, 150, 400) } else { (1, 40, 90) };
    for number in 0..records {
        let seed = seed + number;
        let (_guard, folder) = child::folder();
        let entries = recorded(&folder, seed, steps);
        let mut random = Random::new(seed);
        let moments = moments(&entries, states, &mut random);
        let judge = Judge::new(seed, Size::Large, steps);
        let mut disk = Disk::default();
        let wrong = crashes(&folder, &entries, &moments, judge, (&mut disk, &mut random));
        let of = format!("{} of {states} states are wrong, seed {seed}", wrong.len());
        assert!(wrong.is_empty(), "{of}:\n{}", wrong.join("\n"));
    }
}

/// The model is sharp: had no sync an effect, it would find that something is lost.
#[test]
fn a_store_that_does_not_sync_is_found_out() {
    let seed = seed::seed();
    let (states, steps) = (12, 40);
    let (_guard, folder) = child::folder();
    let entries = recorded(&folder, seed, steps);
    let mut random = Random::new(seed);
    let moments = moments(&entries, states, &mut random);
    let mut disk = Disk::that_never_syncs();
    let judge = Judge::new(seed, Size::Large, steps);
    let wrong = crashes(&folder, &entries, &moments, judge, (&mut disk, &mut random));
    assert!(!wrong.is_empty(), "all of {states} states are right");
}
