//! A simulated disk: it crashes at any call, loses what was not synced, is full, and fails.
//!
//! Rules:
//! 1. Each call is one step. A plan says at which call the process ends; no later call of that
//!    process has an effect, and all of them fail.
//! 2. When the machine crashes, everything that was synced survives undamaged, and any part of the
//!    rest may survive (`content.rs`, `names.rs`).
//! 3. A resource that is lacking (space, descriptors) is available again after some calls. Another
//!    error happens once.
//! 4. Before each call other actors of the store may take steps, as its threads could.

use std::fmt;
use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::actors::Actors;
use super::content::Content;
use super::found::{Found, Kind};
pub(in crate::store::sled) use super::machine::Call;
use super::machine::{Choose, Machine, Resource, kind};
pub use super::machine::{DiskCounts, DiskFaults};
use super::names::Node;
use super::tree_content::State;

/// A simulated disk, as one process sees it. Its clones are the same disk.
///
/// ```
/// use std::path::Path;
///
/// use durable::store::{SledStore, Store};
/// use durable::testing::sim::SimDisk;
///
/// let mut seed = 17_u32;
/// let disk = SimDisk::new(move |end| {
///     seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
///     seed % end
/// });
/// let open = |disk: &SimDisk| {
///     disk.open_store(Path::new("/hub"), SledStore::options(), |_name, production| production)
/// };
/// let epoch = open(&disk)?.claim(durable::protocol::PartitionId(0))?;
/// // The power fails: what was acknowledged is still there.
/// let disk = disk.restart(true);
/// assert!(open(&disk)?.claim(durable::protocol::PartitionId(0))? > epoch);
/// # Ok::<(), durable::store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct SimDisk {
    machine: Arc<Mutex<Machine>>,
    choose: Arc<Mutex<Choose>>,
    pub(in crate::store::sled) actors: Arc<Actors>,
    /// The number of this process.
    process: u64,
}

impl SimDisk {
    /// Creates an empty disk. `choose` draws a number below its argument.
    pub fn new(choose: impl FnMut(u32) -> u32 + Send + 'static) -> Self {
        let choose: Choose = Box::new(choose);
        Self {
            machine: Arc::new(Mutex::new(Machine::new())),
            choose: Arc::new(Mutex::new(choose)),
            actors: Arc::default(),
            process: 0,
        }
    }

    /// Sets the chances of faults from now on.
    pub fn set_faults(&self, faults: DiskFaults) {
        let mut machine = self.machine();
        machine.faults = faults;
        machine.lack = None;
    }

    /// Lets other actors of the store take steps before one in this many calls; 0 for never.
    pub fn preempt(&self, one_in: u32) {
        self.actors.set_preemption(one_in);
    }

    /// Ends the process at the call that follows this many more calls; `None` for never.
    pub fn end_process_after(&self, calls: Option<u64>) {
        let mut machine = self.machine();
        machine.end = calls.map(|calls| machine.counts.calls + calls);
    }

    /// Whether the process of this handle still runs.
    pub fn is_running(&self) -> bool {
        self.machine().process == self.process
    }

    /// Returns what happened so far.
    pub fn counts(&self) -> DiskCounts {
        self.machine().counts
    }

    /// Returns what the store did wrong, such as waiting forever.
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
        let named = machine.names.files();
        machine.files.retain(|number, _| named.contains(number));
        machine.trees.retain(|number, _| named.contains(number));
        for tree in machine.trees.values_mut() {
            tree.crash(choose);
        }
        Self { process: machine.process, actors: Arc::default(), ..self.clone() }
    }

    /// Moves a folder with its content, as another process would.
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

    /// A place where another thread of the process could run.
    pub(in crate::store::sled) fn maybe_step(&self) {
        self.actors.maybe_step(&|end| self.choose(end));
    }

    /// Lets an actor that can continue take a step.
    pub(in crate::store::sled) fn step_one(&self) -> bool {
        self.actors.step_one(&|end| self.choose(end))
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

    /// Time passes while an actor waits.
    pub(in crate::store::sled) fn pass_time(&self) {
        let mut machine = self.machine();
        machine.use_lack();
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call.
    fn enter(&self, call: Call) -> io::Result<MutexGuard<'_, Machine>> {
        self.maybe_step();
        let mut choose = self.choose.lock().unwrap_or_else(PoisonError::into_inner);
        let mut machine = self.machine();
        machine.begin(self.process, call, &mut choose)?;
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

    pub(super) fn unlock(&self) {
        let mut machine = self.disk.machine();
        if machine.process == self.disk.process {
            machine.locks.remove(&self.number());
        }
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
