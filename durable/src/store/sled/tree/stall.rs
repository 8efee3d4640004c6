//! Keeps threads from waiting forever after sled has failed to write.
//!
//! sled 0.34 writes its buffers on threads of its own. If a write fails that was started by the
//! last user of a buffer (`Log::exit_reservation`), sled records the error but wakes no thread: a
//! `flush` that already waits for the buffer never returns, and nor does a read of a page in it.
//! Any later `flush` finds the recorded error and wakes all of them. So a thread looks for an error
//! while there are unsynced writes, and flushes if it finds one.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sled::{Config, Db, Tree};

use super::super::error::sled_error;
use crate::panics;
use crate::store::StoreError;

/// How often the thread looks for an error.
const PERIOD: Duration = Duration::from_millis(100);
/// How many times opening may be found unfinished after an error until it counts as stalled.
const PATIENCE: u32 = 10;

/// In sled, a batch excludes all other calls of the process, and a batch that waits for a stalled
/// `flush` would keep the flush that ends the stall waiting as well. So batches wait here instead.
static FLUSHES: RwLock<()> = RwLock::new(());

#[derive(Debug)]
pub(super) struct StallGuard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    has_unsynced_writes: bool,
    /// Whether the thread waits until there are unsynced writes. Otherwise it looks after each
    /// period, and need not be woken for each of many short writes.
    rests: bool,
    stopped: bool,
}

impl StallGuard {
    pub(super) fn start(tree: Tree, config: Config) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::default());
        let run = {
            let shared = Arc::clone(&shared);
            move || shared.run(&tree, &config)
        };
        let thread = thread::Builder::new().name("durable-sled".to_owned()).spawn(run);
        let thread = thread.map_err(|error| StoreError::io("cannot start a thread", error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Writes a batch, when no flush of the process is running.
    pub(super) fn write<T>(&self, write: impl FnOnce() -> T) -> T {
        {
            let mut state = self.shared.state();
            state.has_unsynced_writes = true;
            if state.rests {
                self.shared.changed.notify_all();
            }
        }
        let _alone = FLUSHES.write();
        write()
    }

    /// Flushes everything that was written.
    pub(super) fn flush<T>(&self, flush: impl FnOnce() -> sled::Result<T>) -> sled::Result<T> {
        let _beside_others = FLUSHES.read();
        let flushed = flush()?;
        self.shared.state().has_unsynced_writes = false;
        Ok(flushed)
    }
}

impl Drop for StallGuard {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn run(&self, tree: &Tree, config: &Config) {
        loop {
            let mut state = self.state();
            state.rests = true;
            let waits = |state: &mut State| !state.has_unsynced_writes && !state.stopped;
            let waited = self.changed.wait_while(state, waits);
            state = waited.unwrap_or_else(PoisonError::into_inner);
            state.rests = false;
            let runs = |state: &mut State| !state.stopped;
            let waited = self.changed.wait_timeout_while(state, PERIOD, runs);
            let (state, _timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.stopped {
                return;
            }
            drop(state);
            if config.global_error().is_err() {
                // Returns the error at once, and wakes all threads that wait in sled.
                let _ = panics::catch(|| tree.flush());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens sled on a separate thread, so that a panic is contained, and so that opening cannot stall:
/// there is no tree yet that could be flushed, so the thread is abandoned.
pub(super) fn open(config: &Config) -> Result<Db, Failure> {
    let (sender, receiver) = mpsc::channel();
    let opening = config.clone();
    let open = move || drop(sender.send(panics::catch(|| opening.open())));
    thread::Builder::new()
        .name("durable-open".to_owned())
        .spawn(open)
        .map_err(|error| Failure::Error(StoreError::io("cannot start a thread", error)))?;
    let mut patience = PATIENCE;
    loop {
        match receiver.recv_timeout(PERIOD) {
            Ok(Ok(opened)) => return opened.map_err(|error| Failure::Error(sled_error(error))),
            Ok(Err(panic)) => return Err(Failure::Panic(panic.to_string())),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::Panic("its thread ended".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let Err(error) = config.global_error() else { continue };
        match patience.checked_sub(1) {
            Some(left) => patience = left,
            None => return Err(Failure::Error(sled_error(error))),
        }
    }
}

/// Why sled was not opened.
pub(super) enum Failure {
    Error(StoreError),
    Panic(String),
}
