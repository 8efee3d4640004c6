//! Which marks the seeds have reached, and which they have not.
//!
//! A file lists the marks that no seed reaches, each with a reason. A mark that is neither reached
//! nor in the file is a gap in the simulation. If a mark in the file is reached, the file is out of
//! date, unless the reason begins with `rare:`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use durable::testing::sim::{Mark, marks};

/// Marks by name, with the number of runs in which each was reached.
type Met = BTreeMap<&'static str, (&'static Mark, u64)>;

fn met() -> Met {
    let mut met = Met::new();
    for mark in marks() {
        met.entry(mark.name).or_insert((mark, 0)).1 += mark.runs();
    }
    met
}

/// A table of all marks, the rarest first.
pub(crate) fn table() -> String {
    let met = met();
    let mut rows: Vec<_> = met.into_iter().collect();
    rows.sort_by_key(|(name, (_, runs))| (*runs, *name));
    let mut text = String::from("  runs  what was met\n");
    for (name, (mark, runs)) in rows {
        let never = if runs == 0 { "  <- never met" } else { "" };
        let _ = writeln!(text, "{runs:6}  {name} ({}:{}){never}", mark.file, mark.line);
    }
    text
}

/// The marks that a file says are not reached.
pub(crate) struct Unmet {
    path: PathBuf,
    reasons: BTreeMap<String, String>,
}

impl Unmet {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), reasons: reasons(&text) })
    }

    /// The names of the marks that were not reached, although they should be.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        self.missing_of(&met()).map(|mark| mark.name).collect()
    }

    fn missing_of(&self, met: &Met) -> impl Iterator<Item = &'static Mark> {
        let is_missing = |mark: &Mark, runs| runs == 0 && !self.reasons.contains_key(mark.name);
        met.values().filter(move |(mark, runs)| is_missing(mark, *runs)).map(|(mark, _)| *mark)
    }

    /// Compares the file with the marks that were reached. Returns the differences.
    pub(crate) fn compare(&self) -> Vec<String> {
        let (met, path) = (met(), self.path.display());
        let missing = self.missing_of(&met).map(|Mark { name, file, line, .. }| {
            format!("never met, and {path} has no reason: {name} ({file}:{line})")
        });
        let wrong = self.reasons.iter().filter_map(|(name, reason)| match met.get(&**name) {
            None => Some(format!("{path} names what is no mark: {name}")),
            Some(_) if reason.is_empty() => Some(format!("{path} has no reason: {name}")),
            Some((_, 1..)) if !reason.starts_with("rare:") => {
                Some(format!("met, so {path} needs no reason: {name}"))
            }
            Some(_) => None,
        });
        missing.chain(wrong).collect()
    }
}

/// The lines of a file: `"name" = "reason"`.
fn reasons(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (name, reason) = line.split_once(" = ")?;
        let inside = |text: &str| text.trim().trim_matches('"').to_owned();
        Some((inside(name), inside(reason)))
    };
    text.lines().filter(|it| it.starts_with('"')).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_name_and_a_reason() {
        let read = reasons("# a comment\n\n\"mail: Stop\" = \"a test = of shutdowns\"\n");
        assert_eq!(read["mail: Stop"], "a test = of shutdowns");
        assert_eq!(read.len(), 1);
    }
}
