//! A simulated disk: it crashes at any call, loses what was not synced, is full, and fails.
//!
//! Rules:
//! 1. Each call is one step. A plan says at which call the process ends; no later call of that
//!    process has an effect, and all of them fail.
//! 2. When the machine crashes, what a sync has covered is there, and of everything else any part
//!    (`content.rs`, `names.rs`). What was synced is never damaged.
//! 3. A resource that is lacking (space, descriptors) is available again after some calls. Another
//!    error happens once.
//! 4. Before each call other actors of the store may take steps, as its threads could.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::content::Content;
use super::names::{Names, Node};
use super::{Disk, Found, Identity, Kind};
use crate::store::StoreError;
use crate::store::sled::actor::simulated::Actors;
use crate::store::sled::tree::simulated::State;
use crate::store::sled::{SledOptions, SledStore, system};

/// The chances of faults: one in this many calls, 0 for never.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskFaults {
    /// Space or descriptors run out, for some calls.
    pub lacks: u32,
    /// A call fails with an I/O error.
    pub breaks: u32,
}

/// What happened on a disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskCounts {
    /// All calls.
    pub calls: u64,
    /// Calls that failed for want of space or descriptors.
    pub lacked: u64,
    /// Calls that failed with an I/O error.
    pub broken: u64,
    /// Syncs among them.
    pub failed_syncs: u64,
    /// Crashes of the machine.
    pub power_losses: u64,
}

/// A simulated disk, as one process sees it. Its clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    machine: Arc<Mutex<Machine>>,
    choose: Arc<Mutex<Choose>>,
    pub(in crate::store::sled) actors: Arc<Actors>,
    /// The number of this process.
    process: u64,
}

type Choose = Box<dyn FnMut(u32) -> u32 + Send>;

struct Machine {
    files: BTreeMap<u64, Content>,
    names: Names,
    trees: BTreeMap<u64, State>,
    /// The number of the next file or folder.
    next: u64,
    /// Who has locked a file.
    locks: BTreeMap<u64, u64>,
    /// When the entries of a folder were last changed.
    changed: BTreeMap<u64, u64>,
    /// The process that runs; calls of earlier ones fail.
    process: u64,
    /// The process ends at this call.
    end: Option<u64>,
    faults: DiskFaults,
    lack: Option<Lack>,
    counts: DiskCounts,
    failure: Option<String>,
}

/// A resource is lacking.
#[derive(Clone, Copy, Debug)]
struct Lack {
    what: Resource,
    error: Errno,
    /// The number of calls that will fail.
    left: u32,
    /// Whether the system tells how little space there is. Otherwise another program takes it after
    /// it was asked for.
    is_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Space,
    Descriptors,
}

/// Errors of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errno {
    Io,
    Access,
    NoFiles,
    NoSpace,
    Quota,
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::Io => Self::other("input/output error"),
            Errno::Access => io::ErrorKind::PermissionDenied.into(),
            Errno::NoFiles => system::no_descriptors(),
            Errno::NoSpace => io::ErrorKind::StorageFull.into(),
            Errno::Quota => io::ErrorKind::QuotaExceeded.into(),
        }
    }
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sled) enum Call {
    Look,
    Open,
    Create,
    Write,
    Sync,
    Name,
}

impl Call {
    fn needs(self, resource: Resource) -> bool {
        match resource {
            Resource::Space => matches!(self, Self::Create | Self::Write | Self::Name),
            Resource::Descriptors => matches!(self, Self::Open | Self::Create),
        }
    }
}

impl SimDisk {
    /// An empty disk. `choose` draws numbers below the one that it gets.
    pub fn new(choose: impl FnMut(u32) -> u32 + Send + 'static) -> Self {
        let machine = Machine {
            files: BTreeMap::new(),
            names: Names::with_root(),
            trees: BTreeMap::new(),
            next: 1,
            locks: BTreeMap::new(),
            changed: BTreeMap::new(),
            process: 0,
            end: None,
            faults: DiskFaults::default(),
            lack: None,
            counts: DiskCounts::default(),
            failure: None,
        };
        let choose: Choose = Box::new(choose);
        Self {
            machine: Arc::new(Mutex::new(machine)),
            choose: Arc::new(Mutex::new(choose)),
            actors: Arc::default(),
            process: 0,
        }
    }

    /// Opens a store in a folder of this disk. `size` chooses the internal sizes of the store: it gets
    /// the name and the value in production of each.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub fn open_store(
        &self,
        path: &Path,
        mut options: SledOptions,
        mut size: impl FnMut(&'static str, usize) -> usize,
    ) -> Result<SledStore, StoreError> {
        options.disk = Disk::Simulated(self.clone());
        let (log, checkpoint) = (&mut options.sizes.log, &mut options.sizes.checkpoint);
        for (name, value) in [
            ("segment_min", &mut log.segment_min),
            ("segment_max", &mut log.segment_max),
            ("segment_step", &mut log.synced_at_once),
            ("checkpoint_operations", &mut checkpoint.operations),
            ("checkpoint_bytes", &mut checkpoint.bytes),
            ("tail", &mut checkpoint.tail),
            ("overlay", &mut options.overlay_bytes),
        ] {
            *value = size(name, *value).max(1);
        }
        options.open(path)
    }

    /// Sets the chances of faults from now on.
    pub fn set_faults(&self, faults: DiskFaults) {
        let mut machine = self.machine();
        machine.faults = faults;
        machine.lack = None;
    }

    /// One in this many calls lets other actors of the store take steps first; 0 for never.
    pub fn preempt(&self, one_in: u32) {
        self.actors.set_preemption(one_in);
    }

    /// The process ends at the call after this many more.
    pub fn end_process_after(&self, calls: Option<u64>) {
        let mut machine = self.machine();
        machine.end = calls.map(|calls| machine.counts.calls + calls);
    }

    /// Whether the process of this handle still runs.
    pub fn is_running(&self) -> bool {
        self.machine().process == self.process
    }

    /// What happened so far.
    pub fn counts(&self) -> DiskCounts {
        self.machine().counts
    }

    /// What the store did wrong, such as to wait forever.
    pub fn failure(&self) -> Option<String> {
        self.machine().failure.clone()
    }

    /// Ends the process, and the machine, too, if `power_fails`. Returns the disk as the next
    /// process finds it.
    #[must_use]
    pub fn restart(&self, power_fails: bool) -> Self {
        let choose = &mut *self.choose.lock().unwrap_or_else(PoisonError::into_inner);
        let mut machine = self.machine();
        let machine = &mut *machine;
        machine.process = machine.process.max(self.process) + 1;
        machine.end = None;
        machine.lack = None;
        machine.locks.clear();
        if power_fails {
            machine.counts.power_losses += 1;
            machine.names.crash(choose);
            machine.files.values_mut().for_each(|file| file.crash(choose));
        }
        for tree in machine.trees.values_mut() {
            tree.crash(choose);
        }
        Self { process: machine.process, actors: Arc::default(), ..self.clone() }
    }

    /// Moves a folder with all that is in it, as somebody else would.
    pub fn move_folder(&self, from: &Path, to: &Path) {
        let machine = &mut *self.machine();
        machine.names.rename(from, to);
        machine.names.sync(from.parent().unwrap_or(Path::new("/")));
    }

    /// A second process on the same disk, which runs beside this one.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { actors: Arc::default(), ..self.clone() }
    }

    /// Draws a number below `end`.
    pub(in crate::store::sled) fn choose(&self, end: u32) -> u32 {
        let choose = &mut *self.choose.lock().unwrap_or_else(PoisonError::into_inner);
        choose(end.max(1))
    }

    /// Notes what the store did wrong.
    pub(in crate::store::sled) fn fail(&self, wrong: String) {
        self.machine().failure.get_or_insert(wrong);
    }

    /// Time passes while somebody waits.
    pub(in crate::store::sled) fn pass_time(&self) {
        let mut machine = self.machine();
        machine.use_lack();
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call.
    fn enter(&self, call: Call) -> io::Result<MutexGuard<'_, Machine>> {
        self.actors.maybe_step(self);
        let mut choose = self.choose.lock().unwrap_or_else(PoisonError::into_inner);
        let mut machine = self.machine();
        machine.begin(self.process, call, &mut *choose)?;
        Ok(machine)
    }

    /// Opens the tree in this file, as sled would.
    pub(in crate::store::sled) fn open_tree(&self, path: &Path) -> io::Result<SimFile> {
        self.create_folder(path)?;
        let file = self.create(&path.join("db"), false)?;
        self.machine().trees.entry(file.number()).or_default();
        Ok(file)
    }

    /// Does something with a tree, as a call.
    pub(in crate::store::sled) fn with_tree<T>(
        &self,
        file: &SimFile,
        call: Call,
        run: impl FnOnce(&mut State) -> T,
    ) -> io::Result<T> {
        let mut machine = self.enter(call)?;
        Ok(run(machine.trees.entry(file.number()).or_default()))
    }

    /// Reads from a tree, which is no call: sled has it in memory.
    pub(in crate::store::sled) fn read_tree<T: Default>(
        &self,
        file: u64,
        run: impl FnOnce(&State) -> T,
    ) -> T {
        self.machine().trees.get(&file).map(run).unwrap_or_default()
    }

    fn file(&self, number: u64, path: &Path) -> SimFile {
        SimFile { disk: self.clone(), node: Node::File(number), path: path.to_owned() }
    }

    pub(super) fn look(&self, path: &Path) -> io::Result<Found> {
        let machine = self.enter(Call::Look)?;
        let node = machine.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(machine.look(node))
    }

    pub(super) fn open(&self, path: &Path) -> io::Result<SimFile> {
        let machine = self.enter(Call::Open)?;
        let node = machine.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(SimFile { disk: self.clone(), node, path: path.to_owned() })
    }

    pub(super) fn create(&self, path: &Path, empties: bool) -> io::Result<SimFile> {
        let mut machine = self.enter(Call::Create)?;
        machine.in_folder(path)?;
        match machine.names.get(path) {
            Some(Node::Folder(_)) => Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(number)) => {
                if empties && let Some(file) = machine.files.get_mut(&number) {
                    file.resize(0);
                }
                Ok(self.file(number, path))
            }
            None => {
                let number = machine.number();
                machine.files.insert(number, Content::default());
                machine.names.add(path, Node::File(number));
                machine.touch(path);
                Ok(self.file(number, path))
            }
        }
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let machine = self.enter(Call::Open)?;
        let node = machine.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        machine.content(node).map(|file| file.seen().to_vec())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<(PathBuf, Kind)>> {
        let machine = self.enter(Call::Open)?;
        let Some(Node::Folder(_)) = machine.names.get(path) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        Ok(machine.names.list(path).into_iter().map(|(name, node)| (name, kind(node))).collect())
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.enter(Call::Name)?;
        machine.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        machine.names.rename(from, to);
        machine.touch(from);
        Ok(())
    }

    pub(super) fn remove_file(&self, path: &Path) -> io::Result<()> {
        // It needs no space.
        let mut machine = self.enter(Call::Look)?;
        let Some(Node::File(_)) = machine.names.get(path) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        machine.names.remove(path);
        machine.touch(path);
        Ok(())
    }

    pub(super) fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.enter(Call::Look)?;
        machine.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        for (name, _) in machine.names.below(path) {
            machine.names.remove(&name);
        }
        machine.names.remove(path);
        machine.touch(path);
        Ok(())
    }

    pub(super) fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.enter(Call::Create)?;
        let mut missing: Vec<_> = path
            .ancestors()
            .filter(|above| above.parent().is_some() && machine.names.get(above).is_none())
            .collect();
        while let Some(above) = missing.pop() {
            let number = machine.number();
            machine.names.add(above, Node::Folder(number));
            machine.touch(above);
        }
        Ok(())
    }

    pub(super) fn available(&self, _path: &Path) -> io::Result<u64> {
        let mut machine = self.enter(Call::Look)?;
        let is_full = machine.lack.is_some_and(|it| it.what == Resource::Space && it.is_told);
        if is_full {
            machine.counts.lacked += 1;
            machine.use_lack();
        }
        Ok(if is_full { 0 } else { 1 << 40 })
    }
}

impl Machine {
    fn begin(&mut self, process: u64, call: Call, choose: &mut Choose) -> io::Result<()> {
        let ended = || Err(io::Error::other("the process has ended"));
        if self.process != process {
            return ended();
        }
        self.counts.calls += 1;
        if self.end.is_some_and(|end| self.counts.calls > end) {
            self.process += 1;
            return ended();
        }
        let mut one_in = |count: u32| count > 0 && choose(count) == 0;
        if self.lack.is_none() && one_in(self.faults.lacks) {
            self.lack = Some(Lack::draw(choose));
        } else if one_in(self.faults.breaks) {
            self.counts.broken += 1;
            self.counts.failed_syncs += u64::from(call == Call::Sync);
            // Who may open a file now may open it later.
            let may_deny = matches!(call, Call::Create | Call::Name);
            let is_io = !may_deny || choose(3) > 0;
            return Err(if is_io { Errno::Io } else { Errno::Access }.into());
        }
        if let Some(lack) = self.lack
            && call.needs(lack.what)
        {
            self.counts.lacked += 1;
            self.use_lack();
            return Err(lack.error.into());
        }
        Ok(())
    }

    fn use_lack(&mut self) {
        if let Some(lack) = &mut self.lack {
            lack.left = lack.left.saturating_sub(1);
            self.lack = self.lack.filter(|lack| lack.left > 0);
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The entries of the folder of `path` have changed.
    fn touch(&mut self, path: &Path) {
        let above = path.parent().and_then(|above| self.names.get(above));
        if let Some(Node::Folder(above)) = above {
            self.changed.insert(above, self.counts.calls);
        }
    }

    fn in_folder(&self, path: &Path) -> io::Result<()> {
        match path.parent().and_then(|above| self.names.get(above)) {
            Some(Node::Folder(_)) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn content(&self, node: Node) -> io::Result<&Content> {
        match node {
            Node::File(number) => self.files.get(&number).ok_or(io::ErrorKind::NotFound.into()),
            Node::Folder(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn look(&self, node: Node) -> Found {
        let (Node::File(number) | Node::Folder(number)) = node;
        let len = self.files.get(&number).map_or(0, |file| file.seen().len() as u64);
        let modified = self.changed.get(&number).copied().unwrap_or_default();
        let modified = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(modified));
        Found { identity: Identity(0, number), kind: kind(node), len, modified }
    }
}

impl Lack {
    fn draw(choose: &mut Choose) -> Self {
        let (what, error) = match choose(4) {
            0 | 1 => (Resource::Space, Errno::NoSpace),
            2 => (Resource::Space, Errno::Quota),
            _ => (Resource::Descriptors, Errno::NoFiles),
        };
        let left = 1 + choose(6);
        Self { what, error, left, is_told: choose(2) == 0 }
    }
}

fn kind(node: Node) -> Kind {
    match node {
        Node::File(_) => Kind::File,
        Node::Folder(_) => Kind::Folder,
    }
}

/// An open file or folder of a simulated disk.
pub(in crate::store::sled) struct SimFile {
    disk: SimDisk,
    node: Node,
    path: PathBuf,
}

impl SimFile {
    pub(in crate::store::sled) fn number(&self) -> u64 {
        let (Node::File(number) | Node::Folder(number)) = self.node;
        number
    }

    fn change(&self, change: impl FnOnce(&mut Content)) -> io::Result<()> {
        let mut machine = self.disk.enter(Call::Write)?;
        let file = machine.files.get_mut(&self.number()).ok_or(io::ErrorKind::IsADirectory)?;
        change(file);
        Ok(())
    }

    /// If it fails, some of the bytes may have been written.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let written = self.change(|file| file.write(offset, bytes));
        if written.is_err() && self.disk.is_running() {
            let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let some = self.disk.choose(len) as usize;
            if let Some(file) = self.disk.machine().files.get_mut(&self.number()) {
                file.write(offset, &bytes[..some]);
            }
        }
        written
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(|file| file.resize(usize::try_from(len).unwrap_or(usize::MAX)))
    }

    pub(super) fn allocate(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        self.change(|file| file.resize(file.seen().len().max(len)))
    }

    pub(in crate::store::sled) fn sync(&self) -> io::Result<()> {
        match self.disk.enter(Call::Sync) {
            Ok(mut machine) => {
                match self.node {
                    Node::File(number) => {
                        if let Some(file) = machine.files.get_mut(&number) {
                            file.sync();
                        }
                        if let Some(tree) = machine.trees.get_mut(&number) {
                            tree.sync();
                        }
                        machine.names.keep(number);
                    }
                    Node::Folder(_) => machine.names.sync(&self.path),
                }
                Ok(())
            }
            Err(error) => {
                if self.disk.is_running() {
                    let mut choose =
                        self.disk.choose.lock().unwrap_or_else(PoisonError::into_inner);
                    let mut machine = self.disk.machine();
                    if let Some(file) = machine.files.get_mut(&self.number()) {
                        file.fail_sync(&mut *choose);
                    }
                    if let Some(tree) = machine.trees.get_mut(&self.number()) {
                        tree.fail_sync(&mut *choose);
                    }
                }
                Err(error)
            }
        }
    }

    pub(super) fn look(&self) -> io::Result<Found> {
        Ok(self.disk.enter(Call::Look)?.look(self.node))
    }

    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let machine = self.disk.enter(Call::Look)?;
        machine.content(self.node).map(|file| file.seen().to_vec())
    }

    pub(super) fn try_lock(&self) -> Result<(), TryLockError> {
        let mut machine = self.disk.enter(Call::Look).map_err(TryLockError::Error)?;
        let (number, process) = (self.number(), self.disk.process);
        match machine.locks.insert(number, process) {
            None => Ok(()),
            Some(other) => {
                machine.locks.insert(number, other);
                Err(TryLockError::WouldBlock)
            }
        }
    }

    pub(super) fn unlock(&self) -> io::Result<()> {
        let mut machine = self.disk.machine();
        if machine.process == self.disk.process {
            machine.locks.remove(&self.number());
        }
        Ok(())
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk").field("process", &self.process).finish_non_exhaustive()
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFile").field("path", &self.path).finish_non_exhaustive()
    }
}
