//! The tasks of a simulation: an executor on one thread, whose caller chooses the task that it
//! polls.
//!
//! Rules:
//! 1. A task that is woken is ready. Which ready task is polled next is the caller's choice, so it
//!    does not depend on the order of the wake-ups.
//! 2. A task that panics is gone, as in tokio. The caller receives the panic.
//! 3. A task that is spawned while no simulation runs is dropped, as in a runtime that has ended.
//! 4. The runtime of the hub may end alone: its tasks are dropped, and those of others continue.
//! 5. Each task belongs to the process in whose step it is spawned, and ends with that process.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::panics;
use crate::protocol::FailureDetails;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    static TASKS: RefCell<Option<Tasks>> = const { RefCell::new(None) };
    /// The process whose step is taken.
    static PROCESS: Cell<usize> = const { Cell::new(0) };
}

#[derive(Default)]
struct Tasks {
    /// All tasks, by number; `None` while one is polled.
    all: BTreeMap<u64, (usize, Option<Task>)>,
    /// The tasks that run on the hub's runtime, and whether the runtime has ended.
    of_runtime: BTreeSet<u64>,
    has_ended: bool,
    next: u64,
    ready: Arc<Mutex<BTreeSet<u64>>>,
}

struct Ready {
    number: u64,
    ready: Arc<Mutex<BTreeSet<u64>>>,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).insert(self.number);
    }
}

fn with<T>(function: impl FnOnce(&mut Tasks) -> T) -> Option<T> {
    TASKS.with_borrow_mut(|tasks| tasks.as_mut().map(function))
}

/// Adds a task of the hub's runtime.
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    add(next_number(), task, true);
}

/// Adds a task of the hub's runtime under a number that was taken before.
pub(super) fn spawn_at(number: u64, task: impl Future<Output = ()> + Send + 'static) {
    add(number, task, true);
}

/// The number of the next task.
pub(super) fn next_number() -> u64 {
    let next = with(|tasks| {
        tasks.next += 1;
        tasks.next - 1
    });
    next.unwrap_or_default()
}

/// Adds a task that runs elsewhere: on a thread of the hub, or as a client.
pub(crate) fn spawn_apart(task: impl Future<Output = ()> + Send + 'static) {
    add(next_number(), task, false);
}

/// The process whose step is taken.
pub(crate) fn process() -> usize {
    PROCESS.get()
}

/// Takes a step of a process.
pub(crate) fn within<T>(process: usize, step: impl FnOnce() -> T) -> T {
    let before = PROCESS.replace(process);
    let result = step();
    PROCESS.set(before);
    result
}

fn add(number: u64, task: impl Future<Output = ()> + Send + 'static, is_of_runtime: bool) {
    let mut task: Option<Task> = Some(Box::pin(task));
    with(|tasks| {
        if is_of_runtime && tasks.has_ended {
            return;
        }
        tasks.all.insert(number, (PROCESS.get(), task.take()));
        if is_of_runtime {
            tasks.of_runtime.insert(number);
        }
        tasks.ready().insert(number);
    });
    // Outside of the borrow, because its destructor may spawn.
    drop(task);
}

/// The simulation on this thread. Dropping it drops all tasks.
#[derive(Debug)]
pub(crate) struct Executor(());

#[expect(
    clippy::unused_self,
    reason = "only the owner of an executor may poll the tasks of its thread"
)]
impl Executor {
    /// Begins a simulation on this thread, which can run only one at a time.
    pub(crate) fn begin() -> Self {
        TASKS.set(Some(Tasks::default()));
        Self(())
    }

    /// Adds a task.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        spawn_apart(task);
    }

    /// Ends the runtime of the hub. Returns whether that drops any task.
    pub(crate) fn end_runtime(&self) -> bool {
        let dropped = with(|tasks| {
            tasks.has_ended = true;
            let numbers = std::mem::take(&mut tasks.of_runtime);
            let of = |number| tasks.all.remove(number).and_then(|(_, task)| task);
            numbers.iter().filter_map(of).collect::<Vec<_>>()
        });
        // Outside of the borrow, because destructors run. A runtime drops each task by itself.
        let dropped = dropped.unwrap_or_default();
        let any = !dropped.is_empty();
        for task in dropped {
            panics::shield(|| drop(task));
        }
        any
    }

    /// Calls this for each ready task, oldest first, with its process.
    pub(crate) fn each_ready(&self, mut call: impl FnMut(u64, usize)) {
        with(|tasks| {
            for number in &*tasks.ready() {
                call(*number, tasks.all.get(number).map_or(0, |(process, _)| *process));
            }
        });
    }

    /// The number of tasks that have not ended.
    pub(crate) fn len(&self) -> usize {
        with(|tasks| tasks.all.len()).unwrap_or_default()
    }

    /// Polls a ready task once. Does nothing if it has ended or is being polled.
    pub(crate) fn poll(&self, number: u64) -> Result<(), FailureDetails> {
        let taken = with(|tasks| {
            let Some(task) = tasks.all.get_mut(&number) else {
                tasks.ready().remove(&number);
                return None;
            };
            let (process, task) = (task.0, task.1.take()?);
            tasks.ready().remove(&number);
            Some((process, task, Arc::clone(&tasks.ready)))
        });
        let Some(Some((process, task, ready))) = taken else { return Ok(()) };
        let waker = Waker::from(Arc::new(Ready { number, ready }));
        within(process, || Self::poll_task(number, process, task, &waker))
    }

    fn poll_task(
        number: u64,
        process: usize,
        mut task: Task,
        waker: &Waker,
    ) -> Result<(), FailureDetails> {
        let polled = panics::poll(task.as_mut(), &mut Context::from_waker(waker));
        if polled.is_pending() {
            let mut task = Some(task);
            with(|tasks| tasks.all.insert(number, (process, task.take())));
            // If the simulation has ended in the meantime. Outside of the borrow, because its
            // destructor may spawn.
            drop(task);
            return Ok(());
        }
        with(|tasks| {
            tasks.all.remove(&number);
            tasks.of_runtime.remove(&number);
            tasks.ready().remove(&number);
        });
        let dropped = panics::catch(|| drop(task));
        match polled {
            Poll::Ready(Err(panic)) => Err(panic),
            Poll::Ready(Ok(())) | Poll::Pending => dropped,
        }
    }

    /// Drops all tasks, and those that their destructors spawn.
    ///
    /// # Errors
    /// The panic of a destructor. As in tokio, the others run nevertheless.
    pub(crate) fn clear(&self) -> Result<(), FailureDetails> {
        let ended = TASKS.take();
        TASKS.set(Some(Tasks::default()));
        let mut result = Ok(());
        for (process, task) in ended.into_iter().flat_map(|tasks| tasks.all.into_values()) {
            result = result.and(panics::catch(|| within(process, || drop(task))));
        }
        result
    }

    /// Drops all tasks of a process, and those that their destructors spawn.
    ///
    /// # Errors
    /// The panic of a destructor. As in tokio, the others run nevertheless.
    pub(crate) fn clear_of(&self, process: usize) -> Result<(), FailureDetails> {
        let mut result = Ok(());
        while let Some(task) = with(|tasks| tasks.take_of(process)).flatten() {
            result = result.and(panics::catch(|| within(process, || drop(task))));
        }
        result
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        drop(TASKS.take());
    }
}

impl Tasks {
    /// Takes out the oldest task of a process.
    fn take_of(&mut self, process: usize) -> Option<Task> {
        let of_it = |(number, task): (&u64, &(usize, _))| (task.0 == process).then_some(*number);
        let number = self.all.iter().find_map(of_it)?;
        self.of_runtime.remove(&number);
        self.ready().remove(&number);
        self.all.remove(&number)?.1
    }

    fn ready(&self) -> std::sync::MutexGuard<'_, BTreeSet<u64>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
