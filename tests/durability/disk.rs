//! A disk that loses power: computes, from the record of the shim, the folders that a crash may leave
//! behind.
//!
//! 1. Synced data is present: the content of a file that was written before its sync began, and the
//!    entries of a synced folder.
//! 2. Any part of the unsynced data may be present (`content.rs`). In each folder, the first few
//!    changes of its entries are present.
//! 3. A synced file keeps its name, and all earlier changes to the entries of its folder are durable,
//!    too: the journals of ext4, XFS and Btrfs guarantee this. Any later change of entries may be
//!    missing, whatever was synced of the content.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::content::{Change, Content, some_of};
use crate::seed::Random;
use crate::snapshot::Snapshot;
use crate::trace::{Deed, Entry, Sync};

/// What a name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder,
}

type Names = BTreeMap<PathBuf, Node>;

#[derive(Debug, Default)]
struct File {
    durable: Content,
    pending: Vec<Change>,
    /// The number of changes that `durable` contains.
    made_durable: usize,
}

/// A change to the entries of a folder.
#[derive(Clone, Debug)]
enum NameChange {
    Add(PathBuf, Node),
    Remove(PathBuf),
    /// Of a file, or of a folder with everything in it.
    Rename(PathBuf, PathBuf),
}

impl NameChange {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Add(path, node) => drop(names.insert(path.clone(), *node)),
            Self::Remove(path) => drop(names.remove(path)),
            Self::Rename(from, to) => {
                let is_of_it = |path: &PathBuf| path.starts_with(from);
                let of_it: Vec<_> = names.keys().filter(|path| is_of_it(path)).cloned().collect();
                for path in of_it {
                    let rest = path.strip_prefix(from).unwrap().to_owned();
                    // `join` would add a separator to a file's name.
                    let new = if rest == Path::new("") { to.clone() } else { to.join(rest) };
                    let node = names.remove(&path).unwrap();
                    names.insert(new, node);
                }
            }
        }
    }
}

/// The changes to a folder's entries.
#[derive(Debug, Default)]
struct Folder {
    pending: Vec<NameChange>,
    made_durable: usize,
}

/// What a sync in progress will make durable.
#[derive(Debug)]
enum Begun {
    File(usize, usize),
    Folder(PathBuf, usize),
    /// The root, or a file without a name.
    Nothing,
}

#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    folders: BTreeMap<PathBuf, Folder>,
    names: Names,
    durable_names: Names,
    begun: BTreeMap<u64, Begun>,
    ignores_syncs: bool,
}

impl Disk {
    /// A disk on which no sync has an effect.
    pub(crate) fn that_never_syncs() -> Self {
        Self { ignores_syncs: true, ..Self::default() }
    }

    /// A disk with this content, all of it durable.
    pub(crate) fn holding(snapshot: &Snapshot) -> Self {
        let mut disk = Self::default();
        for path in &snapshot.folders {
            disk.names.insert(path.clone(), Node::Folder);
        }
        for (path, content) in &snapshot.files {
            let node = disk.new_file(content.clone());
            disk.names.insert(path.clone(), node);
        }
        disk.durable_names = disk.names.clone();
        disk
    }

    /// Applies a recorded deed.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        let Entry { path, deed } = entry;
        match deed {
            Deed::Mark(_) | Deed::Call => {}
            Deed::Create => {
                let node = self.new_file(Content::default());
                self.change_names(path, NameChange::Add(path.clone(), node));
            }
            Deed::Write { offset, data } => {
                let data = data.as_slice().into();
                self.change_file(path, Change::Write { offset: *offset, data });
            }
            Deed::Resize(len) => self.change_file(path, Change::Resize(*len)),
            Deed::Grow(len) => self.change_file(path, Change::Grow(*len)),
            Deed::MakeFolder => {
                self.change_names(path, NameChange::Add(path.clone(), Node::Folder));
            }
            Deed::Unlink | Deed::RemoveFolder => {
                self.change_names(path, NameChange::Remove(path.clone()));
            }
            Deed::RenameTo(to) => {
                let is_modeled = path.parent() == to.parent() && self.is_settled(path);
                assert!(is_modeled, "no model of a crash for the renaming of {}", path.display());
                self.change_names(path, NameChange::Rename(path.clone(), to.clone()));
            }
            Deed::Sync(sync, number) => self.sync(path, *sync, *number),
        }
    }

    fn new_file(&mut self, durable: Content) -> Node {
        self.files.push(File { durable, ..File::default() });
        Node::File(self.files.len() - 1)
    }

    fn change_file(&mut self, path: &Path, change: Change) {
        let Some(Node::File(file)) = self.names.get(path) else {
            panic!("{} was written to and never created", path.display());
        };
        self.files[*file].pending.push(change);
    }

    fn change_names(&mut self, path: &Path, change: NameChange) {
        change.apply(&mut self.names);
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        assert!(self.has_durable_name(&folder), "`{}` has been renamed", folder.display());
        self.folders.entry(folder).or_default().pending.push(change);
    }

    /// Whether all entries of a folder, and of those in it, are durable.
    fn is_settled(&self, folder: &Path) -> bool {
        let of_it = self.folders.iter().filter(|(path, _)| path.starts_with(folder));
        of_it.into_iter().all(|(_, folder)| folder.pending.is_empty())
    }

    /// Whether no renaming to this path, or to one above it, is pending.
    fn has_durable_name(&self, folder: &Path) -> bool {
        let renames_it = |change: &NameChange| matches!(change, NameChange::Rename(_, to) if folder.starts_with(to));
        let mut changes = self.folders.values().flat_map(|folder| &folder.pending);
        !changes.any(renames_it)
    }

    fn sync(&mut self, path: &Path, sync: Sync, number: u64) {
        if sync == Sync::Begins {
            let begun = match self.names.get(path) {
                Some(Node::File(file)) => {
                    let of = &self.files[*file];
                    Begun::File(*file, of.made_durable + of.pending.len())
                }
                _ => match self.folders.get(path) {
                    Some(of) => Begun::Folder(path.to_owned(), of.made_durable + of.pending.len()),
                    None => Begun::Nothing,
                },
            };
            self.begun.insert(number, begun);
            return;
        }
        let begun = self.begun.remove(&number).unwrap_or(Begun::Nothing);
        if sync == Sync::Fails || self.ignores_syncs {
            return;
        }
        match begun {
            Begun::Nothing => {}
            Begun::File(file, until) => {
                let File { durable, pending, made_durable } = &mut self.files[file];
                let count = until.saturating_sub(*made_durable);
                pending.drain(..count).for_each(|change| durable.apply(&change));
                *made_durable += count;
                self.keep_name(path, file);
            }
            Begun::Folder(path, until) => {
                let Folder { pending, made_durable } = self.folders.entry(path).or_default();
                let count = until.saturating_sub(*made_durable);
                pending.drain(..count).for_each(|change| change.apply(&mut self.durable_names));
                *made_durable += count;
            }
        }
    }

    /// The name under which a file was created is durable.
    fn keep_name(&mut self, path: &Path, file: usize) {
        let Some(folder) = path.parent().and_then(|folder| self.folders.get_mut(folder)) else {
            return;
        };
        let names_it = |change: &NameChange| matches!(change, NameChange::Add(_, Node::File(added)) if *added == file);
        if let Some(place) = folder.pending.iter().position(names_it) {
            folder.pending.drain(..=place).for_each(|change| change.apply(&mut self.durable_names));
            folder.made_durable += place + 1;
        }
    }

    /// Writes into `folder` the content that a power failure at this moment leaves.
    pub(crate) fn crash_into(&self, folder: &Path, random: &mut Random) {
        // From nothing to everything that the system had not written yet.
        let kept = [0, 10, 50, 90, 100][usize::try_from(random.below(5)).unwrap()];
        let mut names = self.durable_names.clone();
        for Folder { pending, .. } in self.folders.values() {
            let count = some_of(pending.len(), kept, random);
            for change in &pending[..count] {
                change.apply(&mut names);
            }
        }
        // Parents come before their children.
        let mut folders = BTreeSet::from([PathBuf::new()]);
        for (path, node) in &names {
            if !folders.contains(path.parent().unwrap_or(Path::new(""))) {
                continue;
            }
            match node {
                Node::Folder => {
                    std::fs::create_dir(folder.join(path)).unwrap();
                    folders.insert(path.clone());
                }
                Node::File(file) => {
                    let File { durable, pending, .. } = &self.files[*file];
                    durable.after_crash(pending, kept, random).write_to(&folder.join(path));
                }
            }
        }
    }

    /// Every file, by name, with everything that was written to it.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Content> {
        let mut files = BTreeMap::new();
        for (path, node) in &self.names {
            if let Node::File(file) = node {
                let File { durable, pending, .. } = &self.files[*file];
                let mut content = durable.clone();
                for change in pending {
                    content.apply(change);
                }
                files.insert(path.clone(), content);
            }
        }
        files
    }
}
