//! Lines of the program's source, if the dashboard knows where it is.

use std::fs;
use std::path::{Path, PathBuf};

/// The number of lines shown before and after the requested line.
const AROUND: u32 = 3;
/// The maximum size of a file that is read, in bytes.
const MAX: u64 = 4 * 1024 * 1024;

/// A place in a source file that exists.
#[derive(Debug)]
pub(crate) struct Excerpt {
    pub(crate) path: PathBuf,
    /// The requested line, counted from 1.
    pub(crate) line: u32,
    /// The lines around it, with their numbers.
    pub(crate) lines: Vec<(u32, String)>,
}

/// The lines around `src/orders.rs:66`. `None` if there is no such line in a file below the root.
///
/// The place comes from a history, so it must not lead outside the root.
pub(crate) fn excerpt(root: &Path, place: &str) -> Option<Excerpt> {
    let (file, line) = place.rsplit_once(':')?;
    let line: u32 = line.parse().ok().filter(|line| *line > 0)?;
    let root = root.canonicalize().ok()?;
    let path = root.join(file).canonicalize().ok().filter(|path| path.starts_with(&root))?;
    let about = fs::metadata(&path).ok()?;
    if !about.is_file() || about.len() > MAX {
        return None;
    }
    let text = fs::read_to_string(&path).ok()?;
    let numbered = (1_u32..).zip(text.lines());
    let around = line.saturating_sub(AROUND)..=line.saturating_add(AROUND);
    let lines: Vec<_> = numbered
        .filter(|(number, _)| around.contains(number))
        .map(|(number, text)| (number, text.to_owned()))
        .collect();
    let exists = lines.iter().any(|(number, _)| *number == line);
    exists.then_some(Excerpt { path, line, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_around_a_place_are_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = excerpt(root, "src/source.rs:1").unwrap();
        let numbers: Vec<_> = found.lines.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert!(found.lines[0].1.starts_with("//! Lines of the program's source"));
        assert!(found.path.ends_with("src/source.rs"));
    }

    #[test]
    fn nothing_outside_of_the_root_is_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for place in [
            "../Cargo.toml:1",
            "/etc/hostname:1",
            "source.rs",
            "source.rs:0",
            "source.rs:99999",
            "source.rs:-1",
            "parts:1",
            "none.rs:1",
            ":1",
            "",
        ] {
            assert!(excerpt(&root, place).is_none(), "{place}");
        }
        assert!(excerpt(Path::new("/none"), "source.rs:1").is_none());
    }
}
