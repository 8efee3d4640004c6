//! The names on a simulated disk, and what a crash of the machine leaves of them.
//!
//! Rules:
//! 1. The entries of a folder are durable once the folder was synced.
//! 2. Of the later changes of a folder, those up to some point survive.
//! 3. A synced file keeps the name under which it was created, and its folder keeps the changes
//!    before that, as with the journals of ext4, XFS and Btrfs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::content::Choose;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(u64),
    Folder(u64),
}

#[derive(Clone, Debug)]
enum Change {
    Add(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// All names.
#[derive(Debug)]
pub(super) struct Names {
    seen: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    /// The changes of each folder that no sync has covered.
    pending: BTreeMap<PathBuf, Vec<Change>>,
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Add(path, node) => drop(names.insert(path.clone(), *node)),
            Self::Remove(path) => drop(names.remove(path)),
            // With all that is in it.
            Self::Rename(from, to) => {
                let moved: Vec<_> =
                    names.keys().filter(|name| name.starts_with(from)).cloned().collect();
                for name in moved {
                    let Some(node) = names.remove(&name) else { continue };
                    let rest = name.strip_prefix(from).unwrap_or(Path::new(""));
                    let new = if rest == Path::new("") { to.clone() } else { to.join(rest) };
                    names.insert(new, node);
                }
            }
        }
    }
}

impl Names {
    /// The names of an empty disk.
    pub(super) fn with_root() -> Self {
        let root = BTreeMap::from([(PathBuf::from("/"), Node::Folder(0))]);
        Self { seen: root.clone(), durable: root, pending: BTreeMap::new() }
    }

    pub(super) fn get(&self, path: &Path) -> Option<Node> {
        self.seen.get(path).copied()
    }

    /// The files that have a name.
    pub(super) fn files(&self) -> BTreeSet<u64> {
        let names = self.seen.values().chain(self.durable.values());
        let files = names.filter_map(|node| match node {
            Node::File(number) => Some(*number),
            Node::Folder(_) => None,
        });
        files.collect()
    }

    /// The names in a folder.
    pub(super) fn list(&self, folder: &Path) -> Vec<(PathBuf, Node)> {
        let of_it = self.seen.iter().filter(|(name, _)| name.parent() == Some(folder));
        of_it.map(|(name, node)| (name.clone(), *node)).collect()
    }

    /// The names below a folder, at any depth, the deepest first.
    pub(super) fn below(&self, folder: &Path) -> Vec<(PathBuf, Node)> {
        let of_it = self.seen.iter().rev();
        let of_it = of_it.filter(|(name, _)| name.starts_with(folder) && *name != folder);
        of_it.map(|(name, node)| (name.clone(), *node)).collect()
    }

    pub(super) fn add(&mut self, path: &Path, node: Node) {
        self.change(&folder_of(path), Change::Add(path.to_owned(), node));
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.change(&folder_of(path), Change::Remove(path.to_owned()));
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        self.change(&folder_of(from), Change::Rename(from.to_owned(), to.to_owned()));
        let inside = |folder: &PathBuf| folder.starts_with(from);
        let moved: Vec<_> = self.pending.keys().filter(|folder| inside(folder)).cloned().collect();
        for folder in moved {
            // A change of a folder that was moved names a path that is gone. It is durable at once,
            // because only whole hubs are moved, and not by the hub.
            for change in self.pending.remove(&folder).into_iter().flatten() {
                change.apply(&mut self.durable);
            }
        }
    }

    fn change(&mut self, folder: &Path, change: Change) {
        change.apply(&mut self.seen);
        self.pending.entry(folder.to_owned()).or_default().push(change);
    }

    pub(super) fn sync(&mut self, folder: &Path) {
        for change in self.pending.remove(folder).into_iter().flatten() {
            change.apply(&mut self.durable);
        }
    }

    /// Notes that a file was synced (rule 3).
    pub(super) fn keep(&mut self, file: u64) {
        let is_it =
            |change: &Change| matches!(change, Change::Add(_, Node::File(it)) if *it == file);
        for changes in self.pending.values_mut() {
            if let Some(place) = changes.iter().position(is_it) {
                changes.drain(..=place).for_each(|change| change.apply(&mut self.durable));
            }
        }
    }

    /// Crashes the machine.
    pub(super) fn crash(&mut self, choose: Choose<'_>) {
        for changes in std::mem::take(&mut self.pending).into_values() {
            let all = u32::try_from(changes.len()).unwrap_or(u32::MAX);
            let count = match choose(3) {
                0 => 0,
                1 => all,
                _ => choose(all + 1),
            };
            changes[..count as usize].iter().for_each(|change| change.apply(&mut self.durable));
        }
        // What is in a folder that is not there is gone, too.
        let names: Vec<_> = self.durable.keys().cloned().collect();
        for name in names {
            if !self.durable.contains_key(&folder_of(&name)) {
                self.durable.remove(&name);
            }
        }
        self.seen.clone_from(&self.durable);
    }
}
