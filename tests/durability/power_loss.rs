//! Power loss: after a power failure at any moment, which loses any part of the unsynced data, the
//! store opens again and contains everything acknowledged, and each step either completely or not
//! at all. The same holds if the power fails again while the store is being opened, or soon
//! afterwards.
//!
//! The work is done once, under the shim. The crashes are simulated from its record.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::check::{Case, Finding};
use crate::child::{self, End, Judge, Marks, Session};
use crate::disk::Disk;
use crate::seed::{self, Random};
use crate::shim::Shim;
use crate::snapshot::Snapshot;
use crate::trace::{self, Deed, Entry};
use crate::work::{Size, Step, Work};
use crate::{segments, small_segments};

/// A run of the work, and the faults found after crashes.
struct Trial {
    guard: TempDir,
    folder: PathBuf,
    shim: Shim,
    seed: u64,
    steps: usize,
    random: Random,
    judge: Judge,
    judged: usize,
    wrong: Vec<String>,
}

impl Trial {
    fn new(seed: u64, steps: usize) -> Self {
        let (guard, folder) = child::folder();
        Self {
            guard,
            shim: Shim::build(&folder),
            folder,
            seed,
            steps,
            random: Random::new(seed),
            judge: Judge::new(seed, Size::Large, steps),
            judged: 0,
            wrong: Vec::new(),
        }
    }

    fn session(&self, root: &Path, to: usize, end: End) -> Session {
        let Self { seed, steps, .. } = *self;
        Session { root: root.to_owned(), seed, size: Size::Large, steps, to, end }
    }

    /// Does the first steps in a tree with small segments, as earlier builds of version 0.1 made.
    fn in_a_tree_of_an_earlier_version(self) -> Self {
        let root = self.shim.root();
        let hub = root.join("hub");
        small_segments::prepare(&hub);
        self.shim.run(self.session(root, self.steps / 4, End::Killed), None);
        assert!(small_segments::has_small_segments(&hub));
        fs::remove_file(self.shim.trace()).unwrap();
        self
    }

    /// Does the rest of the work, in processes that end in several ways. Returns the content before
    /// it and the record.
    fn record(&self) -> (Snapshot, Vec<Entry>) {
        let (root, seed, steps) = (self.shim.root(), self.seed, self.steps);
        let start = Snapshot::of(root);
        for (to, end) in [
            (steps / 4, End::Closed),
            (steps / 2, End::KilledInStep),
            (3 * steps / 4, End::Killed),
            (steps, End::Closed),
        ] {
            self.shim.run(self.session(root, to, end), None);
        }
        let done = Marks { acknowledged: steps, issued: steps, ..Marks::default() };
        assert_eq!(Marks::of(root), done, "the work is done without an error");
        assert!(!small_segments::has_small_segments(&root.join("hub")));
        let entries = trace::read(self.shim.trace());
        explains(&entries, Disk::holding(&start), root);
        let faults = segments::faults(&entries, root);
        assert_eq!(faults, [""; 0], "what sled takes for durable, seed {seed}");
        (start, entries)
    }

    /// Lets the power fail at some moments of the rest of the work, once for each.
    fn survives(mut self, count: usize) {
        let marks = Marks::of(self.shim.root());
        let (start, entries) = self.record();
        let moments = self.moments(&entries, count);
        walk(&entries, &moments, (Disk::holding(&start), marks), |disk, marks, moment| {
            self.crash(disk, marks, &format!("moment-{moment}"));
        });
        self.assert_all_right();
    }

    /// Moments of a record, in order. Some are just after the opening of the store, when its
    /// content has been reported, and around the renaming of a folder. Of the others, half are just
    /// after a sync or a report of the child, because these must be correct at once, and half are
    /// random.
    fn moments(&mut self, entries: &[Entry], count: usize) -> Vec<usize> {
        let is_telling =
            |at: &usize| matches!(entries[at - 1].deed, Deed::Mark(_) | Deed::Sync(..));
        let telling: Vec<_> = (1..=entries.len()).filter(is_telling).collect();
        let is_opening = |at: &usize| matches!(&entries[at - 1].deed, Deed::Mark(line) if line.starts_with("found"));
        let opening = (1..=entries.len()).filter(is_opening).flat_map(|at| [at; 3]);
        let is_renaming = |at: &usize| matches!(&entries[at - 1].deed, Deed::RenameTo(to) if to.starts_with("hub/sled"));
        let renaming = (1..=entries.len()).filter(is_renaming).flat_map(|at| at - 1..=at + 2);
        let mut below = |limit: usize| usize::try_from(self.random.below(limit as u64)).unwrap();
        let mut moments: Vec<_> = (0..count)
            .map(|number| match number % 2 {
                0 => below(entries.len() + 1),
                _ => telling[below(telling.len())],
            })
            .chain(opening)
            .chain(renaming.filter(|at| *at <= entries.len()))
            .collect();
        moments.sort_unstable();
        moments
    }

    /// Lets the power fail now, and checks the remaining content.
    fn crash(&mut self, disk: &Disk, marks: &Marks, moment: &str) {
        let root = self.folder.join("crashed");
        fs::create_dir(&root).unwrap();
        let mut same = self.random.clone();
        disk.crash_into(&root, &mut self.random);
        let Marks { acknowledged, issued, .. } = *marks;
        let case = Case { folder: root.join("hub"), acknowledged, issued };
        let finding = self.judge.judge(&case);
        self.judged += 1;
        if !matches!(finding, Finding::Holds(_)) {
            let known = format!("{acknowledged} steps acknowledged, {issued} issued");
            self.wrong.push(format!("{moment}, {known}: {finding:?}"));
            // Kept for inspection, as it was before it was opened.
            let kept = self.folder.join(format!("wrong/{}-{moment}", self.judged));
            fs::create_dir_all(&kept).unwrap();
            disk.crash_into(&kept, &mut same);
        }
        fs::remove_dir_all(&root).unwrap();
    }

    /// Lets the power fail now, opens the store on the remaining content, continues for a few
    /// steps, and lets the power fail again at a random moment in between.
    fn crash_twice(&mut self, disk: &Disk, marks: &Marks, moment: &str, count: usize) {
        let shim = self.shim.with_other_root(moment);
        let root = shim.root();
        disk.crash_into(root, &mut self.random);
        let Marks { acknowledged, issued, .. } = *marks;
        fs::write(root.join("marks"), format!("found {acknowledged}\nissued {issued}\n")).unwrap();
        let left = Snapshot::of(root);
        shim.run(self.session(root, self.steps.min(issued + 8), End::Killed), None);
        let failures = Marks::of(root).failures;
        if !failures.is_empty() {
            self.wrong.push(format!("opened after {moment}: {}", failures.join("; ")));
        }
        let entries = trace::read(shim.trace());
        explains(&entries, Disk::holding(&left), root);
        let moments = self.moments(&entries, count);
        walk(&entries, &moments, (Disk::holding(&left), marks.clone()), |disk, marks, second| {
            self.crash(disk, marks, &format!("{moment}-{second}"));
        });
        fs::remove_dir_all(root).unwrap();
    }

    /// The faulty folder is kept for inspection, because the seed does not reproduce the timing of
    /// the store's threads.
    fn assert_all_right(self) {
        let Self { guard, seed, judged, wrong, .. } = self;
        if wrong.is_empty() {
            return;
        }
        let kept = guard.keep();
        let of = format!("{} of {judged} states are wrong, seed {seed}", wrong.len());
        let some = wrong[..wrong.len().min(40)].join("\n");
        panic!("{of}, they are kept in {}:\n{some}", kept.display());
    }
}

/// Goes through a record, and reports the disk and the acknowledged steps at some moments.
fn walk(
    entries: &[Entry],
    moments: &[usize],
    (mut disk, mut marks): (Disk, Marks),
    mut show: impl FnMut(&Disk, &Marks, usize),
) {
    let mut at = 0;
    for moment in moments {
        for entry in &entries[at..*moment] {
            disk.apply(entry);
            if let Deed::Mark(line) = &entry.deed {
                marks.note(line.trim_end());
            }
        }
        at = *moment;
        show(&disk, &marks, *moment);
    }
}

/// The record is complete: applying it results in exactly the files that exist.
fn explains(entries: &[Entry], mut disk: Disk, root: &Path) {
    for entry in entries {
        disk.apply(entry);
    }
    let (mut modeled, mut found) = (disk.files(), Snapshot::of(root).files);
    for files in [&mut modeled, &mut found] {
        files.remove(Path::new("marks"));
    }
    assert!(modeled.keys().eq(found.keys()), "the shim did not see all files being made");
    for (path, content) in &found {
        let is_explained = modeled[path] == *content;
        assert!(is_explained, "{} was written past the shim", path.display());
    }
}

#[test]
fn acknowledged_commits_survive_a_power_loss() {
    let seed = seed::seed();
    let (works, states, steps) = if seed::is_long() { (4, 150, 400) } else { (1, 40, 90) };
    for seed in seed..seed + works {
        Trial::new(seed, steps).survives(states);
    }
}

/// The first opening copies such a tree into one with larger segments.
#[test]
fn acknowledged_commits_survive_a_power_loss_in_a_tree_of_an_earlier_version() {
    let seed = seed::seed();
    let (works, states, steps) = if seed::is_long() { (4, 150, 400) } else { (1, 40, 90) };
    for seed in seed..seed + works {
        Trial::new(seed, steps).in_a_tree_of_an_earlier_version().survives(states);
    }
}

#[test]
fn acknowledged_commits_survive_a_second_power_loss() {
    let seed = seed::seed();
    let (states, again, steps) = if seed::is_long() { (60, 8, 150) } else { (6, 4, 60) };
    let mut trial = Trial::new(seed, steps);
    let work = Work::new(seed, Size::Large, steps).steps;
    let (start, entries) = trial.record();
    let mut moments = trial.moments(&entries, states);
    moments.dedup();
    walk(&entries, &moments, (Disk::holding(&start), Marks::default()), |disk, marks, moment| {
        // When the store is opened, the number of its steps must be detectable.
        let under_way = &work[..marks.issued][marks.acknowledged..];
        if under_way.iter().all(|step| matches!(step, Step::Commit(_))) {
            trial.crash_twice(disk, marks, &format!("moment-{moment}"), again);
        }
    });
    assert!(trial.judged > 0);
    trial.assert_all_right();
}

#[test]
fn sled_assumes_nothing_to_be_durable_before_it_is() {
    for seed in 1..=3 {
        Trial::new(seed, 300).record();
    }
}

/// The model is strict: if syncs had no effect, it would detect a loss.
#[test]
fn a_store_that_does_not_sync_is_detected() {
    let mut trial = Trial::new(seed::seed(), 40);
    let (start, entries) = trial.record();
    let moments = trial.moments(&entries, 12);
    assert!(start.files.is_empty());
    let start = (Disk::that_never_syncs(), Marks::default());
    walk(&entries, &moments, start, |disk, marks, moment| {
        trial.crash(disk, marks, &format!("moment-{moment}"));
    });
    assert!(!trial.wrong.is_empty(), "all of {} states are right", trial.judged);
}
