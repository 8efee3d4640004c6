//! Damaged files: if bits in a hub's folder are flipped, or a part is cut off, zeroed or missing,
//! either it has no effect or the store reports the damage and its place. The store never panics,
//! never loses data silently, and never invents data.
//!
//! One hub was shut down, and one was killed. The data that is only in the log of the latter must
//! be found as well.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use crate::check::{Case, Finding};
use crate::child::{self, End, Judge, Marks, Session};
use crate::content::{Change, Content, PAGE};
use crate::seed::{self, Random};
use crate::shim::Shim;
use crate::snapshot::Snapshot;
use crate::work::Size;

const STEPS: usize = 16;

/// A kind of damage to a file.
#[derive(Clone, Debug)]
enum Damage {
    /// Bits of one byte are flipped.
    Flip(u64),
    /// The file ends here.
    Cut(u64),
    /// A page is zeros.
    Zero(u64),
    Missing,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flip(at) => write!(f, "a flipped byte at {at}"),
            Self::Cut(len) => write!(f, "cut to {len} bytes"),
            Self::Zero(page) => write!(f, "page {page} is zeros"),
            Self::Missing => write!(f, "missing"),
        }
    }
}

impl Damage {
    fn apply(&self, content: &Content, random: &mut Random) -> Option<Content> {
        let mut damaged = content.clone();
        match self {
            Self::Flip(at) => {
                let mask = u8::try_from(1 + random.below(255)).unwrap();
                let data = [content.byte(*at) ^ mask];
                damaged.apply(&Change::Write { offset: *at, data: data.as_slice().into() });
            }
            Self::Cut(len) => damaged.apply(&Change::Resize(*len)),
            Self::Zero(page) => {
                let len = PAGE.min(content.len() - page * PAGE);
                let data = vec![0; usize::try_from(len).unwrap()].into();
                damaged.apply(&Change::Write { offset: page * PAGE, data });
            }
            Self::Missing => return None,
        }
        Some(damaged)
    }

    /// All kinds of damage at all places of a file, or a sample of each kind.
    fn all(content: &Content, is_long: bool, random: &mut Random) -> Vec<Self> {
        let mut sample = |all: Vec<u64>, most: u64| {
            let count = if is_long { all.len() as u64 } else { most.min(all.len() as u64) };
            let mut any = |_| all[usize::try_from(random.below(all.len() as u64)).unwrap()];
            if count == all.len() as u64 { all } else { (0..count).map(&mut any).collect() }
        };
        let pages = (0..content.len().div_ceil(PAGE)).filter(|page| content.has_page(*page));
        let bytes: Vec<u64> = pages
            .clone()
            .flat_map(|page| page * PAGE..content.len().min((page + 1) * PAGE))
            .collect();
        let (set, zeros): (Vec<_>, Vec<_>) = bytes.iter().partition(|at| content.byte(**at) != 0);
        let some_zeros = zeros.into_iter().step_by(if is_long { 97 } else { 1 }).collect();
        let lengths = bytes.into_iter().step_by(if is_long { 61 } else { 1 }).collect();
        let mut damages = vec![Self::Missing];
        damages.extend(sample(set, 100).into_iter().map(Self::Flip));
        damages.extend(sample(some_zeros, 10).into_iter().map(Self::Flip));
        damages.extend(sample(lengths, 30).into_iter().map(Self::Cut));
        damages.extend(sample(pages.collect(), 30).into_iter().map(Self::Zero));
        damages
    }
}

/// A small hub whose content was acknowledged.
fn hub(folder: &Path, seed: u64, end: End) -> Snapshot {
    let shim = Shim::build(folder);
    let root = shim.root().to_owned();
    let size = Size::Small;
    shim.run(Session { root, seed, size, steps: STEPS, to: STEPS, end }, None);
    let done = Marks { acknowledged: STEPS, issued: STEPS, ..Marks::default() };
    assert_eq!(Marks::of(shim.root()), done);
    Snapshot::of(&shim.root().join("hub"))
}

/// Why a finding is wrong, if it is: in one word, and in detail.
fn complaint(finding: &Finding, folder: &Path) -> Option<(&'static str, String)> {
    match finding {
        Finding::Holds(_) => None,
        Finding::Refused { kind, text } => {
            let is_named =
                ["Damaged", "LogDamaged", "UnknownFormat", "Io"].contains(&kind.as_str());
            let says_where = text.contains(&folder.display().to_string());
            (!is_named || !says_where).then(|| ("an error that does not say where", text.clone()))
        }
        Finding::Wrong(what) => Some(("it opens and is wrong", what.clone())),
        Finding::Panicked(_) | Finding::Died(_) | Finding::Hung => {
            Some(("no answer", format!("{finding:?}")))
        }
    }
}

/// The complaints: their number for each file, and examples.
#[derive(Default)]
struct Complaints(BTreeMap<String, Vec<String>>);

impl Complaints {
    fn add(&mut self, path: &Path, damage: &Damage, (word, what): (&str, String)) {
        let of_kind = self.0.entry(format!("{}: {word}", path.display())).or_default();
        of_kind.push(format!("{damage}: {what}"));
    }
}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, complaints) in &self.0 {
            let examples = complaints[..complaints.len().min(3)].join("\n    ");
            writeln!(f, "{word}, {} times, such as\n    {examples}", complaints.len())?;
        }
        Ok(())
    }
}

fn judge_damages(was_killed: bool) {
    let seed = seed::seed();
    let (_guard, folder) = child::folder();
    let end = if was_killed { End::Killed } else { End::Closed };
    let whole = hub(&folder, seed, end);
    let damaged = folder.join("damaged");
    let mut random = Random::new(seed);
    let mut judge = Judge::new(seed, Size::Small, STEPS);
    whole.write_to(&damaged);
    let case = Case { folder: damaged.clone(), acknowledged: STEPS, issued: STEPS };
    let undamaged = judge.judge(&case);
    assert!(matches!(undamaged, Finding::Holds(STEPS)), "undamaged: {undamaged:?}");
    fs::remove_dir_all(&damaged).unwrap();
    let (mut complaints, mut count) = (Complaints::default(), 0);
    for (path, content) in &whole.files {
        for damage in Damage::all(content, seed::is_long(), &mut random) {
            let mut snapshot = whole.clone();
            match damage.apply(content, &mut random) {
                Some(content) => drop(snapshot.files.insert(path.clone(), content)),
                None => drop(snapshot.files.remove(path)),
            }
            snapshot.write_to(&damaged);
            let case = Case { folder: damaged.clone(), acknowledged: STEPS, issued: STEPS };
            if let Some(complaint) = complaint(&judge.judge(&case), &damaged) {
                complaints.add(path, &damage, complaint);
            }
            fs::remove_dir_all(&damaged).unwrap();
            count += 1;
        }
    }
    assert!(complaints.0.is_empty(), "of {count} damages, seed {seed}:\n{complaints}");
}

#[test]
fn damage_of_a_closed_folder_is_harmless_or_reported() {
    judge_damages(false);
}

#[test]
fn damage_of_a_killed_folder_is_harmless_or_reported() {
    judge_damages(true);
}
