//! The state of a simulated disk, and which of its calls fail.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::content::Content;
use super::found::{Found, Identity, Kind};
use super::names::{Names, Node};
use super::tree_content::State;
use crate::store::sled::system;

pub(super) type Choose = Box<dyn FnMut(u32) -> u32 + Send>;

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
    /// Syncs among the calls that failed with an I/O error.
    pub failed_syncs: u64,
    /// Crashes of the machine.
    pub power_losses: u64,
}

pub(super) struct Machine {
    pub(super) files: BTreeMap<u64, Content>,
    pub(super) names: Names,
    pub(super) trees: BTreeMap<u64, State>,
    /// The number of the next file or folder.
    pub(super) next: u64,
    /// The process that has locked a file.
    pub(super) locks: BTreeMap<u64, u64>,
    /// When the entries of a folder were last changed.
    pub(super) changed: BTreeMap<u64, u64>,
    /// The process that runs; calls of earlier ones fail.
    pub(super) process: u64,
    /// The process ends at this call.
    pub(super) end: Option<u64>,
    pub(super) faults: DiskFaults,
    pub(super) lack: Option<Lack>,
    pub(super) counts: DiskCounts,
    pub(super) failure: Option<String>,
}

/// A resource is lacking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lack {
    pub(super) what: Resource,
    error: Errno,
    /// The number of calls that will fail.
    left: u32,
    /// Whether the system reports how little space is left. Otherwise another program takes the
    /// space after the store has asked.
    pub(super) is_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
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

impl Machine {
    /// An empty disk.
    pub(super) fn new() -> Self {
        Self {
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
        }
    }

    pub(super) fn begin(
        &mut self,
        process: u64,
        call: Call,
        choose: &mut Choose,
    ) -> io::Result<()> {
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
            // A file that can be opened now can be opened later.
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

    pub(super) fn use_lack(&mut self) {
        if let Some(lack) = &mut self.lack {
            lack.left = lack.left.saturating_sub(1);
            self.lack = self.lack.filter(|lack| lack.left > 0);
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The entries of the folder of `path` have changed.
    pub(super) fn touch(&mut self, path: &Path) {
        let above = path.parent().and_then(|above| self.names.get(above));
        if let Some(Node::Folder(above)) = above {
            self.changed.insert(above, self.counts.calls);
        }
    }

    pub(super) fn in_folder(&self, path: &Path) -> io::Result<()> {
        match path.parent().and_then(|above| self.names.get(above)) {
            Some(Node::Folder(_)) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn content(&self, node: Node) -> io::Result<&Content> {
        match node {
            Node::File(number) => self.files.get(&number).ok_or(io::ErrorKind::NotFound.into()),
            Node::Folder(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn look(&self, node: Node) -> Found {
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

pub(super) fn kind(node: Node) -> Kind {
    match node {
        Node::File(_) => Kind::File,
        Node::Folder(_) => Kind::Folder,
    }
}
