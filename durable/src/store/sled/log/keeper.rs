//! The keeper of the log: an actor that prepares segments in advance, and syncs frames that need
//! not be durable at once.
//!
//! It also tracks the last durable frame, and writes it to the mark.

use std::io;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use super::mark::Mark;
use super::segment::{self, Segment, Unfilled};
use crate::store::sled::actor::{Actor, Next, Running};
use crate::store::sled::disk::DiskFile;
use crate::store::sled::monitor::Monitor;
use crate::store::sled::open_folder::OpenFolder;
use crate::store::sled::system::is_passing;
use crate::store::{Durability, StoreError};

/// The committing thread's handle of the keeper.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    actor: Running,
}

#[derive(Debug)]
struct Shared {
    state: Monitor<State>,
    folder: OpenFolder,
    /// The number of bytes between two syncs of a new segment.
    synced_at_once: usize,
}

#[derive(Debug)]
struct State {
    mark: Mark,
    durable: u64,
    /// A file with frames to be synced soon, and the last of these frames.
    unsynced: Option<(Arc<DiskFile>, u64)>,
    /// Whether a sync is running.
    syncing: bool,
    spare: Spare,
    failed: Option<String>,
    stopped: bool,
}

/// The segment that is prepared in advance.
#[derive(Debug)]
enum Spare {
    None,
    Wanted(usize),
    InTheMaking,
    Ready(io::Result<Segment>),
}

impl Keeper {
    pub(super) fn start(
        folder: &OpenFolder,
        mark: Mark,
        durable: u64,
        durability: Durability,
        synced_at_once: usize,
    ) -> Result<Self, StoreError> {
        let (unsynced, spare) = (None, Spare::None);
        let (syncing, failed, stopped) = (false, None, false);
        let state = State { mark, durable, unsynced, syncing, spare, failed, stopped };
        let state = Monitor::new(folder.disk(), "the keeper of the log", state);
        let shared = Arc::new(Shared { state, folder: folder.clone(), synced_at_once });
        let within = match durability {
            Durability::Immediate => Duration::ZERO,
            Durability::Within(within) => within,
        };
        let worker = Worker {
            shared: Arc::clone(&shared),
            within,
            has_waited: false,
            syncing: None,
            making: None,
        };
        let actor = Running::start(folder.disk(), "durable-log", worker)?;
        Ok(Self { shared, actor })
    }

    /// The last frame that is durable.
    pub(super) fn durable(&self) -> u64 {
        self.shared.lock().durable
    }

    /// Leaves the sync to the caller, because the system reports an error of a sync only once, to
    /// one of two concurrent callers.
    ///
    /// # Errors
    /// An earlier sync has failed.
    pub(super) fn take_over(&self) -> Result<(), StoreError> {
        let state = self.shared.lock();
        let mut state = self.shared.state.wait_while(state, |state| state.syncing);
        state.unsynced = None;
        state.check()
    }

    /// Notes that all frames up to this one are durable.
    pub(super) fn synced(&self, sequence: u64) -> io::Result<()> {
        self.shared.lock().synced(sequence)
    }

    /// Notes that frames up to this one were written to the file and are to be synced soon.
    ///
    /// # Errors
    /// An earlier sync has failed.
    pub(super) fn sync_soon(&self, file: &Arc<DiskFile>, sequence: u64) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        state.check()?;
        let is_first = state.unsynced.is_none();
        state.unsynced = Some((Arc::clone(file), sequence));
        if is_first {
            self.shared.state.notify();
        }
        Ok(())
    }

    /// Starts to prepare a segment.
    pub(super) fn prepare_segment(&self, size: usize) {
        let mut state = self.shared.lock();
        if matches!(state.spare, Spare::None) {
            state.spare = Spare::Wanted(size);
            self.shared.state.notify();
        }
    }

    /// Whether a segment of at least this size is ready.
    pub(super) fn has_segment(&self, size: usize) -> bool {
        let state = self.shared.lock();
        matches!(&state.spare, Spare::Ready(Ok(made)) if made.size >= size)
    }

    /// Takes a segment of at least this size: the prepared one, if it is large enough.
    pub(super) fn take_segment(&self, size: usize) -> io::Result<Segment> {
        let mut state = self.shared.made();
        let spare = std::mem::replace(&mut state.spare, Spare::None);
        drop(state);
        match spare {
            Spare::Ready(made) if made.as_ref().is_ok_and(|made| made.size >= size) => {
                mark!("log: a prepared segment is used");
                made
            }
            _ => {
                self.shared.folder.check().map_err(io::Error::other)?;
                Segment::create(&self.shared.folder, size, self.shared.synced_at_once)
            }
        }
    }

    /// Accepts the return of an unused segment.
    pub(super) fn give_back(&self, segment: Segment) {
        self.shared.lock().spare = Spare::Ready(Ok(segment));
    }

    /// Syncs the mark, so that it is also correct after a crash of the machine, and deletes the
    /// prepared segment.
    pub(super) fn close(&self) -> io::Result<()> {
        let mut state = self.shared.made();
        state.spare = Spare::None;
        segment::remove_spare(&self.shared.folder);
        state.mark.sync()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.state.notify();
        self.actor.join();
    }
}

impl State {
    fn check(&self) -> Result<(), StoreError> {
        match &self.failed {
            Some(cause) => Err(StoreError::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    fn wants_segment(&self) -> bool {
        matches!(self.spare, Spare::Wanted(_))
    }

    fn synced(&mut self, sequence: u64) -> io::Result<()> {
        self.durable = self.durable.max(sequence);
        match self.mark.set(self.durable) {
            // A mark that lags behind does no harm, and the next write corrects it.
            Err(error) if is_passing(&error) => {
                mark!("log: its mark lags behind");
                Ok(())
            }
            set => set,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Waits until no segment is being made, and returns the state.
    fn made(&self) -> MutexGuard<'_, State> {
        let is_in_the_making = |state: &mut State| matches!(state.spare, Spare::InTheMaking);
        self.state.wait_while(self.lock(), is_in_the_making)
    }
}

/// The keeper's state machine.
#[derive(Debug)]
struct Worker {
    shared: Arc<Shared>,
    /// How soon frames must be durable.
    within: Duration,
    /// Whether it has waited for more frames, so that one sync covers all of them.
    has_waited: bool,
    /// The file that it is about to sync, and the last frame in it.
    syncing: Option<(Arc<DiskFile>, u64)>,
    /// The segment in the making.
    making: Option<Unfilled>,
}

impl Actor for Worker {
    type Shared = State;

    fn shared(&self) -> &Monitor<State> {
        &self.shared.state
    }

    fn has_work(state: &State) -> bool {
        state.stopped || state.wants_segment() || state.unsynced.is_some()
    }

    fn is_stopped(state: &State) -> bool {
        state.stopped
    }

    /// Syncs pending frames before it prepares a segment, and again after each part of it. A segment
    /// that is requested while it waits for more frames is prepared afterwards.
    fn step(&mut self) -> Next {
        if let Some((file, sequence)) = self.syncing.take() {
            self.sync(&file, sequence);
            return Next::Again;
        }
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let may_sync = self.has_waited || self.making.is_some() || state.wants_segment();
        if may_sync && let Some(unsynced) = state.unsynced.take() {
            state.syncing = true;
            self.has_waited = false;
            self.syncing = Some(unsynced);
            return Next::Again;
        }
        if let Some(making) = self.making.take() {
            drop(state);
            self.make(making);
            return Next::Again;
        }
        if state.stopped {
            return Next::End;
        }
        if let Spare::Wanted(size) = state.spare {
            state.spare = Spare::InTheMaking;
            self.making = Some(Unfilled::new(size, shared.synced_at_once));
            return Next::Again;
        }
        if state.unsynced.is_none() {
            return Next::Idle;
        }
        self.has_waited = true;
        Next::After(self.within)
    }

    #[cfg(feature = "testing")]
    fn is_free(&self) -> bool {
        true
    }
}

impl Worker {
    /// Prepares a part of a segment.
    fn make(&mut self, mut making: Unfilled) {
        let shared = &*self.shared;
        let made = match shared.folder.check().map_err(io::Error::other) {
            Ok(()) => making.step(&shared.folder).transpose(),
            Err(error) => Some(Err(error)),
        };
        match made {
            None => self.making = Some(making),
            Some(made) => {
                shared.lock().spare = Spare::Ready(made);
                shared.state.notify();
            }
        }
    }

    fn sync(&self, file: &DiskFile, sequence: u64) {
        let synced = file.sync_data();
        let mut state = self.shared.lock();
        state.syncing = false;
        // A failed sync leaves unknown what is not on the disk, so a later success proves nothing.
        if state.failed.is_none()
            && let Err(error) = synced.and_then(|()| state.synced(sequence))
        {
            tell!(error, %error, "a sync of the log failed: nothing more is accepted");
            state.failed.get_or_insert_with(|| format!("a sync of the log failed: {error}"));
        }
        drop(state);
        self.shared.state.notify();
    }
}
