//! What a path or an open file leads to.

use std::fs::{FileType, Metadata};
use std::time::SystemTime;

/// Identifies a file or folder while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sled) struct Identity(pub(super) u64, pub(super) u64);

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::sled) struct Found {
    pub(in crate::store::sled) identity: Identity,
    pub(in crate::store::sled) kind: Kind,
    pub(in crate::store::sled) len: u64,
    /// When the content was last changed, if the system knows.
    pub(in crate::store::sled) modified: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sled) enum Kind {
    File,
    Folder,
    /// A link, a pipe or the like.
    Other,
}

impl Found {
    pub(super) fn of(found: &Metadata) -> Self {
        let kind = kind(found.file_type());
        let modified = found.modified().ok();
        Self { identity: Identity::of(found), kind, len: found.len(), modified }
    }
}

pub(super) fn kind(kind: FileType) -> Kind {
    if kind.is_file() {
        Kind::File
    } else if kind.is_dir() {
        Kind::Folder
    } else {
        Kind::Other
    }
}

impl Identity {
    #[cfg(unix)]
    fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(found.dev(), found.ino())
    }

    /// On other systems, an open folder cannot be moved.
    #[cfg(not(unix))]
    fn of(_found: &Metadata) -> Self {
        Self(0, 0)
    }
}
