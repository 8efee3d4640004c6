//! Operations on files. Nothing here is durable by itself, and every operation can be repeated.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

/// A file, or a symbolic link, of the folder.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its path below the folder.
    pub(crate) path: String,
    pub(crate) is_link: bool,
}

/// The content of a folder.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub(crate) folders: Vec<String>,
    pub(crate) files: Vec<Entry>,
    pub(crate) failed: Vec<FileError>,
}

/// A failure of a file or folder, and what to do about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FileError {
    path: String,
    reason: String,
}

impl FileError {
    pub(crate) fn new(path: &str, reason: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }

    fn io(path: &Path, error: &io::Error) -> Self {
        let way_on = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space on the target",
            ErrorKind::PermissionDenied => "; give this user the right to it",
            ErrorKind::NotFound => "; it is not there (any more)",
            ErrorKind::ReadOnlyFilesystem => "; choose a target that can be written",
            _ => "",
        };
        Self::new(&path.display().to_string(), format!("{error}{way_on}"))
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl std::error::Error for FileError {}

/// Lists everything below `from`, in order of names, so that it is the same in every run.
pub(crate) fn list(from: &Path, to: &Path) -> Result<Listing, FileError> {
    let source = from.canonicalize().map_err(|error| FileError::io(from, &error))?;
    if !source.is_dir() {
        return Err(FileError::new(&from.display().to_string(), "it is not a folder"));
    }
    let target = resolve(to).map_err(|error| FileError::io(to, &error))?;
    if target.starts_with(&source) || source.starts_with(&target) {
        let reason = format!(
            "source and target must not lie within each other, and the source is {}; choose \
             another --to",
            from.display()
        );
        return Err(FileError::new(&to.display().to_string(), reason));
    }
    fs::create_dir_all(to).map_err(|error| FileError::io(to, &error))?;
    let mut listing = Listing::default();
    for found in WalkDir::new(&source).min_depth(1).sort_by_file_name() {
        match found {
            Ok(found) => listing.add(&source, &found),
            Err(error) => {
                let path = error.path().unwrap_or(&source).to_owned();
                let failed = error.io_error().map(|error| FileError::io(&path, error));
                let other = || FileError::new(&path.display().to_string(), &error);
                listing.failed.push(failed.unwrap_or_else(other));
            }
        }
    }
    Ok(listing)
}

/// The absolute path of a folder that may not exist yet.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind() == ErrorKind::NotFound => {
            Ok(resolve(parent)?.join(name))
        }
        (resolved, _, _) => resolved,
    }
}

impl Listing {
    fn add(&mut self, source: &Path, found: &walkdir::DirEntry) {
        let path = found.path().strip_prefix(source).unwrap_or(found.path());
        let Some(path) = path.to_str() else {
            let shown = path.display().to_string();
            self.failed.push(FileError::new(&shown, "its name is not UTF-8; rename it"));
            return;
        };
        let kind = found.file_type();
        if kind.is_dir() {
            self.folders.push(path.to_owned());
        } else if kind.is_file() || kind.is_symlink() {
            self.files.push(Entry { path: path.to_owned(), is_link: kind.is_symlink() });
        } else {
            self.failed.push(FileError::new(path, "it is neither a file nor a folder nor a link"));
        }
    }
}

/// Copies one file and returns its size. The file appears under its name when it is complete and
/// synced.
pub(crate) fn copy(
    from: &Path,
    to: &Path,
    file: &Entry,
    temporary: &str,
) -> Result<u64, FileError> {
    let (source, target) = (from.join(&file.path), to.join(&file.path));
    let folder = target.parent().unwrap_or(to);
    let part: PathBuf = folder.join(temporary);
    let copied = if file.is_link { copy_link(&source, &part) } else { copy_bytes(&source, &part) };
    let placed = copied.and_then(|bytes| {
        fs::rename(&part, &target)?;
        File::open(folder)?.sync_all()?;
        Ok(bytes)
    });
    placed.map_err(|error| {
        // The leftover of a failed attempt does no harm, so errors are ignored.
        let _ = fs::remove_file(&part);
        FileError::io(&source, &error)
    })
}

fn copy_bytes(source: &Path, part: &Path) -> io::Result<u64> {
    let _ = fs::remove_file(part);
    let bytes = fs::copy(source, part)?;
    let modified = fs::metadata(source)?.modified()?;
    // Opened for reading, because a copy of a write-protected file is write-protected, too.
    let copy = File::open(part)?;
    copy.set_modified(modified)?;
    copy.sync_all()?;
    Ok(bytes)
}

#[cfg(unix)]
fn copy_link(source: &Path, part: &Path) -> io::Result<u64> {
    let _ = fs::remove_file(part);
    std::os::unix::fs::symlink(fs::read_link(source)?, part)?;
    Ok(0)
}

#[cfg(not(unix))]
fn copy_link(source: &Path, part: &Path) -> io::Result<u64> {
    copy_bytes(source, part)
}
