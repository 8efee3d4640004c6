//! Errors of sled and of the operating system, as errors of the store.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::system::is_passing;
use crate::panics;
use crate::store::StoreError;

/// The remedy for a damaged folder. The files of a folder that was copied while its store was open
/// are from different moments, which looks like damage.
const REMEDY: &str = "keep a copy of the folder, then restore a backup of it, or save what can be \
                      read with `SledStore::read_only`; if this folder was copied while its hub was \
                      running, make a backup with `TaskHub::backup` or `durable store backup` \
                      instead of a copy";

impl StoreError {
    /// An error of a call that changed nothing if it failed.
    pub(in crate::store::sled) fn io_or_exhausted(
        doing: impl Into<String>,
        source: io::Error,
    ) -> Self {
        let (doing, is_passing) = (doing.into(), is_passing(&source));
        let source = Arc::new(source);
        if is_passing { Self::Exhausted { doing, source } } else { Self::Io { doing, source } }
    }
}

/// A file of the log is corrupt.
pub(super) fn log_damaged(file: &Path, offset: u64, what: String) -> StoreError {
    StoreError::LogDamaged { file: file.to_owned(), offset, what, remedy: Cow::Borrowed(REMEDY) }
}

/// The format is newer than those that this release knows.
pub(super) fn newer_format(found: u8) -> Option<StoreError> {
    // `in_folder` says of which folder.
    StoreError::newer_format("", found)
}

/// The same error with the folder and the remedy.
pub(super) fn in_folder(error: StoreError, path: &Path) -> StoreError {
    match error {
        StoreError::Damaged { what, .. } => StoreError::Damaged {
            what: format!("in `{}`, {what}", path.display()),
            remedy: Cow::Borrowed(REMEDY),
        },
        StoreError::UnknownFormat { found, known, .. } => {
            StoreError::UnknownFormat { location: path.display().to_string(), found, known }
        }
        error => error,
    }
}

pub(super) fn sled_error(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(source) => StoreError::io("sled cannot read or write", source),
        sled::Error::Corruption { at, .. } => StoreError::damaged(match at {
            Some(at) => format!("sled found corruption at {at:?}"),
            None => "sled found corruption".to_owned(),
        }),
        other => StoreError::damaged(format!("sled: {other}")),
    }
}

/// Runs a read or write of the tree: sled panics on some damaged files, without naming the folder.
pub(super) fn guarded<T>(
    path: &Path,
    run: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let result = panics::catch(run);
    let result = result.unwrap_or_else(|panic| Err(StoreError::damaged(panic.message)));
    result.map_err(|error| in_folder(error, path))
}
