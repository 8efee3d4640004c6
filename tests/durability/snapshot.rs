//! A folder with all that is in it, held in memory: to be compared, damaged and written elsewhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::content::Content;

#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Folders come before what is in them.
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) files: BTreeMap<PathBuf, Content>,
}

impl Snapshot {
    pub(crate) fn of(folder: &Path) -> Self {
        let mut snapshot = Self::default();
        for entry in WalkDir::new(folder).min_depth(1).sort_by_file_name() {
            let entry = entry.unwrap();
            let path = entry.path().strip_prefix(folder).unwrap().to_owned();
            if entry.file_type().is_dir() {
                snapshot.folders.push(path);
            } else {
                let content = Content::of(&fs::read(entry.path()).unwrap());
                snapshot.files.insert(path, content);
            }
        }
        snapshot
    }

    /// Writes everything into a folder that is made for it.
    pub(crate) fn write_to(&self, folder: &Path) {
        fs::create_dir(folder).unwrap();
        for path in &self.folders {
            fs::create_dir(folder.join(path)).unwrap();
        }
        for (path, content) in &self.files {
            content.write_to(&folder.join(path));
        }
    }
}
