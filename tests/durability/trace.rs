//! Reads the record of the shim: each operation on files, in the order in which they took effect.

use std::path::{Component, Path, PathBuf};

/// The file below the root in which a child records the steps that it issued and those that were
/// acknowledged.
const MARKS: &str = "marks";

/// One operation.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// A file was created.
    Create,
    Write {
        offset: u64,
        data: Vec<u8>,
    },
    /// The file was cut or extended to this length.
    Resize(u64),
    /// The file was extended to this length, if it was shorter.
    Grow(u64),
    Sync(Sync, u64),
    RenameTo(PathBuf),
    Unlink,
    MakeFolder,
    RemoveFolder,
    /// A call began that can be made to fail.
    Call,
    /// The child reports its progress.
    Mark(String),
}

/// The result of the sync with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    Begins,
    Ends,
    Fails,
}

/// An operation, and the file or folder below the root that it concerns.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) deed: Deed,
}

/// Reads the whole record.
pub(crate) fn read(file: &Path) -> Vec<Entry> {
    let bytes = std::fs::read(file).unwrap();
    let (mut rest, mut entries) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        entries.push(entry(&mut rest));
    }
    entries
}

fn entry(rest: &mut &[u8]) -> Entry {
    let op = u32::try_from(number(rest, 4)).ok().and_then(char::from_u32).unwrap();
    let path_len = number(rest, 4);
    let (offset, data_len, token) = (number(rest, 8), number(rest, 8), number(rest, 8));
    let path = String::from_utf8(take(rest, path_len).to_owned()).unwrap();
    let data = take(rest, data_len).to_owned();
    let (path, to) = path.split_once('\n').unwrap_or((&path, ""));
    let deed = match op {
        'W' if path == MARKS => Deed::Mark(String::from_utf8(data).unwrap()),
        'W' => Deed::Write { offset, data },
        'C' => Deed::Create,
        'T' => Deed::Resize(offset),
        'E' => Deed::Grow(offset),
        'B' => Deed::Sync(Sync::Begins, token),
        'S' => Deed::Sync(Sync::Ends, token),
        'F' => Deed::Sync(Sync::Fails, token),
        'N' => Deed::RenameTo(plain(to)),
        'U' => Deed::Unlink,
        'M' => Deed::MakeFolder,
        'D' => Deed::RemoveFolder,
        'A' => Deed::Call,
        _ => panic!("the shim does not write `{op}`"),
    };
    Entry { path: plain(path), deed }
}

/// A name as others name the same.
fn plain(path: &str) -> PathBuf {
    Path::new(path).components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

fn take<'a>(rest: &mut &'a [u8], len: u64) -> &'a [u8] {
    let (taken, after) = rest.split_at(usize::try_from(len).unwrap());
    *rest = after;
    taken
}

/// A number with this many bytes, in the byte order of this machine.
fn number(rest: &mut &[u8], len: u64) -> u64 {
    let mut bytes = [0; 8];
    let taken = take(rest, len);
    let at = if cfg!(target_endian = "little") { 0 } else { 8 - taken.len() };
    bytes[at..at + taken.len()].copy_from_slice(taken);
    u64::from_ne_bytes(bytes)
}
