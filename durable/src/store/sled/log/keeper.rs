//! The keeper of the log: a thread that prepares segments in advance, and syncs frames that need
//! not be durable at once.
//!
//! It also tracks the last durable frame, and writes it to the mark.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::mark::Mark;
use super::segment::{self, Segment};
use crate::store::sled::system::{OpenFolder, is_passing};
use crate::store::{Durability, StoreError};

#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    folder: OpenFolder,
}

#[derive(Debug)]
struct State {
    mark: Mark,
    durable: u64,
    /// A file with frames to be synced soon, and the last of these frames.
    unsynced: Option<(Arc<File>, u64)>,
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
    ) -> Result<Self, StoreError> {
        let (unsynced, spare) = (None, Spare::None);
        let (syncing, failed, stopped) = (false, None, false);
        let state = State { mark, durable, unsynced, syncing, spare, failed, stopped };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            folder: folder.clone(),
        });
        let within = match durability {
            Durability::Immediate => Duration::ZERO,
            Durability::Within(within) => within,
        };
        let run = {
            let shared = Arc::clone(&shared);
            move || shared.run(within)
        };
        let thread = thread::Builder::new().name("durable-log".to_owned()).spawn(run);
        let thread = thread.map_err(|error| StoreError::io("cannot start a thread", error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The last frame that is durable.
    pub(super) fn durable(&self) -> u64 {
        self.shared.state().durable
    }

    /// Leaves the sync to the caller, because the system reports an error of a sync only once, to
    /// one of two concurrent callers.
    ///
    /// # Errors
    /// An earlier sync has failed.
    pub(super) fn take_over(&self) -> Result<(), StoreError> {
        let mut state = self.shared.state();
        while state.syncing {
            state = self.shared.wait(state);
        }
        state.unsynced = None;
        state.check()
    }

    /// Notes that all frames up to this one are durable.
    pub(super) fn synced(&self, sequence: u64) -> io::Result<()> {
        self.shared.state().synced(sequence)
    }

    /// Notes that frames up to this one were written to the file and are to be synced soon.
    ///
    /// # Errors
    /// An earlier sync has failed.
    pub(super) fn sync_soon(&self, file: &Arc<File>, sequence: u64) -> Result<(), StoreError> {
        let mut state = self.shared.state();
        state.check()?;
        let is_first = state.unsynced.is_none();
        state.unsynced = Some((Arc::clone(file), sequence));
        if is_first {
            self.shared.changed.notify_all();
        }
        Ok(())
    }

    /// Starts to prepare a segment.
    pub(super) fn prepare_segment(&self, size: usize) {
        let mut state = self.shared.state();
        if matches!(state.spare, Spare::None) {
            state.spare = Spare::Wanted(size);
            self.shared.changed.notify_all();
        }
    }

    /// Whether a segment of at least this size is ready.
    pub(super) fn has_segment(&self, size: usize) -> bool {
        let state = self.shared.state();
        matches!(&state.spare, Spare::Ready(Ok(made)) if made.size >= size)
    }

    /// Takes a segment of at least this size: the prepared one, if it is large enough.
    pub(super) fn take_segment(&self, size: usize) -> io::Result<Segment> {
        let mut state = self.shared.state();
        while matches!(state.spare, Spare::InTheMaking) {
            state = self.shared.wait(state);
        }
        match std::mem::replace(&mut state.spare, Spare::None) {
            Spare::Ready(made) if made.as_ref().is_ok_and(|made| made.size >= size) => made,
            _ => self.shared.create(size, || ()),
        }
    }

    /// Accepts the return of an unused segment.
    pub(super) fn give_back(&self, segment: Segment) {
        self.shared.state().spare = Spare::Ready(Ok(segment));
    }

    /// Syncs the mark, so that it is also correct after a crash of the machine, and deletes the
    /// prepared segment.
    pub(super) fn close(&self) -> io::Result<()> {
        let mut state = self.shared.state();
        while matches!(state.spare, Spare::InTheMaking) {
            state = self.shared.wait(state);
        }
        state.spare = Spare::None;
        segment::remove_spare(self.shared.folder.path());
        state.mark.sync()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl State {
    fn check(&self) -> Result<(), StoreError> {
        match &self.failed {
            Some(cause) => Err(StoreError::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    fn synced(&mut self, sequence: u64) -> io::Result<()> {
        self.durable = self.durable.max(sequence);
        match self.mark.set(self.durable) {
            // A mark that lags behind does no harm, and the next write corrects it.
            Err(error) if is_passing(&error) => Ok(()),
            set => set,
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, within: Duration) {
        let mut state = self.state();
        while !state.stopped {
            state = match state.spare {
                Spare::Wanted(size) => self.make_segment(state, size),
                _ if state.unsynced.is_some() => self.sync(state, within),
                _ => self.wait(state),
            };
        }
    }

    fn create(&self, size: usize, between: impl FnMut()) -> io::Result<Segment> {
        self.folder.check().map_err(io::Error::other)?;
        Segment::create(self.folder.path(), size, between)
    }

    /// Syncs pending frames first, and again while the segment is prepared.
    fn make_segment<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        size: usize,
    ) -> MutexGuard<'a, State> {
        let mut state = self.sync_now(state);
        state.spare = Spare::InTheMaking;
        drop(state);
        let made = self.create(size, || drop(self.sync_now(self.state())));
        let mut state = self.state();
        state.spare = Spare::Ready(made);
        self.changed.notify_all();
        state
    }

    /// Waits for more frames, so that one sync covers all of them. A segment that is requested in
    /// the meantime is prepared afterwards.
    fn sync<'a>(&'a self, state: MutexGuard<'a, State>, within: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout_while(state, within, |state| !state.stopped);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.sync_now(state)
    }

    fn sync_now<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let Some((file, sequence)) = state.unsynced.take() else { return state };
        state.syncing = true;
        drop(state);
        let synced = file.sync_data();
        let mut state = self.state();
        state.syncing = false;
        if let Err(error) = synced.and_then(|()| state.synced(sequence)) {
            tell!(error, %error, "a sync of the log failed: nothing more is accepted");
            state.failed.get_or_insert_with(|| format!("a sync of the log failed: {error}"));
        }
        self.changed.notify_all();
        state
    }
}
