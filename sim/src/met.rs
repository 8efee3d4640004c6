//! Which marks the seeds have reached, and which they have not.
//!
//! A file lists the marks that no seed reaches, each with a reason. A mark that is neither reached
//! nor in the file is a gap in the simulation. If a mark in the file is reached, the file is out of
//! date.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use durable::testing::sim::{Mark, marks};

/// All marks, by name, with the number of runs in which each was reached.
fn met() -> BTreeMap<&'static str, (&'static Mark, u64)> {
    let mut met: BTreeMap<&'static str, (&'static Mark, u64)> = BTreeMap::new();
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

/// Compares the marks that were never reached with a file. Returns the differences.
pub(crate) fn compare(path: &Path) -> Vec<String> {
    let reasons = match std::fs::read_to_string(path) {
        Ok(text) => reasons(&text),
        Err(error) => return vec![format!("{}: {error}", path.display())],
    };
    let (met, path) = (met(), path.display());
    let mut wrong = Vec::new();
    for (name, (mark, runs)) in &met {
        match (runs, reasons.get(*name)) {
            (0, None) => {
                let (file, line) = (mark.file, mark.line);
                wrong.push(format!("never met, and {path} has no reason: {name} ({file}:{line})"));
            }
            (1.., Some(_)) => wrong.push(format!("met, so {path} needs no reason: {name}")),
            (0, Some(reason)) if reason.is_empty() => {
                wrong.push(format!("{path} has no reason: {name}"));
            }
            (0, Some(_)) | (1.., None) => {}
        }
    }
    let unknown = reasons.keys().filter(|name| !met.contains_key(name.as_str()));
    wrong.extend(unknown.map(|name| format!("{path} names what is no mark: {name}")));
    wrong
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
